//! Checkpoints to persona files: import, quantise, inspect and evaluate, without a board.
//!
//! The library behind the command line tool `wisp-model`; [`cli`] is its surface.

#![forbid(unsafe_code)]

pub mod cli;
pub mod error;
pub mod eval;
pub mod import;
pub mod inspect;
pub mod llama2c;
pub mod output;
pub mod persona_file;
pub mod quantise;
pub mod weight_format;

pub use error::{Error, Result};
