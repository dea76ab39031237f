//! The assembly of the lane-shared kernels, and what it is called with.
//!
//! Every function has a safe wrapper elsewhere in this crate that checks the lengths first.

use core::arch::global_asm;

global_asm!(
    include_str!("lanes.S"),
    include_str!("pairs.S"),
    include_str!("int8.S"),
    include_str!("int4.S"),
    include_str!("attention.S"),
    "lanes_end",
    options(raw)
);

/// What a pairs function is called with; `pairs.S` knows the offsets.
#[repr(C)]
pub(crate) struct PairsPlan {
    /// First block of the first row block: the first of `groups` neighbours.
    pub(crate) blocks: *const u32,
    /// How many row blocks: at least 1.
    pub(crate) row_blocks: usize,
    /// From one row block to the next.
    pub(crate) row_block_bytes: usize,
    /// The inputs of all pairs, each interleaved: a word of the first vector, one of the second.
    pub(crate) lanes: *const u32,
    /// From one pair to the next: 256 bytes a group, at least one.
    pub(crate) pair_bytes: usize,
    /// Behind the inputs of the last pair; there is at least one.
    pub(crate) lanes_end: *const u32,
    /// First result of the first vector.
    pub(crate) out: *mut f32,
    /// From one vector's results to the next's, in bytes.
    pub(crate) out_stride: usize,
    /// What each vector's sums are multiplied with before they are stored.
    pub(crate) factors: *const f32,
    /// Not 0: the sums begin with the results that are there; else with +0.
    pub(crate) goes_on: u32,
}

const _: () = assert!(size_of::<PairsPlan>() == 10 * 4);

/// What `arm1176_key_scores` is called with; `attention.S` knows the offsets.
#[repr(C)]
pub(crate) struct ScoresPlan {
    /// A scale per slot.
    pub(crate) key_scales: *const f32,
    /// A score per slot: a multiple of 4, at least 4.
    pub(crate) scores: *mut f32,
    /// Behind the last score.
    pub(crate) scores_end: *mut f32,
    /// Columns of a key: a multiple of 4, from 4 to 64.
    pub(crate) columns: usize,
}

/// A kernel for one vector.
///
/// `blocks` are `row_blocks * groups` blocks, `lanes` `groups * 64` inputs at a multiple of 4, `out`
/// `row_blocks * 4` results; `row_blocks` and `groups` are at least 1.
pub(crate) type VectorKernel = unsafe extern "C" fn(
    blocks: *const u32,
    lanes: *const i16,
    out: *mut f32,
    row_blocks: usize,
    groups: usize,
    scale: f32,
);

/// A kernel for pairs of vectors.
pub(crate) type PairsKernel = unsafe extern "C" fn(plan: *const PairsPlan);

unsafe extern "C" {
    pub(crate) fn arm1176_int8_vector(
        blocks: *const u32,
        lanes: *const i16,
        out: *mut f32,
        row_blocks: usize,
        groups: usize,
        scale: f32,
    );
    pub(crate) fn arm1176_int4_vector(
        blocks: *const u32,
        lanes: *const i16,
        out: *mut f32,
        row_blocks: usize,
        groups: usize,
        scale: f32,
    );
    pub(crate) fn arm1176_int8_wide_vector(
        blocks: *const u32,
        lanes: *const i16,
        out: *mut f32,
        row_blocks: usize,
        groups: usize,
        scale: f32,
    );
    pub(crate) fn arm1176_int8_pairs(plan: *const PairsPlan);
    pub(crate) fn arm1176_int4_wide_vector(
        blocks: *const u32,
        lanes: *const i16,
        out: *mut f32,
        row_blocks: usize,
        groups: usize,
        scale: f32,
    );
    pub(crate) fn arm1176_int4_pairs(plan: *const PairsPlan);

    /// `keys` are `columns / 4 * 4` words per 4 slots, `query` is at a multiple of 4.
    pub(crate) fn arm1176_key_scores(
        keys: *const u32,
        query: *const i16,
        plan: *const ScoresPlan,
        factor: f32,
    );

    /// `values` are 16 words per result and block, `weights` 64 per block at a multiple of 4; the
    /// results are a multiple of 4, at least 4, and there is at least one block.
    pub(crate) fn arm1176_mix_values(
        values: *const u32,
        weights: *const i16,
        out: *mut f32,
        out_end: *mut f32,
        blocks: usize,
    );

    /// The same for the first slots of one block: 8 for each of `steps`, of which there are 1 to 7.
    pub(crate) fn arm1176_mix_rest(
        values: *const u32,
        weights: *const i16,
        out: *mut f32,
        out_end: *mut f32,
        steps: usize,
    );
}
