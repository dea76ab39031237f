//! The Cortex-A53: barriers, interrupt mask, sleep.

use core::arch::asm;

use cortex_a::asm::barrier::{self, SY};
use cortex_a::asm::wfi;

/// Orders memory accesses before it with those after it.
#[inline]
pub(crate) fn data_memory_barrier() {
    barrier::dmb(SY);
}

/// Waits until memory accesses before it are complete.
#[inline]
pub(crate) fn data_synchronization_barrier() {
    barrier::dsb(SY);
}

/// Masks interrupts; says whether they were on.
#[inline]
pub(crate) fn mask_interrupts() -> bool {
    let masks: u64;
    // SAFETY: masking is always allowed at level 1. Not the crate's register, which lets the compiler
    // move memory accesses out of the critical section.
    unsafe { asm!("mrs {0}, daif", "msr daifset, #2", out(reg) masks, options(nostack)) };
    masks & (1 << 7) == 0
}

/// Lets interrupts in.
#[inline]
pub(crate) fn unmask_interrupts() {
    // SAFETY: the vectors are set by the boot stub, before any Rust code runs.
    unsafe { asm!("msr daifclr, #2", options(nostack)) };
}

/// Sleeps until an interrupt is pending, masked or not (ARM ARM, "Wait for Interrupt").
pub(crate) fn wait_for_interrupt() {
    data_synchronization_barrier();
    wfi();
}
