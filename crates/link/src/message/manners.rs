//! How the persona is to choose its words and to behave.

use serde::{Deserialize, Serialize};

/// How the persona chooses its words, in thousandths so that no float crosses the cable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Settings {
    /// Sampling temperature; 0 takes the likeliest token always.
    pub temperature_milli: u16,
    /// Top-p: keep the likeliest tokens that make up this share; 1000 keeps all.
    pub top_p_milli: u16,
    /// Repetition penalty; 1000 is none.
    pub repetition_penalty_milli: u16,
    /// Seed of the persona's dice; `None` leaves them as they are.
    pub seed: Option<u64>,
    /// Longest reply in tokens.
    pub max_reply_tokens: u16,
}

/// How the persona behaves beyond what it has learned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Manners {
    /// By how much the odds of speaking are multiplied, in thousandths: 1000 as it was learned, 0
    /// never speaks.
    pub talkativeness_milli: u16,
    /// Messages in a row without a word from the friend, at most; `None` leaves it to the persona.
    pub most_unanswered: Option<u8>,
    /// When it does not speak first.
    pub quiet: Option<QuietHours>,
}

/// A part of every day, in minutes after midnight UTC. May go over midnight.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct QuietHours {
    /// The first minute, below 1440.
    pub from: u16,
    /// The minute after the last, below 1440.
    pub to: u16,
}
