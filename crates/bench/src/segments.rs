//! What the cycle model reports: one line for each stretch of code and each memory speed.
//!
//! ```text
//! segment 12 line 71 instructions 16260123 cycles 41100321 ...
//! ```
//! More pairs of a word and a number may follow; only those that are asked for must be there.

use std::collections::BTreeMap;
use std::ops::AddAssign;

use anyhow::{Context, Result, ensure};

/// What a stretch of code took, with one memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Instructions executed.
    pub instructions: u64,
    /// Modelled cycles.
    pub cycles: u64,
    /// Loads that had to wait for a line, in the modelled data cache.
    pub misses: u64,
    /// Bytes that came from memory into the modelled data cache.
    pub bytes: u64,
}

impl AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        self.instructions += other.instructions;
        self.cycles += other.cycles;
        self.misses += other.misses;
        self.bytes += other.bytes;
    }
}

/// Counts by memory speed: cycles per line of 32 bytes.
pub type ByMemory = BTreeMap<u32, Counts>;

/// Reads all segments in their order. Lines that are no segments are skipped.
pub fn parse(text: &str) -> Result<Vec<ByMemory>> {
    let mut segments: Vec<ByMemory> = Vec::new();
    for line in text.lines().filter(|line| line.starts_with("segment ")) {
        let (index, memory, counts) =
            parse_line(line).with_context(|| format!("the cycle model said: {line}"))?;
        if index == segments.len() {
            segments.push(ByMemory::new());
        }
        ensure!(index + 1 == segments.len(), "segment {index} is out of order");
        let segment = segments.last_mut().context("no segment")?;
        ensure!(segment.insert(memory, counts).is_none(), "segment {index} came twice");
    }
    Ok(segments)
}

fn parse_line(line: &str) -> Result<(usize, u32, Counts)> {
    let mut words = line.split_ascii_whitespace();
    let mut pairs = BTreeMap::new();
    while let Some(name) = words.next() {
        let value = words.next().with_context(|| format!("no number after {name}"))?;
        pairs.insert(name, value);
    }
    let number = |name: &str| -> Result<u64> {
        let word = pairs.get(name).with_context(|| format!("no {name}"))?;
        word.parse().with_context(|| format!("{name} is {word}"))
    };
    let counts = Counts {
        instructions: number("instructions")?,
        cycles: number("cycles")?,
        misses: number("misses")?,
        bytes: number("bytes")?,
    };
    Ok((usize::try_from(number("segment")?)?, u32::try_from(number("line")?)?, counts))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "\
noise
segment 0 line 71 instructions 10 cycles 20 misses 1 bytes 64 other 7
segment 0 line 0 instructions 10 cycles 15 misses 1 bytes 64
segment 1 line 71 instructions 5 cycles 6 misses 0 bytes 0
segment 1 line 0 instructions 5 cycles 5 misses 0 bytes 0
";

    #[test]
    fn segments_by_memory() {
        let segments = parse(TEXT).unwrap();
        assert_eq!(segments.len(), 2);
        assert_eq!(segments[0][&71], Counts { instructions: 10, cycles: 20, misses: 1, bytes: 64 });
        assert_eq!(segments[1][&0].cycles, 5);
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        for wrong in [
            "segment 1 line 0 instructions 5 cycles 5 misses 0 bytes 0",
            "segment 0 line 0 instructions 5 cycles 5 misses 0",
            "segment 0 line 0 instructions 5 cycles five misses 0 bytes 0",
            "segment 0 line 0 instructions 5 cycles -5 misses 0 bytes 0",
            "segment 0 line",
        ] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
        let twice = TEXT.replace("line 0", "line 71");
        assert!(parse(&twice).is_err());
    }
}
