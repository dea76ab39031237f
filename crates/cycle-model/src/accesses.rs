//! The memory accesses of one executed instruction.

use crate::data_cache::LINE_BITS;
use crate::operation::Operation;

/// The peripherals of the BCM2835 begin here: nothing above is cached.
const PERIPHERALS: u32 = 0x2000_0000;
/// Lines that one instruction can touch: 128 bytes of an FLDM, and one more when not aligned.
const LINES: usize = 6;

/// First address and cache lines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Accesses {
    first: Option<(u32, u32)>,
    lines: [u32; LINES],
    count: usize,
}

impl Accesses {
    /// Forgets everything.
    pub fn clear(&mut self) {
        self.first = None;
        self.count = 0;
    }

    /// Adds an access of `size` bytes.
    pub fn add(&mut self, address: u32, size: u32) {
        self.first.get_or_insert((address, size));
        if address >= PERIPHERALS {
            return;
        }
        let line = address >> LINE_BITS;
        let last = address.wrapping_add(size.max(1) - 1) >> LINE_BITS;
        self.add_line(line);
        if last != line {
            self.add_line(last);
        }
    }

    fn add_line(&mut self, line: u32) {
        if self.lines().last() == Some(&line) {
            return;
        }
        if let Some(slot) = self.lines.get_mut(self.count) {
            *slot = line;
            self.count += 1;
        }
    }

    /// The first address, if memory was accessed at all.
    pub fn first(&self) -> Option<u32> {
        self.first.map(|(address, _)| address)
    }

    /// Numbers of the cached lines touched, in order.
    pub fn lines(&self) -> &[u32] {
        self.lines.get(..self.count).unwrap_or_default()
    }

    /// Whether the first address needs a second access: a pair of words that is not 64-bit aligned,
    /// or anything that is not aligned to its size (DDI 0301H, 16.10 to 16.12).
    pub fn misaligned(&self, operation: &Operation) -> bool {
        let Some((address, size)) = self.first else {
            return false;
        };
        let pairs = operation.memory.is_some_and(|memory| memory.paired_words > 1);
        // Sizes are powers of two.
        let alignment = if pairs { 8 } else { size.max(1) };
        address & (alignment - 1) != 0
    }
}
