//! Text to tokens and back, from a flat table that is used in place.
//!
//! [`Tokenizer::open`] checks a whole table once; after it nothing can fail but a text that is
//! longer than the [`Encoder`]'s scratch. The algorithm is sentencepiece's BPE with scores as
//! llama2.c's `encode` in run.c does it: the same tokens, in O(n log n) instead of O(n²).
//!
//! Text never turns into a control token: a chat message that says `</s>` is four characters,
//! not the end of the conversation.

#![no_std]
#![forbid(unsafe_code)]
#![deny(clippy::indexing_slicing)]

extern crate alloc;

#[cfg(feature = "std")]
mod builder;
mod encode;
mod error;
#[cfg(feature = "std")]
pub mod synthetic;
mod table;
mod utf8;

#[cfg(feature = "std")]
pub use builder::{BuildError, TableBuilder};
pub use encode::{EncodeError, Encoder};
pub use error::TableError;
pub use table::{Kind, Tokenizer};
pub use utf8::Utf8Stream;
