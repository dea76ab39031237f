//! Tensors as views into the file: what they are for, how they are stored.

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
    /// IEEE 754 binary32, 4 bytes each.
    F32,
    /// E4M3 codes (see [`crate::fp8`]), one byte each, times one f32 scale per row.
    Fp8E4M3,
    /// Signed bytes times one f32 scale per group of `group` neighbours in a row.
    ///
    /// Scales lie as `rows × ceil(cols / group)`; the last group of a row may be short.
    Int8 {
        /// Weights per scale: a multiple of 4, from 4 to [`WeightFormat::MAX_GROUP`].
        group: usize,
    },
}

impl WeightFormat {
    /// Largest group: an i32 sum over one of these cannot overflow (4096 · 127 · 127 < 2³¹).
    pub const MAX_GROUP: usize = 4096;

    /// Bytes of data of a row.
    pub fn row_bytes(self, cols: usize) -> usize {
        match self {
            Self::F32 => cols * 4,
            Self::Fp8E4M3 | Self::Int8 { .. } => cols,
        }
    }

    /// Scales of a row.
    pub fn row_scales(self, cols: usize) -> usize {
        match self {
            Self::F32 => 0,
            Self::Fp8E4M3 => 1,
            Self::Int8 { group } => cols.div_ceil(group.max(1)),
        }
    }

    pub(crate) fn is_valid(self) -> bool {
        match self {
            Self::F32 | Self::Fp8E4M3 => true,
            Self::Int8 { group } => (4..=Self::MAX_GROUP).contains(&group) && group % 4 == 0,
        }
    }
}

/// A matrix in the file: `rows` outputs of `cols` inputs, row after row.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tensor<'m> {
    /// How the weights are stored.
    pub format: WeightFormat,
    /// Number of rows.
    pub rows: usize,
    /// Number of columns.
    pub cols: usize,
    /// The weights: exactly `rows * format.row_bytes(cols)` bytes, aligned to
    /// [`crate::ALIGNMENT`].
    pub data: &'m [u8],
    /// The scales: exactly `rows * format.row_scales(cols)`, aligned likewise; not checked to be
    /// finite.
    pub scales: &'m [f32],
}

impl<'m> Tensor<'m> {
    /// The weights of an f32 tensor; `None` for other formats.
    pub fn as_f32(&self) -> Option<&'m [f32]> {
        match self.format {
            WeightFormat::F32 => bytemuck::try_cast_slice(self.data).ok(),
            _ => None,
        }
    }

    /// The weights of an int8 tensor; `None` for other formats.
    pub fn as_i8(&self) -> Option<&'m [i8]> {
        match self.format {
            WeightFormat::Int8 { .. } => bytemuck::try_cast_slice(self.data).ok(),
            _ => None,
        }
    }

    /// Number of weights.
    pub fn weights(&self) -> usize {
        self.rows * self.cols
    }

    /// One weight as f32, for tests and reports; `None` outside the matrix.
    pub fn weight(&self, row: usize, col: usize) -> Option<f32> {
        if row >= self.rows || col >= self.cols {
            return None;
        }
        let index = row * self.cols + col;
        match self.format {
            WeightFormat::F32 => self.as_f32()?.get(index).copied(),
            WeightFormat::Fp8E4M3 => {
                Some(crate::fp8::decode(*self.data.get(index)?) * self.scales.get(row)?)
            }
            WeightFormat::Int8 { group } => {
                let scale = row * self.format.row_scales(self.cols) + col / group.max(1);
                Some(f32::from(*self.as_i8()?.get(index)?) * self.scales.get(scale)?)
            }
        }
    }
}
