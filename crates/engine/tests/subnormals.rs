//! No sum or product inside the kernels is ever subnormal, so the board's flush-to-zero mode
//! cannot change a bit; and a second implementation of the kernels gives the same bits.
#![allow(clippy::unwrap_used)]

mod common;

use common::{FORMATS, bits};
use engine::kernels::{FP8_BLOCK, FP8_TABLE};
use engine::{Engine, Kernels, Portable, Quantised};
use model_format::synthetic::{persona, tiny_architecture};
use model_format::{AlignedBytes, Model, WeightFormat, WispBuilder};

/// The kernels written element by element from their documentation, watching every result.
struct Watching;

/// A value that the board computes as the host does.
fn watched(value: f32) -> f32 {
    assert!(!value.is_subnormal(), "{value:e} is subnormal");
    value
}

fn watched_dot(a: &[f32], b: &[f32]) -> f32 {
    let mut sums = [0.0f32; 4];
    for (i, (a, b)) in a.iter().zip(b).enumerate() {
        sums[i % 4] = watched(sums[i % 4] + watched(a * b));
    }
    watched(watched(sums[0] + sums[1]) + watched(sums[2] + sums[3]))
}

impl Kernels for Watching {
    fn matvec_f32(&self, weights: &[f32], x: &[f32], out: &mut [f32]) {
        for (r, y) in out.iter_mut().enumerate() {
            *y = watched_dot(&weights[r * x.len()..(r + 1) * x.len()], x);
        }
    }

    fn matvec_fp8(&self, codes: &[u8], row_scales: &[f32], x: Quantised<'_>, out: &mut [f32]) {
        let cols = x.integers.len();
        let unit = watched(x.scale * (1.0 / 64.0));
        for (r, y) in out.iter_mut().enumerate() {
            let (mut sum, mut block) = (0.0f32, 0i32);
            for c in 0..cols {
                let code = FP8_TABLE[usize::from(codes[r * cols + c])];
                block += i32::from(code) * i32::from(x.integers[c]);
                if (c + 1) % FP8_BLOCK == 0 || c + 1 == cols {
                    sum += std::mem::take(&mut block) as f32;
                }
            }
            // The last product may be subnormal: the engine settles it.
            *y = watched(sum * unit) * watched(row_scales[r]);
        }
    }

    fn matvec_int8(
        &self,
        weights: &[i8],
        group: usize,
        scales: &[f32],
        x: Quantised<'_>,
        out: &mut [f32],
    ) {
        let cols = x.integers.len();
        for (r, y) in out.iter_mut().enumerate() {
            let (mut sum, mut block) = (0.0f32, 0i32);
            for c in 0..cols {
                block += i32::from(weights[r * cols + c]) * i32::from(x.integers[c]);
                if (c + 1) % group == 0 || c + 1 == cols {
                    let scale = watched(scales[r * cols.div_ceil(group) + c / group]);
                    sum = watched(sum + watched(std::mem::take(&mut block) as f32 * scale));
                }
            }
            *y = sum * watched(x.scale);
        }
    }

    fn attention_scores(
        &self,
        query: &[f32],
        keys: &[f32],
        stride: usize,
        factor: f32,
        scores: &mut [f32],
    ) {
        for (t, score) in scores.iter_mut().enumerate() {
            let key = &keys[t * stride..t * stride + query.len()];
            *score = watched(watched_dot(query, key) * factor);
        }
    }

    fn attention_mix(&self, weights: &[f32], values: &[f32], stride: usize, out: &mut [f32]) {
        for (i, sum) in out.iter_mut().enumerate() {
            *sum = 0.0;
            for (t, weight) in weights.iter().enumerate() {
                *sum = watched(*sum + watched(weight * values[t * stride + i]));
            }
        }
    }
}

/// A model where ordinary weights stand beside some of magnitudes down to 2⁻⁵⁸, and every fifth row
/// has only such.
fn model_of_extremes(format: WeightFormat, seed: u64, steepness: i32) -> AlignedBytes {
    let mut builder = WispBuilder::new(tiny_architecture(false), persona()).unwrap();
    let mut random = engine::Pcg32::new(seed);
    for (role, layer, (rows, cols)) in builder.needed() {
        let mut weights = Vec::new();
        for row in 0..rows {
            for _ in 0..cols {
                let extreme = random.next_f32() < 0.4 || row % 5 == 4;
                let depth = if extreme { steepness as f32 } else { 3.0 };
                let exponent = (random.next_f32() * depth) as i32;
                let magnitude = (1.0 + random.next_f32()) * 2f32.powi(-exponent);
                weights.push(if random.next_f32() < 0.5 { magnitude } else { -magnitude });
            }
        }
        builder.tensor(role, layer, format, &weights).unwrap();
    }
    builder.build().unwrap()
}

/// Asserts equal bits, and that there is something to compare.
fn compare(file: &AlignedBytes, tokens: &[u32]) {
    let model = Model::open(file).unwrap();
    let mut portable = Engine::new(&model, Portable, 64).unwrap();
    let mut watching = Engine::new(&model, Watching, 64).unwrap();
    for &token in tokens {
        let expected = bits(portable.run(token).unwrap());
        assert_eq!(bits(watching.run(token).unwrap()), expected);
        assert!(expected.iter().filter(|bits| **bits != 0).count() > 20);
    }
}

#[test]
fn in_a_trained_model() {
    for format in FORMATS {
        compare(&common::stories(format), &[1, 403, 407, 261, 378, 432, 383, 286, 261, 376]);
    }
}

#[test]
fn in_models_of_extremes() {
    for format in FORMATS {
        for steepness in [5, 20, 40, 59] {
            for seed in 0..6 {
                let file = model_of_extremes(format, seed, steepness);
                compare(&file, &[1, 2, 66, 2, 2, 30]);
            }
        }
    }
}

/// Not a property of the engine, but of this test: with smaller weights it does see subnormals.
#[test]
#[should_panic(expected = "is subnormal")]
fn the_watch_is_awake() {
    watched_dot(&[2f32.powi(-70)], &[2f32.powi(-70)]);
}
