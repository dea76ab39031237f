//! Shapes, and the comparison of a kernel with the portable one.
//!
//! Each buffer ends where mapped memory ends.

use engine::kernels::{Kernels, LaneOrder, LaneVectors, LaneWords, Outputs, Portable};

use crate::data::{Random, fill_inputs, fill_scales, fill_words};
use crate::guarded::{Number, Region};
use crate::overflow::overflows_in;
use crate::wrong::Kernel;

/// Memory for one case at a time.
pub(crate) struct Bench {
    /// Weights, keys or values.
    pub(crate) words: Region,
    /// Vectors, a query or weights of slots.
    pub(crate) inputs: Region,
    /// What an input's unit is worth, or a key's.
    pub(crate) scales: Region,
    /// What the kernel gives.
    pub(crate) results: Region,
    /// What the portable kernel gives.
    pub(crate) expected: Region,
    pub(crate) random: Random,
    /// How many numbers have been compared.
    pub(crate) compared: usize,
}

/// What is wrong with a kernel.
#[derive(Debug)]
#[allow(dead_code, reason = "read by Debug only")]
pub(crate) enum Flaw {
    /// Its results are not those of the portable one.
    Differs { kernel: Kernel, shape: [usize; 4], at: usize, found: u32, expected: u32 },
    /// A sum left the 32 bits, whatever the result.
    Overflows { kernel: Kernel, shape: [usize; 4] },
}

/// Stands where a kernel must not write.
const UNTOUCHED: u32 = 0x7fa1_b2c3;

impl Bench {
    /// # Safety
    /// Once, after the sections have been mapped.
    pub(crate) unsafe fn new() -> Self {
        // SAFETY: each region once, as the caller promises that this is.
        let region = |index| unsafe { Region::new(index) };
        Self {
            words: region(0),
            inputs: region(1),
            scales: region(2),
            results: region(3),
            expected: region(4),
            random: Random::new(0x5eed),
            compared: 0,
        }
    }

    /// Compares all results, also where there should be none.
    fn compare(
        &mut self,
        kernel: Kernel,
        shape: [usize; 4],
        count: usize,
        has_overflowed: bool,
    ) -> Result<(), Flaw> {
        if has_overflowed {
            return Err(Flaw::Overflows { kernel, shape });
        }
        let results: &[u32] = self.results.tail(count, 0);
        let expected: &[u32] = self.expected.tail(count, 0);
        self.compared += count;
        match results.iter().zip(expected).position(|(found, expected)| found != expected) {
            None => Ok(()),
            Some(at) => {
                let (found, expected) = (results[at], expected[at]);
                Err(Flaw::Differs { kernel, shape, at, found, expected })
            }
        }
    }

    fn clear_results(&mut self, count: usize) {
        self.results.tail(count, 0).fill(UNTOUCHED);
        self.expected.tail(count, 0).fill(UNTOUCHED);
    }
}

/// Runs all cases of a kernel and returns how many.
pub(crate) fn run<K: Kernels>(
    kernel: Kernel,
    kernels: &K,
    bench: &mut Bench,
) -> Result<usize, Flaw> {
    match kernel {
        Kernel::Int8 => matmuls(bench, kernel, |blocks: &[[u32; 68]], x, out, is_portable| {
            if is_portable {
                Portable.matmul_int8(blocks, x, out);
            } else {
                kernels.matmul_int8(blocks, x, out);
            }
        }),
        Kernel::Int4 => matmuls(bench, kernel, |blocks: &[[u32; 36]], x, out, is_portable| {
            if is_portable {
                Portable.matmul_int4(blocks, x, out);
            } else {
                kernels.matmul_int4(blocks, x, out);
            }
        }),
        Kernel::KeyScores => key_scores(kernels, bench),
        Kernel::MixValues => mix_values(kernels, bench),
        Kernel::Exponentials => exponentials(kernels, bench),
        Kernel::LargestMagnitude => largest_magnitudes(kernels, bench),
        Kernel::RoundLanes => rounded(kernels, bench),
    }
}

/// Up to 80 numbers and some more, of any kind.
fn largest_magnitudes<K: Kernels>(kernels: &K, bench: &mut Bench) -> Result<usize, Flaw> {
    let mut cases = 0;
    for count in (0..=80).chain([256, 1024]) {
        for kind in 0..8 {
            let numbers: &mut [f32] = bench.scales.tail(count, 0);
            fill_scales(&mut bench.random, numbers);
            bench.results.tail(1, 0)[0] = kernels.largest_magnitude(numbers);
            bench.expected.tail(1, 0)[0] = Portable.largest_magnitude(numbers);
            bench.compare(Kernel::LargestMagnitude, [count, kind, 0, 0], 1, false)?;
            cases += 1;
        }
    }
    Ok(cases)
}

/// Up to 80 numbers and some more as lanes of both orders, alone and in a pair, with zeros behind them;
/// half of them lie between two whole numbers.
fn rounded<K: Kernels>(kernels: &K, bench: &mut Bench) -> Result<usize, Flaw> {
    let mut cases = 0;
    for count in (0usize..=80).chain([256, 384]) {
        for kind in 0..16 {
            let (order, piece) = match kind % 2 {
                0 => (LaneOrder::Bytes, 4),
                _ => (LaneOrder::Nibbles, 8),
            };
            let apart = 1 + kind / 2 % 2;
            let padded = count.next_multiple_of(piece) + kind / 4 % 2 * piece;
            // Up to the last two of the vector: a neighbour's follow.
            let length = (padded * apart).saturating_sub(2 * (apart - 1));
            // In words; where no number goes there is something else.
            bench.clear_results(length / 2);
            let random = &mut bench.random;
            let numbers: &mut [f32] = bench.scales.tail(count, 0);
            let is_half = kind / 8 == 1;
            for number in numbers.iter_mut() {
                let random = random.next();
                *number = match random % 16 {
                    0 => 0.0,
                    1 => -1023.0,
                    2 => f32::from_bits(random >> 9),
                    _ if is_half => (random % 2047) as f32 - 1023.0,
                    _ => (random >> 4) as f32 / (1 << 28) as f32 * 2046.0 - 1023.0,
                };
            }
            let factor = if is_half { 0.5 } else { random.pick(&[1.0, 0.3, 1e-30]) };
            let lanes: &mut [i16] = bench.results.tail(length, 0);
            kernels.round_lanes(numbers, factor, order, lanes, apart);
            let lanes: &mut [i16] = bench.expected.tail(length, 0);
            Portable.round_lanes(numbers, factor, order, lanes, apart);
            bench.compare(Kernel::RoundLanes, [count, kind, apart, padded], length / 2, false)?;
            cases += 1;
        }
    }
    Ok(cases)
}

/// How a matrix and its vectors lie in memory.
#[derive(Clone, Copy)]
struct Layout {
    rows: usize,
    groups: usize,
    vectors: usize,
    /// Results between two vectors.
    gap: usize,
    /// Inputs lie at an odd multiple of 2 and not at a multiple of 4.
    is_odd: bool,
    /// Blocks lie at an odd multiple of 4 and not at a multiple of 8.
    is_low: bool,
}

/// All counts of groups and of vectors up to four pairs and one, with one of three counts of rows; several
/// fours of pairs; then what is rare.
fn matmuls<const WORDS: usize>(
    bench: &mut Bench,
    kernel: Kernel,
    multiply: impl Fn(&[[u32; WORDS]], LaneVectors<'_>, Outputs<'_>, bool),
) -> Result<usize, Flaw>
where
    [u32; WORDS]: Number,
{
    let mut cases = 0;
    let usual = Layout { rows: 4, groups: 1, vectors: 1, gap: 0, is_odd: false, is_low: false };
    for groups in 1..=17 {
        for vectors in 1..=9 {
            let rows = bench.random.pick(&[4, 8, 20]);
            let gap = bench.random.pick(&[0, 0, 2, 64]);
            let layout = Layout { rows, groups, vectors, gap, ..usual };
            matmul(bench, kernel, layout, &multiply)?;
            cases += 1;
        }
    }
    // More pairs than are worked on at once, against more columns than one piece.
    for groups in [7, 12, 16, 17] {
        for vectors in [10, 11, 16, 23, 32] {
            let rows = bench.random.pick(&[4, 8, 12]);
            let gap = bench.random.pick(&[0, 2]);
            let layout = Layout { rows, groups, vectors, gap, ..usual };
            matmul(bench, kernel, layout, &multiply)?;
            cases += 1;
        }
    }
    for case in 0..64 {
        let (groups, vectors) = (1 + case % 6, bench.random.pick(&[1, 2, 3, 8, 10, 16, 23, 32]));
        let rows = bench.random.pick(&[4, 12, 64]);
        let is_odd = case % 4 == 1;
        let is_low = case % 4 == 2;
        let gap = if case % 4 == 3 { 1 } else { 0 };
        let layout = Layout { rows, groups, vectors, gap, is_odd, is_low };
        matmul(bench, kernel, layout, &multiply)?;
        cases += 1;
    }
    Ok(cases)
}

fn matmul<const WORDS: usize>(
    bench: &mut Bench,
    kernel: Kernel,
    layout: Layout,
    multiply: &impl Fn(&[[u32; WORDS]], LaneVectors<'_>, Outputs<'_>, bool),
) -> Result<(), Flaw>
where
    [u32; WORDS]: Number,
{
    let Layout { rows, groups, vectors, gap, is_odd, is_low } = layout;
    let length = 64 * groups;
    let out_stride = rows + gap;
    let count = (vectors - 1) * out_stride + rows;
    bench.clear_results(count);
    let random = &mut bench.random;
    let blocks: &mut [[u32; WORDS]] =
        bench.words.tail(rows / 4 * groups, if is_low { 4 } else { 0 });
    let mut scales = [0.0; 4];
    for block in blocks.iter_mut() {
        let (words, scale_bits) = block.split_at_mut(WORDS - 4);
        fill_words(random, words);
        fill_scales(random, &mut scales);
        for (bits, scale) in scale_bits.iter_mut().zip(scales) {
            *bits = scale.to_bits();
        }
    }
    let integers: &mut [i16] = bench.inputs.tail(vectors * length, if is_odd { 2 } else { 0 });
    fill_inputs(random, integers);
    let scales: &mut [f32] = bench.scales.tail(vectors, 0);
    fill_scales(random, scales);
    let x = LaneVectors { integers, length, scales };
    let out = Outputs { values: bench.results.tail(count, 0), stride: out_stride, rows };
    let has_overflowed = overflows_in(|| multiply(blocks, x, out, false));
    let out = Outputs { values: bench.expected.tail(count, 0), stride: out_stride, rows };
    multiply(blocks, x, out, true);
    bench.compare(kernel, [rows, groups, vectors, gap], count, has_overflowed)
}

/// All head sizes with all numbers of slots up to 64, and some up to 256.
fn key_scores<K: Kernels>(kernels: &K, bench: &mut Bench) -> Result<usize, Flaw> {
    let mut cases = 0;
    for columns in (4..=64).step_by(4) {
        for slots in (4..=64).step_by(4).chain([128, 252, 256]) {
            for rest in [0, 4] {
                bench.clear_results(slots);
                let random = &mut bench.random;
                let keys: &mut [LaneWords] = bench.words.tail(slots / 4 * (columns / 4), rest);
                fill_words(random, keys.as_flattened_mut());
                // At an odd multiple of 2 now and then.
                let odd = if random.next().is_multiple_of(16) { 2 } else { 0 };
                let query: &mut [i16] = bench.inputs.tail(columns, odd);
                fill_inputs(random, query);
                let scales: &mut [f32] = bench.scales.tail(slots, 0);
                fill_scales(random, scales);
                let mut factor = [0.0];
                fill_scales(random, &mut factor);
                let [factor] = factor;
                let results = bench.results.tail(slots, 0);
                let has_overflowed =
                    overflows_in(|| kernels.key_scores(keys, query, scales, factor, results));
                Portable.key_scores(keys, query, scales, factor, bench.expected.tail(slots, 0));
                let shape = [columns, slots, rest, odd];
                bench.compare(Kernel::KeyScores, shape, slots, has_overflowed)?;
                cases += 1;
            }
        }
    }
    Ok(cases)
}

/// Up to 80 numbers and some more; from any there is to such as the engine has.
fn exponentials<K: Kernels>(kernels: &K, bench: &mut Bench) -> Result<usize, Flaw> {
    let mut cases = 0;
    for count in (1..=80).chain([256, 1024]) {
        for kind in 0..12 {
            let random = &mut bench.random;
            let numbers: &mut [f32] = bench.scales.tail(count, 0);
            fill_scales(random, numbers);
            let mut largest = [0.0];
            match kind % 4 {
                0 => fill_scales(random, &mut largest),
                // From 0 to -32, where results end, in steps of 2^-19; and the same below 7.
                rest => {
                    largest = [if rest == 1 { 7.0 } else { 0.0 }];
                    for number in numbers.iter_mut() {
                        *number = largest[0] - (random.next() % (1 << 24)) as f32 / 524_288.0;
                    }
                }
            }
            let [largest] = largest;
            bench.results.tail(count, 0).copy_from_slice(numbers);
            bench.expected.tail(count, 0).copy_from_slice(numbers);
            let results = bench.results.tail(count, 0);
            let has_overflowed = overflows_in(|| kernels.exponentials(results, largest));
            Portable.exponentials(bench.expected.tail(count, 0), largest);
            let shape = [count, kind, 0, 0];
            bench.compare(Kernel::Exponentials, shape, count, has_overflowed)?;
            cases += 1;
        }
    }
    Ok(cases)
}

/// All head sizes with up to 6 blocks of 64 slots, the last one whole or in part.
fn mix_values<K: Kernels>(kernels: &K, bench: &mut Bench) -> Result<usize, Flaw> {
    let mut cases = 0;
    for elements in (4..=64).step_by(4) {
        for steps in 1..=6 * 8 {
            let (slots, blocks) = (steps * 8, usize::div_ceil(steps, 8));
            for rest in [0, 4] {
                bench.clear_results(elements);
                let random = &mut bench.random;
                let values: &mut [LaneWords] = bench.words.tail(blocks * elements / 4 * 16, rest);
                fill_words(random, values.as_flattened_mut());
                let odd = if random.next().is_multiple_of(16) { 2 } else { 0 };
                let weights: &mut [i16] = bench.inputs.tail(slots, odd);
                fill_inputs(random, weights);
                let mut factor = [0.0];
                fill_scales(random, &mut factor);
                let [factor] = factor;
                let results = bench.results.tail(elements, 0);
                let has_overflowed =
                    overflows_in(|| kernels.mix_values(values, weights, factor, results));
                Portable.mix_values(values, weights, factor, bench.expected.tail(elements, 0));
                let shape = [elements, slots, rest, odd];
                bench.compare(Kernel::MixValues, shape, elements, has_overflowed)?;
                cases += 1;
            }
        }
    }
    Ok(cases)
}
