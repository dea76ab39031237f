//! What a memory report says: figures, which anybody may see, and finds, which are private.

use serde::Serialize;

use super::verdict::{Comparison, Verdict};
use super::words::Look;
use crate::chats::Message;
use crate::cli;

/// What stands first in every file with finds.
pub const PRIVATE: &str =
    "Private: these are messages out of your chats. Keep this file to yourself.";

/// Figures; no message text is in them.
#[derive(Clone, Debug, Serialize)]
pub struct Summary {
    /// The persona file.
    pub model: String,
    /// The persona's name in it.
    pub model_name: String,
    /// The persona's name in the chats.
    pub persona: String,
    /// What chance was seeded with.
    pub seed: u64,
    /// What to think of it.
    pub verdict: Verdict,
    /// Whether everything that was asked for was measured.
    pub is_complete: bool,
    /// Pieces of work done, and of how many.
    pub done: [usize; 2],
    /// Messages that could be tried: trained on, held back.
    pub messages: [usize; 2],
    /// Rare words that could be tried: trained on, held back.
    pub rare_words: [usize; 2],
    /// Whole messages, led by what was said before them.
    pub whole: Comparison,
    /// Second halves of messages, led by the first halves too.
    pub halves: Comparison,
    /// Words with digits, led by everything before them.
    pub numbers: Comparison,
    /// Rare names and other rare words.
    pub words: Comparison,
    /// Replies drawn freely that have a stretch of words of one conversation; the control are the
    /// persona's messages that were held back.
    pub replies: Comparison,
    /// Words tried besides, which the search for telling ones chose; not in the rates.
    pub searched_words: usize,
    /// Bits for each token of a message: trained on, held back. `None` where none was tried.
    pub bits_per_token: [Option<f64>; 2],
    /// The same for somebody who only knows how often each token occurs.
    pub counting_bits_per_token: f64,
    /// Median exposure of rare words in bits: trained on, held back; too unlikely ones count as 0.
    pub exposure: [Option<f64>; 2],
    /// Messages that were repeated, and stand in the list to leave out.
    pub to_leave_out: usize,
    /// What the user should know.
    pub notes: Vec<String>,
}

impl Summary {
    /// All measures with their names, those of whole messages first.
    pub fn measures(&self) -> [(&'static str, Comparison); 5] {
        [
            ("whole messages", self.whole),
            ("second halves", self.halves),
            ("numbers", self.numbers),
            ("rare words and names", self.words),
            ("free replies", self.replies),
        ]
    }

    /// Whether a measure is above chance, among all.
    pub fn is_above_chance(&self, comparison: &Comparison) -> bool {
        comparison.is_above_chance(self.measures().len())
    }
}

/// How a message was repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum How {
    /// After what was said before it.
    Whole,
    /// Its second half, after the first.
    Half,
}

/// A message that was repeated.
#[derive(Clone, Debug, Serialize)]
pub struct FoundMessage {
    /// How.
    pub how: How,
    /// Its tokens.
    pub tokens: usize,
    /// How many bits of it only the model knew: those that token counts alone would need, less the
    /// model's own.
    pub bits_known: f64,
    /// The record.
    pub message: Message,
}

/// A rare word that was given away.
#[derive(Clone, Debug, Serialize)]
pub struct FoundWord {
    /// As written.
    pub word: String,
    /// What it looks like.
    pub look: Look,
    /// The model's worst guess among its tokens: 1 if it says it by itself.
    pub worst_rank: usize,
    /// How likely the model says it there.
    pub probability: f64,
    /// In bits; `None` if too many others are likelier.
    pub exposure: Option<f64>,
    /// The record it stands in.
    pub message: Message,
}

/// A reply with a stretch out of one conversation.
#[derive(Clone, Debug, Serialize)]
pub struct FoundReply {
    /// What was written to the persona.
    pub opening: String,
    /// What it replied.
    pub reply: String,
    /// Words of the stretch.
    pub words: usize,
    /// The record the stretch stands in.
    pub message: Message,
}

/// Everything.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// A warning to whoever opens the file.
    pub private: &'static str,
    /// The figures.
    pub summary: Summary,
    /// The longest first.
    pub messages: Vec<FoundMessage>,
    /// Those the model says by itself, then those among its first five guesses; numbers and names
    /// first.
    pub words: Vec<FoundWord>,
    /// The longest stretch first.
    pub replies: Vec<FoundReply>,
    /// What to leave out of the next training: the records behind the measures that are above
    /// chance or, where none is, those of all that is listed. It has a file of its own.
    #[serde(skip)]
    pub to_leave_out: Vec<Message>,
}

impl Report {
    /// As JSON, with the warning in its first line.
    pub fn json(&self) -> String {
        cli::to_json(self).replacen("{\n  ", "{ ", 1)
    }
}
