//! The transformer: llama2 on whole numbers and plain f32, one bounded slice of work at a time.
//!
//! ```text
//! Engine    tokens in, logits out; the key-value cache remembers what came before
//! Options   how much it remembers, how many tokens at a time, where and how weights are used
//! Kernels   the few functions that take nearly all the time; Portable is their definition
//! Sampler   logits in, token out
//! ```
//! The same file gives the same bits on every machine: see [`float`] for how. Memory is allocated
//! by the `new` functions only, and a lack of it is an error, not an abort.
//!
//! Llama2: Touvron et al., "Llama 2: Open Foundation and Fine-Tuned Chat Models" (2023). The
//! f32 path computes what Andrej Karpathy's llama2.c computes.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod cache;
mod engine;
mod error;
pub mod float;
mod input;
pub mod kernels;
mod matrix;
mod memory;
mod ops;
mod options;
mod positions;
mod random;
mod rope;
mod sampler;
mod sizes;
mod weights;

pub use engine::{Engine, Step};
pub use error::EngineError;
pub use kernels::{Kernels, Part, Portable};
pub use memory::{MemoryPlan, memory_needed};
pub use options::{CacheFormat, MAX_BATCH, Options, Placement};
pub use random::Pcg32;
pub use sampler::{Sampler, SamplerSettings, argmax};
