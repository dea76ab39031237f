//! Program flow prediction (DDI 0301H, chapter 5 and 16.8).
//!
//! - 5.2: a direct-mapped cache of 128 branch targets with two-bit saturating histories; every
//!   resolved branch is entered, taken or not.
//! - 5.2.3: a branch that is not in it is predicted taken when it goes backward.
//! - 5.3: a return stack of three entries.
//!
//! Not modelled: folding, which makes a predicted branch free when enough instructions wait; every
//! predicted branch costs its one cycle. Assumption: the branch cache is indexed by the lowest bits
//! of the word address.

use crate::operation::{Flow, Operation};

const ENTRIES: usize = 128;
const RETURNS: usize = 3;

/// Table 16-11: a correct dynamic, a correct static not-taken and a correct static taken
/// prediction; a correctly predicted return.
const PREDICTED: u8 = 1;
const STATICALLY_TAKEN: u8 = 4;
const PREDICTED_RETURN: u8 = 4;

/// What a change of flow costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// None: the instruction's own cycles.
    Sequential,
    /// So many cycles.
    Takes(u8),
    /// Five to seven cycles, depending on when the flags were set.
    Mispredicted,
    /// So many cycles, after the target has come.
    Unpredicted(u8),
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    address: u32,
    /// 0 and 1 predict not taken, 2 and 3 taken.
    history: u8,
}

/// Branch target cache and return stack.
#[derive(Clone, Debug)]
pub struct Predictor {
    targets: [Option<Entry>; ENTRIES],
    /// The newest is last.
    returns: [Option<u32>; RETURNS],
}

impl Default for Predictor {
    fn default() -> Self {
        Self { targets: [None; ENTRIES], returns: [None; RETURNS] }
    }
}

impl Predictor {
    /// What `operation` costs when `next` is executed after it.
    pub fn resolve(&mut self, operation: &Operation, next: u32) -> Outcome {
        let following = operation.address.wrapping_add(4);
        let taken = next != following;
        match operation.flow {
            Flow::Sequential => Outcome::Sequential,
            Flow::Direct { link, backward } => {
                if link && taken {
                    self.push(following);
                }
                let certain = !operation.conditional;
                self.direct(operation.address, taken, backward || certain)
            }
            Flow::Return { mispredicted, empty } => match self.pop() {
                None => Outcome::Takes(empty),
                Some(address) if address == next => Outcome::Takes(PREDICTED_RETURN),
                Some(_) => Outcome::Unpredicted(mispredicted),
            },
            Flow::Indirect { .. } if !taken => Outcome::Sequential,
            Flow::Indirect { cycles, link } => {
                if link {
                    self.push(following);
                }
                Outcome::Unpredicted(cycles)
            }
        }
    }

    fn direct(&mut self, address: u32, taken: bool, statically: bool) -> Outcome {
        let slot = &mut self.targets[(address >> 2) as usize % ENTRIES];
        match slot {
            Some(entry) if entry.address == address => {
                let predicted = entry.history >= 2;
                entry.history = if taken {
                    (entry.history + 1).min(3)
                } else {
                    entry.history.saturating_sub(1)
                };
                if predicted == taken { Outcome::Takes(PREDICTED) } else { Outcome::Mispredicted }
            }
            _ => {
                // A new history begins on the weak side.
                *slot = Some(Entry { address, history: if taken { 2 } else { 1 } });
                match (statically, taken) {
                    (true, true) => Outcome::Takes(STATICALLY_TAKEN),
                    (false, false) => Outcome::Takes(PREDICTED),
                    _ => Outcome::Mispredicted,
                }
            }
        }
    }

    /// The oldest return is forgotten.
    fn push(&mut self, address: u32) {
        self.returns.rotate_left(1);
        self.returns[RETURNS - 1] = Some(address);
    }

    fn pop(&mut self) -> Option<u32> {
        let newest = self.returns[RETURNS - 1].take();
        self.returns.rotate_right(1);
        newest
    }
}
