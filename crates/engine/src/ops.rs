//! The small operations between the matrices: norm, softmax, activation, residual.

use crate::float::{exp, settle};
use crate::kernels::dot;

/// RMSNorm (Zhang and Sennrich, 2019): `out = gains * x / sqrt(mean(x²) + epsilon)`.
pub(crate) fn rms_norm(x: &[f32], gains: &[f32], epsilon: f32, out: &mut [f32]) {
    let mean_square = dot(x, x) / x.len().max(1) as f32;
    let factor = 1.0 / libm::sqrtf(mean_square + epsilon);
    for ((y, value), gain) in out.iter_mut().zip(x).zip(gains) {
        *y = gain * (factor * value);
    }
}

/// Softmax in place. The results are 0 or at least 2⁻⁴⁰ / `scores.len()`.
pub(crate) fn softmax(scores: &mut [f32]) {
    let largest = scores.iter().copied().fold(f32::NEG_INFINITY, |a, b| if b > a { b } else { a });
    let mut sum = 0.0f32;
    for score in scores.iter_mut() {
        *score = exp(*score - largest);
        sum += *score;
    }
    let factor = 1.0 / sum;
    for score in scores.iter_mut() {
        *score *= factor;
    }
}

/// SwiGLU (Shazeer, "GLU Variants Improve Transformer", 2020): `gate = silu(gate) * up`,
/// where `silu(x) = x / (1 + e⁻ˣ)`.
pub(crate) fn swiglu(gate: &mut [f32], up: &[f32]) {
    for (gate, up) in gate.iter_mut().zip(up) {
        // For large negative gates the quotient underflows: settled before it is used.
        let sigmoid = settle(1.0 / (1.0 + exp(-*gate)));
        *gate = settle(*gate * sigmoid * up);
    }
}

/// Adds a branch to the residual stream.
pub(crate) fn add(residual: &mut [f32], branch: &[f32]) {
    for (x, y) in residual.iter_mut().zip(branch) {
        *x = settle(*x + y);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn softmax_of_equals_is_even_and_survives_large_scores() {
        let mut scores = [1e30f32; 4];
        softmax(&mut scores);
        assert_eq!(scores, [0.25; 4]);
        let mut scores = [0.0, -1e30, 0.0];
        softmax(&mut scores);
        assert_eq!(scores, [0.5, 0.0, 0.5]);
    }

    #[test]
    fn swiglu_is_its_definition() {
        for gate in [-200.0f32, -30.0, -3.5, -0.1, 0.0, 0.2, 4.0, 90.0] {
            let mut out = [gate];
            swiglu(&mut out, &[1.5]);
            let x = f64::from(gate);
            let expected = 1.5 * x / (1.0 + (-x).exp());
            assert!((f64::from(out[0]) - expected).abs() < 1e-5 * (1.0 + expected.abs()), "{gate}");
        }
    }

    #[test]
    fn rms_norm_gives_unit_mean_square() {
        let x = [3.0f32, -4.0, 12.0, 0.5, 7.0];
        let mut out = [0.0; 5];
        rms_norm(&x, &[1.0; 5], 1e-6, &mut out);
        assert!((dot(&out, &out) / 5.0 - 1.0).abs() < 1e-5);
    }
}
