//! The kernel boundary: the few functions that take nearly all the time of a token.
//!
//! The portable code is the definition. A kernel for one processor overrides methods of
//! [`Kernels`] and must give the same bits for all inputs that the engine can pass, so each
//! method states its arithmetic exactly: the integers, the order of the float sums, the places
//! where it rounds. Products are rounded before they are added: nothing is fused.
//!
//! Common to all: the caller passes slices of fitting lengths; several vectors lie side by side,
//! so that one pass over the weights serves a batch of tokens, and the result of a vector does
//! not depend on its neighbours. Inputs are settled (see [`crate::float`]); outputs need not be,
//! the engine does it.

mod fp8;
mod part;
mod portable;
mod quantise;
mod twins;

use crate::ops;

pub use fp8::FP8_VALUES;
pub use part::Part;
pub use portable::Portable;
pub(crate) use portable::dot;
pub use quantise::{Quantisation, quantise_lanes};
pub use twins::{Twin, compare_with_twins};

/// Largest magnitude of a quantised input: 11 bits with sign.
///
/// Chosen for the overflow proof of [`Kernels::matmul_int8`].
pub const INPUT_LIMIT: i32 = model_format::lanes::LARGEST_INPUT;

/// Several vectors of f32 side by side: vector `v` begins at `values[v * stride]`.
#[derive(Clone, Copy, Debug)]
pub struct Vectors<'a> {
    /// The numbers.
    pub values: &'a [f32],
    /// How far the beginnings of two vectors are apart: at least `length`.
    pub stride: usize,
    /// Numbers in a vector: the columns of the matrix.
    pub length: usize,
    /// How many vectors.
    pub count: usize,
}

/// Several vectors of whole numbers, in lane order (see [`LaneOrder`]).
///
/// They lie as kernels read them, for two vectors and a piece of their columns at a time. The first
/// two are a *pair*, the next two another, and a last one without a partner is alone. First come the
/// pairs, piece by piece of [`PIECE_COLUMNS`] (the last may be shorter), in a piece pair by pair, and
/// in that two numbers of the first vector, two of the second, two of the first and so on. Behind the
/// pairs lies the one that is alone.
#[derive(Clone, Copy, Debug)]
pub struct LaneVectors<'a> {
    /// −1023 to 1023, see [`INPUT_LIMIT`]: `length` for each vector. At a multiple of 4 in memory.
    pub integers: &'a [i16],
    /// Numbers in a vector: the columns of the matrix, padded with zeros to a multiple of 64.
    pub length: usize,
    /// What one unit of each vector is worth: as many as there are vectors.
    pub scales: &'a [f32],
}

/// Columns of a piece of [`LaneVectors`]: eight vectors' are 6 KiB, and fit a first-level cache of
/// 16 KiB beside the weights at hand and the next ones.
pub const PIECE_COLUMNS: usize = 6 * 64;

/// Where some numbers of a vector are among those of [`LaneVectors`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LanePlace {
    /// The first number.
    pub start: usize,
    /// In twos, from one two of the vector to its next: 2 in a pair, 1 alone.
    pub apart: usize,
}

impl LanePlace {
    /// Where the numbers from `column` on of a vector are, of `count` of this length. They lie evenly
    /// to the end of the column's piece. `column` is a multiple of 8.
    pub fn new(vector: usize, count: usize, length: usize, column: usize) -> Self {
        let paired = count / 2 * 2;
        if vector >= paired {
            return Self { start: paired * length + column, apart: 1 };
        }
        let piece = column / PIECE_COLUMNS * PIECE_COLUMNS;
        let width = PIECE_COLUMNS.min(length - piece);
        let pair = piece * paired + vector / 2 * 2 * width;
        Self { start: pair + 2 * (column - piece) + 2 * (vector % 2), apart: 2 }
    }
}

/// Where results go: row `r` of vector `v` to `values[v * stride + r]`.
#[derive(Debug)]
pub struct Outputs<'a> {
    /// The results.
    pub values: &'a mut [f32],
    /// How far the beginnings of two vectors are apart: at least `rows`.
    pub stride: usize,
    /// Rows of the matrix; for lane-shared matrices their number padded to a multiple of 4.
    pub rows: usize,
}

/// The order in which a dual multiply wants its inputs. Element `i` of a vector is `xi`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LaneOrder {
    /// For weights of a byte, per 4 columns: x1 x3 x0 x2.
    Bytes,
    /// For weights of a nibble, per 8 columns: x3 x7 x2 x6 x1 x5 x0 x4.
    Nibbles,
}

/// Four rows and four columns of lane-shared bytes (or eight of nibbles): a word per row.
pub type LaneWords = [u32; 4];

/// The hot functions of the transformer. Every method has the portable code as its default.
pub trait Kernels {
    /// Told what the engine turns to next, so that kernels that measure can tell the parts of a
    /// token apart. By default nothing, and the compiler leaves the call out.
    fn turn_to(&self, part: Part) {
        let _ = part;
    }

    /// Told what will be read or written soon, so that it can be on its way from memory meanwhile. By
    /// default nothing.
    fn fetch(&self, soon: &[f32]) {
        let _ = soon;
    }

    /// The largest magnitude, +0 when there is none; NaN where there is a NaN.
    fn largest_magnitude(&self, x: &[f32]) -> f32 {
        ops::largest_magnitude(x)
    }

    /// Rounds a vector, or a piece of it, to whole numbers in lane order: `round(x[i] * factor)`, ties
    /// to even. No product exceeds 1023.5 in magnitude.
    ///
    /// The numbers come in twos: `lanes[2 * apart * i..][..2]`, where `apart` is 1 or 2. They are a
    /// multiple of 4 (bytes) or 8 (nibbles), and beyond `x` they are zeros.
    fn round_lanes(
        &self,
        x: &[f32],
        factor: f32,
        order: LaneOrder,
        lanes: &mut [i16],
        apart: usize,
    ) {
        portable::round_lanes(x, factor, order, lanes, apart);
    }

    /// Matrix of E4M3 codes with one scale per row, times vectors of f32.
    ///
    /// `(Σ code(r, c) * x[c]) * row_scales[r]`, columns ascending, the sum from +0 in f32. A
    /// code counts as its exact value; NaN codes count as 0.
    fn matmul_fp8(&self, codes: &[u8], row_scales: &[f32], x: Vectors<'_>, out: Outputs<'_>) {
        fp8::matmul(codes, row_scales, x, out);
    }

    /// Lane-shared bytes times quantised vectors.
    ///
    /// A block holds 4 rows and 64 columns (`model_format::lanes`): 16 × 4 words, then 4 scales.
    /// Blocks lie row block by row block, in it group by group. Per group the products of lanes
    /// and inputs are summed in i32: for a word `w` with inputs x0 to x3, with `low` and `high`
    /// the signed halves of a word,
    /// `low(w) * x1 + high(w) * x3 + low(w << 8) * x0 + high(w << 8) * x2`. The sum is converted
    /// to f32 (one rounding), multiplied by the row's scale and added to the row's f32 sum,
    /// groups ascending from +0. Result: `sum * x.scales[v]`.
    ///
    /// No overflow: a lane is at most 2¹⁵ in magnitude, and 2¹⁵ · 1023 · 64 < 2³¹.
    fn matmul_int8(&self, blocks: &[[u32; 68]], x: LaneVectors<'_>, out: Outputs<'_>) {
        portable::matmul_int8(blocks, x, out);
    }

    /// Lane-shared nibbles times quantised vectors: as [`Kernels::matmul_int8`], but a block has
    /// 8 × 4 words, a word 8 columns, and its products are, for k = 0 to 3,
    /// `low(w << 4k) * x(3 − k) + high(w << 4k) * x(7 − k)`.
    fn matmul_int4(&self, blocks: &[[u32; 36]], x: LaneVectors<'_>, out: Outputs<'_>) {
        portable::matmul_int4(blocks, x, out);
    }

    /// Scores of one head against keys of lane-shared bytes:
    /// `scores[t] = (f32(Σ products) * key_scales[t]) * factor`.
    ///
    /// `keys` holds blocks of 4 slots; a block has `query.len() / 4` times a word per slot,
    /// multiplied as in [`Kernels::matmul_int8`]. `scores` and `key_scales` are a multiple of 4
    /// long; `query` is in [`LaneOrder::Bytes`], at most 64 long.
    fn key_scores(
        &self,
        keys: &[LaneWords],
        query: &[i16],
        key_scales: &[f32],
        factor: f32,
        scores: &mut [f32],
    ) {
        portable::key_scores(keys, query, key_scales, factor, scores);
    }

    /// Weighted sum of values of lane-shared bytes: `out[d] = (Σ f32(Σ products)) * factor`, the
    /// outer sum over blocks of 64 slots, ascending from +0.
    ///
    /// A block of 64 slots holds, for each 4 elements of a value, 16 times a word per element;
    /// a word has 4 slots. `weights` is in [`LaneOrder::Bytes`] and a multiple of 8 long: the last
    /// block may be used in part. `out` is a multiple of 4 long.
    fn mix_values(&self, values: &[LaneWords], weights: &[i16], factor: f32, out: &mut [f32]) {
        portable::mix_values(values, weights, factor, out);
    }

    /// Turns each `x` into e^(x − largest), four by four as [`exp4`](crate::float::exp4) does: no
    /// result depends on its neighbours.
    fn exponentials(&self, x: &mut [f32], largest: f32) {
        portable::exponentials(x, largest);
    }

    /// Matrix of f32 times vector of f32.
    ///
    /// Four sums per row: column `c` goes to sum `c % 4`, in ascending order; a row's result is
    /// `(sum0 + sum1) + (sum2 + sum3)`. Products are rounded before they are added.
    fn matvec_f32(&self, weights: &[f32], x: &[f32], out: &mut [f32]) {
        portable::matvec_f32(weights, x, out);
    }

    /// Scores of one attention head: `scores[t] = (query · key t) * factor`.
    ///
    /// Key `t` begins at `keys[t * stride]`. The dot product sums as [`Kernels::matvec_f32`].
    fn attention_scores(
        &self,
        query: &[f32],
        keys: &[f32],
        stride: usize,
        factor: f32,
        scores: &mut [f32],
    ) {
        portable::attention_scores(query, keys, stride, factor, scores);
    }

    /// Weighted sum of values: `out[i] = Σ weights[t] * value t [i]`, `t` ascending from 0.
    ///
    /// Value `t` begins at `values[t * stride]`. Products are rounded before they are added.
    fn attention_mix(&self, weights: &[f32], values: &[f32], stride: usize, out: &mut [f32]) {
        portable::attention_mix(weights, values, stride, out);
    }
}
