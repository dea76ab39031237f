//! When and how the persona speaks: turns as tokens, the decision to answer, the end of a reply.
//!
//! Everything here is a pure function or a small state machine over token numbers and text. It
//! knows neither the model nor the cable; crate `device` joins them.
#![no_std]
#![forbid(unsafe_code)]
#![deny(clippy::indexing_slicing)]

mod decision;
mod dice;
mod manners;
mod moments;
mod reply;
mod silence;
mod style;
mod text;

pub use decision::{Decision, chance_of_gap, chance_of_wisp, decide};
pub use dice::{Dice, Purpose};
pub use manners::{HIGHEST_TALKATIVENESS_MILLI, MOST_UNANSWERED, Manners, QuietHours};
pub use moments::moment;
pub use reply::{REPETITION_WINDOW, ReplyEnd, ReplyRule};
pub use silence::{Moment, Silence};
pub use style::{GAP_LIMITS, GAPS, Lead, Speaker, Style, gap_bucket};
pub use text::TextFilter;
