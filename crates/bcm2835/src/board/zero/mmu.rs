//! The MMU of the ARM1176, and what is turned on with it.

use core::cell::UnsafeCell;

use super::cache::invalidate_instructions;
use super::tables::{PAGES, SECTIONS, Tables};
use crate::section::Section;

struct Shared(UnsafeCell<Tables>);

// SAFETY: `enable` writes it once, before interrupts and the MMU are on; from then on the hardware
// reads it.
unsafe impl Sync for Shared {}

static TABLES: Shared =
    Shared(UnsafeCell::new(Tables { sections: [0; SECTIONS], first_pages: [0; PAGES] }));

/// Turns on MMU, caches, branch prediction and unaligned access.
///
/// # Safety
/// Once, with MMU and caches off; the sections must cover what the program uses.
pub(crate) unsafe fn enable(sections: &[Section]) {
    let table = TABLES.0.get();
    // SAFETY: called once, before anything else could look at the tables.
    let tables = unsafe { &mut *table };
    let first_pages = tables.first_pages.as_ptr().addr() as u32;
    tables.fill(sections, first_pages);
    invalidate_instructions();
    // The table needs no cleaning: it was written with the data cache off.
    // SAFETY: the sections cover the running code, its data and stack, at their own addresses.
    unsafe {
        core::arch::asm!(
            "mcr p15, 0, {zero}, c7, c6, 0",    // invalidate the data cache
            "mcr p15, 0, {zero}, c8, c7, 0",    // invalidate the TLBs
            "mcr p15, 0, {zero}, c7, c10, 4",   // data synchronization barrier
            "mcr p15, 0, {zero}, c2, c0, 2",    // TTBCR: table 0 for every address
            "mcr p15, 0, {table}, c2, c0, 0",   // TTBR0: walks uncached
            "mcr p15, 0, {client}, c3, c0, 0",  // domain 0: check permissions
            "mrc p15, 0, {control}, c1, c0, 0",
            "orr {control}, {control}, {on}",
            "bic {control}, {control}, #2",     // A: no alignment faults
            "mcr p15, 0, {control}, c1, c0, 0",
            "mcr p15, 0, {zero}, c7, c5, 4",    // flush the prefetch buffer
            zero = in(reg) 0,
            table = in(reg) table,
            client = in(reg) 1,
            control = out(reg) _,
            on = in(reg) CONTROL,
            options(nostack)
        );
    }
}

/// Bits of the control register (TRM 3.2.7): MMU, data cache, branch prediction, instruction
/// cache, unaligned access, ARMv6 descriptors.
const CONTROL: u32 = 1 | 1 << 2 | 1 << 11 | 1 << 12 | 1 << 22 | 1 << 23;
