//! Chats: exports of messengers in, one clean record for each message out.
//!
//! [`source`] finds files and archives, [`readers`] reads their formats into [`export`]'s lines,
//! [`ingest`] decides which chats and, with [`clean`], which lines become [`canonical`] messages;
//! [`senders`] knows who wrote them.
//! [`rhythm`] and [`turn_taking`] measure how a persona chats. Message text never goes to a log or
//! into an error.

pub mod canonical;
pub mod clean;
pub mod command;
pub mod error;
pub mod export;
pub mod ingest;
pub mod mojibake;
pub mod readers;
pub mod rhythm;
pub mod senders;
pub mod source;
pub mod turn_taking;

pub use canonical::Message;
pub use error::ChatError;
