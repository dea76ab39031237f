//! Chats to persona files: clean, train, import, make small and measure, without a board.
//!
//! The library behind the command line tool `wisp-model`; [`cli`] is its surface.

#![forbid(unsafe_code)]

pub mod adopt;
pub mod base;
pub mod bpe;
pub mod chats;
pub mod cli;
pub mod compress;
pub mod conversation;
pub mod encoding;
pub mod error;
pub mod eval;
pub mod export;
pub mod gguf;
pub mod hugging_face;
pub mod import;
pub mod inspect;
mod interrupt;
pub mod llama2c;
#[cfg(feature = "training")]
pub mod make;
pub mod memory_report;
pub mod persona_file;
pub mod quantise;
pub mod report;
pub mod rope_layout;
pub mod sample;
pub mod stream;
#[cfg(feature = "synthesise")]
pub mod synthesise;
mod terminal;
#[cfg(feature = "training")]
pub mod train;
mod vocabulary;
pub mod weight_format;

pub use error::{Error, Result};
