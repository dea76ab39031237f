//! Types of weights: plain floats, and the blocks of [`super::blocks`].

use half::{bf16, f16};

use super::blocks::{self, BLOCK, SUPER_BLOCK};

/// A type of weights that can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TensorType {
    /// Four bytes.
    F32,
    /// Two bytes, 10 bits after the point.
    F16,
    /// Two bytes, the first half of an f32.
    Bf16,
    /// Eight bits and a scale for 32.
    Q8_0,
    /// Four bits and a scale for 32.
    Q4_0,
    /// Four bits, a scale and a least weight for 32.
    Q4_1,
    /// Five bits and a scale for 32.
    Q5_0,
    /// Five bits, a scale and a least weight for 32.
    Q5_1,
    /// Four bits for 256, with a scale and a least weight for each 32.
    Q4K,
    /// Five bits for 256, with a scale and a least weight for each 32.
    Q5K,
    /// Six bits for 256, with a scale for each 16.
    Q6K,
}

impl TensorType {
    /// The type with this number in the file.
    pub fn from_number(number: u32) -> Option<Self> {
        Some(match number {
            0 => Self::F32,
            1 => Self::F16,
            2 => Self::Q4_0,
            3 => Self::Q4_1,
            6 => Self::Q5_0,
            7 => Self::Q5_1,
            8 => Self::Q8_0,
            12 => Self::Q4K,
            13 => Self::Q5K,
            14 => Self::Q6K,
            30 => Self::Bf16,
            _ => return None,
        })
    }

    /// The number in the file.
    pub fn number(self) -> u32 {
        match self {
            Self::F32 => 0,
            Self::F16 => 1,
            Self::Q4_0 => 2,
            Self::Q4_1 => 3,
            Self::Q5_0 => 6,
            Self::Q5_1 => 7,
            Self::Q8_0 => 8,
            Self::Q4K => 12,
            Self::Q5K => 13,
            Self::Q6K => 14,
            Self::Bf16 => 30,
        }
    }

    /// Weights and bytes of the smallest whole piece.
    fn piece(self) -> (u64, u64) {
        match self {
            Self::F32 => (1, 4),
            Self::F16 | Self::Bf16 => (1, 2),
            Self::Q8_0 => (BLOCK as u64, 34),
            Self::Q4_0 => (BLOCK as u64, 18),
            Self::Q4_1 => (BLOCK as u64, 20),
            Self::Q5_0 => (BLOCK as u64, 22),
            Self::Q5_1 => (BLOCK as u64, 24),
            Self::Q4K => (SUPER_BLOCK as u64, 144),
            Self::Q5K => (SUPER_BLOCK as u64, 176),
            Self::Q6K => (SUPER_BLOCK as u64, 210),
        }
    }

    /// Bytes of so many weights in rows of `columns`; `None` if these are no whole pieces, or too
    /// many to count.
    pub fn bytes(self, columns: u64, weights: u64) -> Option<u64> {
        let (size, bytes) = self.piece();
        let is_whole = columns.is_multiple_of(size) && weights.is_multiple_of(size);
        is_whole.then(|| (weights / size).checked_mul(bytes)).flatten()
    }

    /// The weights in these bytes. Bytes that make no whole piece are left out.
    pub fn decode(self, bytes: &[u8]) -> Vec<f32> {
        match self {
            Self::F32 => bytes.as_chunks().0.iter().map(|it| f32::from_le_bytes(*it)).collect(),
            Self::F16 => {
                bytes.as_chunks().0.iter().map(|it| f16::from_le_bytes(*it).to_f32()).collect()
            }
            Self::Bf16 => {
                bytes.as_chunks().0.iter().map(|it| bf16::from_le_bytes(*it).to_f32()).collect()
            }
            Self::Q8_0 => bytes.as_chunks().0.iter().flat_map(blocks::q8_0).collect(),
            Self::Q4_0 => bytes.as_chunks().0.iter().flat_map(blocks::q4_0).collect(),
            Self::Q4_1 => bytes.as_chunks().0.iter().flat_map(blocks::q4_1).collect(),
            Self::Q5_0 => bytes.as_chunks().0.iter().flat_map(blocks::q5_0).collect(),
            Self::Q5_1 => bytes.as_chunks().0.iter().flat_map(blocks::q5_1).collect(),
            Self::Q4K => bytes.as_chunks().0.iter().flat_map(blocks::q4_k).collect(),
            Self::Q5K => bytes.as_chunks().0.iter().flat_map(blocks::q5_k).collect(),
            Self::Q6K => bytes.as_chunks().0.iter().flat_map(blocks::q6_k).collect(),
        }
    }

    /// The bytes of these weights; `None` for the types that are only read. Q8_0 wants whole blocks.
    pub fn encode(self, weights: &[f32]) -> Option<Vec<u8>> {
        Some(match self {
            Self::F32 => weights.iter().flat_map(|it| it.to_le_bytes()).collect(),
            Self::F16 => weights.iter().flat_map(|it| f16::from_f32(*it).to_le_bytes()).collect(),
            Self::Q8_0 => weights.chunks_exact(BLOCK).flat_map(encoded_q8_0).collect(),
            _ => return None,
        })
    }
}

/// A block as `quantize_row_q8_0_ref` makes it.
fn encoded_q8_0(weights: &[f32]) -> Vec<u8> {
    let largest = weights.iter().fold(0f32, |most, weight| most.max(weight.abs()));
    let scale = largest / 127.0;
    let inverse = if scale == 0.0 { 0.0 } else { 1.0 / scale };
    let codes = weights.iter().map(|weight| ((weight * inverse).round() as i8).cast_unsigned());
    f16::from_f32(scale).to_le_bytes().into_iter().chain(codes).collect()
}
