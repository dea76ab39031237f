//! Types of weights: plain floats, and blocks of 32 with a scale (ggml, `ggml-quants.c`).
//!
//! | type | block of 32 weights | weight |
//! |---|---|---|
//! | Q8_0 | f16 scale, 32 × i8 | scale × code |
//! | Q4_0 | f16 scale, 16 bytes: low halves are weights 0–15, high ones 16–31 | scale × (code − 8) |

use half::{bf16, f16};

/// Weights of a block.
const BLOCK: usize = 32;

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
}

impl TensorType {
    /// The type with this number in the file.
    pub fn from_number(number: u32) -> Option<Self> {
        Some(match number {
            0 => Self::F32,
            1 => Self::F16,
            2 => Self::Q4_0,
            8 => Self::Q8_0,
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
            Self::Q8_0 => 8,
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
            Self::Q8_0 => {
                let (blocks, _) = bytes.as_chunks::<34>();
                blocks
                    .iter()
                    .flat_map(|[low, high, codes @ ..]| {
                        let scale = f16::from_le_bytes([*low, *high]).to_f32();
                        codes.iter().map(move |code| scale * f32::from(code.cast_signed()))
                    })
                    .collect()
            }
            Self::Q4_0 => {
                let (blocks, _) = bytes.as_chunks::<18>();
                blocks
                    .iter()
                    .flat_map(|[low, high, codes @ ..]| {
                        let scale = f16::from_le_bytes([*low, *high]).to_f32();
                        let weight = move |code: u8| scale * (f32::from(code) - 8.0);
                        let first = codes.iter().map(move |byte| weight(byte & 15));
                        first.chain(codes.iter().map(move |byte| weight(byte >> 4)))
                    })
                    .collect()
            }
        }
    }

    /// The bytes of these weights; `None` for the types that are only read. Q8_0 wants whole blocks.
    pub fn encode(self, weights: &[f32]) -> Option<Vec<u8>> {
        Some(match self {
            Self::F32 => weights.iter().flat_map(|it| it.to_le_bytes()).collect(),
            Self::F16 => weights.iter().flat_map(|it| f16::from_f32(*it).to_le_bytes()).collect(),
            Self::Q8_0 => weights.chunks_exact(BLOCK).flat_map(q8_0).collect(),
            Self::Bf16 | Self::Q4_0 => return None,
        })
    }
}

/// A block as `quantize_row_q8_0_ref` makes it.
fn q8_0(weights: &[f32]) -> Vec<u8> {
    let largest = weights.iter().fold(0f32, |most, weight| most.max(weight.abs()));
    let scale = largest / 127.0;
    let inverse = if scale == 0.0 { 0.0 } else { 1.0 / scale };
    let codes = weights.iter().map(|weight| ((weight * inverse).round() as i8).cast_unsigned());
    f16::from_f32(scale).to_le_bytes().into_iter().chain(codes).collect()
}
