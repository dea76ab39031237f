//! The key-value cache: what attention remembers of the tokens before.

use crate::{EngineError, memory};
use alloc::vec::Vec;

/// Keys and values of every layer and position.
///
/// A position is written once and never changes while it is remembered, so forgetting the end
/// of a conversation needs no work here: the engine just counts from an earlier position.
pub(crate) struct Cache {
    /// Layer by layer, position by position, `kv_dim` numbers each.
    keys: Vec<f32>,
    values: Vec<f32>,
    context: usize,
    kv_dim: usize,
}

impl Cache {
    pub(crate) fn new(layers: usize, context: usize, kv_dim: usize) -> Result<Self, EngineError> {
        let length = memory::product(&[layers, context, kv_dim])?;
        Ok(Self { keys: memory::zeros(length)?, values: memory::zeros(length)?, context, kv_dim })
    }

    /// How many positions there are.
    pub(crate) fn context(&self) -> usize {
        self.context
    }

    /// How far the keys of two positions are apart.
    pub(crate) fn stride(&self) -> usize {
        self.kv_dim
    }

    fn start(&self, layer: usize, position: usize) -> usize {
        (layer * self.context + position) * self.kv_dim
    }

    /// The key of one position, all heads.
    pub(crate) fn key_mut(&mut self, layer: usize, position: usize) -> &mut [f32] {
        let start = self.start(layer, position);
        &mut self.keys[start..start + self.kv_dim]
    }

    /// The value of one position, all heads.
    pub(crate) fn value_mut(&mut self, layer: usize, position: usize) -> &mut [f32] {
        let start = self.start(layer, position);
        &mut self.values[start..start + self.kv_dim]
    }

    /// Keys of `layer`, from element `offset` of position 0 to the end of `last`.
    pub(crate) fn keys(&self, layer: usize, offset: usize, last: usize) -> &[f32] {
        &self.keys[self.start(layer, 0) + offset..self.start(layer, last + 1)]
    }

    /// Values likewise.
    pub(crate) fn values(&self, layer: usize, offset: usize, last: usize) -> &[f32] {
        &self.values[self.start(layer, 0) + offset..self.start(layer, last + 1)]
    }
}
