//! The engine's kernels in the assembly of the ARM1176JZF-S, with the same bits as the portable ones.
//!
//! For the board only: on any other processor the crate is empty.
#![no_std]

#[cfg(target_arch = "arm")]
mod attention;
#[cfg(target_arch = "arm")]
mod exponentials;
#[cfg(target_arch = "arm")]
mod fp8;
#[cfg(target_arch = "arm")]
mod lanes;
#[cfg(target_arch = "arm")]
mod matmul;
#[cfg(target_arch = "arm")]
mod quantise;

#[cfg(target_arch = "arm")]
use engine::kernels::{Kernels, LaneOrder, LaneVectors, LaneWords, Outputs, Vectors};

/// Kernels for the processor of the Raspberry Pi Zero.
#[cfg(target_arch = "arm")]
#[derive(Clone, Copy, Debug, Default)]
pub struct Arm1176;

#[cfg(target_arch = "arm")]
impl Kernels for Arm1176 {
    fn fetch(&self, soon: &[f32]) {
        quantise::fetch(soon);
    }

    fn largest_magnitude(&self, x: &[f32]) -> f32 {
        quantise::largest_magnitude(x)
    }

    fn round_lanes(
        &self,
        x: &[f32],
        factor: f32,
        order: LaneOrder,
        lanes: &mut [i16],
        apart: usize,
    ) {
        quantise::round_lanes(x, factor, order, lanes, apart);
    }

    fn exponentials(&self, x: &mut [f32], largest: f32) {
        exponentials::exponentials(x, largest);
    }

    fn matmul_fp8(&self, codes: &[u8], row_scales: &[f32], x: Vectors<'_>, out: Outputs<'_>) {
        fp8::matmul(codes, row_scales, x, out);
    }

    fn matmul_int8(&self, blocks: &[[u32; 68]], x: LaneVectors<'_>, out: Outputs<'_>) {
        matmul::int8(blocks, x, out);
    }

    fn matmul_int4(&self, blocks: &[[u32; 36]], x: LaneVectors<'_>, out: Outputs<'_>) {
        matmul::int4(blocks, x, out);
    }

    fn key_scores(
        &self,
        keys: &[LaneWords],
        query: &[i16],
        key_scales: &[f32],
        factor: f32,
        scores: &mut [f32],
    ) {
        attention::key_scores(keys, query, key_scales, factor, scores);
    }

    fn mix_values(&self, values: &[LaneWords], weights: &[i16], factor: f32, out: &mut [f32]) {
        attention::mix_values(values, weights, factor, out);
    }
}
