//! Exceptions of the ARM1176: interrupts are served, everything else becomes a [`Fault`].

use crate::exception::{Fault, FaultKind, fault};

// Exception entry, TRM 2.12. `lr` is past the instruction by 4 or 8. The link register of
// the interrupted code lives in its own mode; all code runs in supervisor mode.
core::arch::global_asm!(
    r#"
.section .text.vectors, "ax"
.arch armv6k
.fpu vfpv2
.arm
.balign 32
.global exception_vectors
exception_vectors:
    ldr     pc, =.Lunexpected       @ reset: never taken through this table
    ldr     pc, =.Lundefined
    ldr     pc, =.Lunexpected       @ supervisor call
    ldr     pc, =.Lprefetch_abort
    ldr     pc, =.Ldata_abort
    ldr     pc, =.Lunexpected       @ not used by the ARM1176
    ldr     pc, =.Linterrupt
    ldr     pc, =.Lunexpected       @ fast interrupt

.Lundefined:
    sub     r1, lr, #4
    mov     r0, #0
    b       .Lfault
.Lprefetch_abort:
    sub     r1, lr, #4
    mov     r0, #1
    b       .Lfault
.Ldata_abort:
    sub     r1, lr, #8
    mov     r0, #2
    b       .Lfault
.Lunexpected:
    sub     r1, lr, #4
    mov     r0, #3
.Lfault:                            @ never returns, so every register is free
    mrs     r4, cpsr
    mrs     r5, spsr
    bic     r6, r4, #0x1f
    and     r5, r5, #0x1f
    orr     r6, r6, r5
    msr     cpsr_c, r6              @ the mode the fault came from, interrupts still masked
    mov     r2, lr
    msr     cpsr_c, r4
    vmrs    r4, fpscr
    bic     r4, r4, #0x370000       @ LEN and STRIDE, see below
    vmsr    fpscr, r4
    bl      exception_fault

.Linterrupt:
    sub     lr, lr, #4
    push    {{r0-r3, r12, lr}}
    mov     r0, lr
    vpush   {{d0-d7}}               @ what a function may change (AAPCS 6.1.2.1)
    vmrs    r2, fpscr
    push    {{r2, r3}}
    bic     r2, r2, #0x370000       @ LEN and STRIDE: a kernel may be at work with short vectors,
    vmsr    fpscr, r2               @ compiled code wants 1 and 1 (AAPCS 6.1.2.1)
    bl      exception_interrupt
    pop     {{r2, r3}}
    vmsr    fpscr, r2
    vpop    {{d0-d7}}
    clrex                           @ an LDREX of the interrupted code must not pair with a
    ldm     sp!, {{r0-r3, r12, pc}}^ @ STREX after what happened here
    .ltorg
"#
);

#[unsafe(no_mangle)]
extern "C" fn exception_fault(kind: u32, program_counter: u32, link_register: u32) -> ! {
    let (kind, (status, address)) = match kind {
        0 => (FaultKind::UndefinedInstruction, (0, 0)),
        1 => (FaultKind::PrefetchAbort, (instruction_fault_status(), program_counter)),
        2 => (FaultKind::DataAbort, data_fault()),
        _ => (FaultKind::Unexpected, (0, 0)),
    };
    fault(&Fault { kind, program_counter, link_register, status, address })
}

#[unsafe(no_mangle)]
extern "C" fn exception_interrupt(program_counter: u32) {
    crate::interrupt::serve(program_counter);
}

/// The link register of the code that an interrupt came to; to be asked by those who serve it.
pub(crate) fn interrupted_link_register() -> u32 {
    let link_register;
    // SAFETY: a look into supervisor mode, where all code runs, and back into the interrupt's.
    // Into r0: lr is another one in each mode.
    unsafe { core::arch::asm!("cps #0x13", "mov r0, lr", "cps #0x12", out("r0") link_register) };
    link_register
}

fn instruction_fault_status() -> u32 {
    let status;
    // SAFETY: reading a status register changes nothing (TRM 3.2.18).
    unsafe { core::arch::asm!("mrc p15, 0, {}, c5, c0, 1", out(reg) status) };
    status
}

/// Status and address.
fn data_fault() -> (u32, u32) {
    let (status, address);
    // SAFETY: reading status registers changes nothing (TRM 3.2.17, 3.2.19).
    unsafe {
        core::arch::asm!(
            "mrc p15, 0, {}, c5, c0, 0",
            "mrc p15, 0, {}, c6, c0, 0",
            out(reg) status,
            out(reg) address
        )
    };
    (status, address)
}
