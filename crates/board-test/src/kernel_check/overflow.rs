//! SMLAD says when a sum leaves the 32 bits: the Q flag (ARM ARM, DDI 0100I, A2.5.1) must stay clear.

use core::arch::asm;

use arm1176::Arm1176;
use engine::kernels::{Kernels, LaneVectors, LaneWords, Outputs};

use crate::cases::Bench;

/// Bit 27 of the status register.
const STICKY_OVERFLOW: u32 = 1 << 27;

/// Whether a sum overflows in what is run.
pub(crate) fn overflows_in(run: impl FnOnce()) -> bool {
    let status: u32;
    // SAFETY: clears the flags only. Not `nomem`: it stays before what is run.
    unsafe { asm!("msr cpsr_f, #0", options(nostack)) }
    run();
    // SAFETY: reads a register. Not `nomem`: it stays behind.
    unsafe { asm!("mrs {}, cpsr", out(reg) status, options(nostack)) }
    status & STICKY_OVERFLOW != 0
}

/// Words whose halves are as large as they can be, before and after they are shifted.
const WORDS: [u32; 6] =
    [0x8080_8080, 0x8000_8000, 0x7f7f_7f7f, 0x8888_8888, 0x7777_7777, 0x7fff_7fff];

/// Multiplies at full scale with inputs of 1023, and with larger ones, which must overflow; returns
/// how many products did not at 1023.
pub(crate) fn check(bench: &mut Bench) -> Result<usize, &'static str> {
    let mut groups = 0;
    for word in WORDS {
        for input in [1023, -1023] {
            // One vector, a pair, three pairs.
            for vectors in [1, 2, 6] {
                if int8_overflows(bench, word, input, vectors) {
                    return Err("int8 at full scale");
                }
                if int4_overflows(bench, word, input, vectors) {
                    return Err("int4 at full scale");
                }
                groups += 2;
            }
        }
    }
    for word in WORDS {
        for input in [1023, -1023] {
            // All of a block; less, in steps of both kernels.
            for length in (8..=64).step_by(8) {
                if key_scores_overflow(bench, word, input, length) {
                    return Err("key_scores at full scale");
                }
                if mix_values_overflow(bench, word, input, length) {
                    return Err("mix_values at full scale");
                }
                groups += 2;
            }
        }
    }
    // Inputs a little larger raise the flag: it would have told.
    if !key_scores_overflow(bench, 0x8080_8080, 1200, 64) {
        return Err("queries that are too large go unnoticed");
    }
    if !mix_values_overflow(bench, 0x8080_8080, 1200, 64) {
        return Err("weights of values that are too large go unnoticed");
    }
    if !int8_overflows(bench, 0x8080_8080, 1200, 1) || !int8_overflows(bench, 0x8080_8080, 1200, 2)
    {
        return Err("int8 inputs that are too large go unnoticed");
    }
    if !int4_overflows(bench, 0x8888_8888, 1200, 1) || !int4_overflows(bench, 0x8888_8888, 1200, 2)
    {
        return Err("int4 inputs that are too large go unnoticed");
    }
    Ok(groups)
}

fn int8_overflows(bench: &mut Bench, word: u32, input: i16, vectors: usize) -> bool {
    let blocks: &mut [[u32; 68]] = bench.words.tail(1, 0);
    for block in blocks.iter_mut() {
        *block = [word; 68];
    }
    overflows(bench, input, vectors, |bench, x, out| {
        let blocks: &[[u32; 68]] = bench.tail(1, 0);
        Arm1176.matmul_int8(blocks, x, out);
    })
}

fn int4_overflows(bench: &mut Bench, word: u32, input: i16, vectors: usize) -> bool {
    let blocks: &mut [[u32; 36]] = bench.words.tail(1, 0);
    for block in blocks.iter_mut() {
        *block = [word; 36];
    }
    overflows(bench, input, vectors, |bench, x, out| {
        let blocks: &[[u32; 36]] = bench.tail(1, 0);
        Arm1176.matmul_int4(blocks, x, out);
    })
}

fn overflows(
    bench: &mut Bench,
    input: i16,
    vectors: usize,
    multiply: impl Fn(&mut crate::guarded::Region, LaneVectors<'_>, Outputs<'_>),
) -> bool {
    let integers: &mut [i16] = bench.inputs.tail(64 * vectors, 0);
    integers.fill(input);
    let scales: &mut [f32] = bench.scales.tail(vectors, 0);
    scales.fill(1.0);
    let x = LaneVectors { integers, length: 64, scales };
    let out = Outputs { values: bench.results.tail(4 * vectors, 0), stride: 4, rows: 4 };
    overflows_in(|| multiply(&mut bench.words, x, out))
}

/// Four keys of so many columns.
fn key_scores_overflow(bench: &mut Bench, word: u32, input: i16, columns: usize) -> bool {
    let keys: &mut [LaneWords] = bench.words.tail(columns / 4, 0);
    keys.fill([word; 4]);
    let query: &mut [i16] = bench.inputs.tail(columns, 0);
    query.fill(input);
    let scales: &mut [f32] = bench.scales.tail(4, 0);
    scales.fill(1.0);
    let scores = bench.results.tail(4, 0);
    overflows_in(|| Arm1176.key_scores(keys, query, scales, 1.0, scores))
}

/// Four elements of so many slots.
fn mix_values_overflow(bench: &mut Bench, word: u32, input: i16, slots: usize) -> bool {
    let values: &mut [LaneWords] = bench.words.tail(16, 0);
    values.fill([word; 4]);
    let weights: &mut [i16] = bench.inputs.tail(slots, 0);
    weights.fill(input);
    let out = bench.results.tail(4, 0);
    overflows_in(|| Arm1176.mix_values(values, weights, 1.0, out))
}
