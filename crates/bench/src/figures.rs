//! Measured numbers with a name and a unit, as they are printed, stored and compared.

use serde::{Deserialize, Serialize};

use crate::PARTS;

/// What a number counts. The words are what `wisp: NAME VALUE UNIT` ends with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Unit {
    /// Instructions, counted in the emulator: exact.
    #[serde(rename = "instructions")]
    Instructions,
    /// Instructions for each byte.
    #[serde(rename = "instructions/byte")]
    InstructionsPerByte,
    /// Rounds of the firmware's main loop.
    #[serde(rename = "rounds")]
    Rounds,
    /// Cycles of the model in `crates/cycle-model`: not measured on a board.
    #[serde(rename = "cycles_modelled")]
    Cycles,
    /// Tokens per second at 1 GHz, from modelled cycles.
    #[serde(rename = "tokens/s_modelled")]
    TokensPerSecond,
    /// Milliseconds at 1 GHz, from modelled cycles.
    #[serde(rename = "ms_modelled")]
    Milliseconds,
    /// Hundredths.
    #[serde(rename = "%")]
    Percent,
    /// How many times as fast.
    #[serde(rename = "times")]
    Times,
    /// Bytes.
    #[serde(rename = "bytes")]
    Bytes,
    /// Lines of 32 bytes that a load had to wait for, in the modelled cache.
    #[serde(rename = "misses_modelled")]
    Misses,
    /// Perplexity of a text.
    #[serde(rename = "perplexity")]
    Perplexity,
}

impl Unit {
    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Instructions => "instructions",
            Self::InstructionsPerByte => "instructions/byte",
            Self::Rounds => "rounds",
            Self::Cycles => "cycles_modelled",
            Self::TokensPerSecond => "tokens/s_modelled",
            Self::Milliseconds => "ms_modelled",
            Self::Percent => "%",
            Self::Times => "times",
            Self::Bytes => "bytes",
            Self::Misses => "misses_modelled",
            Self::Perplexity => "perplexity",
        }
    }

    /// Whether another compiler of the board's programs makes another number.
    pub fn depends_on_compiler(self) -> bool {
        matches!(
            self,
            Self::Instructions
                | Self::InstructionsPerByte
                | Self::Cycles
                | Self::Milliseconds
                | Self::Bytes
                | Self::Misses
        )
    }

    /// Digits behind the point that mean something.
    pub(crate) fn places(self) -> usize {
        match self {
            Self::Instructions | Self::Cycles | Self::Bytes | Self::Misses | Self::Rounds => 0,
            Self::InstructionsPerByte
            | Self::TokensPerSecond
            | Self::Milliseconds
            | Self::Percent
            | Self::Times => 2,
            Self::Perplexity => 4,
        }
    }
}

/// The share of a chat's tokens that needed no computing.
pub const KV_REUSE: &str = "kv_reuse_rate";

/// What the cable would take of a token under full traffic: listed with a token's parts, but not
/// in its sum.
pub const LINK_SERVICE: &str = "link_service";

/// A byte out of the driver's ring.
const LINK_RING: &str = "link_ring_instructions_per_byte";

/// What a change of a figure means.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Guard {
    /// The largest share by which it may get worse.
    pub most: f64,
    /// Whether more is worse; otherwise less is.
    pub is_more_worse: bool,
}

/// One measured number.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Figure {
    /// Lower case words with underscores, unique in a run.
    pub name: String,
    /// How much.
    pub value: f64,
    /// Of what.
    pub unit: Unit,
}

impl Figure {
    /// Whether it is a part of a token: `int8_norm_cycles_450_pos0`.
    pub fn is_of_part(&self) -> bool {
        // Ten ticks of the clock, and a part of each byte on the cable.
        self.name == LINK_RING
            || PARTS.iter().chain([&LINK_SERVICE]).any(|part| {
                self.name.contains(&format!("_{part}_instructions_pos"))
                    || self.name.contains(&format!("_{part}_cycles_"))
                        && !self.name.contains("_cycles_per_token_")
            })
    }

    fn is_of_cable(&self) -> bool {
        self.name.starts_with("link_")
    }

    /// How far it may go before it is a regression; `None` when it is not guarded.
    ///
    /// Not guarded is what follows from guarded figures (speeds, ratios, shares: they also move
    /// when something else becomes better), and parts: a few instructions that move from one to the
    /// next are a percent of a small one.
    pub fn guard(&self) -> Option<Guard> {
        if self.is_of_part() {
            return None;
        }
        match self.unit {
            // An interrupt comes one instruction sooner or later, and one is a hundred and fifty.
            Unit::Instructions | Unit::InstructionsPerByte if self.is_of_cable() => {
                Some(Guard { most: 0.03, is_more_worse: true })
            }
            Unit::Instructions
            | Unit::InstructionsPerByte
            | Unit::Cycles
            | Unit::Milliseconds
            | Unit::Bytes => Some(Guard { most: 0.01, is_more_worse: true }),
            // What was measured before a figure, and where the code lies, decide what is still in
            // the cache: the same program had 2.4 % more in a quick run than in a whole one. Their
            // cost is a small part of the cycles, which are guarded more tightly.
            Unit::Misses => Some(Guard { most: 0.1, is_more_worse: true }),
            Unit::Perplexity => Some(Guard { most: 0.001, is_more_worse: true }),
            Unit::Percent if self.name == KV_REUSE => {
                Some(Guard { most: 0.01, is_more_worse: false })
            }
            Unit::Rounds | Unit::TokensPerSecond | Unit::Percent | Unit::Times => None,
        }
    }

    /// As it is printed: `wisp: NAME VALUE UNIT`.
    pub fn line(&self) -> String {
        let Self { name, value, unit } = self;
        format!("wisp: {name} {value:.*} {}", unit.places(), unit.word())
    }
}

/// All figures of a run, in the order in which they were measured.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Figures(pub Vec<Figure>);

impl Figures {
    /// Adds a number. It is kept as precisely as it is printed, so that files and lines agree.
    pub fn add(&mut self, name: impl Into<String>, value: f64, unit: Unit) {
        let scale = 10f64.powi(unit.places() as i32);
        self.0.push(Figure { name: name.into(), value: (value * scale).round() / scale, unit });
    }

    /// The number of that name.
    pub fn get(&self, name: &str) -> Option<f64> {
        self.0.iter().find(|figure| figure.name == name).map(|figure| figure.value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_and_json_agree() {
        let mut figures = Figures::default();
        figures.add("int8_instructions_per_token_pos0", 16_260_123.0, Unit::Instructions);
        figures.add("int8_tokens_per_second_450_pos0", 24.336_7, Unit::TokensPerSecond);
        let lines: Vec<String> = figures.0.iter().map(Figure::line).collect();
        assert_eq!(
            lines,
            [
                "wisp: int8_instructions_per_token_pos0 16260123 instructions",
                "wisp: int8_tokens_per_second_450_pos0 24.34 tokens/s_modelled",
            ]
        );
        let json = serde_json::to_string(&figures).unwrap();
        assert!(json.contains("24.34") && json.contains("tokens/s_modelled"), "{json}");
        assert_eq!(serde_json::from_str::<Figures>(&json).unwrap(), figures);
    }

    #[test]
    fn a_persona_may_be_called_like_a_part() {
        let figure =
            |name: &str| Figure { name: name.to_owned(), value: 1.0, unit: Unit::Instructions };
        assert!(figure("persona_norm_sampling_instructions_pos0").is_of_part());
        assert!(figure("int8_link_service_instructions_pos0").is_of_part());
        assert!(figure("int8_attention_cycles_450_pos255").is_of_part());
        for whole in [
            "persona_norm_instructions_per_token_pos0",
            "persona_norm_cycles_per_token_450_pos0",
            "persona_norm_prefill_64_cycles_450",
        ] {
            assert!(!figure(whole).is_of_part() && figure(whole).guard().is_some(), "{whole}");
        }
    }

    #[test]
    fn every_unit_is_spelled_alike_in_lines_and_json() {
        use Unit::*;
        for unit in [
            Instructions,
            InstructionsPerByte,
            Rounds,
            Cycles,
            TokensPerSecond,
            Milliseconds,
            Percent,
            Times,
            Bytes,
            Misses,
            Perplexity,
        ] {
            assert_eq!(serde_json::to_string(&unit).unwrap(), format!("\"{}\"", unit.word()));
        }
    }
}
