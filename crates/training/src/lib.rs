//! Trains Llama-style models on packed tokens: presets, two phases, checkpoints, LoRA.
//!
//! The library behind `wisp-model train`. It works on the processor, on all its cores, and the
//! same seed gives the same model on the same machine, however many cores work and however often
//! the run is stopped. `model-export/training/torch_train.py` is the same recipe for GPUs.

#![forbid(unsafe_code)]

pub mod checkpoint;
pub mod curve;
pub mod dataset;
mod error;
pub mod folder;
pub mod learner;
pub mod lora;
pub mod mixture;
pub mod model;
pub mod optimiser;
pub mod run;
pub mod schedule;
pub mod shape;
mod tensors;
pub mod weights;

pub use error::{Error, Result};
