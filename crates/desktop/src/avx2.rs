//! Four rows at a time: VPMADDWD is eight of the ARM's SMLAD.
//!
//! Both multiply the signed halves of a word with two inputs and add the products, so words lie in a
//! register as they lie in a block. Sums of whole numbers are the same in any order; those of floats
//! are taken in the order that [`engine::kernels::Kernels`] demands.

use std::arch::x86_64::{
    __m128, __m128i, __m256i, _mm_add_epi32, _mm_add_ps, _mm_cvtepi32_ps, _mm_mul_ps,
    _mm256_add_epi32, _mm256_castsi256_si128, _mm256_extracti128_si256, _mm256_madd_epi16,
    _mm256_setr_epi32, _mm256_setzero_si256, _mm256_slli_epi32,
};

use bytemuck::must_cast;
use engine::kernels::{LanePlace, LaneVectors, LaneWords, Outputs};

/// Groups of columns whose inputs are spread out at a time: 3 KiB, which a first-level cache holds.
const GROUPS: usize = 6;

/// 64 inputs as two words of four rows are multiplied with them. Per shift of the words there are two
/// inputs of the first word, four times, and two of the second, four times.
#[derive(Clone, Copy)]
struct Spread([__m256i; 16]);

impl Spread {
    /// `twos` are in lane order, at most 32. Words are shifted by `BITS` from two to two.
    #[target_feature(enable = "avx2")]
    fn new<'i, const BITS: i32>(twos: impl Iterator<Item = &'i [i16; 2]>) -> Self {
        let mut pairs = [0i32; 32];
        for (pair, two) in pairs.iter_mut().zip(twos) {
            *pair = must_cast(*two);
        }
        let shifts = 16 / BITS as usize;
        let mut spread = [_mm256_setzero_si256(); 16];
        for (inputs, pairs) in spread.chunks_exact_mut(shifts).zip(pairs.chunks_exact(2 * shifts)) {
            let (first, second) = pairs.split_at(shifts);
            for ((input, &a), &b) in inputs.iter_mut().zip(first).zip(second) {
                *input = _mm256_setr_epi32(a, a, a, a, b, b, b, b);
            }
        }
        Self(spread)
    }

    /// The sums of the products of four rows, of which `words` has one word after the other.
    #[inline]
    #[target_feature(enable = "avx2")]
    fn times<const BITS: i32>(&self, words: &[u32]) -> __m128i {
        let mut sums = _mm256_setzero_si256();
        let (eights, rest) = words.as_chunks::<8>();
        // Where the number of words of a row is odd.
        let mut last = [0; 8];
        last[..rest.len()].copy_from_slice(rest);
        let last = (!rest.is_empty()).then_some(&last);
        for (eight, inputs) in
            eights.iter().chain(last).zip(self.0.chunks_exact(16 / BITS as usize))
        {
            let mut lanes: __m256i = must_cast(*eight);
            for input in inputs {
                sums = _mm256_add_epi32(sums, _mm256_madd_epi16(lanes, *input));
                lanes = _mm256_slli_epi32::<BITS>(lanes);
            }
        }
        _mm_add_epi32(_mm256_castsi256_si128(sums), _mm256_extracti128_si256::<1>(sums))
    }
}

/// [`engine::Kernels::matmul_int8`] with `BITS` of 8, [`engine::Kernels::matmul_int4`] with 4.
#[target_feature(enable = "avx2")]
pub(crate) fn matmul<const WORDS: usize, const BITS: i32>(
    blocks: &[[u32; WORDS]],
    x: LaneVectors<'_>,
    out: Outputs<'_>,
) {
    let groups = x.length / 64;
    for (vector, scale) in x.scales.iter().enumerate() {
        let results = &mut out.values[vector * out.stride..][..out.rows];
        let (results, _) = results.as_chunks_mut::<4>();
        results.fill([0.0; 4]);
        for first in (0..groups).step_by(GROUPS) {
            let count = GROUPS.min(groups - first);
            let mut spreads = [Spread([_mm256_setzero_si256(); 16]); GROUPS];
            for (group, spread) in spreads[..count].iter_mut().enumerate() {
                *spread = group_of::<BITS>(&x, vector, first + group);
            }
            for (row_block, sums) in blocks.chunks_exact(groups).zip(&mut *results) {
                let mut total: __m128 = must_cast(*sums);
                for (block, spread) in row_block[first..][..count].iter().zip(&spreads) {
                    let (words, scales) = block.as_chunks::<4>().0.split_at(WORDS / 4 - 1);
                    let products = _mm_cvtepi32_ps(spread.times::<BITS>(words.as_flattened()));
                    total = _mm_add_ps(total, _mm_mul_ps(products, must_cast(scales[0])));
                }
                *sums = must_cast(total);
            }
        }
        for sum in results.as_flattened_mut() {
            *sum *= scale;
        }
    }
}

/// The inputs of 64 columns.
#[target_feature(enable = "avx2")]
fn group_of<const BITS: i32>(x: &LaneVectors<'_>, vector: usize, group: usize) -> Spread {
    let LanePlace { start, apart } = LanePlace::new(vector, x.scales.len(), x.length, 64 * group);
    Spread::new::<BITS>(x.integers[start..].as_chunks::<2>().0.iter().step_by(apart))
}

/// [`engine::Kernels::key_scores`].
#[target_feature(enable = "avx2")]
pub(crate) fn key_scores(
    keys: &[LaneWords],
    query: &[i16],
    key_scales: &[f32],
    factor: f32,
    scores: &mut [f32],
) {
    let spread = Spread::new::<8>(query.as_chunks::<2>().0.iter());
    let blocks = keys.chunks_exact((query.len() / 4).max(1));
    let slots = key_scales.as_chunks::<4>().0.iter().zip(scores.as_chunks_mut::<4>().0);
    for (block, (scales, scores)) in blocks.zip(slots) {
        let products = _mm_cvtepi32_ps(spread.times::<8>(block.as_flattened()));
        let scaled = _mm_mul_ps(products, must_cast(*scales));
        *scores = must_cast(_mm_mul_ps(scaled, must_cast([factor; 4])));
    }
}

/// [`engine::Kernels::mix_values`].
#[target_feature(enable = "avx2")]
pub(crate) fn mix_values(values: &[LaneWords], weights: &[i16], factor: f32, out: &mut [f32]) {
    out.fill(0.0);
    let blocks = values.chunks_exact((out.len() / 4 * 16).max(1));
    for (block, weights) in blocks.zip(weights.chunks(64)) {
        let spread = Spread::new::<8>(weights.as_chunks::<2>().0.iter());
        for (words, sums) in block.chunks_exact(16).zip(out.as_chunks_mut::<4>().0) {
            let products = _mm_cvtepi32_ps(spread.times::<8>(words.as_flattened()));
            *sums = must_cast(_mm_add_ps(must_cast(*sums), products));
        }
    }
    for sum in out {
        *sum *= factor;
    }
}
