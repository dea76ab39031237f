//! Weights in memory: by name, in the order of their use.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};

use crate::shape::{Kind, Shape, Slot};

/// A weight and its values, row by row.
#[derive(Clone, Debug, PartialEq)]
pub struct Weight {
    /// Name, size and kind.
    pub slot: Slot,
    /// `rows * columns` values.
    pub values: Vec<f32>,
}

/// Standard deviation of a fresh matrix (GPT-2).
const SPREAD: f32 = 0.02;

/// Fresh weights. What is added to the residual stream begins smaller by the square root of the
/// number of additions, so that the stream keeps its size (GPT-2).
pub fn fresh(shape: &Shape, seed: u64) -> Vec<Weight> {
    let mut dice = ChaCha8Rng::seed_from_u64(seed);
    let adding = SPREAD / (2.0 * shape.layers as f32).sqrt();
    let fill = |slot: Slot| {
        let count = slot.rows * slot.columns;
        let values = match slot.kind {
            Kind::Norm => vec![1.0; count],
            Kind::Matrix => normal(&mut dice, count, SPREAD),
            Kind::Adding => normal(&mut dice, count, adding),
        };
        Weight { slot, values }
    };
    shape.slots().into_iter().map(fill).collect()
}

/// Normally distributed values around 0 (Box and Muller).
pub(crate) fn normal(dice: &mut ChaCha8Rng, count: usize, spread: f32) -> Vec<f32> {
    let mut values = Vec::with_capacity(count + 1);
    while values.len() < count {
        let (u, v) = (uniform(dice), uniform(dice));
        let radius = spread * (-2.0 * (1.0 - u).ln()).sqrt();
        let angle = std::f32::consts::TAU * v;
        values.extend([radius * angle.cos(), radius * angle.sin()]);
    }
    values.truncate(count);
    values
}

/// From 0 to below 1, in steps of 2⁻²⁴.
fn uniform(dice: &mut ChaCha8Rng) -> f32 {
    (dice.next_u32() >> 8) as f32 / (1 << 24) as f32
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shape::Preset;

    #[test]
    fn fresh_weights_have_the_spread_of_their_kind() {
        let shape = Preset::Tiny.shape(512, 32);
        for weight in fresh(&shape, 1) {
            let count = weight.values.len() as f64;
            let mean = weight.values.iter().map(|&v| f64::from(v)).sum::<f64>() / count;
            let square = weight.values.iter().map(|&v| f64::from(v).powi(2)).sum::<f64>() / count;
            let (wanted_mean, wanted) = match weight.slot.kind {
                Kind::Norm => (1.0, 1.0),
                Kind::Matrix => (0.0, 0.02),
                Kind::Adding => (0.0, 0.02 / 8f64.sqrt()),
            };
            assert!((mean - wanted_mean).abs() < 0.001, "{} has mean {mean}", weight.slot.name);
            assert!((square.sqrt() / wanted - 1.0).abs() < 0.03, "{}", weight.slot.name);
        }
    }

    #[test]
    fn a_seed_gives_the_same_weights_and_another_seed_others() {
        let shape = Preset::Tiny.shape(300, 32);
        assert_eq!(fresh(&shape, 7), fresh(&shape, 7));
        assert_ne!(fresh(&shape, 7), fresh(&shape, 8));
    }
}
