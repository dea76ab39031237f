//! Tensors as views into the file: what they are for, how they are stored.

use crate::lanes::{self, Int4Block, Int8Block, ROWS_PER_BLOCK};

/// What a tensor is for. The discriminant is its number in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum TensorRole {
    /// One row per token: `vocabulary × dim`.
    TokenEmbedding = 0,
    /// RMSNorm before attention: `1 × dim`, f32. Per layer.
    AttentionNorm = 1,
    /// Query projection: `dim × dim`. Per layer.
    Query = 2,
    /// Key projection: `kv_dim × dim`. Per layer.
    Key = 3,
    /// Value projection: `kv_dim × dim`. Per layer.
    Value = 4,
    /// Output projection of attention: `dim × dim`. Per layer.
    AttentionOutput = 5,
    /// RMSNorm before the feed-forward block: `1 × dim`, f32. Per layer.
    FeedForwardNorm = 6,
    /// Gate of SwiGLU (w1 in llama2.c): `hidden × dim`. Per layer.
    Gate = 7,
    /// Up projection of SwiGLU (w3 in llama2.c): `hidden × dim`. Per layer.
    Up = 8,
    /// Down projection of SwiGLU (w2 in llama2.c): `dim × hidden`. Per layer.
    Down = 9,
    /// RMSNorm after the last layer: `1 × dim`, f32.
    FinalNorm = 10,
    /// Classifier of an untied model: `vocabulary × dim`.
    Classifier = 11,
}

impl TensorRole {
    /// The tensors of one layer, in the order of the file.
    pub const PER_LAYER: [Self; 9] = [
        Self::AttentionNorm,
        Self::Query,
        Self::Key,
        Self::Value,
        Self::AttentionOutput,
        Self::FeedForwardNorm,
        Self::Gate,
        Self::Up,
        Self::Down,
    ];

    /// Whether every layer has one.
    pub fn is_per_layer(self) -> bool {
        Self::PER_LAYER.contains(&self)
    }

    /// Whether it is a norm: always f32.
    pub fn is_norm(self) -> bool {
        matches!(self, Self::AttentionNorm | Self::FeedForwardNorm | Self::FinalNorm)
    }
}

/// How weights are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum WeightFormat {
    /// IEEE 754 binary32, 4 bytes each, row after row.
    F32,
    /// E4M3 codes (see [`crate::fp8`]), one byte each, row after row, times one f32 scale per row.
    Fp8E4M3,
    /// Lane-shared blocks of bytes, scales included: see [`crate::lanes`].
    Int8,
    /// Lane-shared blocks of nibbles, scales included: see [`crate::lanes`].
    Int4,
}

impl WeightFormat {
    /// All of them, from the largest to the smallest.
    pub const ALL: [Self; 4] = [Self::F32, Self::Fp8E4M3, Self::Int8, Self::Int4];

    /// Bytes of data of a matrix; `None` when they cannot be counted.
    pub fn data_bytes(self, rows: usize, cols: usize) -> Option<usize> {
        let blocks = || lanes::row_blocks(rows).checked_mul(lanes::groups(cols));
        match self {
            Self::F32 => rows.checked_mul(cols)?.checked_mul(size_of::<f32>()),
            Self::Fp8E4M3 => rows.checked_mul(cols),
            Self::Int8 => blocks()?.checked_mul(size_of::<Int8Block>()),
            Self::Int4 => blocks()?.checked_mul(size_of::<Int4Block>()),
        }
    }

    /// How many scales lie apart from the data.
    pub fn scale_count(self, rows: usize) -> usize {
        match self {
            Self::Fp8E4M3 => rows,
            Self::F32 | Self::Int8 | Self::Int4 => 0,
        }
    }
}

/// A matrix in the file: `rows` outputs of `cols` inputs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tensor<'m> {
    /// How the weights are stored.
    pub format: WeightFormat,
    /// Number of rows.
    pub rows: usize,
    /// Number of columns.
    pub cols: usize,
    /// The weights: exactly [`WeightFormat::data_bytes`] bytes, aligned to [`crate::ALIGNMENT`].
    pub data: &'m [u8],
    /// The scales of fp8: exactly [`WeightFormat::scale_count`], aligned likewise; not checked to
    /// be finite.
    pub scales: &'m [f32],
}

impl<'m> Tensor<'m> {
    /// The weights of an f32 tensor; `None` for other formats.
    pub fn as_f32(&self) -> Option<&'m [f32]> {
        self.data_of(WeightFormat::F32)
    }

    /// The blocks of an int8 tensor, row block by row block; `None` for other formats.
    pub fn int8_blocks(&self) -> Option<&'m [Int8Block]> {
        self.data_of(WeightFormat::Int8)
    }

    /// The blocks of an int4 tensor, row block by row block; `None` for other formats.
    pub fn int4_blocks(&self) -> Option<&'m [Int4Block]> {
        self.data_of(WeightFormat::Int4)
    }

    fn data_of<T: bytemuck::AnyBitPattern>(&self, format: WeightFormat) -> Option<&'m [T]> {
        (self.format == format).then(|| bytemuck::try_cast_slice(self.data).ok()).flatten()
    }

    /// Number of weights, padding not counted.
    pub fn weights(&self) -> usize {
        self.rows * self.cols
    }

    /// One weight as f32, for tests and reports; `None` outside the matrix.
    pub fn weight(&self, row: usize, col: usize) -> Option<f32> {
        if row >= self.rows || col >= self.cols {
            return None;
        }
        let index = row * self.cols + col;
        let block =
            (row / ROWS_PER_BLOCK) * lanes::groups(self.cols) + col / lanes::COLUMNS_PER_BLOCK;
        let (row_in_block, col_in_block) = (row % ROWS_PER_BLOCK, col % lanes::COLUMNS_PER_BLOCK);
        match self.format {
            WeightFormat::F32 => self.as_f32()?.get(index).copied(),
            WeightFormat::Fp8E4M3 => {
                Some(crate::fp8::decode(*self.data.get(index)?) * self.scales.get(row)?)
            }
            WeightFormat::Int8 => Some(lanes::int8_weight(
                self.int8_blocks()?.get(block)?,
                row_in_block,
                col_in_block,
            )),
            WeightFormat::Int4 => Some(lanes::int4_weight(
                self.int4_blocks()?.get(block)?,
                row_in_block,
                col_in_block,
            )),
        }
    }
}
