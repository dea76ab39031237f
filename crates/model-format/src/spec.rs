//! An architecture that owns its numbers: what the writer is told.

use crate::Architecture;
use crate::header::ArchitectureRecord;

/// An architecture to be written; see [`Architecture`] for the fields.
#[derive(Clone, Debug, PartialEq)]
pub struct ArchitectureSpec {
    /// Width of the residual stream.
    pub dim: u32,
    /// Number of attention heads.
    pub heads: u32,
    /// Number of key-value heads.
    pub kv_heads: u32,
    /// Number of tokens.
    pub vocabulary: u32,
    /// Longest sequence.
    pub context: u32,
    /// Base of the rotary frequencies.
    pub rope_theta: f32,
    /// Added to the mean square in RMSNorm.
    pub norm_epsilon: f32,
    /// Whether the classifier is the token embedding.
    pub tied: bool,
    /// Feed-forward width of each layer: as many as there are layers.
    pub hidden: Vec<u32>,
}

impl From<&Architecture<'_>> for ArchitectureSpec {
    fn from(architecture: &Architecture<'_>) -> Self {
        // The checks of the reader keep every value far below 2³².
        Self {
            dim: architecture.dim as u32,
            heads: architecture.heads as u32,
            kv_heads: architecture.kv_heads as u32,
            vocabulary: architecture.vocabulary as u32,
            context: architecture.context as u32,
            rope_theta: architecture.rope_theta,
            norm_epsilon: architecture.norm_epsilon,
            tied: architecture.tied,
            hidden: (0..architecture.layers)
                .filter_map(|layer| architecture.hidden(layer))
                .map(|width| width as u32)
                .collect(),
        }
    }
}

impl ArchitectureSpec {
    /// The shape that benchmarks run on: 14,948,736 parameters.
    pub fn shape_15m() -> Self {
        Self {
            dim: 384,
            heads: 8,
            kv_heads: 8,
            vocabulary: 2048,
            context: 512,
            rope_theta: 10_000.0,
            norm_epsilon: 1e-5,
            tied: true,
            hidden: vec![1024; 8],
        }
    }

    /// The largest shape the board is meant for, that of SmolLM-135M: 134,515,008 parameters.
    pub fn shape_135m() -> Self {
        Self {
            dim: 576,
            heads: 9,
            kv_heads: 3,
            vocabulary: 49_152,
            context: 2048,
            rope_theta: 10_000.0,
            norm_epsilon: 1e-5,
            tied: true,
            hidden: vec![1536; 30],
        }
    }

    /// The same as a reader sees it, without a file; not checked. Borrows what
    /// [`Self::hidden_widths`] returned.
    pub fn architecture<'h>(&self, hidden_widths: &'h [u8]) -> Architecture<'h> {
        self.record(hidden_widths).view()
    }

    /// `hidden` as it stands in the file.
    pub fn hidden_widths(&self) -> Vec<u8> {
        self.hidden.iter().flat_map(|width| width.to_le_bytes()).collect()
    }

    /// The record in the header; borrows what [`Self::hidden_widths`] returned.
    pub(crate) fn record<'h>(&self, hidden_widths: &'h [u8]) -> ArchitectureRecord<'h> {
        ArchitectureRecord {
            dim: self.dim,
            heads: self.heads,
            kv_heads: self.kv_heads,
            vocabulary: self.vocabulary,
            context: self.context,
            rope_theta: self.rope_theta,
            norm_epsilon: self.norm_epsilon,
            tied: self.tied,
            hidden_widths,
        }
    }
}
