//! Who speaks through the model: name, manner of taking turns, sampling, and where it all is from.

use crate::{Cause, Field};
use serde::{Deserialize, Serialize};

/// Longest name in bytes of UTF-8.
pub const MAX_NAME: usize = 64;

/// Number of buckets for the time between two messages.
pub const GAPS: usize = 5;

/// The persona of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Persona<'m> {
    /// What the persona is called, 1 to [`MAX_NAME`] bytes without control characters.
    pub name: &'m str,
    /// How a conversation is written as tokens.
    pub style: Style,
    /// How words are chosen unless the host says otherwise.
    pub sampler: SamplerDefaults,
    /// How it chats, where that is known.
    pub rhythm: Option<Rhythm>,
    /// Where the model is from.
    #[serde(borrow)]
    pub provenance: Provenance<'m>,
}

/// How a conversation is written as tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Style {
    /// A model of plain text, which goes on with what the friend wrote.
    Story {
        /// Begins every sequence.
        begin: u32,
        /// Ends a story; may be the same as `begin`, as in llama2.c.
        end: u32,
    },
    /// A model of conversations: `<gap:k> <you> text <end> <gap:k> <wisp> text <end> …`.
    ///
    /// `you`, `wisp`, `end` and the gaps all differ.
    Chat {
        /// Begins every conversation.
        begin: u32,
        /// The friend speaks.
        you: u32,
        /// The persona speaks.
        wisp: u32,
        /// A message ends.
        end: u32,
        /// Time since the message before, by bucket: up to a minute, ten minutes, an hour, six
        /// hours, longer.
        gaps: [u32; GAPS],
    },
}

/// Sampling unless the host says otherwise, in thousandths: the unit of the cable's `Settings`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SamplerDefaults {
    /// Temperature, at most 10000; 0 takes the likeliest token always.
    pub temperature_milli: u16,
    /// Top-p, 1 to 1000; 1000 keeps all tokens.
    pub top_p_milli: u16,
    /// Repetition penalty, 1000 (none) to 10000.
    pub repetition_penalty_milli: u16,
    /// Longest reply in tokens, at least 1.
    pub max_reply_tokens: u16,
}

impl Default for SamplerDefaults {
    /// Lively without falling apart: what llama2.c uses for small models.
    fn default() -> Self {
        Self {
            temperature_milli: 1000,
            top_p_milli: 900,
            repetition_penalty_milli: 1000,
            max_reply_tokens: 256,
        }
    }
}

impl SamplerDefaults {
    /// What suits a model that nothing else is known of. A small model that chats loses its thread
    /// sooner than one that tells a story, and its messages are short; with these, Wisp's read best.
    pub fn of(style: Style) -> Self {
        match style {
            Style::Story { .. } => Self::default(),
            Style::Chat { .. } => Self {
                temperature_milli: 600,
                top_p_milli: 900,
                repetition_penalty_milli: 1100,
                max_reply_tokens: 64,
            },
        }
    }
}

/// How the persona chats, counted in the conversations it was trained on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rhythm {
    /// The share of the other side's messages that it answered within an hour, in thousandths.
    pub reply_rate_milli: u16,
    /// Messages it wrote in a row, on average, in thousandths: 1000 to 60000.
    pub burst_length_milli: u16,
    /// The share of silences of more than an hour that it ended, in thousandths.
    pub first_speech_milli: u16,
    /// Most messages it wrote without an answer, at least 1.
    pub longest_unanswered: u16,
}

/// Where the model is from. Free text, UTF-8, may be empty.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Provenance<'m> {
    /// The checkpoint or data it was made from.
    pub source: &'m str,
    /// How it was trained and converted.
    pub training: &'m str,
    /// Licences and attributions of data and weights.
    pub licences: &'m str,
}

impl Style {
    /// The token that begins a sequence.
    pub fn begin(&self) -> u32 {
        match *self {
            Self::Story { begin, .. } | Self::Chat { begin, .. } => begin,
        }
    }

    /// The token that ends a message or story.
    pub fn end(&self) -> u32 {
        match *self {
            Self::Story { end, .. } | Self::Chat { end, .. } => end,
        }
    }

    fn check(&self, vocabulary: usize) -> Result<(), Cause> {
        let known = |token: u32| (token as usize) < vocabulary;
        match *self {
            Self::Story { begin, end } if known(begin) && known(end) => Ok(()),
            Self::Story { .. } => Err(Cause::TokenOutOfRange),
            Self::Chat { begin, you, wisp, end, gaps: [a, b, c, d, e] } => {
                let distinct = [you, wisp, end, a, b, c, d, e];
                if !known(begin) || !distinct.iter().all(|&token| known(token)) {
                    return Err(Cause::TokenOutOfRange);
                }
                let twice = |token| distinct.iter().filter(|&&other| other == token).count() > 1;
                if distinct.iter().any(|&token| twice(token)) {
                    return Err(Cause::TokensNotDistinct);
                }
                Ok(())
            }
        }
    }
}

impl Rhythm {
    /// Longest burst that makes sense, in thousandths of a message.
    const LONGEST_BURST_MILLI: u16 = 60_000;

    fn is_possible(&self) -> bool {
        self.reply_rate_milli <= 1000
            && (1000..=Self::LONGEST_BURST_MILLI).contains(&self.burst_length_milli)
            && self.first_speech_milli <= 1000
            && self.longest_unanswered >= 1
    }
}

impl Persona<'_> {
    /// Checks tokens against the vocabulary, and all limits.
    pub(crate) fn check(&self, vocabulary: usize) -> Result<(), Cause> {
        // Names are shown in terminals: no escape sequences.
        let has_control = self.name.chars().any(char::is_control);
        if self.name.is_empty() || self.name.len() > MAX_NAME || has_control {
            return Err(Cause::OutOfRange(Field::Name));
        }
        let SamplerDefaults {
            temperature_milli,
            top_p_milli,
            repetition_penalty_milli,
            max_reply_tokens,
        } = self.sampler;
        if temperature_milli > 10_000
            || !(1..=1000).contains(&top_p_milli)
            || !(1000..=10_000).contains(&repetition_penalty_milli)
            || max_reply_tokens == 0
        {
            return Err(Cause::OutOfRange(Field::Sampler));
        }
        if self.rhythm.is_some_and(|rhythm| !rhythm.is_possible()) {
            return Err(Cause::OutOfRange(Field::Rhythm));
        }
        self.style.check(vocabulary)
    }
}
