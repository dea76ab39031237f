//! Rotary position encoding (Su et al., "RoFormer", 2021).

use crate::float::settle;
use crate::{EngineError, memory};
use alloc::vec::Vec;
use model_format::Architecture;

/// Cosine and sine of an angle.
pub(crate) type Turn = [f32; 2];

/// The rotations of the tokens at work: each is computed once and serves all layers.
pub(crate) struct Rotations {
    /// Radians per position, for each pair of a head.
    frequencies: Vec<f32>,
    /// The turns of token `t` and pair `i` at `t * pairs + i`.
    turns: Vec<Turn>,
}

impl Rotations {
    /// Room for a batch of tokens. Pair `i` of a head turns by `theta^(-2i / head_size)` radians per
    /// position, in f32 throughout, as llama2.c does.
    pub(crate) fn new(architecture: &Architecture<'_>, batch: usize) -> Result<Self, EngineError> {
        let head_size = architecture.head_size();
        let pairs = head_size / 2;
        let mut frequencies = memory::empty(pairs)?;
        for pair in 0..pairs {
            let exponent = (2 * pair) as f32 / head_size as f32;
            frequencies.push(1.0 / libm::powf(architecture.rope_theta, exponent));
        }
        Ok(Self { frequencies, turns: memory::zeros(memory::product(&[batch, pairs])?)? })
    }

    /// Bytes that [`Rotations::new`] allocates.
    pub(crate) fn bytes(head_size: usize, batch: usize) -> u64 {
        let pair = size_of::<f32>() as u64 + batch as u64 * size_of::<Turn>() as u64;
        (head_size / 2) as u64 * pair
    }

    /// Computes the turns of a token of the batch.
    pub(crate) fn set(&mut self, token: usize, rotation: usize) {
        let pairs = self.frequencies.len();
        let turns = &mut self.turns[token * pairs..][..pairs];
        for (turn, frequency) in turns.iter_mut().zip(&self.frequencies) {
            let angle = rotation as f32 * frequency;
            *turn = [settle(libm::cosf(angle)), settle(libm::sinf(angle))];
        }
    }

    fn turns_of(&self, token: usize) -> &[Turn] {
        let pairs = self.frequencies.len();
        &self.turns[token * pairs..][..pairs]
    }

    /// The turns of a token of the batch, to be fetched.
    pub(crate) fn turns(&self, token: usize) -> &[f32] {
        self.turns_of(token).as_flattened()
    }

    /// Turns the neighbours (2i, 2i + 1) of every head in `heads` for a token of the batch, and
    /// settles them.
    pub(crate) fn rotate(&self, token: usize, heads: &mut [f32]) {
        let pairs = self.frequencies.len();
        let turns = self.turns_of(token);
        for head in heads.chunks_exact_mut((2 * pairs).max(2)) {
            let (pairs, _) = head.as_chunks_mut::<2>();
            for ([a, b], [cos, sin]) in pairs.iter_mut().zip(turns) {
                let (x, y) = (*a, *b);
                *a = settle(x * cos - y * sin);
                *b = settle(x * sin + y * cos);
            }
        }
    }
}
