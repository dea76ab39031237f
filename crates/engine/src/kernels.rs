//! The kernel boundary: the few functions that take nearly all the time of a token.
//!
//! [`Portable`] is the definition. A kernel for one processor overrides methods of [`Kernels`] and
//! must give the same bits for all inputs that the engine can pass, so each method states its
//! arithmetic exactly: the integers, the order of the float sums, the places where it rounds.
//!
//! Common to all matrix kernels: the matrix has `out.len()` rows and as many columns as the input
//! is long, row after row; the caller passes slices of fitting lengths. Inputs are settled
//! (see [`crate::float`]); outputs need not be, the engine does it.

mod portable;

pub(crate) use portable::dot;
pub use portable::{FP8_TABLE, FP8_UNIT, Portable};

/// Largest magnitude of a quantised input: 11 bits with sign.
///
/// Chosen for the overflow proofs of [`Kernels::matvec_fp8`] and [`Kernels::matvec_int8`].
pub const INPUT_LIMIT: i32 = 1023;

/// Columns that [`Kernels::matvec_fp8`] sums as integers before it goes on in f32.
pub const FP8_BLOCK: usize = 64;

/// A vector as whole numbers with one scale: element `i` is about `integers[i] * scale`.
#[derive(Clone, Copy, Debug)]
pub struct Quantised<'a> {
    /// −1023 to 1023, see [`INPUT_LIMIT`].
    pub integers: &'a [i16],
    /// What one unit is worth.
    pub scale: f32,
}

/// The hot functions of the transformer. Every method has the portable code as its default.
pub trait Kernels {
    /// Rounds a vector to whole numbers; returns the scale.
    ///
    /// With `m` the largest magnitude: `k = 1023 / m`, `integers[i] = round(x[i] * k)`, ties to
    /// even, and the scale is `m / 1023`. A vector of zeros gives zeros and scale 0. A vector
    /// with an infinity or NaN gives zeros and scale NaN, so that the fault shows in the logits.
    fn quantise(&self, x: &[f32], integers: &mut [i16]) -> f32 {
        portable::quantise(x, integers)
    }

    /// Matrix of f32 times vector of f32.
    ///
    /// Four sums per row: column `c` goes to sum `c % 4`, in ascending order; a row's result is
    /// `(sum0 + sum1) + (sum2 + sum3)`. Products are rounded before they are added.
    fn matvec_f32(&self, weights: &[f32], x: &[f32], out: &mut [f32]) {
        portable::matvec_f32(weights, x, out);
    }

    /// Matrix of E4M3 codes with one scale per row, times quantised vector.
    ///
    /// A code counts as its value in units of 1/64, rounded to a whole number, ties to even
    /// ([`FP8_TABLE`]; NaN codes count as 0). Per block of [`FP8_BLOCK`] columns (the last may be
    /// short) the products are summed in i32, converted to f32 (one rounding) and added to the
    /// row's f32 sum, blocks in ascending order from 0. Result:
    /// `(sum * (x.scale * (1 / 64))) * row_scale`.
    ///
    /// No overflow: 448 · 64 = 28,672 is the largest code, and
    /// 28,672 · 1023 · 64 = 1,877,213,184 < 2³¹.
    fn matvec_fp8(&self, codes: &[u8], row_scales: &[f32], x: Quantised<'_>, out: &mut [f32]) {
        portable::matvec_fp8(codes, row_scales, x, out);
    }

    /// Matrix of signed bytes with one scale per `group` columns, times quantised vector.
    ///
    /// Per group (the last of a row may be short) the products are summed in i32, converted to
    /// f32 (one rounding), multiplied by the group's scale and added to the row's f32 sum, groups
    /// in ascending order from 0. Result: `sum * x.scale`. `scales` lies row after row.
    ///
    /// No overflow for groups of up to 16,384 columns: 128 · 1023 · 16,384 = 2,145,386,496 < 2³¹.
    /// The file format allows 4,096 at most.
    fn matvec_int8(
        &self,
        weights: &[i8],
        group: usize,
        scales: &[f32],
        x: Quantised<'_>,
        out: &mut [f32],
    ) {
        portable::matvec_int8(weights, group, scales, x, out);
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
