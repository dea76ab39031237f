//! Multiplies (DDI 0301H, 16.7, table 16-10).
//!
//! Multiplicand and multiplier are Early Regs. A result is there a cycle earlier for the next
//! accumulate than for anything else.

use super::fields::{bit, bits, register};
use crate::operation::{FLAGS, Need, Operation, Origin};

/// Extra cycles of a multiply that sets the flags: MUL 2 and MULS 5, SMULL 3 and SMULLS 6.
const FLAG_SETTING: u8 = 3;

/// MUL, MLA, UMAAL, UMULL, UMLAL, SMULL, SMLAL.
pub(super) fn word_multiply(operation: &mut Operation, word: u32) {
    let (high, low) = (register(word, 16), register(word, 12));
    read_factors(operation, word);
    match bits(word, 23, 21) {
        0b000 => {
            operation.issue_cycles = 2;
            operation.write(high, 4, Origin::Multiplied);
        }
        0b001 => {
            // MLA: its addend is a Late Reg, and may come over the accumulate path. Both name one
            // cycle less; taking it once is the cautious reading.
            operation.issue_cycles = 2;
            operation.read(low, Need::Late);
            operation.write(high, 4, Origin::Multiplied);
        }
        kind => {
            operation.issue_cycles = 3;
            let accumulates = kind == 0b010 || kind & 1 == 1;
            if accumulates {
                operation.read(low, Need::Late);
                operation.read(high, Need::Normal);
            }
            operation.write(low, 4, Origin::Multiplied);
            operation.write(high, 5, Origin::Multiplied);
        }
    }
    if bit(word, 20) {
        operation.issue_cycles += FLAG_SETTING;
        operation.write(FLAGS, operation.issue_cycles, Origin::Computed);
    }
}

/// SMLAxy, SMLAWy, SMULWy, SMLALxy, SMULxy.
pub(super) fn halfword_multiply(operation: &mut Operation, word: u32) {
    let (high, low) = (register(word, 16), register(word, 12));
    read_factors(operation, word);
    match bits(word, 22, 21) {
        0b00 => single(operation, high, Some(low)),
        0b01 if bit(word, 5) => single(operation, high, None),
        0b01 => single(operation, high, Some(low)),
        0b10 => long(operation, high, low),
        _ => single(operation, high, None),
    }
}

/// SMUAD, SMLAD, SMUSD, SMLSD, SMLALD, SMLSLD, SMMUL, SMMLA, SMMLS, by bits 22 to 20. A third
/// operand of r15 means that there is none.
pub(super) fn dual_multiply(operation: &mut Operation, word: u32) {
    let (high, low) = (register(word, 16), register(word, 12));
    read_factors(operation, word);
    match bits(word, 22, 20) {
        0b000 => single(operation, high, Some(low)),
        0b100 => long(operation, high, low),
        _ => {
            operation.issue_cycles = 2;
            operation.read(low, Need::Late);
            operation.write(high, 4, Origin::Multiplied);
        }
    }
}

fn read_factors(operation: &mut Operation, word: u32) {
    operation.read(register(word, 0), Need::Early);
    operation.read(register(word, 8), Need::Early);
}

/// One cycle, latency 3.
fn single(operation: &mut Operation, to: u8, addend: Option<u8>) {
    if let Some(addend) = addend {
        operation.read(addend, Need::Accumulate);
    }
    operation.write(to, 3, Origin::Multiplied);
}

/// Two cycles, 64-bit accumulate, latency 3 (low) and 4 (high).
fn long(operation: &mut Operation, high: u8, low: u8) {
    operation.issue_cycles = 2;
    operation.read(low, Need::Normal);
    operation.read(high, Need::Late);
    operation.write(low, 3, Origin::Multiplied);
    operation.write(high, 4, Origin::Multiplied);
}
