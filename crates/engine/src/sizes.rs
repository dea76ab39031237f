//! How large everything is that an engine allocates: what `new` goes by, and what it tells beforehand.

use crate::EngineError;
use crate::cache::{FloatCache, LaneCache};
use crate::input::Forms;
use crate::options::{CacheFormat, MAX_BATCH, Options, Placement};
use model_format::lanes::{self, Int8Block};
use model_format::{Architecture, TensorRole, WeightFormat};

/// The sizes that follow from a model's shape, its formats and the options.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sizes {
    /// Tokens remembered.
    pub(crate) context: usize,
    /// Tokens at work together.
    pub(crate) batch: usize,
    /// From one token's vector to the next, in vectors of the residual stream.
    pub(crate) dim: usize,
    /// Likewise in keys and values.
    pub(crate) kv_dim: usize,
    /// Likewise in gates and ups.
    pub(crate) hidden: usize,
    /// Longest input of a matrix.
    pub(crate) input: usize,
    /// Forms of inputs that some matrix wants.
    pub(crate) forms: Forms,
    /// Room for logits.
    pub(crate) vocabulary: usize,
    /// Whether keys and values are kept as lane-shared bytes.
    pub(crate) lane_cache: bool,
    /// Lane-shared blocks that E4M3 matrices are packed into.
    pub(crate) packed_blocks: usize,
}

/// A length as whole fours, as lane-shared matrices write their results.
fn fours(length: usize) -> usize {
    length.next_multiple_of(lanes::ROWS_PER_BLOCK)
}

impl Sizes {
    /// Sizes for matrices of the given formats.
    pub(crate) fn new(
        architecture: &Architecture<'_>,
        format: impl Fn(TensorRole, usize) -> WeightFormat,
        options: &Options,
    ) -> Result<Self, EngineError> {
        let packs = options.placement == Placement::Lanes;
        let (mut forms, mut has_f32, mut packed_blocks) = (Forms::default(), false, 0usize);
        for (role, layer) in architecture.tensors().filter(|(role, _)| !role.is_norm()) {
            match format(role, layer) {
                WeightFormat::F32 => has_f32 = true,
                WeightFormat::Fp8E4M3 if packs => {
                    forms.bytes = true;
                    let (rows, cols) = architecture.shape(role, layer).unwrap_or_default();
                    let blocks = lanes::row_blocks(rows).checked_mul(lanes::groups(cols));
                    packed_blocks = blocks
                        .and_then(|blocks| packed_blocks.checked_add(blocks))
                        .ok_or(EngineError::OutOfMemory)?;
                }
                WeightFormat::Fp8E4M3 => {}
                WeightFormat::Int8 => forms.bytes = true,
                WeightFormat::Int4 => forms.nibbles = true,
            }
        }
        let fits_lanes = LaneCache::suits(architecture.head_size());
        let lane_cache = match options.cache {
            CacheFormat::Auto => fits_lanes && !has_f32,
            CacheFormat::F32 => false,
            CacheFormat::Int8 if fits_lanes => true,
            CacheFormat::Int8 => return Err(EngineError::UnsuitableCache),
        };
        let hidden = architecture.widest_hidden();
        Ok(Self {
            context: options.context.min(architecture.context),
            batch: options.batch.clamp(1, MAX_BATCH),
            dim: fours(architecture.dim),
            kv_dim: fours(architecture.kv_dim()),
            hidden: fours(hidden),
            input: architecture.dim.max(hidden),
            forms,
            vocabulary: fours(architecture.vocabulary),
            lane_cache,
            packed_blocks,
        })
    }

    /// Bytes of the packed weights.
    pub(crate) fn packed_bytes(&self) -> u64 {
        self.packed_blocks as u64 * size_of::<Int8Block>() as u64
    }

    /// Bytes of the cache.
    pub(crate) fn cache_bytes(&self, architecture: &Architecture<'_>) -> u64 {
        if self.lane_cache {
            LaneCache::bytes(architecture, self.context)
        } else {
            FloatCache::bytes(architecture, self.context)
        }
    }
}
