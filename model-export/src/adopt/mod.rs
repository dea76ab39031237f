//! A Llama that others trained becomes one that can be made a persona.
//!
//! It gets marks for speakers and silences, and our way of cutting texts; of its tokens those stay
//! that are used. What it knows, it knows in its layers, and these are not touched.

pub mod command;
mod error;
#[cfg(feature = "training")]
mod foreign;
mod graft;
mod kind;
mod words;

pub use error::AdoptError;
#[cfg(feature = "training")]
pub(crate) use foreign::is_foreign;
pub use graft::{Adopted, adopt};
pub use words::{Kept, keep};
