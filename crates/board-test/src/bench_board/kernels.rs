//! The kernels under test, with marks between the parts and a short cut to later positions.

use core::sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed};

use engine::Part;
use engine::kernels::{Kernels, LaneOrder, LaneVectors, LaneWords, Outputs, Vectors};

use crate::marks;

/// Whether matrices give random numbers instead of products, and attention nothing.
static HURRIES: AtomicBool = AtomicBool::new(false);
static RANDOM: AtomicU32 = AtomicU32::new(0x9e37_79b9);

/// Between measurements the cache must fill up to the next position. All that matters then is that
/// keys and values of the usual size stand in it: products of random weights are random numbers,
/// and drawing these is thirty times faster than multiplying. What attention finds is not needed.
pub(crate) fn hurry(hurries: bool) {
    HURRIES.store(hurries, Relaxed);
}

/// Kernels that tell what the engine turns to.
pub(crate) struct Measured<K>(pub(crate) K);

// A method that is not handed on would be the portable one, unnoticed.
#[deny(clippy::missing_trait_methods)]
impl<K: Kernels> Kernels for Measured<K> {
    #[inline(always)]
    fn turn_to(&self, part: Part) {
        marks::turn_to(part);
    }

    fn fetch(&self, soon: &[f32]) {
        self.0.fetch(soon);
    }

    fn largest_magnitude(&self, x: &[f32]) -> f32 {
        self.0.largest_magnitude(x)
    }

    fn round_lanes(
        &self,
        x: &[f32],
        factor: f32,
        order: LaneOrder,
        lanes: &mut [i16],
        apart: usize,
    ) {
        self.0.round_lanes(x, factor, order, lanes, apart);
    }

    fn matvec_f32(&self, weights: &[f32], x: &[f32], out: &mut [f32]) {
        match HURRIES.load(Relaxed) {
            true => draw(out),
            false => self.0.matvec_f32(weights, x, out),
        }
    }

    fn matmul_fp8(&self, codes: &[u8], row_scales: &[f32], x: Vectors<'_>, out: Outputs<'_>) {
        match HURRIES.load(Relaxed) {
            true => draw_all(x.count, out),
            false => self.0.matmul_fp8(codes, row_scales, x, out),
        }
    }

    fn matmul_int8(&self, blocks: &[[u32; 68]], x: LaneVectors<'_>, out: Outputs<'_>) {
        match HURRIES.load(Relaxed) {
            true => draw_all(x.scales.len(), out),
            false => self.0.matmul_int8(blocks, x, out),
        }
    }

    fn matmul_int4(&self, blocks: &[[u32; 36]], x: LaneVectors<'_>, out: Outputs<'_>) {
        match HURRIES.load(Relaxed) {
            true => draw_all(x.scales.len(), out),
            false => self.0.matmul_int4(blocks, x, out),
        }
    }

    fn exponentials(&self, x: &mut [f32], largest: f32) {
        self.0.exponentials(x, largest);
    }

    fn key_scores(
        &self,
        keys: &[LaneWords],
        query: &[i16],
        key_scales: &[f32],
        factor: f32,
        scores: &mut [f32],
    ) {
        if !HURRIES.load(Relaxed) {
            self.0.key_scores(keys, query, key_scales, factor, scores);
        }
    }

    fn mix_values(&self, values: &[LaneWords], weights: &[i16], factor: f32, out: &mut [f32]) {
        if !HURRIES.load(Relaxed) {
            self.0.mix_values(values, weights, factor, out);
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
        if !HURRIES.load(Relaxed) {
            self.0.attention_scores(query, keys, stride, factor, scores);
        }
    }

    fn attention_mix(&self, weights: &[f32], values: &[f32], stride: usize, out: &mut [f32]) {
        if !HURRIES.load(Relaxed) {
            self.0.attention_mix(weights, values, stride, out);
        }
    }
}

/// Numbers instead of the products of several vectors.
fn draw_all(vectors: usize, out: Outputs<'_>) {
    for vector in out.values.chunks_mut(out.stride.max(1)).take(vectors) {
        draw(vector.get_mut(..out.rows).unwrap_or_default());
    }
}

/// Numbers from -1 to 1.
fn draw(values: &mut [f32]) {
    let mut random = RANDOM.load(Relaxed);
    for value in values {
        // Marsaglia, "Xorshift RNGs" (2003).
        random ^= random << 13;
        random ^= random >> 17;
        random ^= random << 5;
        *value = (random >> 8) as f32 / (1 << 23) as f32 - 1.0;
    }
    RANDOM.store(random, Relaxed);
}
