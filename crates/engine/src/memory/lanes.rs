//! Buffers of whole numbers in lane order, aligned to the processor's cache lines.
//!
//! Kernels load two or four numbers at a time and could not begin anywhere else; and a line of its own
//! is fetched once.

use super::{EngineError, zeros};
use alloc::vec::Vec;

/// A line of the ARM1176's cache, and of most others a part.
const LINE_BYTES: usize = 32;
const LINE: usize = LINE_BYTES / size_of::<i16>();

/// So many whole numbers, at first zeros, at a multiple of 32 in memory.
pub(crate) struct Lanes {
    /// A line more than is used.
    storage: Vec<i16>,
    start: usize,
}

impl Lanes {
    pub(crate) fn new(length: usize) -> Result<Self, EngineError> {
        if length == 0 {
            return Ok(Self { storage: Vec::new(), start: 0 });
        }
        let all = length.checked_add(LINE).ok_or(EngineError::OutOfMemory)?;
        let storage: Vec<i16> = zeros(all)?;
        // The vector never grows, so it stays where it is.
        let start = storage.as_ptr().align_offset(LINE_BYTES).min(LINE);
        Ok(Self { storage, start })
    }

    /// Bytes that [`Lanes::new`] allocates.
    pub(crate) fn bytes(length: u64) -> u64 {
        if length == 0 { 0 } else { (length + LINE as u64) * size_of::<i16>() as u64 }
    }

    /// The numbers, and up to a line more.
    pub(crate) fn get(&self) -> &[i16] {
        &self.storage[self.start..]
    }

    /// Likewise, to be changed.
    pub(crate) fn get_mut(&mut self) -> &mut [i16] {
        &mut self.storage[self.start..]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_begin_with_a_line() {
        for length in [1, 2, 3, 16, 63, 64, 1000, 4096] {
            let lanes = Lanes::new(length).unwrap();
            assert!(lanes.get().as_ptr().addr().is_multiple_of(LINE_BYTES), "{length}");
            assert!(lanes.get().len() >= length);
        }
        assert!(Lanes::new(0).unwrap().get().is_empty());
        assert!(Lanes::new(usize::MAX).is_err());
    }
}
