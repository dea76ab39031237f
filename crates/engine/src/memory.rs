//! How much memory a model needs, and the only place that asks for it.

use crate::engine::Workspace;
use crate::options::{CacheFormat, Options};
use crate::sizes::Sizes;
use crate::{EngineError, weights};
use alloc::vec::Vec;
use core::fmt;
use model_format::{Architecture, Model, WeightFormat};

/// Bytes that [`crate::Engine::new`] allocates, by purpose. What is not packed stays in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemoryPlan {
    /// Tokens the key-value cache holds.
    pub context: usize,
    /// Most tokens in one pass over the weights.
    pub batch: usize,
    /// How keys and values are kept: never [`CacheFormat::Auto`].
    pub cache_format: CacheFormat,
    /// Keys and values of all layers.
    pub cache: u64,
    /// E4M3 weights packed as lane-shared bytes; 0 when they are used in place.
    pub packed_weights: u64,
    /// Vectors of the tokens at work, logits included, and the table of the layers.
    pub working: u64,
}

impl MemoryPlan {
    /// All of it. The heap's own overhead (a few dozen bytes for each of fewer than 30 blocks) is
    /// not included.
    pub fn total(&self) -> u64 {
        self.packed_weights + self.cache + self.working
    }

    pub(crate) fn new(architecture: &Architecture<'_>, sizes: &Sizes) -> Self {
        let layers = architecture.layers as u64 * weights::LAYER_BYTES;
        Self {
            context: sizes.context,
            batch: sizes.batch,
            cache_format: if sizes.lane_cache { CacheFormat::Int8 } else { CacheFormat::F32 },
            cache: sizes.cache_bytes(architecture),
            packed_weights: sizes.packed_bytes(),
            working: layers + Workspace::bytes(architecture, sizes),
        }
    }

    /// What an engine for this model needs.
    ///
    /// # Errors
    /// When the model cannot run with these options.
    pub fn of(model: &Model<'_>, options: &Options) -> Result<Self, EngineError> {
        Ok(Self::new(model.architecture(), &sizes_of(model, options)?))
    }
}

/// Three lines for people: purpose and bytes.
impl fmt::Display for MemoryPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let format = match self.cache_format {
            CacheFormat::Int8 => "int8",
            CacheFormat::F32 | CacheFormat::Auto => "f32",
        };
        let Self { context, batch, cache, packed_weights, working, .. } = self;
        writeln!(f, "packed weights {packed_weights:>10} bytes")?;
        writeln!(f, "KV cache       {cache:>10} bytes ({context} tokens, {format})")?;
        write!(f, "working memory {working:>10} bytes (batches of {batch})")
    }
}

/// What an engine needs for a model of this architecture whose matrices all have one format.
///
/// The engine never keeps more tokens than the model was trained for, so a larger context counts as
/// that.
///
/// # Errors
/// When such a model cannot run with these options.
pub fn memory_needed(
    architecture: &Architecture<'_>,
    format: WeightFormat,
    options: &Options,
) -> Result<MemoryPlan, EngineError> {
    let sizes = Sizes::new(architecture, |_, _| format, options)?;
    Ok(MemoryPlan::new(architecture, &sizes))
}

/// The sizes for a model with its own formats.
pub(crate) fn sizes_of(model: &Model<'_>, options: &Options) -> Result<Sizes, EngineError> {
    // A tensor that is missing is noticed when it is looked up.
    let format =
        |role, layer| model.tensor(role, layer).map_or(WeightFormat::F32, |tensor| tensor.format);
    Sizes::new(model.architecture(), format, options)
}

pub(crate) use lanes::Lanes;

/// A vector of `length` zeros.
pub(crate) fn zeros<T: Copy + Default>(length: usize) -> Result<Vec<T>, EngineError> {
    let mut vector = empty(length)?;
    vector.resize(length, T::default());
    Ok(vector)
}

/// An empty vector with room for `capacity` elements.
pub(crate) fn empty<T>(capacity: usize) -> Result<Vec<T>, EngineError> {
    let mut vector = Vec::new();
    vector.try_reserve_exact(capacity).map_err(|_| EngineError::OutOfMemory)?;
    #[cfg(test)]
    tests::count(capacity * size_of::<T>());
    Ok(vector)
}

/// The product of lengths, or out of memory when it exceeds the address space.
pub(crate) fn product(lengths: &[usize]) -> Result<usize, EngineError> {
    lengths
        .iter()
        .try_fold(1usize, |product, &length| product.checked_mul(length))
        .ok_or(EngineError::OutOfMemory)
}

mod lanes;
#[cfg(test)]
mod tests;
