//! ARMv6 media instructions (DDI 0301H, 16.4 to 16.7).
//!
//! The page of table 16-7 (parallel add, extend, pack, saturate) was not at hand. Assumptions, from
//! the pipeline's order Sh, ALU, Sat: what is rotated or extended passes the shifter and is an
//! Early Reg; a saturated result leaves one stage later and has a latency of two.

use super::fields::{bit, bits, register};
use super::multiply;
use crate::operation::{Need, Operation, Origin};

pub(super) fn decode(operation: &mut Operation, word: u32) {
    let (rn, rd, rm) = (register(word, 16), register(word, 12), register(word, 0));
    match bits(word, 24, 23) {
        0b00 => {
            // Parallel add and subtract: bits 21 and 20 tell plain, saturating and halving.
            operation.read(rn, Need::Normal);
            operation.read(rm, Need::Normal);
            let saturating = bits(word, 21, 20) == 0b10;
            operation.write(rd, if saturating { 2 } else { 1 }, Origin::Computed);
        }
        0b01 => pack_extend_saturate(operation, word),
        0b10 => multiply::dual_multiply(operation, word),
        // USAD8 and USADA8: 16.6, table 16-8. The result is named where others have an operand.
        _ if bits(word, 22, 20) == 0b000 => {
            let (to, addend) = (rn, rd);
            operation.read(rm, Need::Early);
            operation.read(register(word, 8), Need::Early);
            operation.read(addend, Need::Accumulate);
            operation.write(to, 3, Origin::Multiplied);
        }
        _ => {}
    }
}

fn pack_extend_saturate(operation: &mut Operation, word: u32) {
    let (rn, rd, rm) = (register(word, 16), register(word, 12), register(word, 0));
    let kind = bits(word, 7, 5);
    let selects = kind == 0b101 && bits(word, 22, 20) == 0b000;
    let reverses = kind == 0b001 || (kind == 0b101 && !selects);
    let extends = kind == 0b011;
    let packs = kind & 1 == 0 && bits(word, 22, 20) == 0b000;
    if selects {
        operation.read(rm, Need::Normal);
        operation.read(rn, Need::Normal);
        operation.write(rd, 1, Origin::Computed);
    } else if extends || packs {
        operation.read(rm, Need::Early);
        operation.read(rn, Need::Normal);
        operation.write(rd, 1, Origin::Computed);
    } else if reverses && bits(word, 21, 20) != 0b10 {
        operation.read(rm, Need::Early);
        operation.write(rd, 1, Origin::Computed);
    } else if bit(word, 21) {
        // SSAT, USAT and their 16-bit forms.
        operation.read(rm, Need::Early);
        operation.write(rd, 2, Origin::Computed);
    }
}
