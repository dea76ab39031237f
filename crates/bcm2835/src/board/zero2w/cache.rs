//! Cache maintenance, and the jump into another program that depends on it.
//!
//! QEMU models no caches: mistakes here show on the real chip only. Source: ARM ARM, "The A64 System
//! instructions for cache maintenance". By set and way is right here because one core is at work and
//! the second level of cache belongs to its cluster alone.

use core::arch::asm;
use core::ops::Range;

use cortex_a::asm::barrier::{self, SY};
use cortex_a::registers::{CCSIDR_EL1, CLIDR_EL1, CSSELR_EL1};
use tock_registers::interfaces::{Readable, Writeable};

use super::cpu::mask_interrupts;
use super::geometry::{Geometry, levels};
use crate::memory;

/// Bytes in a line of both levels (TRM 6.1).
pub(crate) const CACHE_LINE: usize = 64;

/// Does this to each line of each data cache, the first level first.
#[inline(always)]
fn with_every_line(work: impl Fn(u64)) {
    barrier::dsb(SY);
    for level in levels(CLIDR_EL1.get()) {
        // Bit 0 would ask for the instruction cache.
        let level = level << 1;
        CSSELR_EL1.set(level);
        barrier::isb(SY);
        for line in Geometry::new(CCSIDR_EL1.get()).lines() {
            work(line | level);
        }
        barrier::dsb(SY);
    }
    barrier::isb(SY);
}

/// Writes every changed cache line back to memory, so that a reset does not lose it.
///
/// What was written before the call gets there: nothing reads it meanwhile, so no line of it moves
/// between the levels.
pub fn clean_data() {
    // SAFETY: cleaning changes no memory that a program can see.
    with_every_line(|line| unsafe { asm!("dc cisw, {}", in(reg) line, options(nostack)) });
    // What must survive a reset goes to memory by address too, which is promised to arrive there.
    clean_and_invalidate(memory::handover());
}

/// Writes every line of this memory back and forgets it.
fn clean_and_invalidate(memory: Range<usize>) {
    memory.step_by(CACHE_LINE).for_each(clean_and_invalidate_line);
    barrier::dsb(SY);
}

/// Forgets every line. This processor writes a changed one back first (TRM, HCR_EL2.SWIO).
///
/// # Safety
/// The data caches must be off, and hold nothing that memory does not have.
pub(super) unsafe fn invalidate_data() {
    // SAFETY: as the caller promises.
    with_every_line(|line| unsafe { asm!("dc isw, {}", in(reg) line, options(nostack)) });
}

/// Writes the line at this address back and forgets it.
#[inline]
pub(crate) fn clean_and_invalidate_line(address: usize) {
    // SAFETY: cleaning and invalidating a line changes no memory that a program can see.
    unsafe { asm!("dc civac, {}", in(reg) address, options(nostack)) };
}

/// Forgets all instructions fetched so far.
pub(super) fn invalidate_instructions() {
    // SAFETY: instructions are fetched again from memory; nothing else changes.
    unsafe { asm!("dsb sy", "ic iallu", "dsb sy", "isb", options(nostack)) };
}

/// What [`launch`] turns off in SCTLR_EL1: instruction cache, data cache, MMU.
const CACHES_AND_MMU: u64 = 1 << 12 | 1 << 2 | 1;

/// Leaves this program for the one at `entry`: never returns, never comes back.
///
/// What the other program finds: level 1, interrupts masked, MMU and caches off, every changed line in
/// memory, `x0` = `tags`, `x1` to `x3` = 0: the same as from the Pi's own boot stage, but for the level
/// (Linux, Documentation/arch/arm64/booting.rst). There is no `machine` on this processor.
///
/// # Safety
/// A program for this processor must be at `entry`, and all interrupt sources must be silent.
pub unsafe fn launch(entry: usize, _machine: u32, tags: u32) -> ! {
    mask_interrupts();
    // SAFETY: cleaning and invalidating changes no memory that a program can see.
    with_every_line(|line| unsafe { asm!("dc cisw, {}", in(reg) line, options(nostack)) });
    // The new program by address too: the architecture promises nothing by set and way while lines may
    // move between the levels.
    clean_and_invalidate(memory::firmware_image());
    // What comes into the caches from here on is this function's own stack, which the next program has
    // no use for, and copies of what memory holds. That program forgets them before it turns its
    // caches on.
    // SAFETY: the caller promises the program; the identity mapping makes it the same address with the
    // MMU off.
    unsafe {
        asm!(
            "mrs x9, sctlr_el1",
            "bic x9, x9, x8",
            "msr sctlr_el1, x9",
            "isb",
            "tlbi vmalle1",
            "ic iallu",
            "dsb sy",
            "isb",
            "br x10",
            in("x0") u64::from(tags),
            in("x1") 0_u64,
            in("x2") 0_u64,
            in("x3") 0_u64,
            in("x8") CACHES_AND_MMU,
            in("x10") entry,
            options(noreturn)
        )
    }
}
