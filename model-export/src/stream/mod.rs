//! The conversation stream: chats and corpora as rows of tokens, for training.
//!
//! [`turn`] cuts chats into conversations and holds some back, [`corpus`] reads general text,
//! [`encode`] writes both as the board does, [`window`] packs them into rows, [`dataset`] is the
//! folder that comes out. [`prepare`] does one after the other.

pub mod chosen;
pub mod command;
pub mod corpus;
pub mod dataset;
pub mod dice;
pub mod encode;
pub mod error;
pub mod prepare;
pub mod statistics;
pub mod turn;
pub mod window;
pub mod words;

pub use error::PrepareError;
