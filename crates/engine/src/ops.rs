//! The small operations between the matrices: norm, softmax, activation, residual.
//!
//! They go through vectors in fours. The ARM1176's VFP takes a new operation every cycle but needs
//! eight to finish one (DDI 0301H, table 21-16): four independent chains keep it busy, and a division
//! (15 cycles) is shared by four quotients.

use crate::float::settle;
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
    for (index, out) in fours.iter_mut().enumerate() {
        *out = work(*out, inputs.map(|(fours, _)| fours[index]));
    }
    if !rest.is_empty() {
        let out = work(padded(rest), inputs.map(|(_, rest)| padded(rest)));
        rest.copy_from_slice(&out[..rest.len()]);
    }
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

/// What SwiGLU wants the exponentials of: −|gate|.
pub(crate) fn minus_magnitudes(gate: &[f32], out: &mut [f32]) {
    in_fours([gate], out, |_, [gate]| gate.map(|x| f32::from_bits(x.to_bits() | 0x8000_0000)));
}

/// SwiGLU (Shazeer, "GLU Variants Improve Transformer", 2020): `out = silu(gate) * up`, settled,
/// where `silu(x) = x / (1 + e⁻ˣ)`. Before, `out` holds e to the [`minus_magnitudes`].
pub(crate) fn swiglu(gate: &[f32], up: &[f32], out: &mut [f32]) {
    in_fours([gate, up], out, |e, [gate, up]| {
        // Of e^x and e^-x, e is the one that cannot overflow:
        // sigmoid(x) = 1 / (1 + e^-x) = e^x / (1 + e^x).
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
    });
}

/// Adds a branch to the residual stream, settled.
pub(crate) fn add(residual: &mut [f32], branch: &[f32]) {
    in_fours([branch], residual, |x, [y]| core::array::from_fn(|i| settle(x[i] + y[i])));
}

/// The sum of softmax's weights. As many as a multiple of 4.
pub(crate) fn sum(weights: &[f32]) -> f32 {
    let mut sums = [0.0f32; 4];
    let (fours, _) = weights.as_chunks::<4>();
    for four in fours {
        for (sum, weight) in sums.iter_mut().zip(four) {
            *sum += *weight;
        }
    }
    (sums[0] + sums[1]) + (sums[2] + sums[3])
}

/// As [`sum`], but then multiplies each weight, though not the sum, by a scale.
pub(crate) fn sum_and_scale(weights: &mut [f32], scales: &[f32]) -> f32 {
    let mut sums = [0.0f32; 4];
    let (fours, _) = weights.as_chunks_mut::<4>();
    let (scales, _) = scales.as_chunks::<4>();
    for (four, scales) in fours.iter_mut().zip(scales) {
        for (sum, weight) in sums.iter_mut().zip(*four) {
            *sum += weight;
        }
        *four = core::array::from_fn(|i| four[i] * scales[i]);
    }
    (sums[0] + sums[1]) + (sums[2] + sums[3])
}

/// `out = (x - largest) * factor`.
pub(crate) fn scaled_differences(x: &[f32], largest: f32, factor: f32, out: &mut [f32]) {
    in_fours([x], out, |_, [x]| x.map(|x| (x - largest) * factor));
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
