//! The small operations between the matrices: norm, softmax, activation, residual.
//!
//! They go through vectors in fours. The ARM1176's VFP takes a new operation every cycle but needs
//! eight to finish one (DDI 0301H, table 21-16): four independent chains keep it busy, and a division
//! (15 cycles) is shared by four quotients.

use crate::float::{exp4, settle};
use crate::kernels::dot;

/// Gives `work` four elements at a time, of `out` and of each input, and writes its answer to `out`.
/// What is left at the end is padded with zeros. The inputs are at least as long as `out`.
#[inline(always)]
fn in_fours<const INPUTS: usize>(
    inputs: [&[f32]; INPUTS],
    out: &mut [f32],
    work: impl Fn([f32; 4], [[f32; 4]; INPUTS]) -> [f32; 4],
) {
    let inputs = inputs.map(|input| input[..out.len()].as_chunks::<4>());
    let (fours, rest) = out.as_chunks_mut::<4>();
    let padded_inputs = inputs.map(|(_, rest)| padded(rest));
    let mut padded_out = padded(rest);
    // One place calls `work`, so that it is compiled into the loop.
    for index in 0..fours.len() + usize::from(!rest.is_empty()) {
        let input = |i: usize| inputs[i].0.get(index).unwrap_or(&padded_inputs[i]);
        let out = fours.get_mut(index).unwrap_or(&mut padded_out);
        *out = work(*out, core::array::from_fn(|i| *input(i)));
    }
    rest.copy_from_slice(&padded_out[..rest.len()]);
}

/// Up to three elements as four.
fn padded(rest: &[f32]) -> [f32; 4] {
    let mut four = [0.0; 4];
    four[..rest.len()].copy_from_slice(rest);
    four
}

/// RMSNorm (Zhang and Sennrich, 2019): `out = gains * x / sqrt(mean(x²) + epsilon)`, settled.
pub(crate) fn rms_norm(x: &[f32], gains: &[f32], epsilon: f32, out: &mut [f32]) {
    let mean_square = dot(x, x) / x.len().max(1) as f32;
    let factor = 1.0 / libm::sqrtf(mean_square + epsilon);
    in_fours([x, gains], out, |_, [x, gains]| {
        core::array::from_fn(|i| settle(gains[i] * (factor * x[i])))
    });
}

/// SwiGLU (Shazeer, "GLU Variants Improve Transformer", 2020): `out = silu(gate) * up`, settled,
/// where `silu(x) = x / (1 + e⁻ˣ)`.
pub(crate) fn swiglu(gate: &[f32], up: &[f32], out: &mut [f32]) {
    in_fours([gate, up], out, |_, [gate, up]| swiglu4(gate, up));
}

#[inline(always)]
fn swiglu4(gate: [f32; 4], up: [f32; 4]) -> [f32; 4] {
    // Of e^x and e^-x the one that cannot overflow: sigmoid(x) = 1 / (1 + e^-x) = e^x / (1 + e^x).
    let e = exp4(gate.map(|x| f32::from_bits(x.to_bits() | 0x8000_0000)));
    let above: [f32; 4] = core::array::from_fn(|i| {
        let one = 1.0f32.to_bits();
        let is_negative = (gate[i].to_bits() as i32 >> 31) as u32;
        f32::from_bits(one ^ ((one ^ e[i].to_bits()) & is_negative))
    });
    // From 1 to 2 each, so their product is from 1 to 16, and one division serves all four.
    let below = e.map(|e| 1.0 + e);
    let (low, high) = (below[0] * below[1], below[2] * below[3]);
    let inverse = 1.0 / (low * high);
    let (low, high) = (inverse * high, inverse * low);
    let inverse = [low * below[1], low * below[0], high * below[3], high * below[2]];
    core::array::from_fn(|i| settle(gate[i] * (above[i] * inverse[i]) * up[i]))
}

/// Adds a branch to the residual stream, settled.
pub(crate) fn add(residual: &mut [f32], branch: &[f32]) {
    in_fours([branch], residual, |x, [y]| core::array::from_fn(|i| settle(x[i] + y[i])));
}

/// Turns scores into e^(score − the largest score) and returns their sum: softmax but for the
/// division, which is done once for the result. As many as a multiple of 4; −∞ gives 0.
pub(crate) fn exponentials(scores: &mut [f32]) -> f32 {
    let largest = largest(scores);
    let mut sums = [0.0f32; 4];
    let (fours, _) = scores.as_chunks_mut::<4>();
    for four in fours {
        *four = exp4(four.map(|score| score - largest));
        for (sum, e) in sums.iter_mut().zip(four) {
            *sum += *e;
        }
    }
    (sums[0] + sums[1]) + (sums[2] + sums[3])
}

/// As [`exponentials`], but then multiplies each exponential, though not the sum, by a scale.
pub(crate) fn weighted_exponentials(scores: &mut [f32], scales: &[f32]) -> f32 {
    let largest = largest(scores);
    let mut sums = [0.0f32; 4];
    let (fours, _) = scores.as_chunks_mut::<4>();
    let (scales, _) = scales.as_chunks::<4>();
    for (four, scales) in fours.iter_mut().zip(scales) {
        let e = exp4(four.map(|score| score - largest));
        for (sum, e) in sums.iter_mut().zip(e) {
            *sum += e;
        }
        *four = core::array::from_fn(|i| e[i] * scales[i]);
    }
    (sums[0] + sums[1]) + (sums[2] + sums[3])
}

/// The largest value; NaN never wins. −∞ when there is none.
pub(crate) fn largest(values: &[f32]) -> f32 {
    let larger = |a: f32, b: f32| if b > a { b } else { a };
    let mut best = [f32::NEG_INFINITY; 4];
    let (fours, rest) = values.as_chunks::<4>();
    for four in fours {
        for (best, value) in best.iter_mut().zip(four) {
            *best = larger(*best, *value);
        }
    }
    best.iter().chain(rest).copied().fold(f32::NEG_INFINITY, larger)
}

/// The largest magnitude; NaN where there is a NaN.
#[inline]
pub(crate) fn largest_magnitude(values: &[f32]) -> f32 {
    // Magnitudes compare like their bits, and NaN is greater than all.
    let mut best = [0u32; 4];
    let (fours, rest) = values.as_chunks::<4>();
    for four in fours {
        for (best, value) in best.iter_mut().zip(four) {
            *best = (*best).max(value.to_bits() & 0x7fff_ffff);
        }
    }
    let rest = rest.iter().map(|value| value.to_bits() & 0x7fff_ffff);
    f32::from_bits(best.into_iter().chain(rest).fold(0, u32::max))
}

#[cfg(test)]
mod tests;
#[cfg(test)]
mod twin;
