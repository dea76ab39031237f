//! E4M3 in plain Rust: some rows and columns are decoded at a time, then all vectors pass over them.
//!
//! A row's sum is a chain of additions in a fixed order, each waiting for the one before. Rows are
//! independent: taken together they keep a processor busy, and the compiler makes vectors of them.

use model_format::fp8;

use super::{Outputs, Vectors};

/// What every E4M3 code counts as: its value, and 0 for NaN.
pub static FP8_VALUES: [f32; 256] = {
    let mut table = [0.0; 256];
    let mut code = 0;
    while code < 256 {
        let value = fp8::DECODE[code];
        if !value.is_nan() {
            table[code] = value;
        }
        code += 1;
    }
    table
};

/// Rows and columns that are decoded at a time: 4 KiB of values, a part of any first-level cache.
const ROWS: usize = 16;
const COLUMNS: usize = 64;

/// [`Kernels::matmul_fp8`](super::Kernels::matmul_fp8).
pub(super) fn matmul(codes: &[u8], row_scales: &[f32], x: Vectors<'_>, out: Outputs<'_>) {
    let columns = x.length.max(1);
    let mut weights = [[0.0f32; ROWS]; COLUMNS];
    let blocks = codes.chunks(ROWS * columns).zip(row_scales[..out.rows].chunks(ROWS));
    for (block, (codes, scales)) in blocks.enumerate() {
        let results = |v: usize| v * out.stride + block * ROWS..;
        let rows = scales.len();
        for v in 0..x.count {
            out.values[results(v)][..rows].fill(0.0);
        }
        for first in (0..x.length).step_by(COLUMNS) {
            let width = COLUMNS.min(x.length - first);
            for (row, codes) in codes.chunks_exact(columns).enumerate() {
                for (weights, &code) in weights.iter_mut().zip(&codes[first..][..width]) {
                    weights[row] = FP8_VALUES[usize::from(code)];
                }
            }
            for v in 0..x.count {
                let inputs = &x.values[v * x.stride + first..][..width];
                let results = &mut out.values[results(v)][..rows];
                // Of rows that do not exist there is something, too: no part of any result.
                let mut sums = [0.0f32; ROWS];
                sums[..rows].copy_from_slice(results);
                let sums = add_products(sums, &weights, inputs);
                results.copy_from_slice(&sums[..rows]);
            }
        }
        for v in 0..x.count {
            for (result, scale) in out.values[results(v)].iter_mut().zip(scales) {
                *result *= scale;
            }
        }
    }
}

/// Adds the products of the first columns with as many inputs.
fn add_products(
    mut sums: [f32; ROWS],
    weights: &[[f32; ROWS]; COLUMNS],
    inputs: &[f32],
) -> [f32; ROWS] {
    for (weights, input) in weights.iter().zip(inputs) {
        for row in 0..ROWS {
            sums[row] += weights[row] * input;
        }
    }
    sums
}
