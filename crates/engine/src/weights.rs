//! The model's tensors, looked up and checked once, so that the work itself needs no lookups.

use crate::input::Forms;
use crate::matrix::Matrix;
use crate::{EngineError, memory};
use alloc::vec::Vec;
use model_format::lanes::Int8Block;
use model_format::{Model, TensorRole};

/// Bytes that the table of layers takes per layer.
pub(crate) const LAYER_BYTES: u64 = size_of::<Layer<'static>>() as u64;

/// All tensors of a model.
pub(crate) struct Weights<'m> {
    pub(crate) embedding: Matrix<'m>,
    pub(crate) layers: Vec<Layer<'m>>,
    pub(crate) final_norm: &'m [f32],
    /// The embedding again when the model is tied.
    pub(crate) classifier: Matrix<'m>,
    /// E4M3 matrices as lane-shared bytes, one after the other; empty when used in place.
    pub(crate) packed: Vec<Int8Block>,
}

/// The tensors of one layer.
pub(crate) struct Layer<'m> {
    pub(crate) attention_norm: &'m [f32],
    pub(crate) query: Matrix<'m>,
    pub(crate) key: Matrix<'m>,
    pub(crate) value: Matrix<'m>,
    pub(crate) output: Matrix<'m>,
    pub(crate) feed_forward_norm: &'m [f32],
    pub(crate) gate: Matrix<'m>,
    pub(crate) up: Matrix<'m>,
    pub(crate) down: Matrix<'m>,
}

impl<'m> Weights<'m> {
    /// Looks up every tensor of the model, and packs E4M3 into `blocks` lane-shared blocks, if any.
    /// `tell` is told how many of them are packed.
    pub(crate) fn new(
        model: &Model<'m>,
        blocks: usize,
        tell: &mut dyn FnMut(usize),
    ) -> Result<Self, EngineError> {
        let architecture = model.architecture();
        let mut packed = memory::empty(blocks)?;
        let mut matrix = |role, layer| {
            let shape = architecture.shape(role, layer);
            let tensor = model.tensor(role, layer).ok_or(EngineError::UnusableTensor)?;
            if shape != Some((tensor.rows, tensor.cols)) {
                return Err(EngineError::UnusableTensor);
            }
            let mut matrix = Matrix::from_tensor(&tensor)?;
            if blocks > 0 {
                matrix.pack(&mut packed, tell);
            }
            Ok(matrix)
        };
        let norm = |role, layer| {
            let tensor = model.tensor(role, layer).ok_or(EngineError::UnusableTensor)?;
            let gains = tensor.as_f32().ok_or(EngineError::UnusableTensor)?;
            if gains.len() == architecture.dim {
                Ok(gains)
            } else {
                Err(EngineError::UnusableTensor)
            }
        };
        let embedding = matrix(TensorRole::TokenEmbedding, 0)?;
        let mut layers = memory::empty(architecture.layers)?;
        for layer in 0..architecture.layers {
            layers.push(Layer {
                attention_norm: norm(TensorRole::AttentionNorm, layer)?,
                query: matrix(TensorRole::Query, layer)?,
                key: matrix(TensorRole::Key, layer)?,
                value: matrix(TensorRole::Value, layer)?,
                output: matrix(TensorRole::AttentionOutput, layer)?,
                feed_forward_norm: norm(TensorRole::FeedForwardNorm, layer)?,
                gate: matrix(TensorRole::Gate, layer)?,
                up: matrix(TensorRole::Up, layer)?,
                down: matrix(TensorRole::Down, layer)?,
            });
        }
        let final_norm = norm(TensorRole::FinalNorm, 0)?;
        let classifier =
            if architecture.tied { embedding } else { matrix(TensorRole::Classifier, 0)? };
        Ok(Self { embedding, layers, final_norm, classifier, packed })
    }
}

impl Layer<'_> {
    /// The forms of the input that key, value and query share.
    pub(crate) fn attention_forms(&self) -> Forms {
        self.key.forms().or(self.value.forms()).or(self.query.forms())
    }

    /// The forms of the input that gate and up share.
    pub(crate) fn feed_forward_forms(&self) -> Forms {
        self.gate.forms().or(self.up.forms())
    }
}
