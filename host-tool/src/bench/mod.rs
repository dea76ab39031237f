//! The user's benchmark: what a board does with a set of prompts, measured over the cable.
//!
//! | module | what it does |
//! |---|---|
//! | [`prompts`] | the cases: from JSON Lines, or our own |
//! | [`meter`] | takes one case through the board and measures it |
//! | [`row`] | what one repeat of one case has shown |
//! | `columns` | a row as a line of the files |
//! | [`statistics`] | median and percentiles |
//! | [`summary`] | every measure of every case over its repeats |
//! | [`facts`] | what was measured: board, persona, options |
//! | [`folder`] | the files of a run, written as it goes on |
//! | [`report`] | summaries as tables for the terminal |
//! | [`plot`] | the picture |
//! | `places` | no folder of this computer gets into the files |

mod columns;
mod error;
pub mod facts;
pub mod folder;
pub mod meter;
mod places;
pub mod plot;
pub mod prompts;
pub mod report;
pub mod row;
pub mod statistics;
pub mod summary;

pub use error::BenchError;
