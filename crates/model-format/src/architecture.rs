//! The shape of the transformer: llama2, with per-layer feed-forward widths.

use crate::{Cause, Field, TensorRole};

/// Limits of an architecture: far above what fits the board, and low enough that products of
/// any two of them cannot overflow 64 bits.
pub mod limits {
    /// Most layers.
    pub const LAYERS: usize = 256;
    /// Widest residual stream.
    pub const DIM: usize = 16_384;
    /// Widest feed-forward block.
    pub const HIDDEN: usize = 65_536;
    /// Largest vocabulary.
    pub const VOCABULARY: usize = 1 << 20;
    /// Longest sequence.
    pub const CONTEXT: usize = 1 << 20;
    /// Smallest and largest base of the rotary frequencies.
    pub const ROPE_THETA: (f32, f32) = (1.0, 1.0e9);
    /// Smallest and largest epsilon of RMSNorm.
    pub const NORM_EPSILON: (f32, f32) = (1.0e-12, 1.0e-1);
}

/// Shape and constants of a llama2 transformer (Touvron et al., 2023).
///
/// RMSNorm before each block, rotary positions, grouped-query attention, SwiGLU feed-forward.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Architecture<'m> {
    /// Width of the residual stream.
    pub dim: usize,
    /// Number of layers.
    pub layers: usize,
    /// Number of attention heads; divides `dim`.
    pub heads: usize,
    /// Number of key-value heads; divides `heads`.
    pub kv_heads: usize,
    /// Number of tokens.
    pub vocabulary: usize,
    /// Longest sequence the model was trained for.
    pub context: usize,
    /// Base of the rotary frequencies, usually 10000.
    pub rope_theta: f32,
    /// Added to the mean square in RMSNorm, usually 1e-5.
    pub norm_epsilon: f32,
    /// Whether the classifier is the token embedding.
    pub tied: bool,
    /// Feed-forward width of each layer, u32 little-endian.
    pub(crate) hidden_widths: &'m [u8],
}

impl Architecture<'_> {
    /// Width of one head: even.
    pub fn head_size(&self) -> usize {
        self.dim / self.heads.max(1)
    }

    /// Width of all keys (or values) of one position: `kv_heads * head_size`.
    pub fn kv_dim(&self) -> usize {
        self.kv_heads * self.head_size()
    }

    /// Width of the feed-forward block of `layer`; `None` beyond the last layer.
    pub fn hidden(&self, layer: usize) -> Option<usize> {
        let (widths, _) = self.hidden_widths.as_chunks();
        widths.get(layer).map(|&bytes| u32::from_le_bytes(bytes) as usize)
    }

    /// Widest feed-forward block of all layers.
    pub fn widest_hidden(&self) -> usize {
        (0..self.layers).filter_map(|layer| self.hidden(layer)).max().unwrap_or(0)
    }

    /// Rows and columns of a tensor; `None` when this architecture has no such tensor.
    ///
    /// A matrix maps `columns` inputs to `rows` outputs. Norms are one row. `layer` is 0 for the
    /// tensors outside the layers.
    pub fn shape(&self, role: TensorRole, layer: usize) -> Option<(usize, usize)> {
        if layer >= if role.is_per_layer() { self.layers } else { 1 } {
            return None;
        }
        Some(match role {
            TensorRole::TokenEmbedding => (self.vocabulary, self.dim),
            TensorRole::AttentionNorm | TensorRole::FeedForwardNorm | TensorRole::FinalNorm => {
                (1, self.dim)
            }
            TensorRole::Query | TensorRole::AttentionOutput => (self.dim, self.dim),
            TensorRole::Key | TensorRole::Value => (self.kv_dim(), self.dim),
            TensorRole::Gate | TensorRole::Up => (self.hidden(layer)?, self.dim),
            TensorRole::Down => (self.dim, self.hidden(layer)?),
            TensorRole::Classifier if self.tied => return None,
            TensorRole::Classifier => (self.vocabulary, self.dim),
        })
    }

    /// How many tensors this architecture has.
    pub fn tensor_count(&self) -> usize {
        1 + self.layers * TensorRole::PER_LAYER.len() + 1 + usize::from(!self.tied)
    }

    /// All tensors in the order of the table.
    pub fn tensors(&self) -> impl Iterator<Item = (TensorRole, usize)> + use<> {
        let classifier = (!self.tied).then_some((TensorRole::Classifier, 0));
        core::iter::once((TensorRole::TokenEmbedding, 0))
            .chain((0..self.layers).flat_map(|layer| TensorRole::PER_LAYER.map(|r| (r, layer))))
            .chain(core::iter::once((TensorRole::FinalNorm, 0)))
            .chain(classifier)
    }

    /// Place of a tensor in [`Self::tensors`].
    pub(crate) fn index(&self, role: TensorRole, layer: usize) -> Option<usize> {
        self.shape(role, layer)?;
        let first_after_layers = 1 + self.layers * TensorRole::PER_LAYER.len();
        match role {
            TensorRole::TokenEmbedding => Some(0),
            TensorRole::FinalNorm => Some(first_after_layers),
            TensorRole::Classifier => Some(first_after_layers + 1),
            _ => {
                let place = TensorRole::PER_LAYER.iter().position(|&r| r == role)?;
                Some(1 + layer * TensorRole::PER_LAYER.len() + place)
            }
        }
    }

    /// Checks all limits and divisibilities.
    pub(crate) fn check(&self) -> Result<(), Cause> {
        let within = |value: usize, most: usize, field| {
            if (1..=most).contains(&value) { Ok(()) } else { Err(Cause::OutOfRange(field)) }
        };
        // Comparisons are false for NaN, so NaN is out of range too.
        let between = |value: f32, (least, most): (f32, f32), field| {
            if value >= least && value <= most { Ok(()) } else { Err(Cause::OutOfRange(field)) }
        };
        within(self.dim, limits::DIM, Field::Dim)?;
        within(self.layers, limits::LAYERS, Field::Layers)?;
        within(self.hidden_widths.len(), self.layers * 4, Field::Layers)?;
        within(self.heads, self.dim, Field::Heads)?;
        within(self.kv_heads, self.heads, Field::KvHeads)?;
        within(self.vocabulary, limits::VOCABULARY, Field::Vocabulary)?;
        within(self.context, limits::CONTEXT, Field::Context)?;
        for layer in 0..self.layers {
            within(self.hidden(layer).unwrap_or(0), limits::HIDDEN, Field::Hidden)?;
        }
        between(self.rope_theta, limits::ROPE_THETA, Field::RopeTheta)?;
        between(self.norm_epsilon, limits::NORM_EPSILON, Field::NormEpsilon)?;
        if !self.dim.is_multiple_of(self.heads) || !self.heads.is_multiple_of(self.kv_heads) {
            return Err(Cause::HeadsDoNotDivide);
        }
        if !self.head_size().is_multiple_of(2) {
            return Err(Cause::OddHeadSize);
        }
        Ok(())
    }
}
