//! From counts to figures: tokens per second, shares, ratios.

use anyhow::Result;

use crate::emulator::MEMORIES;
use crate::figures::{Figures, LINK_SERVICE, Unit};
use crate::link;
use crate::segments::Counts;
use crate::session::Group;
use crate::transcript::Measured;

/// Positions at which a token is measured.
pub const POSITIONS: [usize; 3] = [0, 127, 255];

/// Cycles in a second: the Pi Zero's processor at its normal clock, 1 GHz.
const CYCLES_PER_SECOND: f64 = 1e9;

/// The memory that stands for the board when only one is named.
pub const USUAL_MEMORY: (&str, u32) = ("450", 71);

/// Tokens of the measured prefill.
const PREFILL: usize = 64;

/// All figures of one run of the board; `prefix` begins their names.
pub fn figures(prefix: &str, measured: &Measured) -> Figures {
    let mut figures = Figures::default();
    for position in POSITIONS {
        token(&mut figures, prefix, measured, position);
    }
    for position in POSITIONS {
        parts(&mut figures, prefix, measured, position);
    }
    let (name, memory) = USUAL_MEMORY;
    if let Some(share) = share_of(measured, "pos255_parts", "attention", memory) {
        figures.add(format!("{prefix}_attention_share_pos255_{name}"), share, Unit::Percent);
    }
    prefill(&mut figures, prefix, measured);
    for (measurement, figure) in [("message20", "first_token_20_ms"), ("start", "start_ms")] {
        if let Some(counts) = measured.total(measurement, memory) {
            let milliseconds = seconds(counts.cycles as f64) * 1000.0;
            figures.add(format!("{prefix}_{figure}_{name}"), milliseconds, Unit::Milliseconds);
        }
    }
    figures
}

/// How long so many cycles take.
pub fn seconds(cycles: f64) -> f64 {
    cycles / CYCLES_PER_SECOND
}

/// What the cable would take of each token if it carried 3 Mbaud meanwhile: more of a token that
/// takes longer, and of one in more slices.
pub fn link_service(groups: &[Group], costs: &link::Costs, figures: &mut Figures) -> Result<()> {
    let (name, _) = USUAL_MEMORY;
    for job in groups.iter().flat_map(|group| &group.jobs) {
        let prefix = &job.prefix;
        for position in POSITIONS {
            let cycles = figures.get(&format!("{prefix}_cycles_per_token_{name}_pos{position}"));
            let Some(cycles) = cycles else { continue };
            let taken = costs.under_load(seconds(cycles), job.rounds(position)?);
            let figure = format!("{prefix}_{LINK_SERVICE}_instructions_pos{position}");
            figures.add(figure, taken, Unit::Instructions);
        }
    }
    Ok(())
}

/// One token from its beginning to the choice of the next.
fn token(figures: &mut Figures, prefix: &str, measured: &Measured, position: usize) {
    let measurement = format!("pos{position}");
    let mut is_first = true;
    for (name, memory) in MEMORIES {
        let Some(counts) = measured.total(&measurement, memory) else { continue };
        if is_first {
            let figure = format!("{prefix}_instructions_per_token_pos{position}");
            figures.add(figure, counts.instructions as f64, Unit::Instructions);
            // The modelled cache sees the same addresses whatever the memory's speed.
            let figure = format!("{prefix}_bytes_per_token_pos{position}");
            figures.add(figure, counts.bytes as f64, Unit::Bytes);
            let figure = format!("{prefix}_misses_per_token_pos{position}");
            figures.add(figure, counts.misses as f64, Unit::Misses);
            is_first = false;
        }
        let figure = format!("{prefix}_cycles_per_token_{name}_pos{position}");
        figures.add(figure, counts.cycles as f64, Unit::Cycles);
        let figure = format!("{prefix}_tokens_per_second_{name}_pos{position}");
        figures.add(figure, 1.0 / seconds(counts.cycles as f64), Unit::TokensPerSecond);
    }
}

/// Where a token's instructions and cycles go.
fn parts(figures: &mut Figures, prefix: &str, measured: &Measured, position: usize) {
    let (name, memory) = USUAL_MEMORY;
    for (part, counts) in measured.parts(&format!("pos{position}_parts"), memory) {
        let Counts { instructions, cycles, .. } = counts;
        let figure = format!("{prefix}_{part}_instructions_pos{position}");
        figures.add(figure, instructions as f64, Unit::Instructions);
        let figure = format!("{prefix}_{part}_cycles_{name}_pos{position}");
        figures.add(figure, cycles as f64, Unit::Cycles);
    }
}

/// The share of a part in the cycles of a measurement, in percent.
fn share_of(measured: &Measured, measurement: &str, part: &str, memory: u32) -> Option<f64> {
    let total = measured.total(measurement, memory)?.cycles;
    let parts = measured.parts(measurement, memory);
    let (_, counts) = parts.iter().find(|(name, _)| *name == part)?;
    Some(counts.cycles as f64 / total as f64 * 100.0)
}

/// A prompt in batches, beside the same tokens one by one.
///
/// A token's cycles grow evenly with its position, because attention looks at all positions
/// before: so 64 tokens one by one take 64 times the cycles in the middle, between positions 31
/// and 32.
fn prefill(figures: &mut Figures, prefix: &str, measured: &Measured) {
    let (name, memory) = USUAL_MEMORY;
    let cycles = |measurement| Some(measured.total(measurement, memory)?.cycles as f64);
    let (Some(batches), Some(first), Some(later)) =
        (cycles("prefill64"), cycles("pos0"), cycles("pos127"))
    else {
        return;
    };
    let tokens = PREFILL as f64;
    let middle = (tokens - 1.0) / 2.0;
    let one_by_one = tokens * (first + (later - first) * middle / 127.0);
    figures.add(
        format!("{prefix}_prefill_64_tokens_per_second_{name}"),
        tokens * CYCLES_PER_SECOND / batches,
        Unit::TokensPerSecond,
    );
    figures.add(format!("{prefix}_prefill_64_cycles_{name}"), batches, Unit::Cycles);
    figures.add(format!("{prefix}_prefill_64_ratio_{name}"), one_by_one / batches, Unit::Times);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::emulator::Run;
    use std::collections::BTreeMap;

    /// A board that took the given cycles for each segment, with two memories.
    fn board(segments: &[(&str, u64)]) -> Measured {
        let said: Vec<String> =
            segments.iter().map(|(name, _)| format!("segment {name}")).collect();
        let counts = |cycles: u64| Counts {
            instructions: cycles / 2,
            cycles,
            misses: cycles / 100,
            bytes: cycles / 4,
        };
        let segments = segments
            .iter()
            .map(|(_, cycles)| BTreeMap::from([(71, counts(*cycles)), (0, counts(cycles / 2))]))
            .collect();
        Measured::new(&Run { said: said.join("\n"), segments }).unwrap()
    }

    #[test]
    fn speeds_follow_from_cycles() {
        let figures = figures("int8", &board(&[("pos0 whole", 40_000_000)]));
        assert_eq!(figures.get("int8_instructions_per_token_pos0"), Some(20_000_000.0));
        assert_eq!(figures.get("int8_cycles_per_token_450_pos0"), Some(40_000_000.0));
        assert_eq!(figures.get("int8_tokens_per_second_450_pos0"), Some(25.0));
        assert_eq!(figures.get("int8_tokens_per_second_perfect_pos0"), Some(50.0));
        assert_eq!(figures.get("int8_bytes_per_token_pos0"), Some(10_000_000.0));
        assert_eq!(figures.get("int8_tokens_per_second_330_pos0"), None, "not modelled");
        assert_eq!(figures.get("int8_instructions_per_token_pos255"), None, "not measured");
    }

    #[test]
    fn attention_has_its_share_of_the_whole() {
        let figures = figures(
            "int8",
            &board(&[
                ("pos255_parts attention", 4_000_000),
                ("pos255_parts projection", 30_000_000),
                ("pos255_parts attention", 6_000_000),
            ]),
        );
        assert_eq!(figures.get("int8_attention_share_pos255_450"), Some(25.0));
        assert_eq!(figures.get("int8_attention_cycles_450_pos255"), Some(10_000_000.0));
        assert_eq!(figures.get("int8_attention_instructions_pos255"), Some(5_000_000.0));
    }

    #[test]
    fn prefill_is_compared_with_tokens_at_the_same_positions() {
        let figures = figures(
            "int8",
            &board(&[
                ("pos0 whole", 40_000_000),
                // Grows by 100,000 a position.
                ("pos127 whole", 52_700_000),
                ("prefill64 whole", 1_000_000_000),
            ]),
        );
        // 64 tokens at 40 M + 31.5 * 0.1 M each: 2,761.6 M.
        assert_eq!(figures.get("int8_prefill_64_ratio_450"), Some(2.76));
        assert_eq!(figures.get("int8_prefill_64_tokens_per_second_450"), Some(64.0));
    }
}
