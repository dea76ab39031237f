//! How much memory a model needs, and the only place that asks for it.

use crate::EngineError;
use alloc::vec::Vec;
use model_format::Architecture;

/// Bytes that [`crate::Engine::new`] allocates, by purpose. The weights stay in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemoryPlan {
    /// Tokens the key-value cache holds.
    pub context: usize,
    /// Keys and values of all layers.
    pub cache: u64,
    /// Sines and cosines of the rotary positions.
    pub rotations: u64,
    /// Vectors of the token at work, logits included, and the table of the layers.
    pub working: u64,
}

impl MemoryPlan {
    /// All of it.
    pub fn total(&self) -> u64 {
        self.cache + self.rotations + self.working
    }
}

/// What an engine for this architecture and context needs.
///
/// The engine never keeps more tokens than the model was trained for, so a larger
/// `context_limit` counts as that. The heap's own overhead (a few dozen bytes for each of fewer
/// than 20 blocks) is not included.
pub fn memory_needed(architecture: &Architecture<'_>, context_limit: usize) -> MemoryPlan {
    let context = context_limit.min(architecture.context);
    let float = size_of::<f32>() as u64;
    let wide = |n: usize| n as u64;
    let (dim, kv_dim) = (wide(architecture.dim), wide(architecture.kv_dim()));
    let hidden = wide(architecture.widest_hidden());
    let position = wide(architecture.layers) * kv_dim * 2;
    // Residual stream, query, attended values, branch; gate and up; scores; logits.
    let vectors = dim * 4 + hidden * 2 + wide(context) + wide(architecture.vocabulary);
    let longest = architecture.dim.max(architecture.widest_hidden());
    let integers = wide(longest) + 2 * wide(crate::weights::padded(longest));
    let input = wide(longest) * float + integers * size_of::<i16>() as u64;
    MemoryPlan {
        context,
        cache: wide(context) * position * float,
        rotations: wide(context) * wide(architecture.head_size()) * float,
        working: vectors * float + input + wide(architecture.layers) * crate::weights::LAYER_BYTES,
    }
}

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

#[cfg(test)]
mod tests {
    extern crate std;

    use super::*;
    use crate::{Engine, Portable};
    use core::cell::Cell;
    use model_format::{Model, WeightFormat, synthetic};

    std::thread_local! {
        static ALLOCATED: Cell<u64> = const { Cell::new(0) };
    }

    pub(super) fn count(bytes: usize) {
        ALLOCATED.with(|allocated| allocated.set(allocated.get() + bytes as u64));
    }

    #[test]
    fn the_plan_is_what_the_engine_allocates() {
        for tied in [true, false] {
            let spec = synthetic::tiny_architecture(tied);
            let persona = synthetic::persona();
            let file = synthetic::model(&spec, persona, &[], WeightFormat::F32, 1).unwrap();
            let model = Model::open(&file).unwrap();
            for context in [0, 1, 17, 64, 1000] {
                ALLOCATED.set(0);
                Engine::new(&model, Portable, context).unwrap();
                let plan = memory_needed(model.architecture(), context);
                assert_eq!(plan.total(), ALLOCATED.get(), "context {context}");
            }
        }
    }

    #[test]
    fn a_lack_of_memory_is_an_error() {
        for length in [usize::MAX, usize::MAX / 8, 1 << 45] {
            assert_eq!(zeros::<f32>(length), Err(EngineError::OutOfMemory));
        }
        assert_eq!(product(&[1 << 40, 1 << 40]), Err(EngineError::OutOfMemory));
        assert_eq!(product(&[3, 5, 7]), Ok(105));
    }
}
