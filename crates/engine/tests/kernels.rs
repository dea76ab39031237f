//! The portable kernels against plain sums, at their limits, and bit by bit as documented.
#![allow(clippy::unwrap_used)]

use engine::kernels::{FP8_VALUES, LaneVectors, Outputs, Vectors};
use engine::{Kernels, Portable};
use model_format::fp8;
use proptest::prelude::*;

fn floats(length: usize) -> impl Strategy<Value = Vec<f32>> {
    prop::collection::vec(-100.0f32..100.0, length)
}

fn matrix_and_input() -> impl Strategy<Value = (usize, usize, Vec<f32>, Vec<f32>)> {
    (1..9usize, 1..200usize)
        .prop_flat_map(|(rows, cols)| (Just(rows), Just(cols), floats(rows * cols), floats(cols)))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

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
    fn fp8_is_the_sum_of_products_in_order(
        (rows, cols, weights, x) in matrix_and_input(),
        codes in prop::collection::vec(any::<u8>(), 8 * 200),
        scales in prop::collection::vec(0.001f32..2.0, 8),
    ) {
        // Two vectors, with something between them.
        let stride = cols + 3;
        let mut inputs = vec![f32::NAN; 2 * stride];
        inputs[..cols].copy_from_slice(&x);
        inputs[stride..stride + cols].copy_from_slice(&weights[..cols]);
        let vectors = Vectors { values: &inputs, stride, length: cols, count: 2 };
        let mut out = vec![7.5; 2 * (rows + 1)];
        let outputs = Outputs { values: &mut out, stride: rows + 1, rows };
        Portable.matmul_fp8(&codes[..rows * cols], &scales[..rows], vectors, outputs);
        for v in 0..2 {
            for row in 0..rows {
                let mut sum = 0.0f32;
                for c in 0..cols {
                    let code = codes[row * cols + c];
                    let weight = if code & 0x7f == 0x7f { 0.0 } else { fp8::decode(code) };
                    let product = weight * inputs[v * stride + c];
                    sum += product;
                }
                let y = out[v * (rows + 1) + row];
                prop_assert_eq!(y.to_bits(), (sum * scales[row]).to_bits());
            }
            prop_assert_eq!(out[v * (rows + 1) + rows], 7.5);
        }
    }

    #[test]
    fn fp8_takes_any_number_of_rows_columns_and_vectors(
        rows in 1..40usize,
        cols in 1..140usize,
        count in 1..4usize,
        codes in prop::collection::vec(any::<u8>(), 40 * 140),
        x in floats(3 * 140),
    ) {
        let codes = &codes[..rows * cols];
        let scales: Vec<f32> = (0..rows).map(|row| 0.5 + row as f32).collect();
        let vectors = Vectors { values: &x, stride: 140, length: cols, count };
        let mut out = vec![7.5; count * 41];
        let outputs = Outputs { values: &mut out, stride: 41, rows };
        Portable.matmul_fp8(codes, &scales, vectors, outputs);
        for (v, results) in out.chunks(41).enumerate() {
            for (row, codes) in codes.chunks(cols).enumerate() {
                let mut sum = 0.0f32;
                for (code, input) in codes.iter().zip(&x[v * 140..]) {
                    sum += FP8_VALUES[usize::from(*code)] * input;
                }
                prop_assert_eq!(results[row].to_bits(), (sum * scales[row]).to_bits());
            }
            prop_assert!(results[rows..].iter().all(|untouched| *untouched == 7.5));
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
fn fp8_values_are_exact_and_nan_is_nothing() {
    for code in 0..=255u8 {
        let value = fp8::decode(code);
        let expected = if value.is_nan() { 0.0 } else { value };
        assert_eq!(FP8_VALUES[usize::from(code)].to_bits(), expected.to_bits(), "{code:#x}");
    }
}

#[test]
fn empty_shapes_do_nothing() {
    let none = || Outputs { values: &mut [], stride: 0, rows: 0 };
    let vectors = Vectors { values: &[], stride: 0, length: 0, count: 0 };
    let lanes = LaneVectors { integers: &[], length: 0, scales: &[] };
    Portable.matvec_f32(&[], &[], &mut []);
    Portable.matmul_fp8(&[], &[], vectors, none());
    Portable.matmul_int8(&[], lanes, none());
    Portable.matmul_int4(&[], lanes, none());
    Portable.key_scores(&[], &[], &[], 1.0, &mut []);
    Portable.mix_values(&[], &[], 1.0, &mut []);
    Portable.attention_scores(&[], &[], 0, 1.0, &mut []);
    Portable.attention_mix(&[], &[], 0, &mut []);
}
