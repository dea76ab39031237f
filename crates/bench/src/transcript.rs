//! What the board said: its memory, and what each segment of the cycle model was.

use std::collections::BTreeMap;

use anyhow::{Result, ensure};

use crate::emulator::Run;
use crate::segments::{ByMemory, Counts};

/// A run, put in order: measurements, in them parts, in them the counts for each memory.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Measured {
    measurements: BTreeMap<String, BTreeMap<String, ByMemory>>,
    /// What the engine allocated, by purpose: names and bytes.
    pub memory: Vec<(String, u64)>,
    /// Tokens and rounds of each measurement that has rounds.
    pub rounds: BTreeMap<String, (u64, u64)>,
}

impl Measured {
    /// Joins what the board and the cycle model said.
    ///
    /// The board writes `memory PURPOSE BYTES`, `rounds MEASUREMENT TOKENS ROUNDS` and, for each
    /// segment in order, `segment MEASUREMENT PART`.
    pub fn new(run: &Run) -> Result<Self> {
        let mut measured = Self::default();
        let mut segments = run.segments.iter();
        for line in run.said.lines() {
            let words: Vec<&str> = line.split_ascii_whitespace().collect();
            match words.as_slice() {
                ["memory", purpose, bytes] => {
                    measured.memory.push(((*purpose).to_owned(), bytes.parse()?));
                }
                ["rounds", measurement, tokens, rounds] => {
                    let numbers = (tokens.parse()?, rounds.parse()?);
                    measured.rounds.insert((*measurement).to_owned(), numbers);
                }
                ["segment", measurement, part] => {
                    let Some(counts) = segments.next() else { break };
                    measured.add(measurement, part, counts);
                }
                _ => {}
            }
        }
        let named = run.said.lines().filter(|line| line.starts_with("segment ")).count();
        ensure!(named > 0, "the board measured nothing:\n{}", run.said);
        let counted = run.segments.len();
        ensure!(named == counted, "the board set {named} marks, the cycle model saw {counted}");
        Ok(measured)
    }

    /// Adds another run's measurements, which must be others.
    pub fn merge(&mut self, other: Self) {
        for (measurement, parts) in other.measurements {
            // Between the measurements, every run does something.
            self.measurements.entry(measurement).or_insert(parts);
        }
        // The same model takes the same memory in every run.
        if self.memory.is_empty() {
            self.memory = other.memory;
        }
        self.rounds.extend(other.rounds);
    }

    fn add(&mut self, measurement: &str, part: &str, counts: &ByMemory) {
        let parts = self.measurements.entry(measurement.to_owned()).or_default();
        let sums = parts.entry(part.to_owned()).or_default();
        for (memory, counts) in counts {
            *sums.entry(*memory).or_default() += *counts;
        }
    }

    /// The counts of a measurement, all parts together; `None` when it was not made.
    pub fn total(&self, measurement: &str, memory: u32) -> Option<Counts> {
        let parts = self.measurements.get(measurement)?;
        let mut total = Counts::default();
        for counts in parts.values() {
            total += *counts.get(&memory)?;
        }
        Some(total)
    }

    /// The parts of a measurement and their counts.
    pub fn parts(&self, measurement: &str, memory: u32) -> Vec<(&str, Counts)> {
        let parts = self.measurements.get(measurement).into_iter().flatten();
        parts.filter_map(|(part, counts)| Some((part.as_str(), *counts.get(&memory)?))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn segment(cycles: u64) -> ByMemory {
        let counts = Counts { instructions: 10, cycles, misses: 1, bytes: 32 };
        [(71, counts), (0, Counts { cycles: 10, ..counts })].into()
    }

    fn run(said: &str, segments: usize) -> Run {
        Run { said: said.to_owned(), segments: (0..segments as u64).map(segment).collect() }
    }

    const SAID: &str = "\
memory cache 4096
segment between whole
segment pos0 norm
segment pos0 attention
segment pos0 norm
";

    #[test]
    fn parts_of_one_name_are_one() {
        let measured = Measured::new(&run(SAID, 4)).unwrap();
        assert_eq!(measured.memory, [("cache".to_owned(), 4096)]);
        assert_eq!(measured.total("pos0", 71).unwrap().cycles, 1 + 2 + 3);
        assert_eq!(measured.total("pos0", 0).unwrap().cycles, 30);
        assert_eq!(measured.total("pos0", 53), None);
        assert_eq!(measured.total("pos255", 71), None);
        let parts: Vec<(&str, u64)> =
            measured.parts("pos0", 71).iter().map(|(part, c)| (*part, c.cycles)).collect();
        assert_eq!(parts, [("attention", 2), ("norm", 4)]);
    }

    #[test]
    fn runs_of_one_model_are_put_together() {
        let mut measured = Measured::default();
        measured.merge(Measured::new(&run(SAID, 4)).unwrap());
        let more = "memory cache 4096\nrounds story 64 128\nsegment story whole\n";
        measured.merge(Measured::new(&run(more, 1)).unwrap());
        assert_eq!(measured.memory, [("cache".to_owned(), 4096)]);
        assert_eq!(measured.rounds["story"], (64, 128));
        assert!(measured.total("pos0", 71).is_some() && measured.total("story", 71).is_some());
    }

    #[test]
    fn marks_that_got_lost_are_an_error() {
        assert!(Measured::new(&run(SAID, 4)).is_ok());
        assert!(Measured::new(&run(SAID, 3)).is_err());
        assert!(Measured::new(&run(SAID, 5)).is_err());
        assert!(Measured::new(&run("nothing", 1)).is_err());
    }
}
