//! The ARM1176: barriers, interrupt mask, sleep.

/// Orders memory accesses before it with those after it (TRM 3.2.22, Data Memory Barrier).
#[inline]
pub(crate) fn data_memory_barrier() {
    // SAFETY: a barrier changes nothing but order. Not `nomem`: the compiler keeps to it as well.
    unsafe {
        core::arch::asm!("mcr p15, 0, {zero}, c7, c10, 5", zero = in(reg) 0, options(nostack))
    };
}

/// Waits until memory accesses before it are complete (TRM 3.2.22, Data Synchronization Barrier).
#[inline]
pub(crate) fn data_synchronization_barrier() {
    // SAFETY: as above.
    unsafe {
        core::arch::asm!("mcr p15, 0, {zero}, c7, c10, 4", zero = in(reg) 0, options(nostack))
    };
}

/// Masks interrupts; says whether they were on.
#[inline]
pub(crate) fn mask_interrupts() -> bool {
    let status: u32;
    // SAFETY: masking is always allowed in the privileged modes, the only ones used. Not
    // `nomem`: memory accesses must not move out of the critical section.
    unsafe { core::arch::asm!("mrs {0}, cpsr", "cpsid i", out(reg) status, options(nostack)) };
    status & (1 << 7) == 0
}

/// Lets interrupts in.
#[inline]
pub(crate) fn unmask_interrupts() {
    // SAFETY: the vectors are set by the boot stub, before any Rust code runs.
    unsafe { core::arch::asm!("cpsie i", options(nostack)) };
}

/// Sleeps until an interrupt is pending (TRM 3.2.22, Wait For Interrupt).
///
/// On this chip the processor can hang for good if it goes to sleep while an instruction is being
/// fetched from memory (github.com/raspberrypi/linux, issue 20; NetBSD has it too, `arm11x6_sleep`).
/// So the instructions around the sleep fill one line of the cache, and are run through once without
/// sleeping.
pub(crate) fn wait_for_interrupt() {
    // SAFETY: stops the clock of the processor until an interrupt; changes nothing.
    unsafe {
        core::arch::asm!(
            ".balign 32",
            "2:",
            "subs {rounds}, {rounds}, #1",
            "nop",
            "mcreq p15, 0, {rounds}, c7, c10, 4", // data synchronization barrier
            "mcreq p15, 0, {rounds}, c7, c0, 4",  // sleep
            "nop",
            "nop",
            "nop",
            "bne 2b",
            rounds = inout(reg) 2 => _,
            options(nostack)
        )
    };
}
