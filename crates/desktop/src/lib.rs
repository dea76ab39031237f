//! The engine's kernels in the vector instructions of a desktop's processor, with the same bits as the portable ones.
//!
//! For programs that measure and sample personas, which are as many tokens as a board reads in days.
//! On processors without AVX2 the portable kernels do the work.

#[cfg(target_arch = "x86_64")]
mod avx2;

use engine::Kernels;
#[cfg(target_arch = "x86_64")]
use engine::Portable;
#[cfg(target_arch = "x86_64")]
use engine::kernels::{LaneVectors, LaneWords, Outputs};

/// The fastest kernels of the computer it is made on.
#[derive(Clone, Copy, Debug)]
pub struct Desktop {
    /// As the processor itself told: nothing else sets it.
    #[cfg(target_arch = "x86_64")]
    has_avx2: bool,
}

impl Default for Desktop {
    fn default() -> Self {
        Self {
            #[cfg(target_arch = "x86_64")]
            has_avx2: std::is_x86_feature_detected!("avx2"),
        }
    }
}

#[cfg(not(target_arch = "x86_64"))]
impl Kernels for Desktop {}

#[cfg(target_arch = "x86_64")]
impl Kernels for Desktop {
    fn matmul_int8(&self, blocks: &[[u32; 68]], x: LaneVectors<'_>, out: Outputs<'_>) {
        match self.has_avx2 {
            // SAFETY: the processor has AVX2, which is all that the function asks for.
            true => unsafe { avx2::matmul::<68, 8>(blocks, x, out) },
            false => Portable.matmul_int8(blocks, x, out),
        }
    }

    fn matmul_int4(&self, blocks: &[[u32; 36]], x: LaneVectors<'_>, out: Outputs<'_>) {
        match self.has_avx2 {
            // SAFETY: the processor has AVX2, which is all that the function asks for.
            true => unsafe { avx2::matmul::<36, 4>(blocks, x, out) },
            false => Portable.matmul_int4(blocks, x, out),
        }
    }

    fn key_scores(
        &self,
        keys: &[LaneWords],
        query: &[i16],
        key_scales: &[f32],
        factor: f32,
        scores: &mut [f32],
    ) {
        match self.has_avx2 {
            // SAFETY: the processor has AVX2, which is all that the function asks for.
            true => unsafe { avx2::key_scores(keys, query, key_scales, factor, scores) },
            false => Portable.key_scores(keys, query, key_scales, factor, scores),
        }
    }

    fn mix_values(&self, values: &[LaneWords], weights: &[i16], factor: f32, out: &mut [f32]) {
        match self.has_avx2 {
            // SAFETY: the processor has AVX2, which is all that the function asks for.
            true => unsafe { avx2::mix_values(values, weights, factor, out) },
            false => Portable.mix_values(values, weights, factor, out),
        }
    }
}
