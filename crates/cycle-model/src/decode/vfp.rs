//! VFPv2 instructions (DDI 0301H, chapters 18 to 21; cycles from table 21-16, section 21.11).

use super::fields::{bit, bits, register};
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
/// Registers of a bank in single precision; a short vector wraps around within its bank.
const BANK: u8 = 8;

/// One operand: a register of either precision as the s-registers that it consists of.
#[derive(Clone, Copy)]
struct Operand {
    first: u8,
    width: u8,
}

impl Operand {
    fn new(word: u32, number_at: u32, extra_bit: u32, double: bool) -> Self {
        let number = register(word, number_at);
        if double {
            Self { first: number * 2, width: 2 }
        } else {
            Self { first: number * 2 + u8::from(bit(word, extra_bit)), width: 1 }
        }
    }

    fn in_scalar_bank(self) -> bool {
        self.first < BANK
    }

    /// The operand of one iteration: circular within the bank, stride one (19.3, 20.4).
    fn iteration(self, number: u8) -> Self {
        let bank = self.first / BANK * BANK;
        Self { first: bank + (self.first - bank + number * self.width) % BANK, width: self.width }
    }

    fn registers(self) -> impl Iterator<Item = u8> {
        self.first..self.first + self.width
    }
}

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

/// Arithmetic (CDP): scalar, or `vector_length` iterations when the destination is not in bank 0.
pub(super) fn arithmetic(operation: &mut Operation, word: u32, vector_length: u8) {
    let double = bit(word, 8);
    let fd = Operand::new(word, 12, 22, double);
    let fn_ = Operand::new(word, 16, 7, double);
    let fm = Operand::new(word, 0, 5, double);
    let opcode = bits(word, 23, 23) << 2 | bits(word, 21, 20);
    let same = precision(double);
    match opcode {
        0b000 | 0b001 => {
            let rate = if double { (2, 9) } else { (1, 8) };
            vector(operation, fd, &[fd, fn_], fm, vector_length, multiply_accumulate(rate, same));
        }
        0b010 => {
            let rate = if double { (2, 9) } else { (1, 8) };
            vector(operation, fd, &[fn_], fm, vector_length, multiply_accumulate(rate, same));
        }
        0b011 => {
            vector(operation, fd, &[fn_], fm, vector_length, multiply_accumulate((1, 8), same))
        }
        0b100 => vector(operation, fd, &[fn_], fm, vector_length, divide(double)),
        0b111 => monadic(operation, word, vector_length),
        _ => {}
    }
}

/// Operations with one operand, told apart by bits 19 to 16 and 7.
fn monadic(operation: &mut Operation, word: u32, vector_length: u8) {
    let double = bit(word, 8);
    let same = precision(double);
    let fd = Operand::new(word, 12, 22, double);
    let fm = Operand::new(word, 0, 5, double);
    let scalar = 1;
    match bits(word, 19, 16) {
        0b0001 if bit(word, 7) => vector(operation, fd, &[], fm, vector_length, divide(double)),
        // FCPY, FABS, FNEG.
        0b0000 | 0b0001 => {
            vector(operation, fd, &[], fm, vector_length, multiply_accumulate((1, 4), same));
        }
        // FCMP and FCMPE, with a register or zero: never vectors.
        kind @ (0b0100 | 0b0101) => {
            let mut compare = multiply_accumulate((1, 4), same);
            compare.makes = VfpData::NotForwarded;
            compare.sources = at_once(fd);
            if kind == 0b0100 {
                compare.sources.extend(at_once(fm));
            }
            compare.results = transferred([VFP_FLAGS].into_iter());
            operation.vfp = Some(compare);
        }
        0b0111 => {
            let to = Operand::new(word, 12, 22, !double);
            let mut convert = multiply_accumulate((1, 4), same);
            convert.makes = precision(!double);
            vector(operation, to, &[], fm, scalar, convert);
        }
        0b1000 => {
            // FSITO, FUITO: from an integer in a single register.
            let from = Operand::new(word, 0, 5, false);
            let mut convert = multiply_accumulate((1, 8), VfpData::Single);
            convert.makes = same;
            vector(operation, fd, &[], from, scalar, convert);
        }
        0b1100 | 0b1101 => {
            let to = Operand::new(word, 12, 22, false);
            let mut convert = multiply_accumulate((1, 8), same);
            convert.makes = VfpData::NotForwarded;
            vector(operation, to, &[], fm, scalar, convert);
        }
        _ => {}
    }
}

/// Spreads `template` over the iterations of a short vector, one register set per iteration.
fn vector(
    operation: &mut Operation,
    fd: Operand,
    vectors: &[Operand],
    fm: Operand,
    length: u8,
    mut template: VfpOperation,
) {
    let iterations = if fd.in_scalar_bank() { 1 } else { length };
    let each = template.busy;
    for number in 0..iterations {
        let cycle = number * each;
        let at = |operand: Operand| {
            operand.registers().map(move |register| VfpAccess { register, cycle })
        };
        for operand in vectors {
            template.sources.extend(at(operand.iteration(number)));
        }
        // A scalar second operand serves every iteration.
        let second = if fm.in_scalar_bank() { fm } else { fm.iteration(number) };
        template.sources.extend(at(second));
        template.results.extend(at(fd.iteration(number)));
    }
    template.busy = each * iterations;
    operation.vfp = Some(template);
}

fn multiply_accumulate((busy, latency): (u8, u8), data: VfpData) -> VfpOperation {
    VfpOperation {
        unit: VfpUnit::MultiplyAccumulate,
        busy,
        latency,
        sources: Vec::new(),
        results: Vec::new(),
        takes: data,
        makes: data,
    }
}

fn divide(double: bool) -> VfpOperation {
    let rate = if double { (29, 33) } else { (15, 19) };
    VfpOperation { unit: VfpUnit::DivideSquareRoot, ..multiply_accumulate(rate, precision(double)) }
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

fn precision(double: bool) -> VfpData {
    if double { VfpData::Double } else { VfpData::Single }
}

/// Two registers a cycle.
fn transferred(registers: impl Iterator<Item = u8>) -> Vec<VfpAccess> {
    (0..)
        .zip(registers)
        .map(|(position, register): (u8, u8)| VfpAccess { register, cycle: position / 2 })
        .collect()
}

fn at_once(operand: Operand) -> Vec<VfpAccess> {
    operand.registers().map(|register| VfpAccess { register, cycle: 0 }).collect()
}
