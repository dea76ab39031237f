//! How the persona chats: what `dataset.json` says for the persona file and for comparisons.

use serde::Serialize;

use crate::chats::Message;
use crate::chats::rhythm::Rhythm;

/// Longest time in seconds that counts as a reply to the message before.
const REPLY: i64 = 3600;

/// How the persona chats. The definitions are those of `chats::rhythm`.
#[derive(Clone, Debug, Serialize)]
pub struct Statistics {
    /// The share of the other side's messages that were answered.
    pub reply_rate: f64,
    /// Messages the persona writes in a row, on average.
    pub burst_length: f64,
    /// The share of silences of more than an hour that the persona ended.
    pub first_speech_rate: f64,
    /// Most messages of the persona without an answer, silences or not.
    pub longest_unanswered: u64,
    /// How long replies take, of those within an hour: mean and standard deviation of the natural
    /// logarithm of seconds (a log-normal distribution). Replies within a second count as one.
    pub reply_delay: LogNormal,
    /// The counts behind the rates.
    pub counts: Rhythm,
}

/// Mean and standard deviation of logarithms.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
#[allow(missing_docs)]
pub struct LogNormal {
    pub mean: f64,
    pub deviation: f64,
}

impl Statistics {
    /// The statistics of canonical messages, sorted by time within each chat.
    pub fn of(messages: &[Message], persona: &str) -> Self {
        let counts = Rhythm::of(messages, persona);
        let mut longest = 0;
        let mut delays: Vec<f64> = Vec::new();
        for chat in messages.chunk_by(|one, other| one.chat == other.chat) {
            let mut unanswered = 0;
            for message in chat {
                unanswered = if message.sender == persona { unanswered + 1 } else { 0 };
                longest = longest.max(unanswered);
            }
            for pair in chat.windows(2) {
                let [before, after] = pair else { continue };
                let seconds = after.time_ms.saturating_sub(before.time_ms).max(0) / 1000;
                if before.sender != persona && after.sender == persona && seconds <= REPLY {
                    delays.push((seconds.max(1) as f64).ln());
                }
            }
        }
        Statistics {
            reply_rate: counts.reply_rate(),
            burst_length: counts.burst_length(),
            first_speech_rate: counts.first_speech_rate(),
            longest_unanswered: longest,
            reply_delay: LogNormal::of(&delays),
            counts,
        }
    }
}

impl LogNormal {
    fn of(logarithms: &[f64]) -> Self {
        let count = logarithms.len().max(1) as f64;
        let mean = logarithms.iter().sum::<f64>() / count;
        let squares = logarithms.iter().map(|it| (it - mean).powi(2)).sum::<f64>();
        LogNormal { mean, deviation: (squares / count).sqrt() }
    }
}
