//! The operations against their definitions in f64.

use super::*;
use crate::{Kernels, Portable};
use alloc::vec::Vec;

/// Softmax but for the division.
pub(super) fn exponentials(scores: &mut [f32]) -> f32 {
    Portable.exponentials(scores, largest(scores));
    sum(scores)
}

/// SwiGLU as the stages do it.
pub(super) fn whole_swiglu(gate: &[f32], up: &[f32], out: &mut [f32]) {
    minus_magnitudes(gate, out);
    Portable.exponentials(out, 0.0);
    swiglu(gate, up, out);
}

fn numbers(count: usize, width: f32) -> Vec<f32> {
    let mut random = crate::Pcg32::new(count as u64);
    (0..count).map(|_| (random.next_f32() - 0.5) * width).collect()
}

#[test]
fn softmax_of_equals_is_even_and_survives_large_scores() {
    let mut scores = [1e30f32; 4];
    assert_eq!(exponentials(&mut scores), 4.0);
    assert_eq!(scores, [1.0; 4]);
    let mut scores = [0.0, -1e30, 0.0, f32::NEG_INFINITY];
    assert_eq!(exponentials(&mut scores), 2.0);
    assert_eq!(scores, [1.0, 0.0, 1.0, 0.0]);
}

#[test]
fn the_scale_is_in_the_weight_and_not_in_the_sum() {
    let mut plain = numbers(64, 20.0);
    let mut weighted = plain.clone();
    let scales = numbers(64, 2.0);
    let total = exponentials(&mut plain);
    exponentials(&mut weighted);
    assert_eq!(sum_and_scale(&mut weighted, &scales), total);
    for ((e, scale), weight) in plain.iter().zip(&scales).zip(weighted) {
        assert_eq!(weight, e * scale);
    }
}

#[test]
fn swiglu_is_its_definition() {
    // 4095 elements: three are left over. Gates from -150 to 150 and the edges.
    let mut gate = numbers(4095, 300.0);
    gate[..9].copy_from_slice(&[-200.0, -30.0, -3.5, -0.1, 0.0, -0.0, 0.2, 4.0, 90.0]);
    let up = numbers(4095, 8.0);
    let mut out = alloc::vec![f32::NAN; 4095];
    whole_swiglu(&gate, &up, &mut out);
    for ((gate, up), out) in gate.iter().zip(&up).zip(out) {
        let x = f64::from(*gate);
        let expected = f64::from(*up) * x / (1.0 + (-x).exp());
        let error = (f64::from(out) - expected).abs();
        // Below e^-27.7 the exponential is 0.
        assert!(error < 1e-6 * expected.abs() + 1e-9, "{gate} {up} {out} {expected}");
        assert!(out == 0.0 || out.abs() >= crate::float::SMALLEST);
    }
}

#[test]
fn what_is_not_finite_stays_in_its_place() {
    for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        let (gate, up) = (numbers(8, 4.0), [1.0; 8]);
        let mut expected = [0.0; 8];
        whole_swiglu(&gate, &up, &mut expected);
        let mut broken = gate.clone();
        broken[5] = bad;
        let mut out = [0.0; 8];
        whole_swiglu(&broken, &up, &mut out);
        assert!(!out[5].is_finite());
        for i in [0, 1, 2, 3, 4, 6, 7] {
            assert!((out[i] - expected[i]).abs() <= 1e-6 * expected[i].abs());
        }
    }
}

#[test]
fn rms_norm_gives_unit_mean_square() {
    for count in [1, 4, 5, 30, 64] {
        let x = numbers(count, 24.0);
        let mut out = alloc::vec![0.0; count];
        rms_norm(&x, &alloc::vec![1.0; count], 1e-9, &mut out);
        assert!((dot(&out, &out) / count as f32 - 1.0).abs() < 1e-5);
    }
}

#[test]
fn the_largest_is_found_wherever_it_is() {
    for count in 1..12 {
        for place in 0..count {
            let mut values = numbers(count, 4.0);
            values[place] = -7.5;
            assert_eq!(largest_magnitude(&values), 7.5);
            values[place] = 7.5;
            assert_eq!(largest(&values), 7.5);
            values[(place + 1) % count] = f32::NAN;
            if count > 1 {
                assert_eq!(largest(&values), 7.5);
            }
            assert!(largest_magnitude(&values).is_nan());
        }
    }
    assert_eq!((largest(&[]), largest_magnitude(&[])), (f32::NEG_INFINITY, 0.0));
}
