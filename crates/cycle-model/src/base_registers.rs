//! The values of base registers, as far as they show themselves.
//!
//! QEMU's plugin interface (version 1) tells the addresses of loads and stores, but no register
//! values, and QEMU itself does nothing for a PLD. Where a PLD points to is therefore worked out:
//! every load and store shows what its base register holds, and simple additions are followed.

use crate::operation::{Addressing, Effect, Offset, Operation, Transfer};
use crate::spilled_words::SpilledWords;

/// Sixteen registers and room for the flags, rounded up so that an index can be masked.
const REGISTERS: usize = 32;

/// What is known of each register.
#[derive(Clone, Debug, Default)]
pub struct BaseRegisters {
    values: [u32; REGISTERS],
    /// Registers whose value is known, as a bit mask.
    known: u32,
    /// A base that has grown by a register whose value is not known. When the base shows itself
    /// again, it shows that register, too.
    growing: Option<Growing>,
    /// Where a preload points to that had to wait for such a base.
    late: Option<u32>,
    /// Known registers that were saved on the stack.
    spilled: SpilledWords,
}

/// What is known of a preload's address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Preload {
    /// All of it.
    At(u32),
    /// It will be known as soon as its base is used.
    Late,
    /// Nothing.
    Unknown,
}

#[derive(Clone, Copy, Debug)]
struct Growing {
    base: u8,
    before: u32,
    by: u8,
    /// Offset of a preload that waits for the base.
    preload: Option<u32>,
}

impl BaseRegisters {
    /// Where a preload points to. One whose base is about to show itself comes late.
    pub fn preload(&mut self, addressing: &Addressing) -> Preload {
        let Some(offset) = self.offset(addressing.first) else {
            return Preload::Unknown;
        };
        let register = addressing.base;
        if let Some(base) = self.value(register) {
            return Preload::At(base.wrapping_add(offset));
        }
        match &mut self.growing {
            Some(growing) if growing.base == register && growing.preload.is_none() => {
                growing.preload = Some(offset);
                Preload::Late
            }
            _ => Preload::Unknown,
        }
    }

    /// The preload that came late, once.
    pub fn late_preload(&mut self) -> Option<u32> {
        self.late.take()
    }

    /// Follows `operation`; `first` is the first address that it accessed, if it did.
    pub fn follow(&mut self, operation: &Operation, first: Option<u32>) {
        if operation.memory.is_none() && operation.effect.is_none() {
            self.forget(operation.overwritten);
            return;
        }
        let effect = match operation.effect {
            // A skipped instruction has none.
            Some(effect) if !operation.conditional => self.effect(effect),
            _ => None,
        };
        if let (Some(memory), Some(first)) = (&operation.memory, first)
            && memory.transfer != Transfer::Prefetch
            && let Some(addressing) = &memory.addressing
        {
            self.learn(addressing, first);
        }
        let growing = effect.is_none().then(|| self.growth(operation)).flatten();
        let effect = effect.or_else(|| self.spill(operation, first?));
        self.forget(operation.overwritten);
        if let Some((to, value)) = effect {
            self.set(to, value);
        }
        if growing.is_some() {
            self.growing = growing;
        }
    }

    /// A load of a word that a known register was stored to; remembers such stores.
    fn spill(&mut self, operation: &Operation, address: u32) -> Option<(u8, u32)> {
        let memory = operation.memory.as_ref()?;
        match (memory.transfer, operation.spilled) {
            (Transfer::Load, Some(register)) => Some((register, self.spilled.load(address)?)),
            (Transfer::Store, Some(register)) => {
                self.spilled.store(address, self.value(register));
                None
            }
            (Transfer::Store, None) => {
                self.spilled.overwrite(address, memory.paired_words);
                None
            }
            _ => None,
        }
    }

    /// A known base to which a register is added that is not known.
    fn growth(&self, operation: &Operation) -> Option<Growing> {
        match operation.effect? {
            Effect::Sum { to, from, offset: Offset::Register(by) }
                if to == from && to != by && !operation.conditional =>
            {
                let before = self.value(from)?;
                Some(Growing { base: to, before, by, preload: None })
            }
            _ => None,
        }
    }

    fn effect(&self, effect: Effect) -> Option<(u8, u32)> {
        match effect {
            Effect::Constant { to, value } => Some((to, value)),
            Effect::Sum { to, from, offset } => {
                let sum = self.value(from)?.wrapping_add(self.offset(offset)?);
                Some((to, sum))
            }
        }
    }

    fn learn(&mut self, addressing: &Addressing, first: u32) {
        let register = addressing.base;
        let base = match addressing.first {
            Offset::Bytes(bytes) => Some(first.wrapping_sub(bytes.cast_unsigned())),
            Offset::Register(offset) => match (self.value(register), self.value(offset)) {
                (Some(base), _) => {
                    self.set(offset, first.wrapping_sub(base));
                    Some(base)
                }
                (None, Some(offset)) => Some(first.wrapping_sub(offset)),
                (None, None) => None,
            },
            Offset::Other => None,
        };
        let growing = self.growing.filter(|growing| growing.base == register);
        if let (Some(base), Some(growing)) = (base, growing) {
            self.set(growing.by, base.wrapping_sub(growing.before));
            self.late = growing.preload.map(|offset| base.wrapping_add(offset));
        }
        match (base, addressing.write_back) {
            (Some(base), None) => self.set(register, base),
            (Some(base), Some(offset)) => {
                self.forget(1 << (register & 31));
                if let Some(grown) = self.offset(offset) {
                    self.set(register, base.wrapping_add(grown));
                } else if let Offset::Register(by) = offset {
                    self.growing =
                        Some(Growing { base: register, before: base, by, preload: None });
                }
            }
            (None, Some(_)) => self.forget(1 << (register & 31)),
            (None, None) => {}
        }
    }

    fn value(&self, register: u8) -> Option<u32> {
        let known = self.known >> (register & 31) & 1 == 1;
        known.then(|| self.values[index(register)])
    }

    fn offset(&self, offset: Offset) -> Option<u32> {
        match offset {
            Offset::Bytes(bytes) => Some(bytes.cast_unsigned()),
            Offset::Register(register) => self.value(register),
            Offset::Other => None,
        }
    }

    fn set(&mut self, register: u8, value: u32) {
        self.forget(1 << (register & 31));
        self.values[index(register)] = value;
        self.known |= 1 << (register & 31);
    }

    fn forget(&mut self, registers: u32) {
        self.known &= !registers;
        if let Some(growing) = self.growing
            && (registers >> growing.base | registers >> growing.by) & 1 == 1
        {
            self.growing = None;
        }
    }
}

/// Masked, so that no index can be out of range.
fn index(register: u8) -> usize {
    usize::from(register) % REGISTERS
}
