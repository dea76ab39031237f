//! E4M3 weights in place: one vector straight from the codes, several from columns decoded once.
//!
//! Per 8 weights, `fp8_rows` loads 8 codes, looks 8 values up, moves them to the VFP in pairs
//! (4 instructions) and multiplies and adds all of them with one short vector instruction: 21, or
//! 2.63 per weight. For a batch, `fp8_decode` writes the values of 8 rows and [`COLUMNS`] columns
//! to the first-level cache (18 instructions per 8 weights), and `fp8_multiply` takes them from
//! there for two vectors at a time (7 instructions per 16 products).
//!
//! The order of additions is that of the contract: the sums of a row go on where the columns before
//! left them, be it in a register or in memory.

use core::arch::global_asm;

use engine::kernels::{FP8_VALUES, Kernels, Outputs, Portable, Vectors};

global_asm!(include_str!("fp8.S"), options(raw));

/// Rows that are worked on together: the length of a short vector.
const ROWS: usize = 8;

/// Columns that are decoded at once: 2 KiB of values and 256 bytes of every vector, so that both
/// stay in the first-level cache (16 KiB) for up to [`BATCH`] vectors.
const COLUMNS: usize = 64;

/// Most vectors that are multiplied in one pass over the codes.
const BATCH: usize = 32;

/// Fewest vectors for which that is faster than one after the other (modelled at 450 MB/s).
const FEWEST: usize = 4;

/// Rows of this many bytes begin in the same set of the first-level cache (16 KiB, four ways): eight
/// of them side by side would push each other out with every code. Row after row does better.
const ONE_SET: usize = 4096;

/// Columns in an unrolled stretch of code: a cache line of codes.
const STRETCH: usize = 32;

/// The values in as few cache lines as possible: the codes that stream by push them out.
#[repr(align(32))]
struct Table([f32; 256]);

static TABLE: Table = Table(FP8_VALUES);

/// Arguments of `fp8_rows`; fp8.S knows the offsets.
#[repr(C)]
struct Rows {
    /// First code of the first row.
    codes: *const u8,
    /// From a row to the next, in bytes: the columns.
    stride: usize,
    table: *const f32,
    /// The vector.
    x: *const f32,
    /// The columns are `32 * stretches + rest`.
    stretches: usize,
    rest: usize,
    scales: *const f32,
    results: *mut f32,
    /// Rows by eight, at least 1.
    rows: usize,
}

/// Arguments of `fp8_decode`.
#[repr(C)]
struct Decode {
    /// The code in the first row and first column.
    codes: *const u8,
    /// From a row to the next, in bytes.
    stride: usize,
    table: *const f32,
    /// Eight values for every column.
    values: *mut f32,
    /// The columns are `32 * stretches + ones`.
    stretches: usize,
    ones: usize,
}

/// Arguments of `fp8_multiply`.
#[repr(C)]
struct Multiply {
    /// Eight values for every column, and 16 bytes of anything.
    values: *const f32,
    /// Pair after pair of vectors; in it column after column, two values. And 16 bytes of anything.
    x: *const f32,
    /// Eight sums of the first vector of a pair.
    sums_a: *mut f32,
    /// Eight sums of the second.
    sums_b: *mut f32,
    /// At least 1.
    pairs: usize,
    /// From the sums of a pair to those of the next, in bytes.
    step: usize,
    /// Columns by four, at least 1.
    groups: usize,
}

unsafe extern "C" {
    fn fp8_rows(arguments: &Rows);
    fn fp8_decode(arguments: &Decode);
    fn fp8_multiply(arguments: &Multiply);
}

/// [`Kernels::matmul_fp8`].
pub(crate) fn matmul(codes: &[u8], row_scales: &[f32], x: Vectors<'_>, out: Outputs<'_>) {
    let (rows, columns) = (out.rows, x.length);
    let fit = |values: usize, stride: usize, length: usize| match x.count.checked_sub(1) {
        None => true,
        Some(0) => length <= values,
        Some(more) => {
            length <= stride && more.saturating_mul(stride).saturating_add(length) <= values
        }
    };
    let all_fit = rows.saturating_mul(columns) <= codes.len()
        && rows <= row_scales.len()
        && fit(x.values.len(), x.stride, columns)
        && fit(out.values.len(), out.stride, rows);
    // What does not fit, the portable code refuses in its way.
    if !all_fit || rows < ROWS || columns == 0 || columns.is_multiple_of(ONE_SET) {
        return Portable.matmul_fp8(codes, row_scales, x, out);
    }
    let matrix = Matrix { codes, scales: row_scales, columns };
    for first in (0..x.count).step_by(BATCH) {
        let count = (x.count - first).min(BATCH);
        if count < FEWEST {
            for v in first..first + count {
                let out = &mut out.values[v * out.stride..];
                matrix.times_vector(&x.values[v * x.stride..], out, rows);
            }
        } else {
            let x = Vectors { values: &x.values[first * x.stride..], count, ..x };
            let out = Outputs { values: &mut out.values[first * out.stride..], ..out };
            matrix.times_batch(x, out);
        }
    }
}

/// Codes and what belongs to them. At least [`ROWS`] rows and one column.
#[derive(Clone, Copy)]
struct Matrix<'a> {
    codes: &'a [u8],
    scales: &'a [f32],
    columns: usize,
}

impl Matrix<'_> {
    /// `out[..rows]` becomes the product with `x[..columns]`.
    fn times_vector(self, x: &[f32], out: &mut [f32], rows: usize) {
        self.rows_times_vector(0, x, &mut out[..rows / ROWS * ROWS]);
        if !rows.is_multiple_of(ROWS) {
            // The last eight rows; those of them that were done get the same bits again.
            self.rows_times_vector(rows - ROWS, x, &mut out[rows - ROWS..rows]);
        }
    }

    /// As many rows as there are results, a multiple of 8 and not 0, from row `first` on.
    fn rows_times_vector(self, first: usize, x: &[f32], out: &mut [f32]) {
        let columns = self.columns;
        let arguments = Rows {
            codes: self.codes[first * columns..][..out.len() * columns].as_ptr(),
            stride: columns,
            table: TABLE.0.as_ptr(),
            x: x[..columns].as_ptr(),
            stretches: columns / STRETCH,
            rest: columns % STRETCH,
            scales: self.scales[first..][..out.len()].as_ptr(),
            results: out.as_mut_ptr(),
            rows: out.len() / ROWS,
        };
        // SAFETY: the slices above are what it reads and writes: `columns` codes, a scale and a
        // result for every row, and `columns` inputs. Fetching into the cache never faults.
        unsafe { fp8_rows(&arguments) };
    }

    /// Up to [`BATCH`] vectors.
    fn times_batch(self, x: Vectors<'_>, out: Outputs<'_>) {
        let rows = out.rows;
        self.whole_rows(0, rows / ROWS * ROWS, x, &mut *out.values, out.stride);
        if !rows.is_multiple_of(ROWS) {
            // The last eight rows; those of them that were done are computed again.
            self.whole_rows(rows - ROWS, ROWS, x, out.values, out.stride);
        }
    }

    /// `rows`, a multiple of 8, from row `first` on.
    fn whole_rows(self, first: usize, rows: usize, x: Vectors<'_>, out: &mut [f32], stride: usize) {
        let results = |v: usize| v * stride + first..v * stride + first + rows;
        for v in 0..x.count {
            out[results(v)].fill(0.0);
        }
        let mut inputs = Inputs::new();
        let mut values = Values([0.0; _]);
        // Column by column outside, so that the inputs of all vectors stay in the cache.
        for column in (0..x.length).step_by(COLUMNS) {
            let columns = (x.length - column).min(COLUMNS);
            inputs.gather(x, column, columns);
            for row in (first..first + rows).step_by(ROWS) {
                values.decode(self, row, column, columns);
                values.multiply(&inputs, columns, x.count, &mut out[row..], stride);
            }
        }
        for v in 0..x.count {
            for (result, scale) in out[results(v)].iter_mut().zip(&self.scales[first..]) {
                *result *= scale;
            }
        }
    }
}

/// What `fp8_multiply` may read beyond its input, in f32.
const OVERSHOOT: usize = 4;

/// A stripe of all vectors as `fp8_multiply` wants it. Packed, because vectors that lie a multiple
/// of 4 KiB apart would push each other out of the cache.
#[repr(align(32))]
struct Inputs([f32; BATCH * COLUMNS + OVERSHOOT]);

impl Inputs {
    fn new() -> Self {
        Self([0.0; _])
    }

    /// Takes columns from all vectors. Padded with zeros to a multiple of 4 columns: a sum is never
    /// −0, so adding ±0 does not change it.
    fn gather(&mut self, x: Vectors<'_>, column: usize, columns: usize) {
        let pair = 2 * columns.next_multiple_of(4);
        for v in 0..x.count {
            let source = &x.values[v * x.stride + column..][..columns];
            let target = &mut self.0[v / 2 * pair..][..pair];
            for (target, source) in target.iter_mut().skip(v % 2).step_by(2).zip(source) {
                *target = *source;
            }
            for target in target.iter_mut().skip(2 * columns) {
                *target = 0.0;
            }
        }
    }
}

/// The decoded weights of eight rows and up to [`COLUMNS`] columns.
#[repr(align(32))]
struct Values([f32; ROWS * COLUMNS + OVERSHOOT]);

impl Values {
    fn decode(&mut self, matrix: Matrix<'_>, row: usize, column: usize, columns: usize) {
        let width = matrix.columns;
        let codes = &matrix.codes[row * width..][..ROWS * width][column..];
        let arguments = Decode {
            codes: codes[..(ROWS - 1) * width + columns].as_ptr(),
            stride: width,
            table: TABLE.0.as_ptr(),
            values: self.0[..ROWS * columns].as_mut_ptr(),
            stretches: columns / STRETCH,
            ones: columns % STRETCH,
        };
        // SAFETY: it reads `columns` codes of 8 rows, and writes 8 values for each column: the
        // slices above.
        unsafe { fp8_decode(&arguments) };
    }

    /// Adds the products to eight sums of every vector, `stride` apart.
    fn multiply(
        &self,
        inputs: &Inputs,
        columns: usize,
        count: usize,
        sums: &mut [f32],
        stride: usize,
    ) {
        let groups = columns.div_ceil(4);
        let pairs = count / 2;
        let values = self.0.as_ptr();
        if pairs > 0 {
            let sums = sums[..(2 * pairs - 1) * stride + ROWS].as_mut_ptr();
            let arguments = Multiply {
                values,
                x: inputs.0[..pairs * groups * 8 + OVERSHOOT].as_ptr(),
                sums_a: sums,
                sums_b: sums.wrapping_add(stride),
                pairs,
                step: 2 * stride * size_of::<f32>(),
                groups,
            };
            // SAFETY: it reads 32 bytes for each of `4 * groups` columns and 16 more from the
            // values, 2 inputs for each column and pair and 16 bytes more; it adds to 8 sums of
            // `2 * pairs` vectors, the last of which end the slice above.
            unsafe { fp8_multiply(&arguments) };
        }
        if !count.is_multiple_of(2) {
            // A vector without a partner: what stands in the partner's place is multiplied too.
            let mut nobody = [0.0f32; ROWS];
            let arguments = Multiply {
                values,
                x: inputs.0[pairs * groups * 8..][..groups * 8 + OVERSHOOT].as_ptr(),
                sums_a: sums[2 * pairs * stride..][..ROWS].as_mut_ptr(),
                sums_b: nobody.as_mut_ptr(),
                pairs: 1,
                step: 0,
                groups,
            };
            // SAFETY: as above, for one pair.
            unsafe { fp8_multiply(&arguments) };
        }
    }
}
