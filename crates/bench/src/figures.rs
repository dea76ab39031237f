//! Measured numbers with a name and a unit, as they are printed, stored and compared.

use serde::{Deserialize, Serialize};

use crate::PARTS;

/// What a number counts. The words are what `wisp: NAME VALUE UNIT` ends with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Unit {
    /// Instructions, counted in the emulator: exact.
    #[serde(rename = "instructions")]
    Instructions,
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

    /// Digits behind the point that mean something.
    fn places(self) -> usize {
        match self {
            Self::Instructions | Self::Cycles | Self::Bytes | Self::Misses => 0,
            Self::TokensPerSecond | Self::Milliseconds | Self::Percent | Self::Times => 2,
            Self::Perplexity => 4,
        }
    }
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
        PARTS.iter().any(|part| {
            self.name.contains(&format!("_{part}_instructions_"))
                || self.name.contains(&format!("_{part}_cycles_"))
        })
    }

    /// Whether more of it is worse, and it is counted exactly enough to be compared with a baseline.
    /// Parts are not: a few instructions that move from one to the next are a percent of a small one.
    pub fn is_guarded(&self) -> bool {
        matches!(self.unit, Unit::Instructions | Unit::Cycles) && !self.is_of_part()
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
    fn every_unit_is_spelled_alike_in_lines_and_json() {
        use Unit::*;
        for unit in [
            Instructions,
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
