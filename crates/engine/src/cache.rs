//! The key-value cache: what attention remembers of the tokens before.
//!
//! A slot is written once and never changes while its token is remembered, so forgetting the end of
//! a conversation needs no work here: the engine just counts from an earlier position.

mod float_cache;
mod lane_cache;

pub(crate) use float_cache::FloatCache;
pub(crate) use lane_cache::LaneCache;

use crate::kernels::Kernels;
use crate::matrix::COST_OF_FLOAT;
use crate::memory::Lanes;
use crate::positions::{Slide, SlotRules};
use crate::sizes::Sizes;
use crate::{EngineError, memory};
use alloc::vec::Vec;
use core::ops::Range;
use model_format::Architecture;
use model_format::lanes::COLUMNS_PER_BLOCK;

/// Largest head whose query a kernel can sum in an i32, as the columns of a matrix.
const MOST_LANES: usize = COLUMNS_PER_BLOCK;

/// Keys and values of every layer and slot.
pub(crate) enum Cache {
    Float(FloatCache),
    Lanes(LaneCache),
}

/// One head's attention: whose, and to what.
pub(crate) struct Head {
    pub(crate) layer: usize,
    /// The key-value head; with grouped queries, neighbouring heads share one.
    pub(crate) kv_head: usize,
    /// 1 / √head_size.
    pub(crate) score_factor: f32,
    /// Slots before this one are attended to …
    pub(crate) end: usize,
    /// … but for these.
    pub(crate) dead: Range<usize>,
}

/// The vectors that attention works in.
pub(crate) struct Scratch {
    /// Scores, then weights, of one head.
    scores: Vec<f32>,
    /// The weights as whole numbers; empty for the f32 cache.
    weights: Lanes,
    /// The query likewise.
    query: Lanes,
}

impl Cache {
    pub(crate) fn new(architecture: &Architecture<'_>, sizes: &Sizes) -> Result<Self, EngineError> {
        Ok(if sizes.lane_cache {
            Self::Lanes(LaneCache::new(architecture, sizes.context)?)
        } else {
            Self::Float(FloatCache::new(architecture, sizes.context)?)
        })
    }

    /// What slots are to keep to when they move.
    pub(crate) fn rules(&self) -> SlotRules {
        match self {
            Self::Float(_) => FloatCache::RULES,
            Self::Lanes(_) => LaneCache::RULES,
        }
    }

    /// Stores a token: its rotated key, settled, and its value, all heads.
    pub(crate) fn store(&mut self, layer: usize, slot: usize, key: &[f32], value: &[f32]) {
        match self {
            Self::Float(cache) => cache.store(layer, slot, key, value),
            Self::Lanes(cache) => cache.store(layer, slot, key, value),
        }
    }

    /// Replaces the key in a slot.
    pub(crate) fn store_key(&mut self, layer: usize, slot: usize, key: &[f32]) {
        match self {
            Self::Float(cache) => cache.store_key(layer, slot, key),
            Self::Lanes(cache) => cache.store_key(layer, slot, key),
        }
    }

    /// Moves a piece of a layer's slots.
    pub(crate) fn slide(&mut self, layer: usize, slide: &Slide, piece: usize) {
        if slide.by == 0 {
            return;
        }
        let piece = slide.piece(piece);
        match self {
            Self::Float(cache) => cache.slide(layer, slide, piece),
            Self::Lanes(cache) => cache.slide(layer, slide, piece),
        }
    }

    /// Bytes of keys and values in so many slots of a layer.
    pub(crate) fn layer_bytes(&self, slots: usize) -> usize {
        match self {
            Self::Float(cache) => cache.layer_bytes(slots),
            Self::Lanes(cache) => cache.layer_bytes(slots),
        }
    }

    /// What a multiply-add with keys or values costs, in those of a byte's weights.
    pub(crate) fn cost_of_product(&self) -> usize {
        match self {
            Self::Float(_) => COST_OF_FLOAT,
            Self::Lanes(_) => 1,
        }
    }

    /// Attention of one head (Vaswani et al., "Attention Is All You Need", 2017): the mean of the
    /// values, weighted by softmax of the scores. `query` is rotated and settled; `out` is not yet.
    pub(crate) fn attend(
        &self,
        kernels: &impl Kernels,
        head: &Head,
        query: &[f32],
        scratch: &mut Scratch,
        out: &mut [f32],
    ) {
        match self {
            Self::Float(cache) => cache.attend(kernels, head, query, scratch, out),
            Self::Lanes(cache) => cache.attend(kernels, head, query, scratch, out),
        }
    }
}

impl Scratch {
    pub(crate) fn new(sizes: &Sizes) -> Result<Self, EngineError> {
        let (scores, weights) = Self::lengths(sizes);
        Ok(Self {
            scores: memory::zeros(scores)?,
            weights: Lanes::new(weights)?,
            query: Lanes::new(if sizes.lane_cache { MOST_LANES } else { 0 })?,
        })
    }

    /// Bytes that [`Scratch::new`] allocates.
    pub(crate) fn bytes(sizes: &Sizes) -> u64 {
        let (scores, weights) = Self::lengths(sizes);
        let query = if sizes.lane_cache { MOST_LANES as u64 } else { 0 };
        scores as u64 * size_of::<f32>() as u64 + Lanes::bytes(weights as u64) + Lanes::bytes(query)
    }

    fn lengths(sizes: &Sizes) -> (usize, usize) {
        let slots = LaneCache::slots(sizes.context);
        if sizes.lane_cache { (slots, slots) } else { (sizes.context.next_multiple_of(4), 0) }
    }
}
