//! A matrix of the model, in whichever format, times the inputs of several tokens.

use crate::EngineError;
use crate::float::settle;
use crate::input::{Forms, Input};
use crate::kernels::{Kernels, LaneOrder, Outputs};
use core::ops::Range;
use model_format::lanes::{
    self, COLUMNS_PER_BLOCK, Int4Block, Int8Block, ROWS_PER_BLOCK, groups, row_blocks,
};
use model_format::{Tensor, WeightFormat, fp8};

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
    Fp8 {
        codes: &'m [u8],
        scales: &'m [f32],
    },
    /// E4M3 in the file, but multiplied as the blocks that were packed from it.
    Packed {
        codes: &'m [u8],
        scales: &'m [f32],
        first_block: usize,
    },
    Int8(&'m [Int8Block]),
    Int4(&'m [Int4Block]),
}

/// What a multiply-add of four bytes costs, in those of [`Matrix::cost`]. The portable code is the only
/// one for f32 and fetches nothing ahead: stories260K takes 26.7 cycles for each of its weights
/// (6.91 million for 259,328, with all that is done besides; modelled, at any bandwidth), so 3 for one of
/// nine. The f32 cache is multiplied in the same way.
pub(crate) const COST_OF_FLOAT: usize = 9;

/// Rows that kernels for plain rows like to get at a time.
const PLAIN_STRIPE: usize = 8;

impl<'m> Matrix<'m> {
    /// Checks the lengths.
    pub(crate) fn from_tensor(tensor: &Tensor<'m>) -> Result<Self, EngineError> {
        let Tensor { rows, cols, data, scales, .. } = *tensor;
        let values = match tensor.format {
            WeightFormat::F32 => tensor.as_f32().map(Values::F32),
            WeightFormat::Fp8E4M3 => Some(Values::Fp8 { codes: data, scales }),
            WeightFormat::Int8 => tensor.int8_blocks().map(Values::Int8),
            WeightFormat::Int4 => tensor.int4_blocks().map(Values::Int4),
        };
        let fits = tensor.format.data_bytes(rows, cols) == Some(data.len())
            && scales.len() == tensor.format.scale_count(rows);
        match values {
            Some(values) if fits => Ok(Self { rows, cols, values }),
            _ => Err(EngineError::UnusableTensor),
        }
    }

    /// What so many rows cost for so many tokens, in multiply-adds of lane-shared bytes for one token:
    /// with 330 MB/s those take 3.4 cycles each on the ARM1176, the time to fetch a weight (modelled).
    ///
    /// Several tokens share the fetching, and what is left is the multiplying: about a third for each,
    /// and for E4M3 two thirds. A token without a partner in its pair has the weights fetched once more.
    /// Weights of four bytes are fetched for each token anew; see [`COST_OF_FLOAT`].
    pub(crate) fn cost(&self, rows: usize, tokens: usize) -> usize {
        let thirds = match self.values {
            Values::F32(_) => 3 * COST_OF_FLOAT * tokens,
            Values::Fp8 { .. } => 2 * tokens + 1,
            Values::Packed { .. } | Values::Int8(_) | Values::Int4(_) => match tokens {
                0..=2 => 3,
                _ => tokens + 3 * (tokens % 2),
            },
        };
        (rows * self.cols * thirds).div_ceil(3)
    }

    /// Packs E4M3 into lane-shared bytes after those in `packed`, which has room for them, and tells
    /// after every few rows how many there are. Leaves other formats alone.
    pub(crate) fn pack(
        &mut self,
        packed: &mut alloc::vec::Vec<Int8Block>,
        tell: &mut dyn FnMut(usize),
    ) {
        let Values::Fp8 { codes, scales } = self.values else { return };
        let first_block = packed.len();
        for row_block in 0..row_blocks(self.rows) {
            for group in 0..groups(self.cols) {
                let mut weights = [[0.0; COLUMNS_PER_BLOCK]; ROWS_PER_BLOCK];
                let rows = row_block * ROWS_PER_BLOCK..self.rows;
                let start = group * COLUMNS_PER_BLOCK;
                let end = self.cols.min(start + COLUMNS_PER_BLOCK);
                for (weights, row) in weights.iter_mut().zip(rows) {
                    let codes = &codes[row * self.cols..][start..end];
                    for (weight, &code) in weights.iter_mut().zip(codes) {
                        *weight = fp8_weight(code, scales[row]);
                    }
                }
                let mut block = lanes::INT8_ZEROS;
                lanes::pack_int8(weights.each_ref().map(|row| &row[..]), &mut block);
                packed.push(block);
            }
            tell(packed.len());
        }
        self.values = Values::Packed { codes, scales, first_block };
    }

    /// How the matrix wants its input.
    pub(crate) fn forms(&self) -> Forms {
        match self.values {
            Values::F32(_) | Values::Fp8 { .. } => Forms::default(),
            Values::Packed { .. } | Values::Int8(_) => Forms { bytes: true, nibbles: false },
            Values::Int4(_) => Forms { bytes: false, nibbles: true },
        }
    }

    /// Rows that are computed together: the smallest piece of the work, a *stripe*.
    pub(crate) fn stripe(&self) -> usize {
        match self.values {
            Values::F32(_) | Values::Fp8 { .. } => PLAIN_STRIPE,
            Values::Packed { .. } | Values::Int8(_) | Values::Int4(_) => ROWS_PER_BLOCK,
        }
    }

    /// How many stripes the matrix has; the last may be short.
    pub(crate) fn stripes(&self) -> usize {
        self.rows.div_ceil(self.stripe())
    }

    /// Some stripes times the inputs of some tokens. Row `r` of the `v`th of them goes to
    /// `out[v * stride + r]`; the stride is a multiple of 4 that holds all rows. Not settled.
    pub(crate) fn multiply(
        &self,
        kernels: &impl Kernels,
        packed: &[Int8Block],
        stripes: Range<usize>,
        input: &Input,
        tokens: Range<usize>,
        (out, stride): (&mut [f32], usize),
    ) {
        let cols = self.cols;
        let start = stripes.start * self.stripe();
        let end = (stripes.end * self.stripe()).min(self.rows);
        let out = &mut out[start..];
        let blocks = stripes.start * groups(cols)..stripes.end * groups(cols);
        let lane_outputs =
            |values| Outputs { values, stride, rows: stripes.len() * ROWS_PER_BLOCK };
        match self.values {
            Values::F32(weights) => {
                let x = input.real(tokens, cols);
                for v in 0..x.count {
                    let out = &mut out[v * stride..][..end - start];
                    let x = &x.values[v * x.stride..][..cols];
                    kernels.matvec_f32(&weights[start * cols..end * cols], x, out);
                }
            }
            Values::Fp8 { codes, scales } => kernels.matmul_fp8(
                &codes[start * cols..end * cols],
                &scales[start..end],
                input.real(tokens, cols),
                Outputs { values: out, stride, rows: end - start },
            ),
            Values::Packed { first_block, .. } => kernels.matmul_int8(
                &packed[first_block..][blocks],
                input.lanes(LaneOrder::Bytes, tokens, cols),
                lane_outputs(out),
            ),
            Values::Int8(all) => kernels.matmul_int8(
                &all[blocks],
                input.lanes(LaneOrder::Bytes, tokens, cols),
                lane_outputs(out),
            ),
            Values::Int4(all) => kernels.matmul_int4(
                &all[blocks],
                input.lanes(LaneOrder::Nibbles, tokens, cols),
                lane_outputs(out),
            ),
        }
    }

    /// One row as f32, settled: the embedding of a token. E4M3 is read from the file in any case.
    pub(crate) fn copy_row(&self, row: usize, out: &mut [f32]) {
        let elements = row * self.cols..(row + 1) * self.cols;
        match self.values {
            Values::F32(weights) => {
                for (value, weight) in out.iter_mut().zip(&weights[elements]) {
                    *value = settle(*weight);
                }
            }
            Values::Fp8 { codes, scales } | Values::Packed { codes, scales, .. } => {
                for (value, code) in out.iter_mut().zip(&codes[elements]) {
                    *value = settle(fp8_weight(*code, scales[row]));
                }
            }
            Values::Int8(blocks) => {
                copy_groups(self.row_of_blocks(blocks, row), out, |block, w| {
                    lanes::int8_row(block, row % ROWS_PER_BLOCK, w);
                })
            }
            Values::Int4(blocks) => {
                copy_groups(self.row_of_blocks(blocks, row), out, |block, w| {
                    lanes::int4_row(block, row % ROWS_PER_BLOCK, w);
                })
            }
        }
    }

    /// The blocks that a row is in.
    fn row_of_blocks<B>(&self, blocks: &'m [B], row: usize) -> &'m [B] {
        let groups = groups(self.cols);
        &blocks[row / ROWS_PER_BLOCK * groups..][..groups]
    }
}

/// A weight of an E4M3 matrix. NaN codes count as 0, as they do for the kernels.
fn fp8_weight(code: u8, scale: f32) -> f32 {
    let value = fp8::decode(code);
    if value.is_nan() { 0.0 } else { value * scale }
}

fn copy_groups<B>(
    blocks: &[B],
    out: &mut [f32],
    unpack: impl Fn(&B, &mut [f32; COLUMNS_PER_BLOCK]),
) {
    let mut weights = [0.0; COLUMNS_PER_BLOCK];
    for (out, block) in out.chunks_mut(COLUMNS_PER_BLOCK).zip(blocks) {
        unpack(block, &mut weights);
        for (value, weight) in out.iter_mut().zip(weights) {
            *value = settle(weight);
        }
    }
}
