//! No sum or product inside the kernels is ever subnormal, so the board's flush-to-zero mode
//! cannot change a bit; and a second implementation of the kernels gives the same bits.
//!
//! The operations between the matrices have their twin in `src/ops/twin.rs`.
#![allow(clippy::unwrap_used)]

mod common;

use common::{PATHS, Path, bits};
use engine::kernels::{LaneOrder, LaneVectors, LaneWords, Outputs, Vectors};
use engine::{Engine, Kernels, Portable};
use model_format::synthetic::{persona, tiny_architecture};
use model_format::{AlignedBytes, Model, WeightFormat, WispBuilder, fp8, lanes};

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

/// Where element `i` stands in lane order.
fn place(order: LaneOrder, i: usize) -> usize {
    match order {
        LaneOrder::Bytes => i / 4 * 4 + [2, 0, 3, 1][i % 4],
        LaneOrder::Nibbles => i / 8 * 8 + [6, 4, 2, 0, 7, 5, 3, 1][i % 8],
    }
}

/// Where number `i` (in lane order) of a vector stands among those of all vectors.
fn place_in_batch(x: &LaneVectors<'_>, vector: usize, i: usize) -> usize {
    let paired = x.scales.len() / 2 * 2;
    if vector >= paired {
        return paired * x.length + i;
    }
    let (piece, i) = (i / 384, i % 384);
    let width = 384.min(x.length - piece * 384);
    let pair = piece * 384 * paired + vector / 2 * 2 * width;
    pair + i / 2 * 4 + vector % 2 * 2 + i % 2
}

/// A lane-shared matrix, given the lane of (block, row in block, column in block).
fn watched_lanes(
    x: LaneVectors<'_>,
    order: LaneOrder,
    lane: impl Fn(usize, usize, usize) -> i16,
    scale: impl Fn(usize, usize) -> u32,
    out: Outputs<'_>,
) {
    let groups = x.length / 64;
    for (v, unit) in x.scales.iter().enumerate() {
        for row in 0..out.rows {
            let mut sum = 0.0f32;
            for group in 0..groups {
                let block = row / 4 * groups + group;
                let product = |c: usize| {
                    let x = x.integers[place_in_batch(&x, v, group * 64 + place(order, c))];
                    i32::from(lane(block, row % 4, c)) * i32::from(x)
                };
                let products: i32 = (0..64).map(product).sum();
                let scale = watched(f32::from_bits(scale(block, row % 4)));
                sum = watched(sum + watched(products as f32 * scale));
            }
            // The last product may be subnormal: the engine settles it.
            out.values[v * out.stride + row] = sum * watched(*unit);
        }
    }
}

impl Kernels for Watching {
    fn largest_magnitude(&self, x: &[f32]) -> f32 {
        x.iter().fold(0.0f32, |a, b| a.max(watched(*b).abs()))
    }

    fn round_lanes(
        &self,
        x: &[f32],
        factor: f32,
        order: LaneOrder,
        lanes: &mut [i16],
        apart: usize,
    ) {
        for two in lanes.chunks_mut(2 * apart) {
            two[..2].fill(0);
        }
        for (i, x) in x.iter().enumerate() {
            let place = place(order, i);
            // A product that underflows rounds to 0 either way.
            let number = (x * watched(factor)).round_ties_even() as i16;
            lanes[place / 2 * 2 * apart + place % 2] = number;
        }
    }

    fn matvec_f32(&self, weights: &[f32], x: &[f32], out: &mut [f32]) {
        for (r, y) in out.iter_mut().enumerate() {
            *y = watched_dot(&weights[r * x.len()..(r + 1) * x.len()], x);
        }
    }

    fn matmul_fp8(&self, codes: &[u8], row_scales: &[f32], x: Vectors<'_>, out: Outputs<'_>) {
        for v in 0..x.count {
            for r in 0..out.rows {
                let mut sum = 0.0f32;
                for c in 0..x.length {
                    let weight = fp8::decode(codes[r * x.length + c]);
                    sum = watched(sum + watched(weight * x.values[v * x.stride + c]));
                }
                out.values[v * out.stride + r] = sum * watched(row_scales[r]);
            }
        }
    }

    fn matmul_int8(&self, blocks: &[[u32; 68]], x: LaneVectors<'_>, out: Outputs<'_>) {
        let lane = |block: usize, row: usize, c: usize| {
            lanes::int8_lanes(blocks[block][c / 4 * 4 + row])[c % 4]
        };
        watched_lanes(x, LaneOrder::Bytes, lane, |block, row| blocks[block][64 + row], out);
    }

    fn matmul_int4(&self, blocks: &[[u32; 36]], x: LaneVectors<'_>, out: Outputs<'_>) {
        let lane = |block: usize, row: usize, c: usize| {
            lanes::int4_lanes(blocks[block][c / 8 * 4 + row])[c % 8]
        };
        watched_lanes(x, LaneOrder::Nibbles, lane, |block, row| blocks[block][32 + row], out);
    }

    fn key_scores(
        &self,
        keys: &[LaneWords],
        query: &[i16],
        key_scales: &[f32],
        factor: f32,
        scores: &mut [f32],
    ) {
        for (slot, score) in scores.iter_mut().enumerate() {
            let products: i32 = (0..query.len())
                .map(|i| {
                    let word = keys[slot / 4 * (query.len() / 4) + i / 4][slot % 4];
                    let x = query[place(LaneOrder::Bytes, i)];
                    i32::from(lanes::int8_lanes(word)[i % 4]) * i32::from(x)
                })
                .sum();
            *score =
                watched(watched(products as f32 * watched(key_scales[slot])) * watched(factor));
        }
    }

    fn mix_values(&self, values: &[LaneWords], weights: &[i16], factor: f32, out: &mut [f32]) {
        let quads = out.len() / 4;
        for (element, out) in out.iter_mut().enumerate() {
            let mut sum = 0.0f32;
            for (block, weights) in weights.chunks(64).enumerate() {
                let words = &values[(block * quads + element / 4) * 16..];
                let product = |slot: usize| {
                    let lane = lanes::int8_lanes(words[slot / 4][element % 4])[slot % 4];
                    i32::from(lane) * i32::from(weights[place(LaneOrder::Bytes, slot)])
                };
                sum += (0..weights.len()).map(product).sum::<i32>() as f32;
            }
            *out = watched(sum * watched(factor));
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
fn compare(path: &Path, file: &AlignedBytes, tokens: &[u32]) {
    let model = Model::open(file).unwrap();
    let options = path.options(64, 1);
    let mut portable = Engine::new(&model, Portable, options).unwrap();
    let mut watching = Engine::new(&model, Watching, options).unwrap();
    for (index, &token) in tokens.iter().enumerate() {
        if index == 4 {
            portable.shift(1, 2).unwrap();
            watching.shift(1, 2).unwrap();
        }
        let expected = bits(portable.run(token).unwrap());
        assert_eq!(bits(watching.run(token).unwrap()), expected, "{}", path.name);
        assert!(expected.iter().filter(|bits| **bits != 0).count() > 20);
    }
}

#[test]
fn in_a_trained_model() {
    for path in &PATHS {
        let file = common::stories(path.format);
        compare(path, &file, &[1, 403, 407, 261, 378, 432, 383, 286, 261, 376]);
    }
}

#[test]
fn in_models_of_extremes() {
    for path in &PATHS {
        for steepness in [5, 20, 40, 59] {
            for seed in 0..4 {
                let file = model_of_extremes(path.format, seed, steepness);
                compare(path, &file, &[1, 2, 66, 2, 2, 30]);
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
