//! The memory report: what of its training messages a persona can be led to repeat word for word.
//!
//! [`material`] cuts the chats as they were cut for training, [`rows`] packs them and finds what is
//! rare in them,
//! [`plan`] decides what is tried, [`prompting`] leads the model through true conversations,
//! [`exposure`] ranks a rare word among all others, [`replies`] looks up what the persona says by
//! itself, [`verdict`] compares with what the model never saw, [`run`] does one after the other.
//!
//! The method is that of Carlini et al.: "The Secret Sharer" (2019) for exposure, "Extracting
//! Training Data from Large Language Models" (2021) for free drawing, "Quantifying Memorization
//! Across Neural Language Models" (2023) for leading with the true beginning and greedy drawing.

pub mod command;
mod counting;
pub mod error;
pub mod exposure;
pub mod html;
pub mod material;
pub mod plan;
pub mod prompter;
pub mod prompting;
pub mod replies;
pub mod report;
pub mod rows;
pub mod run;
mod summing;
pub mod terminal;
pub mod verdict;
pub mod words;

pub use error::MemoryError;
pub use plan::Amounts;
pub use run::{Request, report};
