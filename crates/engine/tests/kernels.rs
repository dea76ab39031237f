//! The portable kernels against plain sums, at their limits, and bit by bit as documented.

use engine::kernels::{FP8_BLOCK, FP8_TABLE, FP8_UNIT, INPUT_LIMIT};
use engine::{Kernels, Portable, Quantised};
use model_format::fp8;
use proptest::prelude::*;

fn floats(length: usize) -> impl Strategy<Value = Vec<f32>> {
    prop::collection::vec(-100.0f32..100.0, length)
}

fn matrix_and_input() -> impl Strategy<Value = (usize, usize, Vec<f32>, Vec<f32>)> {
    (1..9usize, 1..200usize)
        .prop_flat_map(|(rows, cols)| (Just(rows), Just(cols), floats(rows * cols), floats(cols)))
}

fn quantised(x: &[f32]) -> (Vec<i16>, f32) {
    let mut integers = vec![0; x.len()];
    let scale = Portable.quantise(x, &mut integers);
    (integers, scale)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn f32_is_the_sum_of_products((rows, cols, weights, x) in matrix_and_input()) {
        let mut out = vec![f32::NAN; rows];
        Portable.matvec_f32(&weights, &x, &mut out);
        for (row, y) in weights.chunks(cols).zip(&out) {
            let products: Vec<f64> =
                row.iter().zip(&x).map(|(w, x)| f64::from(*w) * f64::from(*x)).collect();
            let size: f64 = products.iter().map(|p| p.abs()).sum();
            // Each of the additions on a product's way rounds by 2^-24 at most.
            let bound = size * (cols as f64 + 3.0) / 16_777_216.0;
            prop_assert!((products.iter().sum::<f64>() - f64::from(*y)).abs() <= bound);
        }
    }

    #[test]
    fn quantising_rounds_to_the_nearest(x in (1..300usize).prop_flat_map(floats)) {
        let (integers, scale) = quantised(&x);
        let largest = x.iter().fold(0.0f32, |a, b| a.max(b.abs()));
        prop_assert_eq!(scale.to_bits(), (largest / 1023.0).to_bits());
        for (integer, value) in integers.iter().zip(&x) {
            prop_assert!(i32::from(*integer).abs() <= INPUT_LIMIT);
            prop_assert_eq!(*integer, (value * (1023.0 / largest)).round_ties_even() as i16);
        }
    }

    #[test]
    fn fp8_is_exactly_what_its_documentation_says(
        (rows, cols, weights, x) in matrix_and_input(),
        scales in prop::collection::vec(0.001f32..2.0, 8),
    ) {
        let codes: Vec<u8> = weights.iter().map(|w| fp8::encode(*w)).collect();
        let (integers, scale) = quantised(&x);
        let mut out = vec![f32::NAN; rows];
        let input = Quantised { integers: &integers, scale };
        Portable.matvec_fp8(&codes, &scales[..rows], input, &mut out);
        for row in 0..rows {
            let unit = |c: usize| (fp8::decode(codes[row * cols + c]) * 64.0).round_ties_even();
            let mut sum = 0.0f32;
            let mut close = 0.0f64;
            for start in (0..cols).step_by(FP8_BLOCK) {
                let block: i64 = (start..cols.min(start + FP8_BLOCK))
                    .map(|c| unit(c) as i64 * i64::from(integers[c]))
                    .sum();
                sum += block as f32;
                close += block as f64;
            }
            prop_assert_eq!(out[row].to_bits(), (sum * (scale / 64.0) * scales[row]).to_bits());
            // And that is close to the exact sum.
            let exact = close / 64.0 * f64::from(scale) * f64::from(scales[row]);
            prop_assert!((f64::from(out[row]) - exact).abs() <= 1e-6 * exact.abs() + 1e-3);
        }
    }

    #[test]
    fn int8_is_exactly_what_its_documentation_says(
        rows in 1..6usize,
        cols in 1..200usize,
        group in prop::sample::select(vec![4usize, 32, 64, 4096]),
        bytes in prop::collection::vec(any::<i8>(), 6 * 200),
        scales in prop::collection::vec(0.001f32..2.0, 6 * 50),
        x in floats(200),
    ) {
        let weights = &bytes[..rows * cols];
        let per_row = cols.div_ceil(group);
        let scales = &scales[..rows * per_row];
        let (integers, scale) = quantised(&x[..cols]);
        let mut out = vec![f32::NAN; rows];
        let input = Quantised { integers: &integers, scale };
        Portable.matvec_int8(weights, group, scales, input, &mut out);
        for row in 0..rows {
            let mut sum = 0.0f32;
            for g in 0..per_row {
                let columns = g * group..cols.min((g + 1) * group);
                let product =
                    |c: usize| i64::from(weights[row * cols + c]) * i64::from(integers[c]);
                sum += columns.map(product).sum::<i64>() as f32 * scales[row * per_row + g];
            }
            prop_assert_eq!(out[row].to_bits(), (sum * scale).to_bits());
        }
    }

    #[test]
    fn attention_is_dot_products_and_a_weighted_sum(
        positions in 1..40usize,
        pairs in 1..10usize,
        kv_heads in 1..4usize,
        data in floats(40 * 60 + 60),
    ) {
        let (size, stride) = (2 * pairs, 2 * pairs * kv_heads);
        let (query, cache) = data.split_at(size);
        for head in 0..kv_heads {
            let cache = &cache[head * size..positions * stride];
            let mut scores = vec![f32::NAN; positions];
            Portable.attention_scores(query, cache, stride, 0.5, &mut scores);
            let mut mixed = vec![f32::NAN; size];
            Portable.attention_mix(&scores, cache, stride, &mut mixed);
            let mut expected = vec![0.0f32; size];
            for (t, score) in scores.iter().enumerate() {
                let vector = &cache[t * stride..t * stride + size];
                let mut dot = [0.0f32];
                Portable.matvec_f32(vector, query, &mut dot);
                prop_assert_eq!(score.to_bits(), (dot[0] * 0.5).to_bits());
                for (sum, v) in expected.iter_mut().zip(vector) {
                    *sum += score * v;
                }
            }
            prop_assert_eq!(mixed, expected);
        }
    }
}

#[test]
fn the_fp8_table_is_exact_from_an_eighth_on() {
    for code in 0..=255u8 {
        let value = fp8::decode(code);
        let units = f32::from(FP8_TABLE[usize::from(code)]);
        if value.is_nan() {
            assert_eq!(units, 0.0);
        } else if value.abs() >= 0.125 {
            assert_eq!(units * FP8_UNIT, value, "{code:#x}");
        } else {
            assert!((units * FP8_UNIT - value).abs() <= FP8_UNIT / 2.0, "{code:#x}");
        }
    }
    assert_eq!(FP8_TABLE.iter().map(|v| v.unsigned_abs()).max(), Some(28_672));
}

/// Tests run with overflow checks, so a sum that wraps would panic here.
#[test]
fn the_largest_possible_sums_fit() {
    for sign in [1i16, -1] {
        for cols in [FP8_BLOCK, FP8_BLOCK + 1, 28_672, 65_536] {
            let integers = vec![sign * 1023; cols];
            let input = Quantised { integers: &integers, scale: 1.0 };
            for code in [0x7e, 0xfe] {
                let mut out = [0.0];
                Portable.matvec_fp8(&vec![code; cols], &[1.0], input, &mut out);
                let exact = 448.0 * 1023.0 * cols as f64;
                assert!((f64::from(out[0]).abs() / exact - 1.0).abs() < 1e-5);
            }
        }
        for group in [64, 4096, 16_384] {
            let integers = vec![sign * 1023; group];
            let input = Quantised { integers: &integers, scale: 1.0 };
            for weight in [-128i8, 127] {
                let mut out = [0.0];
                Portable.matvec_int8(&vec![weight; group], group, &[1.0], input, &mut out);
                let exact = f64::from(weight) * 1023.0 * f64::from(sign) * group as f64;
                assert_eq!(out[0], exact as f32);
            }
        }
    }
    assert!(448 * 64 * INPUT_LIMIT as i64 * (FP8_BLOCK as i64) < 1 << 31);
    assert!(128 * INPUT_LIMIT as i64 * 16_384 < 1 << 31);
}

#[test]
fn a_block_sum_is_rounded_to_f32_just_once() {
    // 2^24 + 1 has no f32: ties go to even, 2^24. Codes 0x50 = 8 = 512 units.
    assert_eq!(FP8_TABLE[0x50], 512);
    // 512 · 1023 · 32 + 512 · 32 = 2^24; one more unit of 1/64 (code 0x08 = 1/64) makes 2^24 + 1.
    assert_eq!(FP8_TABLE[0x08], 1);
    let mut codes = [0x50u8; 64];
    let mut integers = [1023i16; 64];
    integers[32..63].fill(32);
    codes[32..].fill(0x58);
    integers[63] = 0;
    let sum: i64 = codes
        .iter()
        .zip(&integers)
        .map(|(c, i)| i64::from(FP8_TABLE[usize::from(*c)]) * i64::from(*i))
        .sum();
    integers[63] = 1;
    codes[63] = 0x08;
    let mut out = [0.0];
    let input = Quantised { integers: &integers, scale: 64.0 };
    Portable.matvec_fp8(&codes, &[1.0], input, &mut out);
    assert_eq!(out[0], (sum + 1) as f32);
    assert_ne!(i64::from(out[0] as i32), sum + 1, "the sum must be one that f32 cannot hold");
}

#[test]
fn quantising_edge_cases() {
    assert_eq!(quantised(&[]), (vec![], 0.0));
    assert_eq!(quantised(&[0.0, -0.0]), (vec![0, 0], 0.0));
    assert_eq!(quantised(&[-3.0, 3.0, 0.0]).0, [-1023, 1023, 0]);
    // Ties to even: with 1023 the largest, factor and scale are 1.
    assert_eq!(quantised(&[1023.0, 0.5, 1.5, 2.5, -0.5, -1.5]).0, [1023, 0, 2, 2, 0, -2]);
    for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        let (integers, scale) = quantised(&[1.0, bad, 2.0]);
        assert_eq!(integers, [0, 0, 0]);
        assert!(scale.is_nan());
    }
    // Far apart and at the ends of what the engine keeps.
    let (integers, scale) = quantised(&[engine::float::SMALLEST, -3e38]);
    assert_eq!((integers, scale), (vec![0, -1023], 3e38 / 1023.0));
    let (integers, scale) = quantised(&[engine::float::SMALLEST]);
    assert_eq!(integers, [1023]);
    assert!(scale > 0.0 && scale.is_normal());
}

#[test]
fn empty_shapes_do_nothing() {
    let input = Quantised { integers: &[], scale: 1.0 };
    Portable.matvec_f32(&[], &[], &mut []);
    Portable.matvec_fp8(&[], &[], input, &mut []);
    Portable.matvec_int8(&[], 0, &[], input, &mut []);
    Portable.attention_scores(&[], &[], 0, 1.0, &mut []);
    Portable.attention_mix(&[], &[], 0, &mut []);
}
