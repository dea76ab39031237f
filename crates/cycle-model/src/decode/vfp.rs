//! VFP loads, stores and transfers (DDI 0301H, chapters 18 to 21; cycles from table 21-16, section 21.11).

use super::fields::{bit, bits, register};
use super::vfp_operand::{Operand, precision};
use crate::operation::{
    Addressing, Memory, Need, Offset, Operation, Origin, Transfer, VFP_FLAGS, VfpAccess, VfpData,
    VfpOperation, VfpUnit,
};

/// Bits 11 to 9 of a VFP instruction; bit 8 is the precision.
pub(super) const COPROCESSOR: u32 = 0b101;

/// Latency of loads and of what comes from a core register.
const LOAD_LATENCY: u8 = 4;
/// Latency of reading into a core register: FMRS, FMRRS, FMSTAT, FMRX.
const READ_LATENCY: u8 = 2;
/// FLD, FST, FLDM, FSTM, and the two-register transfers FMSRR, FMRRS, FMDRR, FMRRD.
pub(super) fn load_store(operation: &mut Operation, word: u32) {
    if bits(word, 11, 9) != COPROCESSOR {
        return;
    }
    if word & 0x0FE0_0000 == 0x0C40_0000 {
        two_register_transfer(operation, word);
        return;
    }
    let (base, double, loads) = (register(word, 16), bit(word, 8), bit(word, 20));
    let first = Operand::new(word, 12, 22, double);
    let single_transfer = bit(word, 24) && !bit(word, 21);
    let words = if single_transfer {
        first.width
    } else {
        // FLDMX counts a word more than it moves (odd count): the pair is what moves.
        let count = bits(word, 7, 0) as u8;
        if double { count & !1 } else { count }
    };
    let registers =
        transferred((first.first..first.first.saturating_add(words)).filter(|r| *r < 32));

    operation.read(base, Need::Address);
    let bytes = bits(word, 7, 0).cast_signed() * 4;
    let signed = if bit(word, 23) { bytes } else { -bytes };
    let write_back = (!single_transfer && bit(word, 21)).then_some(Offset::Bytes(signed));
    if write_back.is_some() {
        operation.write(base, 1, Origin::Base);
    }
    let transfers = words.div_ceil(2).max(1);
    operation.memory = Some(Memory {
        transfer: if loads { Transfer::Load } else { Transfer::Store },
        port_cycles: transfers,
        paired_words: if words > 1 { words } else { 0 },
        addressing: Some(Addressing {
            base,
            // FLDM goes up from the base (bit 23), or ends below it.
            first: Offset::Bytes(if single_transfer || !bit(word, 23) { signed } else { 0 }),
            write_back,
        }),
    });
    operation.vfp = Some(if loads {
        VfpOperation {
            unit: VfpUnit::LoadStore,
            busy: transfers,
            latency: LOAD_LATENCY,
            sources: Vec::new(),
            results: registers,
            takes: VfpData::NotForwarded,
            makes: precision(double),
        }
    } else {
        from_vfp(registers, transfers)
    });
}

/// FMSR, FMRS, FMDLR, FMDHR, FMRDL, FMRDH, FMXR, FMRX, FMSTAT.
pub(super) fn register_transfer(operation: &mut Operation, word: u32) {
    let (rd, reads) = (register(word, 12), bit(word, 20));
    let system = bits(word, 23, 21) == 0b111;
    if system && reads && rd == 15 {
        // FMSTAT: waits for the comparison alone.
        operation.write(crate::operation::FLAGS, READ_LATENCY, Origin::Computed);
        operation.vfp = Some(from_vfp(transferred([VFP_FLAGS].into_iter()), 1));
        return;
    }
    // Bit 21 chooses the upper half of a double.
    let operand = Operand::new(word, 16, 7, bit(word, 8));
    let half = operand.first + u8::from(bit(word, 8) && bit(word, 21));
    let registers = transferred([half].into_iter());
    if reads {
        operation.write(rd, READ_LATENCY, Origin::Computed);
    } else {
        operation.read(rd, Need::Normal);
    }
    operation.vfp = Some(match (system, reads) {
        (true, _) => VfpOperation { unit: VfpUnit::System, ..to_vfp(Vec::new()) },
        (false, true) => from_vfp(registers, 1),
        (false, false) => to_vfp(registers),
    });
}

fn two_register_transfer(operation: &mut Operation, word: u32) {
    let (rd, rn) = (register(word, 12), register(word, 16));
    let operand = Operand::new(word, 0, 5, bit(word, 8));
    // Two consecutive singles, or the halves of a double, in one cycle.
    let pair = [operand.first, (operand.first + 1) & 31];
    let registers: Vec<VfpAccess> = pair.map(|register| VfpAccess { register, cycle: 0 }).into();
    if bit(word, 20) {
        operation.write(rd, READ_LATENCY, Origin::Computed);
        operation.write(rn, READ_LATENCY, Origin::Computed);
        operation.vfp = Some(from_vfp(registers, 1));
    } else {
        operation.read(rd, Need::Normal);
        operation.read(rn, Need::Normal);
        operation.vfp = Some(to_vfp(registers));
    }
}

/// Core registers to VFP registers. 21.4 speaks of forwarding from loads; that these count as
/// loads is not said, so they are not forwarded.
fn to_vfp(results: Vec<VfpAccess>) -> VfpOperation {
    VfpOperation {
        unit: VfpUnit::LoadStore,
        busy: 1,
        latency: LOAD_LATENCY,
        sources: Vec::new(),
        results,
        takes: VfpData::NotForwarded,
        makes: VfpData::NotForwarded,
    }
}

/// VFP registers to memory or to core registers: nothing is forwarded to these (21.4).
fn from_vfp(sources: Vec<VfpAccess>, transfers: u8) -> VfpOperation {
    VfpOperation { busy: transfers, sources, ..to_vfp(Vec::new()) }
}

/// Two registers a cycle.
pub(super) fn transferred(registers: impl Iterator<Item = u8>) -> Vec<VfpAccess> {
    (0..)
        .zip(registers)
        .map(|(position, register): (u8, u8)| VfpAccess { register, cycle: position / 2 })
        .collect()
}
