//! The vectors of the tokens at work.

use crate::cache::Scratch;
use crate::input::Input;
use crate::rope::Rotations;
use crate::sizes::Sizes;
use crate::{EngineError, memory};
use alloc::vec::Vec;
use model_format::Architecture;

/// A vector for each token of a batch.
pub(crate) struct Vectors {
    pub(super) values: Vec<f32>,
    /// From one token to the next.
    pub(super) stride: usize,
}

impl Vectors {
    fn new(batch: usize, stride: usize) -> Result<Self, EngineError> {
        Ok(Self { values: memory::zeros(memory::product(&[batch, stride])?)?, stride })
    }

    /// The first elements of a token's vector.
    pub(super) fn token(&self, token: usize, length: usize) -> &[f32] {
        &self.values[token * self.stride..][..length]
    }

    /// Likewise, to be changed.
    pub(super) fn token_mut(&mut self, token: usize, length: usize) -> &mut [f32] {
        &mut self.values[token * self.stride..][..length]
    }

    /// The vectors from the `first` token on, for the results of a matrix, and their stride.
    pub(super) fn results(&mut self, first: usize) -> (&mut [f32], usize) {
        (&mut self.values[first * self.stride..], self.stride)
    }
}

/// Everything that a batch of tokens needs on its way, but for the cache.
pub(crate) struct Workspace {
    pub(super) rotations: Rotations,
    /// The residual stream, which the layers add to.
    pub(super) residual: Vectors,
    /// The input of the matrices of this stage.
    pub(super) input: Input,
    pub(super) key: Vectors,
    pub(super) value: Vectors,
    pub(super) query: Vectors,
    pub(super) scratch: Scratch,
    /// What a block adds to the residual stream.
    pub(super) branch: Vectors,
    pub(super) gate: Vectors,
    pub(super) up: Vectors,
    /// Padded to whole fours.
    pub(super) logits: Vec<f32>,
    /// The opening's keys, layer by layer, not rotated.
    pub(super) openings: Vec<f32>,
}

impl Workspace {
    pub(super) fn new(architecture: &Architecture<'_>, sizes: &Sizes) -> Result<Self, EngineError> {
        let vectors = |stride| Vectors::new(sizes.batch, stride);
        let openings = memory::product(&[architecture.layers, architecture.kv_dim()])?;
        Ok(Self {
            rotations: Rotations::new(architecture, sizes.batch)?,
            residual: vectors(sizes.dim)?,
            input: Input::new(sizes.input, sizes.batch, sizes.forms)?,
            key: vectors(sizes.kv_dim)?,
            value: vectors(sizes.kv_dim)?,
            query: vectors(sizes.dim)?,
            scratch: Scratch::new(sizes)?,
            branch: vectors(sizes.dim)?,
            gate: vectors(sizes.hidden)?,
            up: vectors(sizes.hidden)?,
            logits: memory::zeros(sizes.vocabulary)?,
            openings: memory::zeros(openings)?,
        })
    }

    /// Bytes that [`Workspace::new`] allocates.
    pub(crate) fn bytes(architecture: &Architecture<'_>, sizes: &Sizes) -> u64 {
        let wide = |n: usize| n as u64;
        let token = wide(sizes.dim) * 3 + wide(sizes.kv_dim) * 2 + wide(sizes.hidden) * 2;
        let openings = wide(architecture.layers) * wide(architecture.kv_dim());
        let floats = wide(sizes.batch) * token + wide(sizes.vocabulary) + openings;
        Rotations::bytes(architecture.head_size(), sizes.batch)
            + Input::memory(sizes.input, sizes.batch, sizes.forms)
            + Scratch::bytes(sizes)
            + floats * size_of::<f32>() as u64
    }
}
