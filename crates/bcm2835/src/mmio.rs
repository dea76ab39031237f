//! The one pair of volatile accesses that every driver goes through.

use crate::board::{PERIPHERALS, data_memory_barrier};

/// A block of 32-bit registers at a fixed physical address.
#[derive(Clone, Copy)]
pub(crate) struct Block {
    base: usize,
}

impl Block {
    /// The register block that the manual has at this bus address, 0x7Enn_nnnn: the processor sees
    /// it elsewhere (p. 6).
    pub(crate) const fn new(bus_address: usize) -> Self {
        assert!(bus_address >> 24 == 0x7e, "peripheral window");
        Self { base: PERIPHERALS + (bus_address & 0x00ff_ffff) }
    }

    /// Reads the register at `offset` bytes.
    ///
    /// The barrier after it keeps data from two blocks in order (p. 7, section 1.3): the chip may
    /// deliver them swapped. An interrupt may come between any two accesses, so it stands here
    /// and not in the drivers; for one that comes between an access and its barrier,
    /// [`crate::interrupt`] has barriers of its own.
    #[inline]
    pub(crate) fn read(self, offset: usize) -> u32 {
        // SAFETY: `new` admits the peripheral window only, offsets are constants of the drivers,
        // and a register read there has no effect on memory.
        let value = unsafe { ((self.base + offset) as *const u32).read_volatile() };
        data_memory_barrier();
        value
    }

    /// As [`Block::read`], without the barrier: for several reads of one block, which do arrive in
    /// order (p. 7). Interrupts must be masked, and a barrier must follow the last of them.
    #[inline]
    pub(crate) fn read_in_a_row(self, offset: usize) -> u32 {
        // SAFETY: as for `read`.
        unsafe { ((self.base + offset) as *const u32).read_volatile() }
    }

    /// Writes the register at `offset` bytes, after everything written before it (p. 7).
    #[inline]
    pub(crate) fn write(self, offset: usize, value: u32) {
        data_memory_barrier();
        // SAFETY: as for `read`; the one register whose write makes the chip change memory, the
        // mailbox, is written by `mailbox` alone, which owns the memory in question.
        unsafe { ((self.base + offset) as *mut u32).write_volatile(value) };
    }
}
