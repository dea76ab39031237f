//! Shapes and data, and the comparison with the portable code.
//!
//! Codes, scales, inputs and results end where mapped memory ends: a kernel that reads or writes a
//! byte too far is a data abort.

use core::ops::Range;

use arm1176::Arm1176;
use bcm2835::memory;
use engine::kernels::{Kernels, Outputs, Portable, Vectors};

const MEBIBYTE: usize = 1 << 20;

/// A mapped MiB; the MiB behind it is not mapped.
pub(crate) fn region(index: usize) -> Range<usize> {
    let start = memory::firmware_heap().start + 2 * index * MEBIBYTE;
    start..start + MEBIBYTE
}

/// What is left as it was, where no result goes.
const UNTOUCHED: u32 = 0x7fa1_b2c3;

/// Memory for one case.
pub(crate) struct Arena {
    codes: &'static mut [u8],
    scales: &'static mut [f32],
    inputs: &'static mut [f32],
    results: &'static mut [f32],
    expected: [f32; MOST_RESULTS],
}

/// 384 rows, 33 vectors.
const MOST_RESULTS: usize = 1 << 14;

impl Arena {
    /// # Safety
    /// The four regions must be mapped, and this called once.
    pub(crate) unsafe fn new() -> Self {
        let memory = |index| region(index).start as *mut f32;
        let words = MEBIBYTE / size_of::<f32>();
        // SAFETY: mapped and aligned regions that do not overlap and that nothing else refers to,
        // as the caller promises; any bytes are numbers.
        unsafe {
            Self {
                codes: core::slice::from_raw_parts_mut(memory(0).cast(), MEBIBYTE),
                scales: core::slice::from_raw_parts_mut(memory(1), words),
                inputs: core::slice::from_raw_parts_mut(memory(2), words),
                results: core::slice::from_raw_parts_mut(memory(3), words),
                expected: [0.0; _],
            }
        }
    }
}

/// The size of a product.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Shape {
    pub(crate) rows: usize,
    pub(crate) columns: usize,
    pub(crate) vectors: usize,
}

/// What differed.
#[derive(Clone, Copy, Debug)]
#[allow(dead_code, reason = "read by Debug")]
pub(crate) struct Difference {
    pub(crate) shape: Shape,
    pub(crate) data: Data,
    /// Where, in the memory of the results.
    pub(crate) at: usize,
    /// Bits.
    pub(crate) seen: u32,
    pub(crate) expected: u32,
}

/// Kinds of data.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Data {
    /// Any code, inputs and scales of ordinary size.
    Ordinary,
    /// Zeros and the smallest inputs that the engine keeps, next to ordinary ones; tiny scales.
    Tiny,
    /// Equal weights meet inputs of opposite sign: sums cancel to zero, again and again.
    Cancelling,
    /// Sums that grow to infinity, and differences of infinities.
    Huge,
    /// An infinity and a NaN among the inputs.
    Broken,
    /// Every code in turn, powers of two.
    Exact,
}

const KINDS: [Data; 6] =
    [Data::Ordinary, Data::Tiny, Data::Cancelling, Data::Huge, Data::Broken, Data::Exact];

/// Marsaglia's xorshift.
struct Noise(u32);

impl Noise {
    fn word(&mut self) -> u32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 17;
        self.0 ^= self.0 << 5;
        self.0
    }

    /// −4 to 4.
    fn number(&mut self) -> f32 {
        (self.word() as i32) as f32 * (1.0 / (1 << 29) as f32)
    }
}

/// 2 to the power of `exponent`.
fn power(exponent: i32) -> f32 {
    f32::from_bits(((127 + exponent) as u32) << 23)
}

fn input(data: Data, noise: &mut Noise, column: usize) -> f32 {
    let number = engine::float::settle(noise.number());
    let choice = noise.word() >> 28;
    match data {
        Data::Ordinary => number,
        Data::Tiny => match choice {
            0..4 => 0.0,
            4..8 => engine::float::SMALLEST,
            8..12 => -engine::float::SMALLEST,
            _ => number,
        },
        Data::Cancelling => {
            // The same number for both columns of a pair.
            let size = Noise(column as u32 / 2 + 1).number();
            if column.is_multiple_of(2) { size } else { -size }
        }
        Data::Huge => number * power(124),
        Data::Broken => match choice {
            0 if column.is_multiple_of(7) => f32::NEG_INFINITY,
            1 if column.is_multiple_of(11) => f32::NAN,
            _ => number,
        },
        Data::Exact => power(column as i32 % 24 - 12),
    }
}

fn code(data: Data, noise: &mut Noise, row: usize, column: usize) -> u8 {
    match data {
        Data::Cancelling => ((row * 37 + column / 2 * 11) & 0xff) as u8,
        Data::Exact => (row * 31 + column) as u8,
        _ => (noise.word() >> 24) as u8,
    }
}

fn scale(data: Data, noise: &mut Noise) -> f32 {
    let number = noise.number();
    match (data, noise.word() >> 29) {
        (_, 0) => 0.0,
        (Data::Tiny, _) => number * power(-60),
        (Data::Exact, _) => 1.0,
        (Data::Huge, 1) => power(120),
        _ => number * power(-9),
    }
}

/// The parts of the arena that a case uses.
struct Case<'a> {
    codes: &'a [u8],
    scales: &'a [f32],
    inputs: Vectors<'a>,
    results: &'a mut [f32],
    expected: &'a mut [f32],
    result_stride: usize,
}

impl Case<'_> {
    fn outputs(&mut self, rows: usize) -> Outputs<'_> {
        Outputs { values: self.results, stride: self.result_stride, rows }
    }
}

fn end<T>(memory: &mut [T], length: usize) -> &mut [T] {
    let start = memory.len() - length;
    &mut memory[start..]
}

/// Fills the arena with a case and computes what is expected.
fn prepare(arena: &mut Arena, shape: Shape, data: Data, seed: u32) -> Case<'_> {
    let Shape { rows, columns, vectors } = shape;
    let mut noise = Noise(seed.wrapping_mul(0x9e37_79b9) | 1);
    // Gaps between vectors, as in the engine's buffers.
    let input_stride = columns + seed as usize % 3;
    let result_stride = rows + seed as usize % 5;
    let codes = end(arena.codes, rows * columns);
    for (index, target) in codes.iter_mut().enumerate() {
        *target = code(data, &mut noise, index / columns, index % columns);
    }
    let scales = end(arena.scales, rows);
    scales.fill_with(|| scale(data, &mut noise));
    let inputs = end(arena.inputs, (vectors - 1) * input_stride + columns);
    for (index, target) in inputs.iter_mut().enumerate() {
        *target = input(data, &mut noise, index % input_stride);
    }
    let results = end(arena.results, (vectors - 1) * result_stride + rows);
    results.fill(f32::from_bits(UNTOUCHED));
    let expected = &mut arena.expected[..results.len()];
    expected.fill(f32::from_bits(UNTOUCHED));
    let inputs = Vectors { values: inputs, stride: input_stride, length: columns, count: vectors };
    let outputs = Outputs { values: &mut *expected, stride: result_stride, rows };
    Portable.matmul_fp8(codes, scales, inputs, outputs);
    Case { codes, scales, inputs, results, expected, result_stride }
}

impl Case<'_> {
    fn compute(&mut self, shape: Shape) {
        let (codes, scales, inputs) = (self.codes, self.scales, self.inputs);
        Arm1176.matmul_fp8(codes, scales, inputs, self.outputs(shape.rows));
    }

    fn compare(&self, shape: Shape, data: Data) -> Result<(), Difference> {
        for (at, (seen, expected)) in self.results.iter().zip(&*self.expected).enumerate() {
            let (seen, expected) = (seen.to_bits(), expected.to_bits());
            if seen != expected {
                return Err(Difference { shape, data, at, seen, expected });
            }
        }
        Ok(())
    }
}

/// One case, with something done right before the kernel runs.
pub(crate) fn one(
    arena: &mut Arena,
    shape: Shape,
    data: Data,
    seed: u32,
    before: impl FnOnce(),
) -> Result<(), Difference> {
    let mut case = prepare(arena, shape, data, seed);
    before();
    case.compute(shape);
    case.compare(shape, data)
}

/// The kernel alone.
pub(crate) fn run_once(arena: &mut Arena, shape: Shape) {
    let Shape { rows, columns, vectors } = shape;
    let codes = end(arena.codes, rows * columns);
    let scales = end(arena.scales, rows);
    let inputs = end(arena.inputs, vectors * columns);
    let inputs = Vectors { values: inputs, stride: columns, length: columns, count: vectors };
    let results = end(arena.results, vectors * rows);
    Arm1176.matmul_fp8(codes, scales, inputs, Outputs { values: results, stride: rows, rows });
}

/// A result with one wrong bit, and one written where none belongs, must be noticed everywhere.
pub(crate) fn planted(arena: &mut Arena) -> Result<u32, Difference> {
    let shape = Shape { rows: 9, columns: 40, vectors: 3 };
    let mut noticed = 0;
    // With this seed there are gaps between the results.
    let seed = 3;
    let mut case = prepare(arena, shape, Data::Ordinary, seed);
    case.compute(shape);
    case.compare(shape, Data::Ordinary)?;
    for at in 0..case.results.len() {
        let right = case.results[at].to_bits();
        let wrong = right ^ 1 << (at % 32);
        case.results[at] = f32::from_bits(wrong);
        if case.compare(shape, Data::Ordinary).is_ok() {
            let data = Data::Ordinary;
            return Err(Difference { shape, data, at, seen: wrong, expected: right });
        }
        case.results[at] = f32::from_bits(right);
        noticed += 1;
    }
    Ok(noticed)
}

/// Every case.
pub(crate) fn all(arena: &mut Arena) -> Result<u32, Difference> {
    let mut compared = 0;
    let mut check = |rows, columns, vectors| {
        let data = KINDS[compared as usize % KINDS.len()];
        compared += 1;
        one(arena, Shape { rows, columns, vectors }, data, compared, || {})
    };
    // Every remainder of rows and vectors, at the edges of stretches and stripes.
    for columns in [1, 3, 7, 8, 9, 31, 32, 33, 40, 63, 64, 65, 68, 96, 100, 128, 130] {
        for rows in 1..=25 {
            for vectors in 1..=9 {
                check(rows, columns, vectors)?;
            }
        }
    }
    // Every number of columns, with all kinds of data.
    for columns in 1..=140 {
        for vectors in [1, 4, 5] {
            for _ in KINDS {
                check(9, columns, vectors)?;
            }
        }
    }
    // More vectors than one pass takes; shapes of real models; rows that share cache sets.
    for vectors in [1, 2, 8, 31, 32, 33, 63] {
        for (rows, columns) in
            [(64, 64), (172, 64), (64, 172), (104, 384), (40, 1024), (16, 2048), (16, 4096)]
        {
            check(rows, columns, vectors)?;
        }
    }
    Ok(compared)
}
