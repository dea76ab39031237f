//! A short look at whether a processor's kernels give what the portable ones give: for a board that
//! has just been switched on. `kernel-check` in `crates/board-test` is the long one.

use super::{Kernels, LaneOrder, LaneVectors, LaneWords, Outputs, Portable, Vectors};

/// Rows and columns of the matrices, and vectors that they are multiplied with: two groups of
/// columns, a pair of vectors and one alone.
const ROWS: usize = 8;
const COLUMNS: usize = 128;
const VECTORS: usize = 3;

/// Rounds with other numbers.
const ROUNDS: u32 = 4;

/// A kernel that differs from its twin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Twin {
    /// [`Kernels::largest_magnitude`].
    LargestMagnitude = 1,
    /// [`Kernels::round_lanes`].
    RoundLanes,
    /// [`Kernels::matmul_fp8`].
    MatmulFp8,
    /// [`Kernels::matmul_int8`].
    MatmulInt8,
    /// [`Kernels::matmul_int4`].
    MatmulInt4,
    /// [`Kernels::key_scores`].
    KeyScores,
    /// [`Kernels::mix_values`].
    MixValues,
    /// [`Kernels::exponentials`].
    Exponentials,
}

/// Compares each kernel with the portable one on some numbers, every bit.
///
/// # Errors
/// The first that differs.
pub fn compare_with_twins<K: Kernels>(kernels: &K) -> Result<(), Twin> {
    let mut random = Random(0x5eed);
    for _ in 0..ROUNDS {
        vectors(kernels, &mut random)?;
        matrices(kernels, &mut random)?;
        attention(kernels, &mut random)?;
    }
    Ok(())
}

fn vectors<K: Kernels>(kernels: &K, random: &mut Random) -> Result<(), Twin> {
    let x: [f32; COLUMNS] = random.floats();
    let largest = Portable.largest_magnitude(&x);
    equal(&[kernels.largest_magnitude(&x)], &[largest], Twin::LargestMagnitude)?;
    for order in [LaneOrder::Bytes, LaneOrder::Nibbles] {
        let lanes = |round: &dyn Fn(&mut [i16])| {
            let mut lanes = [0i16; COLUMNS];
            round(&mut lanes);
            lanes.map(f32::from)
        };
        let factor = 1023.0 / largest;
        let found = lanes(&|lanes| kernels.round_lanes(&x, factor, order, lanes, 1));
        let expected = lanes(&|lanes| Portable.round_lanes(&x, factor, order, lanes, 1));
        equal(&found, &expected, Twin::RoundLanes)?;
    }
    let both = |exponentials: &dyn Fn(&mut [f32])| {
        let mut x = x.map(|x| x * 1000.0);
        exponentials(&mut x);
        x
    };
    let largest = largest * 1000.0;
    let found = both(&|x| kernels.exponentials(x, largest));
    equal(&found, &both(&|x| Portable.exponentials(x, largest)), Twin::Exponentials)
}

/// As [`LaneVectors`] want them in memory.
#[repr(align(4))]
struct Aligned([i16; VECTORS * COLUMNS]);

fn matrices<K: Kernels>(kernels: &K, random: &mut Random) -> Result<(), Twin> {
    let product = |multiply: &dyn Fn(Outputs<'_>)| {
        let mut values = [0.0; VECTORS * ROWS];
        multiply(Outputs { values: &mut values, stride: ROWS, rows: ROWS });
        values
    };
    let values: [f32; VECTORS * COLUMNS] = random.floats();
    let x = Vectors { values: &values, stride: COLUMNS, length: COLUMNS, count: VECTORS };
    let codes: [u8; ROWS * COLUMNS] = core::array::from_fn(|_| random.next() as u8);
    let scales: [f32; ROWS] = random.floats();
    let found = product(&|out| kernels.matmul_fp8(&codes, &scales, x, out));
    let expected = product(&|out| Portable.matmul_fp8(&codes, &scales, x, out));
    equal(&found, &expected, Twin::MatmulFp8)?;

    let integers = Aligned(random.integers());
    let scales: [f32; VECTORS] = random.floats();
    let x = LaneVectors { integers: &integers.0, length: COLUMNS, scales: &scales };
    let bytes: [[u32; 68]; 4] = core::array::from_fn(|_| random.block());
    let found = product(&|out| kernels.matmul_int8(&bytes, x, out));
    equal(&found, &product(&|out| Portable.matmul_int8(&bytes, x, out)), Twin::MatmulInt8)?;
    let nibbles: [[u32; 36]; 4] = core::array::from_fn(|_| random.block());
    let found = product(&|out| kernels.matmul_int4(&nibbles, x, out));
    equal(&found, &product(&|out| Portable.matmul_int4(&nibbles, x, out)), Twin::MatmulInt4)
}

/// A head of 48 elements and 72 slots.
fn attention<K: Kernels>(kernels: &K, random: &mut Random) -> Result<(), Twin> {
    const ELEMENTS: usize = 48;
    const SLOTS: usize = 72;
    let keys: [LaneWords; SLOTS / 4 * (ELEMENTS / 4)] = core::array::from_fn(|_| random.words());
    let query: [i16; ELEMENTS] = random.integers();
    let scales: [f32; SLOTS] = random.floats();
    let scores = |score: &dyn Fn(&mut [f32])| {
        let mut scores = [0.0; SLOTS];
        score(&mut scores);
        scores
    };
    let found = scores(&|out| kernels.key_scores(&keys, &query, &scales, 0.1, out));
    let expected = scores(&|out| Portable.key_scores(&keys, &query, &scales, 0.1, out));
    equal(&found, &expected, Twin::KeyScores)?;

    // The second block of 64 slots is used in part.
    let values: [LaneWords; 2 * ELEMENTS / 4 * 16] = core::array::from_fn(|_| random.words());
    let weights: [i16; SLOTS] = random.integers();
    let mixed = |mix: &dyn Fn(&mut [f32])| {
        let mut out = [0.0; ELEMENTS];
        mix(&mut out);
        out
    };
    let found = mixed(&|out| kernels.mix_values(&values, &weights, 0.1, out));
    equal(&found, &mixed(&|out| Portable.mix_values(&values, &weights, 0.1, out)), Twin::MixValues)
}

fn equal(found: &[f32], expected: &[f32], twin: Twin) -> Result<(), Twin> {
    let is_equal = found.iter().zip(expected).all(|(a, b)| a.to_bits() == b.to_bits());
    if is_equal { Ok(()) } else { Err(twin) }
}

/// Xorshift (Marsaglia, 2003).
struct Random(u32);

impl Random {
    fn next(&mut self) -> u32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 17;
        self.0 ^= self.0 << 5;
        self.0
    }

    /// Between −2⁻⁷ and 2⁻⁷.
    fn floats<const N: usize>(&mut self) -> [f32; N] {
        core::array::from_fn(|_| (self.next() as i32 >> 8) as f32 / (1 << 30) as f32)
    }

    /// From −1023 to 1023.
    fn integers<const N: usize>(&mut self) -> [i16; N] {
        core::array::from_fn(|_| (self.next() % 2047) as i16 - 1023)
    }

    fn words(&mut self) -> LaneWords {
        core::array::from_fn(|_| self.next())
    }

    /// Weights, and behind them four scales.
    fn block<const WORDS: usize>(&mut self) -> [u32; WORDS] {
        let scales: [f32; 4] = self.floats();
        core::array::from_fn(|place| match place.checked_sub(WORDS - 4) {
            Some(scale) => scales.get(scale).copied().unwrap_or_default().to_bits(),
            None => self.next(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The portable kernels, but the last bit of the last result of one is wrong.
    struct Wrong(Twin);

    impl Wrong {
        fn spoil(&self, twin: Twin, results: &mut [f32]) {
            if self.0 == twin {
                let last = results.last_mut().unwrap();
                *last = f32::from_bits(last.to_bits() ^ 1);
            }
        }
    }

    impl Kernels for Wrong {
        fn largest_magnitude(&self, x: &[f32]) -> f32 {
            let mut largest = [Portable.largest_magnitude(x)];
            self.spoil(Twin::LargestMagnitude, &mut largest);
            largest[0]
        }

        fn round_lanes(&self, x: &[f32], by: f32, order: LaneOrder, to: &mut [i16], apart: usize) {
            Portable.round_lanes(x, by, order, to, apart);
            *to.last_mut().unwrap() ^= i16::from(self.0 == Twin::RoundLanes);
        }

        fn matmul_fp8(&self, codes: &[u8], scales: &[f32], x: Vectors<'_>, out: Outputs<'_>) {
            let Outputs { values, stride, rows } = out;
            Portable.matmul_fp8(codes, scales, x, Outputs { values, stride, rows });
            self.spoil(Twin::MatmulFp8, values);
        }

        fn matmul_int8(&self, blocks: &[[u32; 68]], x: LaneVectors<'_>, out: Outputs<'_>) {
            let Outputs { values, stride, rows } = out;
            Portable.matmul_int8(blocks, x, Outputs { values, stride, rows });
            self.spoil(Twin::MatmulInt8, values);
        }

        fn matmul_int4(&self, blocks: &[[u32; 36]], x: LaneVectors<'_>, out: Outputs<'_>) {
            let Outputs { values, stride, rows } = out;
            Portable.matmul_int4(blocks, x, Outputs { values, stride, rows });
            self.spoil(Twin::MatmulInt4, values);
        }

        fn key_scores(
            &self,
            keys: &[LaneWords],
            query: &[i16],
            key_scales: &[f32],
            factor: f32,
            scores: &mut [f32],
        ) {
            Portable.key_scores(keys, query, key_scales, factor, scores);
            self.spoil(Twin::KeyScores, scores);
        }

        fn mix_values(&self, values: &[LaneWords], weights: &[i16], factor: f32, out: &mut [f32]) {
            Portable.mix_values(values, weights, factor, out);
            self.spoil(Twin::MixValues, out);
        }

        fn exponentials(&self, x: &mut [f32], largest: f32) {
            Portable.exponentials(x, largest);
            self.spoil(Twin::Exponentials, x);
        }
    }

    #[test]
    fn one_wrong_bit_of_any_kernel_is_found() {
        use Twin::{
            Exponentials, KeyScores, LargestMagnitude, MatmulFp8, MatmulInt4, MatmulInt8,
            MixValues, RoundLanes,
        };
        assert_eq!(compare_with_twins(&Portable), Ok(()));
        for twin in [
            LargestMagnitude,
            RoundLanes,
            MatmulFp8,
            MatmulInt8,
            MatmulInt4,
            KeyScores,
            MixValues,
            Exponentials,
        ] {
            assert_eq!(compare_with_twins(&Wrong(twin)), Err(twin));
        }
    }
}
