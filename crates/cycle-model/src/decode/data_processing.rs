//! Data processing instructions (DDI 0301H, 16.3, tables 16-4 and 16-5).

use super::fields::{bit, bits, register};
use crate::operation::{Effect, FLAGS, Flow, Need, Offset, Operation, Origin};

/// Opcodes by their four bits that this decoder must tell apart.
const SUB: u32 = 0b0010;
const ADD: u32 = 0b0100;
const ADC: u32 = 0b0101;
const RSC: u32 = 0b0111;
const MOV: u32 = 0b1101;
const MVN: u32 = 0b1111;

pub(super) fn decode(operation: &mut Operation, word: u32) {
    let opcode = bits(word, 24, 21);
    let (rn, rd, rs, rm) =
        (register(word, 16), register(word, 12), register(word, 8), register(word, 0));
    let immediate = bit(word, 25);
    let shifted_by_register = !immediate && bit(word, 4);
    let shifted = !immediate && bits(word, 11, 4) != 0;

    if opcode != MOV && opcode != MVN {
        let need = if shifted_by_register { Need::Late } else { Need::Normal };
        operation.read(rn, need);
    }
    if shifted_by_register {
        // The distance is sampled in the first cycle; the shift itself is made in the second.
        operation.issue_cycles = 2;
        operation.read(rs, Need::Early);
        operation.read(rm, Need::Normal);
    } else if !immediate {
        operation.read(rm, if shifted { Need::Early } else { Need::Normal });
    }
    if (ADC..=RSC).contains(&opcode) {
        operation.read(FLAGS, Need::Normal);
    }

    let latency = operation.issue_cycles;
    if bit(word, 20) {
        operation.write(FLAGS, latency, Origin::Computed);
    }
    let compares = bits(word, 24, 23) == 0b10;
    if compares {
        return;
    }
    operation.write(rd, latency, Origin::Computed);
    if rd == 15 {
        operation.flow = if opcode == MOV && rm == 14 && !shifted && !operation.conditional {
            Flow::Return { mispredicted: 7, empty: 5 }
        } else {
            Flow::Indirect { cycles: 5, link: false }
        };
    }
    operation.effect = effect(opcode, rd, rn, word);
}

/// Additions and moves that an address may come from.
fn effect(opcode: u32, to: u8, from: u8, word: u32) -> Option<Effect> {
    let operand = if bit(word, 25) {
        let value = bits(word, 7, 0).rotate_right(2 * bits(word, 11, 8));
        Offset::Bytes(value.cast_signed())
    } else if bits(word, 11, 4) == 0 {
        Offset::Register(register(word, 0))
    } else {
        return None;
    };
    match (opcode, operand) {
        (ADD, offset) => Some(Effect::Sum { to, from, offset }),
        (SUB, Offset::Bytes(bytes)) => {
            Some(Effect::Sum { to, from, offset: Offset::Bytes(bytes.wrapping_neg()) })
        }
        (MOV, Offset::Bytes(bytes)) => Some(Effect::Constant { to, value: bytes.cast_unsigned() }),
        (MOV, Offset::Register(from)) => Some(Effect::Sum { to, from, offset: Offset::Bytes(0) }),
        _ => None,
    }
}
