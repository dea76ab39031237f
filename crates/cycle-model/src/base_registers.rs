//! The values of base registers, as far as they show themselves.
//!
//! QEMU's plugin interface (version 1) tells the addresses of loads and stores, but no register
//! values, and QEMU itself does nothing for a PLD. Where a PLD points to is therefore worked out:
//! every load and store shows what its base register holds, and simple additions are followed.

use crate::operation::{Addressing, Effect, Offset, Operation, Origin, Transfer};

/// Sixteen registers and room for the flags, rounded up so that an index can be masked.
const REGISTERS: usize = 32;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Value {
    Unknown,
    Known(u32),
    /// A known value plus a register that has not changed since, but is not known.
    KnownPlus(u32, u8),
}

/// What is known of each register.
#[derive(Clone, Debug)]
pub struct BaseRegisters {
    values: [Value; REGISTERS],
    /// Some value is [`Value::KnownPlus`].
    some_pending: bool,
}

impl Default for BaseRegisters {
    fn default() -> Self {
        Self { values: [Value::Unknown; REGISTERS], some_pending: false }
    }
}

impl BaseRegisters {
    /// Where a preload points to.
    pub fn resolve(&self, addressing: &Addressing) -> Option<u32> {
        let base = self.known(addressing.base)?;
        Some(base.wrapping_add(self.offset(addressing.first)?))
    }

    /// Follows `operation`; `first` is the first address that it accessed, if it did.
    pub fn follow(&mut self, operation: &Operation, first: Option<u32>) {
        let effect = self.effect(operation);
        if let (Some(memory), Some(first)) = (&operation.memory, first)
            && memory.transfer != Transfer::Prefetch
            && let Some(addressing) = &memory.addressing
        {
            self.learn(addressing, first);
        }
        for result in &operation.results {
            if result.origin != Origin::Base {
                self.set(result.register, Value::Unknown);
            }
        }
        if let Some((to, value)) = effect {
            self.set(to, value);
        }
    }

    /// The value that simple arithmetic leaves. A skipped instruction leaves none.
    fn effect(&self, operation: &Operation) -> Option<(u8, Value)> {
        if operation.conditional {
            return None;
        }
        match operation.effect? {
            Effect::Constant { to, value } => Some((to, Value::Known(value))),
            Effect::Sum { to, from, offset } => {
                let sum = self.known(from)?.wrapping_add(self.offset(offset)?);
                Some((to, Value::Known(sum)))
            }
        }
    }

    fn learn(&mut self, addressing: &Addressing, first: u32) {
        let base = match addressing.first {
            Offset::Bytes(bytes) => Some(first.wrapping_sub(bytes.cast_unsigned())),
            Offset::Register(register) => {
                if let Some(base) = self.known(addressing.base) {
                    self.set(register, Value::Known(first.wrapping_sub(base)));
                    Some(base)
                } else {
                    self.known(register).map(|value| first.wrapping_sub(value))
                }
            }
            Offset::Other => None,
        };
        let Some(base) = base else {
            if addressing.write_back.is_some() {
                self.set(addressing.base, Value::Unknown);
            }
            return;
        };
        if let Value::KnownPlus(before, register) = self.values[index(addressing.base)] {
            // The base shows by how much it has grown.
            self.set(register, Value::Known(base.wrapping_sub(before)));
        }
        let after = match addressing.write_back {
            None => Value::Known(base),
            Some(Offset::Other) => Value::Unknown,
            Some(Offset::Register(register)) if self.known(register).is_none() => {
                Value::KnownPlus(base, register)
            }
            Some(offset) => match self.offset(offset) {
                Some(bytes) => Value::Known(base.wrapping_add(bytes)),
                None => Value::Unknown,
            },
        };
        self.set(addressing.base, after);
    }

    fn known(&self, register: u8) -> Option<u32> {
        match self.values[index(register)] {
            Value::Known(value) => Some(value),
            Value::Unknown | Value::KnownPlus(..) => None,
        }
    }

    fn offset(&self, offset: Offset) -> Option<u32> {
        match offset {
            Offset::Bytes(bytes) => Some(bytes.cast_unsigned()),
            Offset::Register(register) => self.known(register),
            Offset::Other => None,
        }
    }

    fn set(&mut self, register: u8, value: Value) {
        if self.some_pending {
            // What waits for this register has lost it.
            for other in &mut self.values {
                if matches!(other, Value::KnownPlus(_, waiting) if *waiting == register) {
                    *other = Value::Unknown;
                }
            }
        }
        self.values[index(register)] = value;
        self.some_pending |= matches!(value, Value::KnownPlus(..));
    }
}

/// Masked, so that no index can be out of range.
fn index(register: u8) -> usize {
    usize::from(register) % REGISTERS
}
