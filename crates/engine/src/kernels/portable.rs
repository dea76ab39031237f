//! The kernels in plain Rust: the definition that faster ones are compared with.

use super::{Kernels, LaneOrder, LanePlace, LaneVectors, LaneWords, Outputs};
use crate::float::{ROUNDING, exp, exp4};

/// The portable kernels.
#[derive(Clone, Copy, Debug, Default)]
pub struct Portable;

impl Kernels for Portable {}

/// Dot product in four interleaved sums.
#[inline]
pub(crate) fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut sums = [0.0f32; 4];
    let (a_fours, a_rest) = a.as_chunks::<4>();
    let (b_fours, b_rest) = b.as_chunks::<4>();
    for (a, b) in a_fours.iter().zip(b_fours) {
        for ((sum, a), b) in sums.iter_mut().zip(a).zip(b) {
            *sum += a * b;
        }
    }
    for ((sum, a), b) in sums.iter_mut().zip(a_rest).zip(b_rest) {
        *sum += a * b;
    }
    let [sum0, sum1, sum2, sum3] = sums;
    (sum0 + sum1) + (sum2 + sum3)
}

pub(super) fn matvec_f32(weights: &[f32], x: &[f32], out: &mut [f32]) {
    for (row, y) in weights.chunks_exact(x.len().max(1)).zip(out) {
        *y = dot(row, x);
    }
}

pub(super) fn exponentials(x: &mut [f32], largest: f32) {
    let (fours, rest) = x.as_chunks_mut::<4>();
    for four in fours {
        *four = exp4(four.map(|x| x - largest));
    }
    for x in rest {
        *x = exp(*x - largest);
    }
}

pub(super) fn attention_scores(
    query: &[f32],
    keys: &[f32],
    stride: usize,
    factor: f32,
    scores: &mut [f32],
) {
    for (score, key) in scores.iter_mut().zip(keys.chunks(stride.max(1))) {
        // The other heads' keys follow within the stride.
        let key = key.get(..query.len()).unwrap_or(key);
        *score = dot(query, key) * factor;
    }
}

pub(super) fn attention_mix(weights: &[f32], values: &[f32], stride: usize, out: &mut [f32]) {
    out.fill(0.0);
    for (weight, value) in weights.iter().zip(values.chunks(stride.max(1))) {
        for (sum, v) in out.iter_mut().zip(value) {
            *sum += weight * v;
        }
    }
}

pub(super) fn round_lanes(
    x: &[f32],
    factor: f32,
    order: LaneOrder,
    lanes: &mut [i16],
    apart: usize,
) {
    let (twos, _) = lanes.as_chunks_mut::<2>();
    let twos = twos.iter_mut().step_by(apart.max(1));
    match order {
        LaneOrder::Bytes => fill_lanes(x, factor, twos, |[x0, x1, x2, x3]| [[x1, x3], [x0, x2]]),
        LaneOrder::Nibbles => fill_lanes(x, factor, twos, |[x0, x1, x2, x3, x4, x5, x6, x7]| {
            [[x3, x7], [x2, x6], [x1, x5], [x0, x4]]
        }),
    }
}

/// Rounds piece by piece, and puts each in order.
#[inline(always)]
fn fill_lanes<'a, const PIECE: usize, const TWOS: usize>(
    x: &[f32],
    factor: f32,
    mut places: impl Iterator<Item = &'a mut [i16; 2]>,
    order: impl Fn([i16; PIECE]) -> [[i16; 2]; TWOS],
) {
    // |value * factor| exceeds 1023 by a rounding error at most, far from 1023.5.
    let round = |piece: &[f32; PIECE]| {
        let sums = piece.map(|value| value * factor + ROUNDING);
        order(sums.map(|sum| sum.to_bits() as i16))
    };
    let (pieces, rest) = x.as_chunks::<PIECE>();
    let mut last = [0.0; PIECE];
    last[..rest.len()].copy_from_slice(rest);
    for piece in pieces.iter().chain([&last]) {
        for two in round(piece) {
            match places.next() {
                Some(place) => *place = two,
                None => return,
            }
        }
    }
    places.for_each(|place| *place = [0; 2]);
}

/// A SMLAD of the ARM: both signed halves of `a` times those of `b`, added to `sum`.
fn dual_multiply_add(sum: i32, a: u32, inputs: &[i16]) -> i32 {
    let low = i32::from(a as u16 as i16) * i32::from(inputs[0]);
    let high = i32::from((a >> 16) as u16 as i16) * i32::from(inputs[1]);
    sum.wrapping_add(low).wrapping_add(high)
}

/// The products of a word of four bytes with four inputs in lane order.
fn bytes_times(sum: i32, word: u32, inputs: &[i16]) -> i32 {
    dual_multiply_add(dual_multiply_add(sum, word, &inputs[..2]), word << 8, &inputs[2..])
}

/// The products of a word of eight nibbles with eight inputs in lane order.
fn nibbles_times(sum: i32, word: u32, inputs: &[i16]) -> i32 {
    inputs
        .chunks_exact(2)
        .zip([0, 4, 8, 12])
        .fold(sum, |sum, (inputs, shift)| dual_multiply_add(sum, word << shift, inputs))
}

fn matmul_lanes<const WORDS: usize>(
    blocks: &[[u32; WORDS]],
    x: LaneVectors<'_>,
    out: Outputs<'_>,
    columns_per_word: usize,
    word_times: impl Fn(i32, u32, &[i16]) -> i32,
) {
    let groups = (x.length / 64).max(1);
    for (v, scale) in x.scales.iter().enumerate() {
        let results = &mut out.values[v * out.stride..][..out.rows];
        results.fill(0.0);
        for group in 0..x.length / 64 {
            let inputs = group_of(&x, v, group);
            let blocks = blocks.iter().skip(group).step_by(groups);
            for (block, sums) in blocks.zip(results.chunks_exact_mut(4)) {
                let (words, scales) = block.split_at(WORDS - 4);
                for (row, sum) in sums.iter_mut().enumerate() {
                    let words = words.iter().skip(row).step_by(4);
                    let products = words
                        .zip(inputs.chunks_exact(columns_per_word))
                        .fold(0, |sum, (&word, inputs)| word_times(sum, word, inputs));
                    *sum += products as f32 * f32::from_bits(scales[row]);
                }
            }
        }
        for sum in results {
            *sum *= scale;
        }
    }
}

/// 64 inputs of a vector.
fn group_of(x: &LaneVectors<'_>, vector: usize, group: usize) -> [i16; 64] {
    let LanePlace { start, apart } = LanePlace::new(vector, x.scales.len(), x.length, 64 * group);
    let (twos, _) = x.integers[start..].as_chunks::<2>();
    let mut inputs = [0; 64];
    let (places, _) = inputs.as_chunks_mut::<2>();
    for (place, two) in places.iter_mut().zip(twos.iter().step_by(apart)) {
        *place = *two;
    }
    inputs
}

pub(super) fn matmul_int8(blocks: &[[u32; 68]], x: LaneVectors<'_>, out: Outputs<'_>) {
    matmul_lanes(blocks, x, out, 4, bytes_times);
}

pub(super) fn matmul_int4(blocks: &[[u32; 36]], x: LaneVectors<'_>, out: Outputs<'_>) {
    matmul_lanes(blocks, x, out, 8, nibbles_times);
}

pub(super) fn key_scores(
    keys: &[LaneWords],
    query: &[i16],
    key_scales: &[f32],
    factor: f32,
    scores: &mut [f32],
) {
    let blocks = keys.chunks_exact((query.len() / 4).max(1));
    let slots = key_scales.chunks_exact(4).zip(scores.chunks_exact_mut(4));
    for (block, (scales, scores)) in blocks.zip(slots) {
        for (slot, score) in scores.iter_mut().enumerate() {
            let products = block
                .iter()
                .zip(query.chunks_exact(4))
                .fold(0, |sum, (words, inputs)| bytes_times(sum, words[slot], inputs));
            *score = (products as f32 * scales[slot]) * factor;
        }
    }
}

pub(super) fn mix_values(values: &[LaneWords], weights: &[i16], factor: f32, out: &mut [f32]) {
    out.fill(0.0);
    let blocks = values.chunks_exact((out.len() / 4 * 16).max(1));
    for (block, weights) in blocks.zip(weights.chunks(64)) {
        for (words, out) in block.chunks_exact(16).zip(out.chunks_exact_mut(4)) {
            for (element, sum) in out.iter_mut().enumerate() {
                let products = words
                    .iter()
                    .zip(weights.chunks_exact(4))
                    .fold(0, |sum, (words, inputs)| bytes_times(sum, words[element], inputs));
                *sum += products as f32;
            }
        }
    }
    for sum in out {
        *sum *= factor;
    }
}
