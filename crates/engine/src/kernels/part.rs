//! The parts of a token's work, for whoever measures them.

/// What the engine turns to, see [`Kernels::turn_to`](super::Kernels::turn_to).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// Everything else: embedding, residual stream, bookkeeping.
    Other,
    /// RMSNorm.
    Norm,
    /// Rounding the input of matrices to whole numbers.
    Quantise,
    /// The matrices query, key, value and output.
    Projection,
    /// RoPE.
    Rotation,
    /// Storing keys and values, scores, softmax, the mix of the values.
    Attention,
    /// The matrices gate, up and down.
    FeedForward,
    /// SwiGLU.
    Activation,
    /// The matrix from the residual stream to the logits.
    Classifier,
}
