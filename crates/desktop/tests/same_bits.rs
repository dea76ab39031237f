//! The desktop's kernels give the bits of the portable ones, for matrices, batches and heads of many shapes.

use desktop::Desktop;
use engine::kernels::{LaneVectors, LaneWords, Outputs, compare_with_twins};
use engine::{Kernels, Portable};
use proptest::prelude::*;

fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|value| value.to_bits()).collect()
}

fn scales(length: usize) -> impl Strategy<Value = Vec<f32>> {
    prop::collection::vec(-2.0f32..2.0, length)
}

/// Blocks of any lanes, and scales.
fn blocks<const WORDS: usize>(words: &[u32], scales: &[f32], count: usize) -> Vec<[u32; WORDS]> {
    let (words, scales) = (words.chunks_exact(WORDS - 4), scales.as_chunks::<4>().0);
    let blocks = words.zip(scales).take(count).map(|(words, scales)| {
        let mut block = [0; WORDS];
        block[..WORDS - 4].copy_from_slice(words);
        block[WORDS - 4..].copy_from_slice(&scales.map(f32::to_bits));
        block
    });
    blocks.collect()
}

#[test]
fn the_short_look_finds_no_difference() {
    #[cfg(target_arch = "x86_64")]
    let has_avx2 = std::is_x86_feature_detected!("avx2");
    #[cfg(not(target_arch = "x86_64"))]
    let has_avx2 = false;
    if !has_avx2 {
        eprintln!("skipped: no AVX2 here, so the portable kernels are compared with themselves");
    }
    assert_eq!(compare_with_twins(&Desktop::default()), Ok(()));
}

/// One block of one word everywhere, times one input everywhere.
fn products<const WORDS: usize>(
    multiply: impl Fn(&[[u32; WORDS]], LaneVectors<'_>, Outputs<'_>),
    word: u32,
    input: i16,
) -> [f32; 4] {
    let mut block = [word; WORDS];
    block[WORDS - 4..].copy_from_slice(&[1.0f32.to_bits(); 4]);
    let x = LaneVectors { integers: &[input; 64], length: 64, scales: &[1.0] };
    let mut values = [0.0; 4];
    multiply(&[block], x, Outputs { values: &mut values, stride: 4, rows: 4 });
    values
}

/// The sums that come closest to 2³¹.
#[test]
fn nothing_overflows() {
    let desktop = Desktop::default();
    for input in [-1023, 1023] {
        for word in [0x8888_8888, 0x7777_7777, 0x8000_8000] {
            let found = products(|b, x, out| desktop.matmul_int4(b, x, out), word, input);
            assert_eq!(found, products(|b, x, out| Portable.matmul_int4(b, x, out), word, input));
            assert!(found[0].abs() > 2e8, "{found:?}");
        }
        for word in [0x8080_8080, 0x7f7f_7f7f, 0x8000_8000] {
            let found = products(|b, x, out| desktop.matmul_int8(b, x, out), word, input);
            assert_eq!(found, products(|b, x, out| Portable.matmul_int8(b, x, out), word, input));
            assert!(found[0].abs() > 2e8, "{found:?}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn of_matrices(
        row_blocks in 0..4usize,
        groups in 0..=14usize,
        vectors in 1..=5usize,
        words in prop::collection::vec(any::<u32>(), 3 * 14 * 64),
        scales in scales(3 * 14 * 4),
        integers in prop::collection::vec(-1023..=1023i16, 5 * 14 * 64),
        input_scales in scales(5),
        more in 0..9usize,
    ) {
        let (length, rows, count) = (64 * groups, 4 * row_blocks, row_blocks * groups);
        let x = || LaneVectors {
            integers: &integers[..vectors * length],
            length,
            scales: &input_scales[..vectors],
        };
        let product = |multiply: &dyn Fn(LaneVectors<'_>, Outputs<'_>)| {
            let mut values = vec![7.5; vectors * (rows + more)];
            multiply(x(), Outputs { values: &mut values, stride: rows + more, rows });
            bits(&values)
        };
        let bytes: Vec<[u32; 68]> = blocks(&words, &scales, count);
        let desktop = product(&|x, out| Desktop::default().matmul_int8(&bytes, x, out));
        prop_assert_eq!(desktop, product(&|x, out| Portable.matmul_int8(&bytes, x, out)));
        let nibbles: Vec<[u32; 36]> = blocks(&words, &scales, count);
        let desktop = product(&|x, out| Desktop::default().matmul_int4(&nibbles, x, out));
        prop_assert_eq!(desktop, product(&|x, out| Portable.matmul_int4(&nibbles, x, out)));
    }

    #[test]
    fn of_heads(
        fours in 1..=16usize,
        slots in 1..=40usize,
        words in prop::collection::vec(any::<u32>(), 40 * 64 * 4),
        query in prop::collection::vec(-1023..=1023i16, 64),
        weights in prop::collection::vec(-1023..=1023i16, 160),
        scales in scales(160),
        factor in -2.0f32..2.0,
    ) {
        let words: &[LaneWords] = words.as_chunks().0;
        let (query, slots) = (&query[..4 * fours], 4 * slots);
        let keys = &words[..slots / 4 * fours];
        let scores = |kernels: &dyn Fn(&mut [f32])| {
            let mut scores = vec![7.5; slots];
            kernels(&mut scores);
            bits(&scores)
        };
        let desktop = scores(&|out| {
            Desktop::default().key_scores(keys, query, &scales[..slots], factor, out);
        });
        let portable = scores(&|out| Portable.key_scores(keys, query, &scales[..slots], factor, out));
        prop_assert_eq!(desktop, portable);

        let weights = &weights[..slots.next_multiple_of(8)];
        let values = &words[..weights.len().div_ceil(64) * 16 * fours];
        let mixed = |kernels: &dyn Fn(&mut [f32])| {
            let mut out = vec![7.5; 4 * fours];
            kernels(&mut out);
            bits(&out)
        };
        let desktop = mixed(&|out| Desktop::default().mix_values(values, weights, factor, out));
        let portable = mixed(&|out| Portable.mix_values(values, weights, factor, out));
        prop_assert_eq!(desktop, portable);
    }
}
