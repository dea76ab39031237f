//! When and how the persona speaks: turns as tokens, the decision to answer, the end of a reply.
//!
//! Everything here is a pure function or a small state machine over token numbers and text. It
//! knows neither the model nor the cable; crate `device` joins them.
#![no_std]
#![forbid(unsafe_code)]
#![deny(clippy::indexing_slicing)]

mod decision;
mod dice;
mod reply;
mod style;
mod text;

pub use decision::{Decision, decide};
pub use dice::{Dice, Purpose};
pub use reply::{ReplyEnd, ReplyRule};
pub use style::{GAP_LIMITS, GAPS, Lead, Speaker, Style, gap_bucket};
pub use text::TextFilter;
