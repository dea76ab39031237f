//! Rotary position encoding (Su et al., "RoFormer", 2021) from a table.

use crate::float::settle;
use crate::{EngineError, memory};
use alloc::vec::Vec;
use model_format::Architecture;

/// Cosines and sines of every position and pair.
pub(crate) struct RotaryTable {
    /// `(cos, sin)` of position `p` and pair `i` at `p * pairs + i`.
    turns: Vec<(f32, f32)>,
    pairs: usize,
}

impl RotaryTable {
    /// Positions `0..context`. Pair `i` of a head turns by `theta^(-2i / head_size)` radians per
    /// position, in f32 throughout, as llama2.c does.
    pub(crate) fn new(
        architecture: &Architecture<'_>,
        context: usize,
    ) -> Result<Self, EngineError> {
        let head_size = architecture.head_size();
        let pairs = head_size / 2;
        let mut turns = memory::empty(memory::product(&[context, pairs])?)?;
        for position in 0..context {
            for pair in 0..pairs {
                let exponent = (2 * pair) as f32 / head_size as f32;
                let frequency = 1.0 / libm::powf(architecture.rope_theta, exponent);
                let angle = position as f32 * frequency;
                turns.push((settle(libm::cosf(angle)), settle(libm::sinf(angle))));
            }
        }
        Ok(Self { turns, pairs })
    }

    /// Turns the neighbours (2i, 2i + 1) of every head in `heads` to their place at `position`,
    /// and settles them.
    pub(crate) fn rotate(&self, position: usize, heads: &mut [f32]) {
        let turns = &self.turns[position * self.pairs..(position + 1) * self.pairs];
        for head in heads.chunks_exact_mut((2 * self.pairs).max(2)) {
            let (pairs, _) = head.as_chunks_mut::<2>();
            for ([a, b], (cos, sin)) in pairs.iter_mut().zip(turns) {
                let (x, y) = (*a, *b);
                *a = settle(x * cos - y * sin);
                *b = settle(x * sin + y * cos);
            }
        }
    }
}
