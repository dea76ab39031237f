//! `wisp.json`: what a Hugging Face folder cannot say about a persona.
//!
//! Our trainers and `wisp-model export hf` write it beside `config.json`; the import reads it. Every
//! field but the name may be missing, and fields that are not known are left alone.
//!
//! ```json
//! {
//!   "name": "Robin",
//!   "special_tokens": {"begin": 0, "end": 1, "you": 2, "wisp": 3, "gaps": [4, 5, 6, 7, 8]},
//!   "sampler": {"temperature_milli": 800, "top_p_milli": 900,
//!               "repetition_penalty_milli": 1000, "max_reply_tokens": 256},
//!   "statistics": {"reply_rate": 0.8, "burst_length": 1.2, "first_speech_rate": 0.3,
//!                  "longest_unanswered": 4},
//!   "source": "chats of 2019 to 2024",
//!   "training": "15M, 4 epochs, seed 1",
//!   "licences": "private"
//! }
//! ```

use model_format::persona::GAPS;
use model_format::{Persona, Rhythm, SamplerDefaults, Style};
use serde::{Deserialize, Serialize};

/// Name of the file in the folder.
pub const WISP_JSON: &str = "wisp.json";

/// The contents of `wisp.json`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct WispJson {
    /// What the persona is called.
    pub name: String,
    /// How conversations are written; without it, the model continues plain text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub special_tokens: Option<SpecialTokens>,
    /// How words are chosen unless the host says otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sampler: Option<SamplerJson>,
    /// The rhythm of the chats it was trained on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub statistics: Option<RhythmJson>,
    /// The checkpoint or data it was made from.
    #[serde(default)]
    pub source: String,
    /// How it was trained and converted.
    #[serde(default)]
    pub training: String,
    /// Licences and attributions of data and weights.
    #[serde(default)]
    pub licences: String,
}

/// Tokens of a conversation. `you`, `wisp` and `gaps` make a chat; without them it is a story.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SpecialTokens {
    /// Begins every sequence.
    pub begin: u32,
    /// Ends a message, or a story.
    pub end: u32,
    /// The friend speaks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub you: Option<u32>,
    /// The persona speaks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wisp: Option<u32>,
    /// Time since the message before, by bucket.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gaps: Option<[u32; GAPS]>,
}

/// Sampling in thousandths, as in the `.wisp` file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SamplerJson {
    /// Temperature, at most 10000.
    pub temperature_milli: u16,
    /// Top-p, 1 to 1000.
    pub top_p_milli: u16,
    /// Repetition penalty, 1000 to 10000.
    pub repetition_penalty_milli: u16,
    /// Longest reply in tokens.
    pub max_reply_tokens: u16,
}

impl WispJson {
    /// What a persona file says of its persona.
    pub fn of(persona: &Persona<'_>) -> Self {
        Self {
            name: persona.name.to_owned(),
            special_tokens: Some(SpecialTokens::from(persona.style)),
            sampler: Some(SamplerJson::from(persona.sampler)),
            statistics: persona.rhythm.map(RhythmJson::from),
            source: persona.provenance.source.to_owned(),
            training: persona.provenance.training.to_owned(),
            licences: persona.provenance.licences.to_owned(),
        }
    }
}

impl From<SamplerDefaults> for SamplerJson {
    fn from(sampler: SamplerDefaults) -> Self {
        Self {
            temperature_milli: sampler.temperature_milli,
            top_p_milli: sampler.top_p_milli,
            repetition_penalty_milli: sampler.repetition_penalty_milli,
            max_reply_tokens: sampler.max_reply_tokens,
        }
    }
}

impl From<Style> for SpecialTokens {
    fn from(style: Style) -> Self {
        match style {
            Style::Story { begin, end } => Self { begin, end, you: None, wisp: None, gaps: None },
            Style::Chat { begin, you, wisp, end, gaps } => {
                Self { begin, end, you: Some(you), wisp: Some(wisp), gaps: Some(gaps) }
            }
        }
    }
}

impl SpecialTokens {
    /// The style these tokens are for; `None` when a part of a chat's tokens is missing.
    pub fn style(&self) -> Option<Style> {
        let Self { begin, end, you, wisp, gaps } = *self;
        match (you, wisp, gaps) {
            (None, None, None) => Some(Style::Story { begin, end }),
            (Some(you), Some(wisp), Some(gaps)) => {
                Some(Style::Chat { begin, you, wisp, end, gaps })
            }
            _ => None,
        }
    }
}

/// The rhythm of chats, as `dataset.json` has it among more.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct RhythmJson {
    /// The share of the other side's messages that were answered.
    pub reply_rate: f64,
    /// Messages the persona writes in a row, on average.
    pub burst_length: f64,
    /// The share of silences of more than an hour that the persona ended.
    pub first_speech_rate: f64,
    /// Most messages of the persona without an answer.
    pub longest_unanswered: u64,
}

impl From<Rhythm> for RhythmJson {
    fn from(rhythm: Rhythm) -> Self {
        Self {
            reply_rate: f64::from(rhythm.reply_rate_milli) / 1000.0,
            burst_length: f64::from(rhythm.burst_length_milli) / 1000.0,
            first_speech_rate: f64::from(rhythm.first_speech_milli) / 1000.0,
            longest_unanswered: rhythm.longest_unanswered.into(),
        }
    }
}

impl RhythmJson {
    /// As a persona file has it. `None` where the persona wrote nothing.
    pub fn rhythm(&self) -> Option<Rhythm> {
        // The file's own check refuses what is out of range; a number that is none becomes 0.
        let milli = |value: f64| (value * 1000.0).round() as u16;
        let longest_unanswered = u16::try_from(self.longest_unanswered).unwrap_or(u16::MAX);
        (longest_unanswered > 0).then(|| Rhythm {
            reply_rate_milli: milli(self.reply_rate),
            burst_length_milli: milli(self.burst_length),
            first_speech_milli: milli(self.first_speech_rate),
            longest_unanswered,
        })
    }
}

impl From<SamplerJson> for SamplerDefaults {
    fn from(json: SamplerJson) -> Self {
        Self {
            temperature_milli: json.temperature_milli,
            top_p_milli: json.top_p_milli,
            repetition_penalty_milli: json.repetition_penalty_milli,
            max_reply_tokens: json.max_reply_tokens,
        }
    }
}
