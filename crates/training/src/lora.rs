//! LoRA: small matrices beside frozen ones, added to them at the end (Hu et al. 2021).

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use serde::{Deserialize, Serialize};

use crate::shape::{Kind, Slot};
use crate::weights::{Weight, normal};
use crate::{Error, Result};

/// What LoRA trains.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Lora {
    /// Rank of what is added.
    pub rank: usize,
    /// What is added counts `alpha / rank`.
    pub alpha: f64,
    /// Which matrices: the last part of their names, as in `q_proj`.
    pub targets: Vec<String>,
}

impl Lora {
    /// What is added to a weight counts so much.
    pub fn scale(&self) -> f64 {
        self.alpha / self.rank as f64
    }

    /// Whether it adds to this weight.
    pub fn adds_to(&self, slot: &Slot) -> bool {
        let name = slot.name.trim_end_matches(".weight");
        let part = name.rsplit('.').next().unwrap_or_default();
        slot.kind != Kind::Norm && self.targets.iter().any(|target| target == part)
    }

    /// The two matrices for each target: the first normally distributed, the second all zeros, so
    /// that training begins with the model as it is.
    pub fn adapters(&self, weights: &[Weight], seed: u64) -> Result<Vec<Weight>> {
        let wrong = |what: String| Err(Error::Options { what });
        if self.rank == 0 || !(self.alpha > 0.0 && self.alpha.is_finite()) {
            return wrong("LoRA of rank or alpha 0".into());
        }
        for target in &self.targets {
            let one = Self { targets: vec![target.clone()], ..self.clone() };
            if !weights.iter().any(|weight| one.adds_to(&weight.slot)) {
                return wrong(format!("there is no matrix {target} for LoRA to add to"));
            }
        }
        let mut dice = ChaCha8Rng::seed_from_u64(seed);
        dice.set_stream(u64::MAX);
        let mut adapters = Vec::new();
        for Weight { slot, .. } in weights.iter().filter(|weight| self.adds_to(&weight.slot)) {
            let (rows, columns, rank) = (slot.rows, slot.columns, self.rank);
            let part = |name: &str, rows, columns, values| Weight {
                slot: Slot {
                    name: format!("{}.{name}", slot.name),
                    rows,
                    columns,
                    kind: Kind::Matrix,
                },
                values,
            };
            let spread = 1.0 / (columns as f32).sqrt();
            adapters.push(part(FIRST, rank, columns, normal(&mut dice, rank * columns, spread)));
            adapters.push(part(SECOND, rows, rank, vec![0.0; rows * rank]));
        }
        match adapters.is_empty() {
            true => wrong("LoRA that adds to nothing".into()),
            false => Ok(adapters),
        }
    }

    /// The weights with what was learnt added.
    pub fn merged(&self, weights: &[Weight], adapters: &[Weight]) -> Vec<Weight> {
        let mut merged = weights.to_vec();
        for pair in adapters.as_chunks::<2>().0 {
            let [first, second] = pair;
            let name = first.slot.name.trim_end_matches(FIRST).trim_end_matches('.');
            let (rank, columns) = (first.slot.rows, first.slot.columns);
            let Some(weight) = merged.iter_mut().find(|weight| weight.slot.name == name) else {
                continue;
            };
            let rows =
                weight.values.chunks_exact_mut(columns).zip(second.values.chunks_exact(rank));
            for (row, by) in rows {
                for (&by, first) in by.iter().zip(first.values.chunks_exact(columns)) {
                    let by = by * self.scale() as f32;
                    row.iter_mut().zip(first).for_each(|(value, first)| *value += by * first);
                }
            }
        }
        merged
    }
}

/// Name of the first matrix, `[rank, columns]`, after its weight's name.
pub(crate) const FIRST: &str = "lora_A";
/// Name of the second, `[rows, rank]`.
pub(crate) const SECOND: &str = "lora_B";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shape::Preset;
    use crate::weights::fresh;

    fn lora(targets: &[&str]) -> Lora {
        let targets = targets.iter().map(|&target| target.to_owned()).collect();
        Lora { rank: 2, alpha: 6.0, targets }
    }

    #[test]
    fn adapters_begin_by_adding_nothing_and_then_add_their_product() {
        let shape = Preset::Tiny.shape(32, 8);
        let weights = fresh(&shape, 1);
        let lora = lora(&["q_proj", "down_proj"]);
        let mut adapters = lora.adapters(&weights, 1).unwrap();
        assert_eq!(adapters.len(), 2 * 2 * shape.layers);
        assert_eq!(lora.merged(&weights, &adapters), weights);
        // The second matrix picks row 1 of the first for output 3.
        let columns = adapters[0].slot.columns;
        adapters[1].values[3 * 2 + 1] = 0.5;
        let merged = lora.merged(&weights, &adapters);
        let place = weights.iter().position(|weight| lora.adds_to(&weight.slot)).unwrap();
        for (i, (after, before)) in
            merged[place].values.iter().zip(&weights[place].values).enumerate()
        {
            let added = if i / columns == 3 {
                1.5 * adapters[0].values[columns + i % columns]
            } else {
                0.0
            };
            assert!((after - before - added).abs() < 1e-6);
        }
        assert_eq!(merged[place + 1..], weights[place + 1..]);
    }

    #[test]
    fn lora_that_trains_nothing_is_refused() {
        let weights = fresh(&Preset::Tiny.shape(32, 8), 1);
        for wrong in [
            lora(&[]),
            lora(&["c_proj"]),
            lora(&["q_proj", "norm"]),
            Lora { rank: 0, ..lora(&["q_proj"]) },
        ] {
            assert!(matches!(wrong.adapters(&weights, 1), Err(Error::Options { .. })));
        }
    }
}
