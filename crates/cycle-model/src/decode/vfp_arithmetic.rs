//! VFPv2 arithmetic, scalar and in short vectors (DDI 0301H, 20.4 and table 21-16).

use super::fields::{bit, bits};
use super::vfp::transferred;
use super::vfp_operand::{Operand, precision};
use crate::operation::{Operation, VFP_FLAGS, VfpAccess, VfpData, VfpOperation, VfpUnit};

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
    let at = |operand: Operand, number: u8| {
        let cycle = number * each;
        operand.registers().map(move |register| VfpAccess { register, cycle })
    };
    for number in 0..iterations {
        for operand in vectors {
            template.sources.extend(at(operand.iteration(number), number));
        }
        if !fm.in_scalar_bank() {
            template.sources.extend(at(fm.iteration(number), number));
        }
        template.results.extend(at(fd.iteration(number), number));
    }
    if fm.in_scalar_bank() {
        // One operand for every iteration: it is read until the last.
        template.sources.extend(at(fm, iterations - 1));
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

fn at_once(operand: Operand) -> Vec<VfpAccess> {
    operand.registers().map(|register| VfpAccess { register, cycle: 0 }).collect()
}
