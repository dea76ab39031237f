//! Text to tokens and back, from a flat table that is used in place.
//!
//! [`Tokenizer::open`] checks a whole table once; after it nothing can fail but a text that is
//! longer than the [`Encoder`]'s scratch. A table is of one of two schemes:
//!
//! - *scores*: sentencepiece's BPE as llama2.c's `encode` in run.c does it: the same tokens, in
//!   O(n log n) instead of O(n²).
//! - *pairs*: byte-level BPE as GPT-2 has it: a [`Splitter`] cuts a text into pieces, and in each
//!   the pair of lowest rank is merged, beginning with bytes. The same tokens as Hugging Face's
//!   `tokenizers` gives.
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
mod rules;
mod splitter;
#[cfg(feature = "std")]
pub mod synthetic;
mod table;
mod unicode;
mod utf8;
mod words;

#[cfg(feature = "std")]
pub use builder::{BuildError, TableBuilder};
pub use encode::{EncodeError, Encoder};
pub use error::TableError;
pub use splitter::{Pieces, Splitter};
pub use table::{Kind, Tokenizer};
pub use utf8::Utf8Stream;
