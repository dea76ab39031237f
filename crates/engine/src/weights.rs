//! The model's tensors, looked up and checked once, so that the work itself needs no lookups.

use crate::float::settle;
use crate::kernels::{Kernels, LaneOrder, LaneVectors, Outputs, Quantised};
use crate::{EngineError, memory};
use alloc::vec::Vec;
use core::ops::Range;
use model_format::lanes::{self, COLUMNS_PER_BLOCK, Int4Block, Int8Block, ROWS_PER_BLOCK};
use model_format::{Model, Tensor, TensorRole, WeightFormat, fp8};

/// Bytes that the table of layers takes per layer.
pub(crate) const LAYER_BYTES: u64 = size_of::<Layer<'static>>() as u64;

/// All tensors of a model.
pub(crate) struct Weights<'m> {
    pub(crate) embedding: Matrix<'m>,
    pub(crate) layers: Vec<Layer<'m>>,
    pub(crate) final_norm: &'m [f32],
    /// The embedding again when the model is tied.
    pub(crate) classifier: Matrix<'m>,
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

/// A matrix whose data and scales have the lengths that its shape needs.
#[derive(Clone, Copy)]
pub(crate) struct Matrix<'m> {
    pub(crate) rows: usize,
    pub(crate) cols: usize,
    values: Values<'m>,
}

#[derive(Clone, Copy)]
enum Values<'m> {
    F32(&'m [f32]),
    Fp8 { codes: &'m [u8], scales: &'m [f32] },
    Int8(&'m [Int8Block]),
    Int4(&'m [Int4Block]),
}

/// The input of a matrix, in the forms that kernels want.
pub(crate) struct Input {
    real: Vec<f32>,
    integers: Vec<i16>,
    /// In [`LaneOrder::Bytes`], padded to whole groups.
    bytes: Vec<i16>,
    /// In [`LaneOrder::Nibbles`], padded likewise.
    nibbles: Vec<i16>,
    scale: f32,
    length: usize,
}

impl Input {
    /// Room for inputs of up to `longest` elements.
    pub(crate) fn new(longest: usize) -> Result<Self, EngineError> {
        Ok(Self {
            real: memory::zeros(longest)?,
            integers: memory::zeros(longest)?,
            bytes: memory::zeros(padded(longest))?,
            nibbles: memory::zeros(padded(longest))?,
            scale: 0.0,
            length: 0,
        })
    }

    /// Lets `fill` write an input of `length` elements, then settles and quantises it.
    pub(crate) fn set(
        &mut self,
        kernels: &impl Kernels,
        length: usize,
        fill: impl FnOnce(&mut [f32]),
    ) {
        self.length = length;
        let real = &mut self.real[..length];
        fill(real);
        crate::float::settle_all(real);
        self.scale = kernels.quantise(real, &mut self.integers[..length]);
        kernels.quantise_lanes(real, LaneOrder::Bytes, &mut self.bytes[..padded(length)]);
        kernels.quantise_lanes(real, LaneOrder::Nibbles, &mut self.nibbles[..padded(length)]);
    }
}

/// A length in whole groups.
pub(crate) fn padded(length: usize) -> usize {
    lanes::groups(length) * COLUMNS_PER_BLOCK
}

/// Rows of a lane-shared matrix: `four(block, out)` computes four at a time.
fn by_fours(rows: Range<usize>, out: &mut [f32], four: impl Fn(usize, &mut [f32])) {
    let mut results = [0.0; ROWS_PER_BLOCK];
    let mut block = usize::MAX;
    for (row, out) in rows.zip(out) {
        if row / ROWS_PER_BLOCK != block {
            block = row / ROWS_PER_BLOCK;
            four(block, &mut results);
        }
        *out = results[row % ROWS_PER_BLOCK];
    }
}

impl<'m> Weights<'m> {
    /// Looks up every tensor of the model.
    pub(crate) fn new(model: &Model<'m>) -> Result<Self, EngineError> {
        let architecture = model.architecture();
        let matrix = |role, layer| Matrix::new(model, role, layer);
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
        Ok(Self {
            embedding,
            layers,
            final_norm: norm(TensorRole::FinalNorm, 0)?,
            classifier: if architecture.tied {
                embedding
            } else {
                matrix(TensorRole::Classifier, 0)?
            },
        })
    }
}

impl<'m> Matrix<'m> {
    fn new(model: &Model<'m>, role: TensorRole, layer: usize) -> Result<Self, EngineError> {
        let shape = model.architecture().shape(role, layer);
        let tensor = model.tensor(role, layer).ok_or(EngineError::UnusableTensor)?;
        if shape != Some((tensor.rows, tensor.cols)) {
            return Err(EngineError::UnusableTensor);
        }
        Self::from_tensor(&tensor).ok_or(EngineError::UnusableTensor)
    }

    fn from_tensor(tensor: &Tensor<'m>) -> Option<Self> {
        let Tensor { rows, cols, data, scales, .. } = *tensor;
        let values = match tensor.format {
            WeightFormat::F32 => Values::F32(tensor.as_f32()?),
            WeightFormat::Fp8E4M3 => Values::Fp8 { codes: data, scales },
            WeightFormat::Int8 => Values::Int8(tensor.int8_blocks()?),
            WeightFormat::Int4 => Values::Int4(tensor.int4_blocks()?),
        };
        let fits = data.len() == tensor.format.data_bytes(rows, cols)?
            && scales.len() == tensor.format.scale_count(rows);
        fits.then_some(Self { rows, cols, values })
    }

    /// `out = matrix rows × input`, settled. The input has as many elements as the matrix columns.
    pub(crate) fn multiply(
        &self,
        kernels: &impl Kernels,
        rows: Range<usize>,
        input: &Input,
        out: &mut [f32],
    ) {
        let x = Quantised { integers: &input.integers[..input.length], scale: input.scale };
        let elements = rows.start * self.cols..rows.end * self.cols;
        match self.values {
            Values::F32(weights) => {
                kernels.matvec_f32(&weights[elements], &input.real[..input.length], out);
            }
            Values::Fp8 { codes, scales } => {
                kernels.matvec_fp8(&codes[elements], &scales[rows], x, out);
            }
            Values::Int8(blocks) => {
                let x = lane_vector(&input.bytes[..padded(self.cols)], &input.scale);
                by_fours(rows, out, |block, values| {
                    let out = Outputs { values, stride: ROWS_PER_BLOCK, rows: ROWS_PER_BLOCK };
                    kernels.matmul_int8(self.row_block(blocks, block), x, out);
                });
            }
            Values::Int4(blocks) => {
                let x = lane_vector(&input.nibbles[..padded(self.cols)], &input.scale);
                by_fours(rows, out, |block, values| {
                    let out = Outputs { values, stride: ROWS_PER_BLOCK, rows: ROWS_PER_BLOCK };
                    kernels.matmul_int4(self.row_block(blocks, block), x, out);
                });
            }
        }
        crate::float::settle_all(out);
    }

    /// One row as f32, settled: the embedding of a token.
    pub(crate) fn copy_row(&self, row: usize, out: &mut [f32]) {
        let elements = row * self.cols..(row + 1) * self.cols;
        match self.values {
            Values::F32(weights) => {
                for (value, weight) in out.iter_mut().zip(&weights[elements]) {
                    *value = settle(*weight);
                }
            }
            Values::Fp8 { codes, scales } => {
                for (value, code) in out.iter_mut().zip(&codes[elements]) {
                    *value = settle(fp8::decode(*code) * scales[row]);
                }
            }
            Values::Int8(blocks) => {
                self.copy_groups(blocks, row, out, lanes::int8_row);
            }
            Values::Int4(blocks) => {
                self.copy_groups(blocks, row, out, lanes::int4_row);
            }
        }
    }

    /// The blocks of four rows.
    fn row_block<T>(&self, blocks: &'m [T], block: usize) -> &'m [T] {
        let groups = lanes::groups(self.cols);
        &blocks[block * groups..][..groups]
    }

    fn copy_groups<T>(
        &self,
        blocks: &'m [T],
        row: usize,
        out: &mut [f32],
        unpack: impl Fn(&T, usize, &mut [f32; COLUMNS_PER_BLOCK]),
    ) {
        let mut weights = [0.0; COLUMNS_PER_BLOCK];
        let blocks = self.row_block(blocks, row / ROWS_PER_BLOCK);
        for (out, block) in out.chunks_mut(COLUMNS_PER_BLOCK).zip(blocks) {
            unpack(block, row % ROWS_PER_BLOCK, &mut weights);
            for (value, weight) in out.iter_mut().zip(weights) {
                *value = settle(weight);
            }
        }
    }
}

fn lane_vector<'a>(integers: &'a [i16], scale: &'a f32) -> LaneVectors<'a> {
    LaneVectors {
        integers,
        stride: integers.len(),
        length: integers.len(),
        scales: core::slice::from_ref(scale),
    }
}
