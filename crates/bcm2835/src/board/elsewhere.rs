//! No board: the nearest portable thing, so that the drivers compile where they are tested and linted.

use core::sync::atomic::{Ordering, fence};

pub(crate) const PERIPHERALS: usize = 0x2000_0000;
pub(crate) const GPU_ALIAS: u32 = 0x4000_0000;
pub(crate) const ACTIVITY_LED: u32 = 47;
pub(crate) const CACHE_LINE: usize = 32;

pub(crate) fn data_memory_barrier() {
    fence(Ordering::SeqCst);
}

pub(crate) fn data_synchronization_barrier() {
    fence(Ordering::SeqCst);
}

pub(crate) fn mask_interrupts() -> bool {
    false
}

pub(crate) fn unmask_interrupts() {}

pub(crate) fn wait_for_interrupt() {}

/// Nothing is interrupted here.
pub(crate) fn interrupted_link_register() -> u32 {
    0
}

/// There are no caches to look after.
pub fn clean_data() {}

pub(crate) fn clean_and_invalidate_line(_address: usize) {}

/// There is nothing to launch.
///
/// # Safety
/// None needed; the signature is that of the real one.
pub unsafe fn launch(_entry: usize, _machine: u32, _tags: u32) -> ! {
    loop {
        core::hint::spin_loop();
    }
}
