//! SMLAD says when a sum leaves the 32 bits: the Q flag (ARM ARM, DDI 0100I, A2.5.1) must stay clear.

use core::arch::asm;

use arm1176::Arm1176;
use engine::kernels::{Kernels, LaneVectors, Outputs};

use crate::cases::Bench;

/// Bit 27 of the status register.
const STICKY_OVERFLOW: u32 = 1 << 27;

fn clear() {
    // SAFETY: clears the flags only.
    unsafe { asm!("msr cpsr_f, #0", options(nomem, nostack)) }
}

fn has_overflowed() -> bool {
    let status: u32;
    // SAFETY: reads a register.
    unsafe { asm!("mrs {}, cpsr", out(reg) status, options(nomem, nostack)) }
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
    // Inputs a little larger raise the flag: it would have told.
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
    let x = LaneVectors { integers, stride: 64, length: 64, scales };
    let out = Outputs { values: bench.results.tail(4 * vectors, 0), stride: 4, rows: 4 };
    clear();
    multiply(&mut bench.words, x, out);
    has_overflowed()
}
