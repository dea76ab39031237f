//! What the device takes of the processor's instructions, besides the model's and the interrupts'.
//!
//! The board's program lets the real device tell a story and the engine alone compute the same
//! tokens in the same slices, once in slices of a whole token and once in short ones. What the
//! device took more is `tokens * of_token + rounds * of_round`: two equations, two unknowns.

use anyhow::{Context, Result, ensure};

use crate::figures::{Figures, Unit};
use crate::measure::USUAL_MEMORY;
use crate::transcript::Measured;

/// Instructions that the device takes for itself: session, mind, words, events.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Costs {
    /// A call of `handle_bytes`, `poll` and `poll_transmit`.
    of_round: f64,
    /// A token, besides its rounds: its text, its event, and that over the cable.
    of_token: f64,
}

impl Costs {
    /// From what the board measured.
    pub fn new(measured: &Measured) -> Result<Self> {
        let (tokens, rounds, whole) = own(measured, "whole")?;
        let (tokens_again, more_rounds, sliced) = own(measured, "sliced")?;
        ensure!(tokens == tokens_again && more_rounds > rounds, "two stories that do not compare");
        let of_round = (sliced - whole) / (more_rounds - rounds);
        Ok(Self { of_round, of_token: (whole - rounds * of_round) / tokens })
    }

    /// Instructions for a token in so many rounds.
    pub fn in_token(&self, rounds: f64) -> f64 {
        self.of_token + rounds * self.of_round
    }

    /// As figures, and as a share of a token of so many instructions.
    pub fn add_to(&self, figures: &mut Figures, instructions: f64, rounds: f64) {
        figures.add("device_instructions_per_round", self.of_round, Unit::Instructions);
        figures.add("device_instructions_per_token", self.of_token, Unit::Instructions);
        let share = self.in_token(rounds) / instructions * 100.0;
        figures.add("device_share_of_token", share, Unit::Percent);
    }
}

/// Tokens, rounds, and what the device took more than the engine alone.
fn own(measured: &Measured, slices: &str) -> Result<(f64, f64, f64)> {
    let instructions = |name: &str| -> Result<f64> {
        let total = measured.total(name, USUAL_MEMORY.1);
        Ok(total.with_context(|| format!("no {name}"))?.instructions as f64)
    };
    let (device, engine) = (format!("device_{slices}"), format!("engine_{slices}"));
    let (tokens, rounds) = measured.rounds.get(&device).with_context(|| format!("no {device}"))?;
    let (tokens, rounds) = (*tokens as f64, *rounds as f64);
    // Every round was measured by itself, between marks that are instructions, too.
    let marks = instructions("empty")?;
    Ok((tokens, rounds, instructions(&device)? - rounds * marks - instructions(&engine)? + marks))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::emulator::Run;
    use crate::segments::Counts;

    #[test]
    fn rounds_and_tokens_are_told_apart() {
        let said = "\
segment empty whole
rounds device_whole 10 20
segment device_whole whole
segment engine_whole whole
rounds device_sliced 10 160
segment device_sliced whole
segment engine_sliced whole
";
        // 7 for the marks of each, 5000 for a token and 800 for a round.
        let engine = [1_000_000, 1_100_000];
        let instructions = [
            7,
            engine[0] + 20 * (7 + 800) + 10 * 5000,
            engine[0] + 7,
            engine[1] + 160 * (7 + 800) + 10 * 5000,
            engine[1] + 7,
        ];
        let segment = |instructions| [(71, Counts { instructions, ..Counts::default() })].into();
        let run = Run {
            said: said.to_owned(),
            segments: instructions.map(segment).into_iter().collect(),
        };
        let costs = Costs::new(&Measured::new(&run).unwrap()).unwrap();
        assert_eq!(costs, Costs { of_round: 800.0, of_token: 5000.0 });
        assert_eq!(costs.in_token(16.0), 17_800.0);
        let mut figures = Figures::default();
        costs.add_to(&mut figures, 1_780_000.0, 16.0);
        assert_eq!(figures.get("device_share_of_token"), Some(1.0));
    }

    #[test]
    fn a_board_that_measured_something_else_is_refused() {
        let error = Costs::new(&Measured::default()).unwrap_err().to_string();
        assert!(error.contains("device_whole"), "{error}");
    }
}
