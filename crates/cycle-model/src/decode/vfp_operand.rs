//! VFP operands as the single-precision registers that they consist of (DDI 0301H, chapter 19).

use super::fields::{bit, register};
use crate::operation::VfpData;

/// Registers of a bank in single precision; a short vector wraps around within its bank.
const BANK: u8 = 8;

/// One operand: a register of either precision as the s-registers that it consists of.
#[derive(Clone, Copy)]
pub(super) struct Operand {
    /// The first register, 0 to 31.
    pub(super) first: u8,
    /// 1 or 2 of them.
    pub(super) width: u8,
}

impl Operand {
    pub(super) fn new(word: u32, number_at: u32, extra_bit: u32, double: bool) -> Self {
        let number = register(word, number_at);
        if double {
            Self { first: number * 2, width: 2 }
        } else {
            Self { first: number * 2 + u8::from(bit(word, extra_bit)), width: 1 }
        }
    }

    pub(super) fn in_scalar_bank(self) -> bool {
        self.first < BANK
    }

    /// The operand of one iteration: circular within the bank, stride one (19.3, 20.4).
    pub(super) fn iteration(self, number: u8) -> Self {
        let bank = self.first / BANK * BANK;
        Self { first: bank + (self.first - bank + number * self.width) % BANK, width: self.width }
    }

    pub(super) fn registers(self) -> impl Iterator<Item = u8> {
        self.first..self.first + self.width
    }
}

/// What an instruction of this precision takes and makes.
pub(super) fn precision(double: bool) -> VfpData {
    if double { VfpData::Double } else { VfpData::Single }
}
