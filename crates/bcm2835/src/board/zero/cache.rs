//! Cache maintenance, and the jump into another program that depends on it.
//!
//! QEMU models no caches: mistakes here show on the real chip only. Sources: TRM 3.2.22 and
//! erratum 411920 (see [`invalidate_instructions`]).

use super::cpu::data_synchronization_barrier;

/// Bytes in a cache line of the ARM1176 (TRM 7.1).
pub(crate) const CACHE_LINE: usize = 32;

/// Writes every changed cache line back to memory, so that a reset does not lose it.
pub fn clean_data() {
    // SAFETY: cleaning changes no memory that a program can see.
    unsafe {
        core::arch::asm!("mcr p15, 0, {zero}, c7, c10, 0", zero = in(reg) 0, options(nostack))
    };
    data_synchronization_barrier();
}

/// Writes the line at this address back and forgets it.
#[inline]
pub(crate) fn clean_and_invalidate_line(address: usize) {
    // SAFETY: cleaning and invalidating a line changes no memory that a program can see.
    unsafe { core::arch::asm!("mcr p15, 0, {0}, c7, c14, 1", in(reg) address, options(nostack)) };
}

/// Leaves this program for the one at `entry`: never returns, never comes back.
///
/// What the other program finds: supervisor mode, interrupts masked, MMU, caches and branch
/// prediction off, every changed line in memory, `r0` = 0, `r1` = `machine`, `r2` = `tags`: the
/// same as from the Pi's own boot stage (Linux, Documentation/arch/arm/booting.rst).
///
/// # Safety
/// A program for this processor must be at `entry`, and all interrupt sources must be silent.
pub unsafe fn launch(entry: usize, machine: u32, tags: u32) -> ! {
    // No memory access between cleaning and turning the cache off, or a line could be lost.
    // SAFETY: the caller promises the program; the identity mapping makes it the same address
    // with the MMU off.
    unsafe {
        core::arch::asm!(
            "cpsid if",
            "mov r0, #0",
            "mcr p15, 0, r0, c7, c14, 0", // clean and invalidate the data cache
            "mcr p15, 0, r0, c7, c10, 4", // data synchronization barrier
            "mrc p15, 0, r3, c1, c0, 0",
            "bic r3, r3, #0x1800",        // I, Z
            "bic r3, r3, #0x0005",        // C, M
            "mcr p15, 0, r3, c1, c0, 0",
            "mcr p15, 0, r0, c7, c5, 4",  // flush the prefetch buffer
            // Four times and eleven instructions: erratum 411920, as below.
            "mcr p15, 0, r0, c7, c5, 0",
            "mcr p15, 0, r0, c7, c5, 0",
            "mcr p15, 0, r0, c7, c5, 0",
            "mcr p15, 0, r0, c7, c5, 0",
            ".rept 11",
            "nop",
            ".endr",
            "mcr p15, 0, r0, c8, c7, 0",  // invalidate the TLBs
            "mcr p15, 0, r0, c7, c5, 6",  // flush the branch target cache
            "mcr p15, 0, r0, c7, c10, 4",
            "mcr p15, 0, r0, c7, c5, 4",
            "bx r4",
            // Named, all of them: the code above changes r0 and r3.
            in("r1") machine,
            in("r2") tags,
            in("r4") entry,
            options(noreturn)
        )
    }
}

/// Forgets all instructions fetched so far.
///
/// Erratum 411920: "Invalidation of the Instruction Cache operation can fail" on every ARM1176;
/// ARM's workaround is four times with interrupts masked, then eleven instructions that do
/// nothing (Linux, arch/arm/mm/cache-v6.S).
pub(super) fn invalidate_instructions() {
    critical_section::with(|_| {
        // SAFETY: instructions are fetched again from memory; nothing else changes.
        unsafe {
            core::arch::asm!(
                "mcr p15, 0, {zero}, c7, c5, 0",
                "mcr p15, 0, {zero}, c7, c5, 0",
                "mcr p15, 0, {zero}, c7, c5, 0",
                "mcr p15, 0, {zero}, c7, c5, 0",
                ".rept 11",
                "nop",
                ".endr",
                "mcr p15, 0, {zero}, c7, c5, 6",
                "mcr p15, 0, {zero}, c7, c5, 4",
                zero = in(reg) 0,
                options(nostack)
            )
        }
    });
}
