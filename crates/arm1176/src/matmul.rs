//! Lane-shared weights times vectors: checks the lengths and shares the work out to the kernels.
//!
//! Vectors go in pairs, four pairs at a time, against a piece of the columns: then the inputs
//! (6 KiB) fit the first-level cache (16 KiB) beside the weights at hand and those of the next row block,
//! and each weight is read from memory once for eight vectors. A vector that is left over goes
//! alone.

use core::ops::Range;

use engine::kernels::{Kernels, LaneVectors, Outputs, PIECE_COLUMNS, Portable};

use crate::lanes::{
    PairsKernel, PairsPlan, VectorKernel, arm1176_int4_pairs, arm1176_int4_vector,
    arm1176_int4_wide_vector, arm1176_int8_pairs, arm1176_int8_vector, arm1176_int8_wide_vector,
};

/// Columns of a group: the kernels know it.
const GROUP: usize = 64;
/// Pairs of vectors that are worked on at once.
const PAIRS: usize = 4;
/// Groups of columns that are worked on at once.
const GROUPS: usize = PIECE_COLUMNS / GROUP;

/// The kernels of a format.
struct Family {
    vector: VectorKernel,
    /// The same for rows of more than [`GROUPS`] groups.
    wide_vector: VectorKernel,
    pairs: PairsKernel,
}

pub(crate) fn int8(blocks: &[[u32; 68]], x: LaneVectors<'_>, out: Outputs<'_>) {
    match Shape::of(blocks.len(), &x, &out) {
        Some(shape) => multiply(
            &Family {
                vector: arm1176_int8_vector,
                wide_vector: arm1176_int8_wide_vector,
                pairs: arm1176_int8_pairs,
            },
            blocks,
            &shape,
            x,
            out,
        ),
        None => Portable.matmul_int8(blocks, x, out),
    }
}

pub(crate) fn int4(blocks: &[[u32; 36]], x: LaneVectors<'_>, out: Outputs<'_>) {
    match Shape::of(blocks.len(), &x, &out) {
        Some(shape) => multiply(
            &Family {
                vector: arm1176_int4_vector,
                wide_vector: arm1176_int4_wide_vector,
                pairs: arm1176_int4_pairs,
            },
            blocks,
            &shape,
            x,
            out,
        ),
        None => Portable.matmul_int4(blocks, x, out),
    }
}

/// A multiplication that the kernels can do: what the numbers say has been checked.
struct Shape {
    /// At least 1. There are `row_blocks * groups` blocks.
    row_blocks: usize,
    /// At least 1. A vector has `groups * 64` inputs.
    groups: usize,
}

impl Shape {
    /// `None` where the portable code has to decide what it means, or to complain.
    fn of(blocks: usize, x: &LaneVectors<'_>, out: &Outputs<'_>) -> Option<Self> {
        let (groups, row_blocks) = (x.length / GROUP, out.rows / 4);
        let covers = |stride: usize, length: usize, all: usize| {
            let others = x.scales.len().checked_sub(1)?;
            let end = others.checked_mul(stride)?.checked_add(length)?;
            (stride >= length && end <= all).then_some(())
        };
        let inputs = x.scales.len().checked_mul(x.length)?;
        covers(out.stride, out.rows, out.values.len())?;
        // The kernels load two inputs at a time, at multiples of 4 only: the engine's are at such.
        let is_aligned = x.integers.as_ptr().addr().is_multiple_of(4);
        let is_whole = x.length.is_multiple_of(GROUP) && out.rows.is_multiple_of(4);
        let is_some = groups > 0 && row_blocks > 0;
        let fits = groups.checked_mul(row_blocks) == Some(blocks);
        let has_inputs = inputs > 0 && inputs <= x.integers.len();
        (is_aligned && is_whole && is_some && fits && has_inputs)
            .then_some(Self { row_blocks, groups })
    }
}

fn multiply<const WORDS: usize>(
    family: &Family,
    blocks: &[[u32; WORDS]],
    shape: &Shape,
    x: LaneVectors<'_>,
    mut out: Outputs<'_>,
) {
    let count = x.scales.len();
    let pairs = count / 2;
    let at_once = pairs.div_ceil(pairs.div_ceil(PAIRS).max(1)).max(1);
    for first in (0..pairs).step_by(at_once) {
        let at_hand = first..(first + at_once).min(pairs);
        multiply_pairs(family, blocks, shape, &x, at_hand, &mut out);
    }
    if count % 2 == 1 {
        let vector = &x.integers[(count - 1) * x.length..][..x.length];
        let results = &mut out.values[(count - 1) * out.stride..][..out.rows];
        let kernel = if shape.groups > GROUPS { family.wide_vector } else { family.vector };
        // SAFETY: `Shape::of` found as many blocks as there are row blocks times groups, and the inputs
        // at a multiple of 4; the slices are as long as they have to be.
        unsafe {
            kernel(
                blocks.as_ptr().cast(),
                vector.as_ptr(),
                results.as_mut_ptr(),
                shape.row_blocks,
                shape.groups,
                x.scales[count - 1],
            );
        }
    }
}

/// One to four pairs of vectors, piece by piece of their columns.
fn multiply_pairs<const WORDS: usize>(
    family: &Family,
    blocks: &[[u32; WORDS]],
    shape: &Shape,
    x: &LaneVectors<'_>,
    at_hand: Range<usize>,
    out: &mut Outputs<'_>,
) {
    let pairs = x.scales.len() / 2;
    let ones = [1.0; 2 * PAIRS];
    let values = &mut out.values[2 * at_hand.start * out.stride..];
    for first in (0..shape.groups).step_by(GROUPS) {
        let groups = first..(first + GROUPS).min(shape.groups);
        // Two vectors' numbers of a piece, which lies behind those of all pairs' pieces before.
        let length = 2 * GROUP * groups.len();
        let start = 2 * GROUP * groups.start * pairs + at_hand.start * length;
        let inputs = &x.integers[start..][..at_hand.len() * length];
        let is_last = groups.end == shape.groups;
        let plan = PairsPlan {
            blocks: blocks[groups.start..].as_ptr().cast(),
            row_blocks: shape.row_blocks,
            row_block_bytes: shape.groups * size_of::<[u32; WORDS]>(),
            lanes: inputs.as_ptr().cast(),
            pair_bytes: length * size_of::<i16>(),
            lanes_end: inputs.as_ptr_range().end.cast(),
            out: values.as_mut_ptr(),
            out_stride: out.stride * size_of::<f32>(),
            // Multiplying with 1 changes no bit, so that sums can go on with the next groups.
            factors: if is_last { x.scales[2 * at_hand.start..].as_ptr() } else { ones.as_ptr() },
            goes_on: u32::from(groups.start > 0),
        };
        // SAFETY: `Shape::of` found as many blocks as there are row blocks times groups, so the groups at
        // hand of every row block are there, and room for the results of all vectors, which the first
        // groups' products fill; there is a factor for each vector, and `inputs` are those of whole
        // pairs, at a multiple of 4.
        unsafe { (family.pairs)(&plan) }
    }
}
