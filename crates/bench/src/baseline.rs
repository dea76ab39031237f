//! The committed figures that a change must not make worse.

use std::path::Path;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use crate::figures::{Figure, Figures};

/// Figures to compare with, and what made them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Baseline {
    /// The compiler of the measured programs: another one makes other instructions.
    pub compiler: String,
    /// Only those that are guarded.
    pub figures: Figures,
}

/// How a run compares with the baseline.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Comparison {
    /// What is in both.
    pub compared: usize,
    /// A sentence for each figure that got worse by more than it may.
    pub worse: Vec<String>,
    /// The same for figures that would be others with another compiler, when it is another.
    pub not_judged: Vec<String>,
    /// A sentence for each figure that got better by as much.
    pub better: Vec<String>,
    /// Guarded figures that the baseline does not know.
    pub unknown: Vec<String>,
    /// Figures of the baseline that the run does not have.
    pub missing: Vec<String>,
}

impl Baseline {
    /// What a run's guarded figures are, to be compared with later.
    pub fn new(compiler: &str, figures: &Figures) -> Self {
        let guarded = figures.0.iter().filter(|figure| figure.guard().is_some());
        Self { compiler: compiler.to_owned(), figures: Figures(guarded.cloned().collect()) }
    }

    /// Reads the committed file.
    pub fn read(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path).with_context(|| {
            format!("cannot read {}: `make bench-accept` writes it", path.display())
        })?;
        serde_json::from_str(&text).with_context(|| format!("{} is damaged", path.display()))
    }

    /// Writes the file to commit.
    pub fn write(&self, path: &Path) -> Result<()> {
        let text = serde_json::to_string_pretty(self)? + "\n";
        std::fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
    }

    /// Compares a run of programs of this compiler, which may have measured only a part.
    pub fn compare(&self, run: &Figures, compiler: &str) -> Comparison {
        let mut comparison = Comparison::default();
        for figure in &run.0 {
            let Some(guard) = figure.guard() else { continue };
            let Some(before) = self.figures.get(&figure.name) else {
                comparison.unknown.push(figure.name.clone());
                continue;
            };
            comparison.compared += 1;
            let growth = figure.value - before;
            let worsening = if guard.is_more_worse { growth } else { -growth };
            if worsening > before * guard.most {
                let is_comparable = compiler == self.compiler || !figure.unit.depends_on_compiler();
                match is_comparable {
                    true => comparison.worse.push(sentence(figure, before)),
                    false => comparison.not_judged.push(sentence(figure, before)),
                }
            } else if worsening < -before * guard.most {
                comparison.better.push(sentence(figure, before));
            }
        }
        let is_missing = |figure: &&Figure| run.get(&figure.name).is_none();
        let missing = self.figures.0.iter().filter(is_missing);
        comparison.missing = missing.map(|figure| figure.name.clone()).collect();
        comparison
    }
}

fn sentence(figure: &Figure, before: f64) -> String {
    let Figure { name, value, unit } = figure;
    let change = match before == 0.0 {
        true => String::new(),
        false => format!(" ({:+.2} %)", (value / before - 1.0) * 100.0),
    };
    let places = unit.places();
    format!("{name}: {before:.places$} before, now {value:.places$} {}{change}", unit.word())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figures::{KV_REUSE, Unit};

    fn figures(values: &[(&str, f64, Unit)]) -> Figures {
        let mut figures = Figures::default();
        for (name, value, unit) in values {
            figures.add(*name, *value, *unit);
        }
        figures
    }

    #[test]
    fn one_percent_is_the_limit_both_ways() {
        let before = figures(&[
            ("same", 1000.0, Unit::Instructions),
            ("grown", 1000.0, Unit::Instructions),
            ("shrunk", 1000.0, Unit::Cycles),
            ("speed", 10.0, Unit::TokensPerSecond),
            ("int8_norm_cycles_450_pos0", 10.0, Unit::Cycles),
        ]);
        let baseline = Baseline::new("a compiler", &before);
        assert_eq!(baseline.figures.0.len(), 3, "speeds follow from cycles, parts move");
        let after = figures(&[
            ("same", 1010.0, Unit::Instructions),
            ("grown", 1011.0, Unit::Instructions),
            ("shrunk", 989.0, Unit::Cycles),
            ("speed", 1.0, Unit::TokensPerSecond),
            ("new", 5.0, Unit::Cycles),
        ]);
        let comparison = baseline.compare(&after, "a compiler");
        assert_eq!(comparison.compared, 3);
        assert_eq!(comparison.worse, ["grown: 1000 before, now 1011 instructions (+1.10 %)"]);
        assert_eq!(comparison.better, ["shrunk: 1000 before, now 989 cycles_modelled (-1.10 %)"]);
        assert_eq!(comparison.unknown, ["new"]);
    }

    #[test]
    fn quality_and_memory_are_guarded_too() {
        let before = figures(&[
            ("perplexity", 4.0, Unit::Perplexity),
            ("misses", 1000.0, Unit::Misses),
            ("start", 100.0, Unit::Milliseconds),
            ("per_byte", 20.0, Unit::InstructionsPerByte),
            (KV_REUSE, 80.0, Unit::Percent),
            ("share", 10.0, Unit::Percent),
            ("ratio", 2.0, Unit::Times),
        ]);
        let baseline = Baseline::new("", &before);
        assert_eq!(baseline.figures.0.len(), 5, "shares and ratios follow from others");
        let after = figures(&[
            ("perplexity", 4.005, Unit::Perplexity),
            ("misses", 1101.0, Unit::Misses),
            ("start", 98.0, Unit::Milliseconds),
            ("per_byte", 20.3, Unit::InstructionsPerByte),
            (KV_REUSE, 79.0, Unit::Percent),
        ]);
        let comparison = baseline.compare(&after, "");
        let names = |sentences: &[String]| -> Vec<String> {
            sentences.iter().filter_map(|it| Some(it.split_once(':')?.0.to_owned())).collect()
        };
        assert_eq!(names(&comparison.worse), ["perplexity", "misses", "per_byte", KV_REUSE]);
        assert_eq!(names(&comparison.better), ["start"]);
        // Another compiler makes other programs, but no other quality.
        let comparison = baseline.compare(&after, "another");
        assert_eq!(names(&comparison.worse), ["perplexity", KV_REUSE]);
        assert_eq!(names(&comparison.not_judged), ["misses", "per_byte"]);
    }

    #[test]
    fn from_nothing_to_something_is_worse() {
        let baseline = Baseline::new("", &figures(&[("a", 0.0, Unit::Instructions)]));
        let comparison = baseline.compare(&figures(&[("a", 1.0, Unit::Instructions)]), "");
        assert_eq!(comparison.worse, ["a: 0 before, now 1 instructions"]);
    }

    #[test]
    fn a_part_of_the_measurements_can_be_compared() {
        let before = figures(&[("a", 1.0, Unit::Cycles), ("b", 1.0, Unit::Cycles)]);
        let comparison =
            Baseline::new("", &before).compare(&figures(&[("a", 1.0, Unit::Cycles)]), "");
        let missing = vec!["b".to_owned()];
        assert_eq!(comparison, Comparison { compared: 1, missing, ..Comparison::default() });
    }

    #[test]
    fn the_file_comes_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("baseline.json");
        assert!(Baseline::read(&path).unwrap_err().to_string().contains("bench-accept"));
        let baseline = Baseline::new("rustc", &figures(&[("a", 12.0, Unit::Cycles)]));
        baseline.write(&path).unwrap();
        assert_eq!(Baseline::read(&path).unwrap(), baseline);
        std::fs::write(&path, "{").unwrap();
        assert!(Baseline::read(&path).unwrap_err().to_string().contains("damaged"));
    }
}
