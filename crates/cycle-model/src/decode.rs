//! ARM and VFPv2 instruction words to [`Operation`]s, in the order of the architecture's tables.
//!
//! Cycle figures are those of the ARM1176JZF-S Technical Reference Manual, ARM DDI 0301H, chapter
//! 16; each part of the decoder names its section. Thumb is not decoded: Wisp is ARM code.

mod data_processing;
mod fields;
mod load_store;
mod media;
mod multiply;
#[cfg(test)]
mod tests;
mod vfp;
mod vfp_arithmetic;
mod vfp_operand;

use crate::operation::{FLAGS, Flow, Need, Operation, Origin};
use fields::{bit, bits, register};

/// Condition field of instructions that always execute.
const ALWAYS: u32 = 0b1110;
/// Condition field of the unconditional instruction space.
const UNCONDITIONAL_SPACE: u32 = 0b1111;

/// Decodes the word at `address`. `vector_length` is the number of iterations that FPSCR.LEN
/// selects there (1 for scalar code): the instruction alone does not tell.
///
/// An instruction that is not known takes one cycle and touches nothing.
pub fn decode(address: u32, word: u32, vector_length: u8) -> Operation {
    let mut operation = Operation::new(address);
    let condition = bits(word, 31, 28);
    if condition == UNCONDITIONAL_SPACE {
        unconditional(&mut operation, word);
        return operation;
    }
    if condition != ALWAYS {
        operation.conditional = true;
    }
    match bits(word, 27, 25) {
        0b000 if bit(word, 7) && bit(word, 4) => {
            if bits(word, 6, 5) == 0 {
                if bit(word, 24) {
                    load_store::exclusive(&mut operation, word);
                } else {
                    multiply::word_multiply(&mut operation, word);
                }
            } else {
                load_store::extra(&mut operation, word);
            }
        }
        0b000 if is_miscellaneous(word) => {
            if bit(word, 7) && !bit(word, 4) {
                multiply::halfword_multiply(&mut operation, word);
            } else {
                miscellaneous(&mut operation, word);
            }
        }
        0b001 if is_miscellaneous(word) => status_write(&mut operation, word),
        0b000 | 0b001 => data_processing::decode(&mut operation, word),
        0b011 if bit(word, 4) => media::decode(&mut operation, word),
        0b010 | 0b011 => load_store::single(&mut operation, word),
        0b100 => load_store::multiple(&mut operation, word),
        0b101 => direct_branch(&mut operation, word, bit(word, 24)),
        0b110 => vfp::load_store(&mut operation, word),
        _ => coprocessor(&mut operation, word, vector_length),
    }
    if operation.conditional && !matches!(operation.flow, Flow::Direct { .. }) {
        // A direct branch is predicted: it does not wait for the flags.
        operation.read(FLAGS, Need::Normal);
    }
    operation
}

/// TST, TEQ, CMP and CMN without their S bit are other instructions.
fn is_miscellaneous(word: u32) -> bool {
    bits(word, 24, 23) == 0b10 && !bit(word, 20)
}

fn unconditional(operation: &mut Operation, word: u32) {
    if word & 0xFD70_F000 == 0xF550_F000 {
        load_store::preload(operation, word);
    } else if word & 0xFE00_0000 == 0xFA00_0000 {
        direct_branch(operation, word, true);
    }
}

/// B, BL and BLX to a fixed address (16.8).
fn direct_branch(operation: &mut Operation, word: u32, link: bool) {
    if link {
        operation.write(14, 1, Origin::Computed);
    }
    let backward = bit(word, 23);
    operation.flow = Flow::Direct { link, backward };
}

/// BX, BLX, CLZ, saturating add, status register access (16.3, 16.4, 16.8).
fn miscellaneous(operation: &mut Operation, word: u32) {
    let (rm, rd, rn) = (register(word, 0), register(word, 12), register(word, 16));
    match (bits(word, 7, 4), bits(word, 22, 21)) {
        (0b0000, 0b00 | 0b10) => operation.write(rd, 1, Origin::Computed), // MRS
        (0b0000, _) => {
            operation.read(rm, Need::Normal);
            status_write(operation, word);
        }
        // BX and BXJ: table 16-11. A conditional return is not predicted.
        (0b0001 | 0b0010, 0b01) => {
            operation.read(rm, Need::Normal);
            operation.flow = if rm == 14 && !operation.conditional {
                Flow::Return { mispredicted: 7, empty: 5 }
            } else {
                Flow::Indirect { cycles: 5, link: false }
            };
        }
        (0b0011, 0b01) => {
            operation.read(rm, Need::Normal);
            operation.write(14, 1, Origin::Computed);
            operation.flow = Flow::Indirect { cycles: 5, link: true };
        }
        (0b0001, 0b11) => {
            operation.read(rm, Need::Normal); // CLZ
            operation.write(rd, 1, Origin::Computed);
        }
        // QADD, QSUB, QDADD, QDSUB. Assumption (page not at hand): the sum leaves the Sat stage,
        // so it comes a cycle later; the doubled operand passes the shifter.
        (0b0101, doubling) => {
            operation.read(rm, Need::Normal);
            let doubled = doubling & 0b10 != 0;
            operation.read(rn, if doubled { Need::Early } else { Need::Normal });
            operation.write(rd, 2, Origin::Computed);
        }
        _ => {}
    }
}

/// MSR and the hints. Assumption: writing the flags takes one cycle, the control bits four.
fn status_write(operation: &mut Operation, word: u32) {
    let mask = bits(word, 19, 16);
    if mask & 0b1000 != 0 {
        operation.write(FLAGS, 1, Origin::Computed);
    }
    if mask & 0b0111 != 0 {
        operation.issue_cycles = 4;
    }
}

fn coprocessor(operation: &mut Operation, word: u32, vector_length: u8) {
    if bit(word, 24) {
        return; // SVC: the exception itself is not modelled.
    }
    if bits(word, 11, 9) == vfp::COPROCESSOR {
        if bit(word, 4) {
            vfp::register_transfer(operation, word);
        } else {
            vfp_arithmetic::arithmetic(operation, word, vector_length);
        }
    } else if bit(word, 4) {
        // MCR and MRC of the system coprocessor. Assumption: as a load, 1 cycle, latency 3.
        let rd = register(word, 12);
        if bit(word, 20) {
            operation.write(rd, 3, Origin::Computed);
        } else {
            operation.read(rd, Need::Normal);
        }
    }
}
