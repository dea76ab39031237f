//! Loads, stores and preloads of core registers (DDI 0301H, 16.10 to 16.12).

use super::fields::{bit, bits, register};
use crate::operation::{Addressing, Flow, Memory, Need, Offset, Operation, Origin, Transfer};

/// Result latency of a load from its first cycle, for an address made in one cycle.
const LOAD_LATENCY: u8 = 3;
/// Shift field of an offset register as it is, and of one times four: both cost nothing.
const NO_SHIFT: u32 = 0;
const TIMES_FOUR: u32 = 2 << 3;

/// LDR, LDRB, LDRT, LDRBT, STR, STRB, STRT, STRBT (table 16-13).
pub(super) fn single(operation: &mut Operation, word: u32) {
    let offset = if bit(word, 25) {
        register_offset(word, bits(word, 11, 4))
    } else {
        immediate_offset(word, bits(word, 11, 0))
    };
    let transfer = transfer_of(bit(word, 20));
    addressed(operation, word, offset, transfer, 0);
    let rd = register(word, 12);
    let is_word = !bit(word, 22);
    operation.spilled = (is_word && register(word, 16) == 13 && rd != 15).then_some(rd);
    if transfer == Transfer::Store {
        operation.read(rd, Need::Normal);
        return;
    }
    load(operation, rd, 0);
    if rd == 15 {
        let pops = register(word, 16) == 13 && offset == Offset::Bytes(4) && !bit(word, 24);
        operation.flow = load_to_program_counter(operation, pops);
    }
}

/// LDRH, LDRSB, LDRSH, STRH (16.10) and LDRD, STRD (16.11).
pub(super) fn extra(operation: &mut Operation, word: u32) {
    let offset = if bit(word, 22) {
        immediate_offset(word, bits(word, 11, 8) << 4 | bits(word, 3, 0))
    } else {
        register_offset(word, NO_SHIFT)
    };
    let double = !bit(word, 20) && bit(word, 6);
    let loads = bit(word, 20) || (double && !bit(word, 5));
    let rd = register(word, 12);
    let second = (rd + 1) & 15;
    addressed(operation, word, offset, transfer_of(loads), if double { 2 } else { 0 });
    if loads {
        load(operation, rd, 0);
        if double {
            load(operation, second, 1);
        }
    } else {
        operation.read(rd, Need::Normal);
        if double {
            operation.read(second, Need::Normal);
            operation.lock(rd);
            operation.lock(second);
        }
    }
}

/// LDREX, STREX and their sizes as LDR and STR (16.10); SWP as a load.
pub(super) fn exclusive(operation: &mut Operation, word: u32) {
    let (base, rd, rm) = (register(word, 16), register(word, 12), register(word, 0));
    let swaps = !bit(word, 23);
    let loads = swaps || bit(word, 20);
    let double = !swaps && bits(word, 22, 21) == 0b01;
    operation.read(base, Need::Address);
    if !bit(word, 20) {
        operation.read(rm, Need::Normal);
        if double {
            operation.read((rm + 1) & 15, Need::Normal);
        }
    }
    load(operation, rd, 0);
    if double && loads {
        load(operation, (rd + 1) & 15, 1);
    }
    operation.memory = Some(Memory {
        transfer: transfer_of(loads),
        port_cycles: if swaps { 2 } else { 1 },
        paired_words: if double { 2 } else { 0 },
        addressing: Some(Addressing { base, first: Offset::Bytes(0), write_back: None }),
    });
}

/// LDM and STM (16.12, tables 16-18 and 16-19): one cycle to issue, then two registers a cycle
/// through the 64-bit port in the background. All registers of the list must be at hand.
pub(super) fn multiple(operation: &mut Operation, word: u32) {
    let (base, loads) = (register(word, 16), bit(word, 20));
    let list: Vec<u8> = (0..16).filter(|&r| bit(word, u32::from(r))).collect();
    // At most sixteen registers.
    let words = list.len() as u8;
    operation.read(base, Need::Address);
    for (position, &rd) in list.iter().enumerate() {
        operation.read(rd, Need::Normal);
        if loads {
            load(operation, rd, position as u8);
        }
    }
    let pops = base == 13 && bit(word, 21) && !bit(word, 22);
    if loads && bit(word, 15) {
        operation.flow = load_to_program_counter(operation, pops);
        // The program counter comes first, and everything else a cycle later.
        for result in &mut operation.results {
            result.latency += 1;
        }
    }
    if bit(word, 21) {
        operation.write(base, 1, Origin::Base);
    }
    let bytes = 4 * i32::from(words);
    // Bit 23: upwards. Bit 24: the first address is one word further.
    let first = match (bit(word, 24), bit(word, 23)) {
        (false, true) => 0,
        (true, true) => 4,
        (false, false) => 4 - bytes,
        (true, false) => -bytes,
    };
    let moved = if bit(word, 23) { bytes } else { -bytes };
    // The program counter is loaded in a memory cycle of its own.
    let for_counter = u8::from(loads && bit(word, 15));
    operation.memory = Some(Memory {
        transfer: transfer_of(loads),
        port_cycles: words.div_ceil(2).max(1) + for_counter,
        paired_words: words,
        addressing: Some(Addressing {
            base,
            first: Offset::Bytes(first),
            write_back: bit(word, 21).then_some(Offset::Bytes(moved)),
        }),
    });
    if !loads {
        list.iter().for_each(|&register| operation.lock(register));
    }
}

/// PLD: as a load without a result (16.10).
pub(super) fn preload(operation: &mut Operation, word: u32) {
    let offset = if bit(word, 25) {
        register_offset(word, bits(word, 11, 4))
    } else {
        immediate_offset(word, bits(word, 11, 0))
    };
    // Bits 24 (offset) and 21 (no write back) are fixed in this encoding.
    addressed(operation, word, offset, Transfer::Prefetch, 0);
}

fn transfer_of(loads: bool) -> Transfer {
    if loads { Transfer::Load } else { Transfer::Store }
}

fn load(operation: &mut Operation, rd: u8, word_number: u8) {
    let latency = LOAD_LATENCY + operation.issue_cycles - 1;
    operation.write(rd, latency, Origin::Loaded(word_number));
}

fn immediate_offset(word: u32, magnitude: u32) -> Offset {
    let bytes = magnitude.cast_signed();
    Offset::Bytes(if bit(word, 23) { bytes } else { -bytes })
}

/// A shift but by two bits, and a subtracted register, need a second cycle: [`Offset::Other`] — as
/// does a register times four, as far as following its value goes: see `addressed`.
fn register_offset(word: u32, shift: u32) -> Offset {
    if bit(word, 23) && shift == NO_SHIFT {
        Offset::Register(register(word, 0))
    } else {
        Offset::Other
    }
}

/// Base, offset and write back, common to all single and double transfers.
fn addressed(
    operation: &mut Operation,
    word: u32,
    offset: Offset,
    transfer: Transfer,
    paired_words: u8,
) {
    let base = register(word, 16);
    let by_register = !matches!(offset, Offset::Bytes(_));
    let times_four = bits(word, 27, 25) == 0b011 && bits(word, 11, 4) == TIMES_FOUR;
    let two_cycles = offset == Offset::Other && !(bit(word, 23) && times_four);
    if two_cycles {
        // Only the offset is an Early Reg.
        operation.issue_cycles = 2;
        operation.read(base, Need::Normal);
    } else {
        operation.read(base, Need::Address);
    }
    if by_register {
        operation.read(register(word, 0), Need::Early);
    }
    let indexes_first = bit(word, 24);
    let writes_back = transfer != Transfer::Prefetch && (!indexes_first || bit(word, 21));
    if writes_back {
        operation.write(base, 1, Origin::Base);
    }
    operation.memory = Some(Memory {
        transfer,
        port_cycles: operation.issue_cycles,
        paired_words,
        addressing: Some(Addressing {
            base,
            first: if indexes_first { offset } else { Offset::Bytes(0) },
            write_back: writes_back.then_some(offset),
        }),
    });
}

/// Loads of the program counter (tables 16-14 and 16-19).
fn load_to_program_counter(operation: &Operation, pops: bool) -> Flow {
    if pops && !operation.conditional {
        Flow::Return { mispredicted: 9, empty: 9 }
    } else {
        Flow::Indirect { cycles: if pops { 9 } else { 7 + operation.issue_cycles }, link: false }
    }
}
