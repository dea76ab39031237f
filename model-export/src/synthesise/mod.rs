//! More conversations in the persona's style, written by a language model that the user names.
//!
//! This is the only place of the program that opens a connection, and only the verb `synthesise`
//! comes here. [`prompt`] says what is asked for, [`client`] asks at an [`address`], [`reading`] takes
//! conversations out of an answer, [`rules`] and [`novelty`] decide which are worth keeping, [`store`]
//! appends them to a file that can be gone on with, [`origin`] writes down where they are from.
//! [`run`] puts it together. What a server answers is not trusted anywhere.

pub mod address;
pub mod client;
pub mod command;
mod consent;
pub mod error;
pub mod material;
pub mod novelty;
pub mod origin;
mod progress;
pub mod prompt;
pub mod protocol;
pub mod reading;
pub mod retry;
pub mod rules;
pub mod run;
pub mod store;

pub use error::SynthesiseError;
