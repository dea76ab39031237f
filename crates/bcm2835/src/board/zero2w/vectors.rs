//! Exceptions of the Cortex-A53: interrupts are served, everything else becomes a [`Fault`].

use cortex_a::registers::{ELR_EL1, ESR_EL1, FAR_EL1, TPIDR_EL1};
use tock_registers::interfaces::Readable;

use super::syndrome::{has_address, kind};
use crate::exception::{Fault, FaultKind, fault};

// The table: ARM ARM, "Exception vectors". All code runs at level 1 on the stack pointer of level 0; an
// exception finds the other one. A fault takes the topmost stack, because the one it came from may be
// what is wrong.
core::arch::global_asm!(
    r#"
.section .text.vectors, "ax"
.balign 2048
.global exception_vectors
exception_vectors:
    b       .Lsynchronous           // from where all code runs
    .balign 128
    b       .Linterrupt
    .balign 128
    b       .Lunexpected            // fast interrupt
    .balign 128
    b       .Lunexpected            // error of the memory system
    .balign 128
    b       .Lsynchronous           // while an exception is served
    .balign 128
    .rept   11                      // and from level 0, where nothing runs
    b       .Lunexpected
    .balign 128
    .endr

.Lsynchronous:
    mov     w0, #1
    b       .Lfault
.Lunexpected:
    mov     w0, #0
.Lfault:                            // never returns, so every register is free
    mov     w1, w30
    ldr     x2, =__abort_stack_top
    mov     sp, x2
    bl      exception_fault

.Linterrupt:                        // keeps what a function may change (AAPCS64 6.1)
    stp     x0, x1, [sp, #-16]!
    stp     x2, x3, [sp, #-16]!
    stp     x4, x5, [sp, #-16]!
    stp     x6, x7, [sp, #-16]!
    stp     x8, x9, [sp, #-16]!
    stp     x10, x11, [sp, #-16]!
    stp     x12, x13, [sp, #-16]!
    stp     x14, x15, [sp, #-16]!
    stp     x16, x17, [sp, #-16]!
    stp     x18, x30, [sp, #-16]!
    mrs     x0, elr_el1
    mrs     x1, spsr_el1
    stp     x0, x1, [sp, #-16]!
    mrs     x2, fpcr
    mrs     x3, fpsr
    stp     x2, x3, [sp, #-16]!
    stp     q0, q1, [sp, #-32]!     // of v8 to v15 a function keeps the lower halves only
    stp     q2, q3, [sp, #-32]!
    stp     q4, q5, [sp, #-32]!
    stp     q6, q7, [sp, #-32]!
    stp     q8, q9, [sp, #-32]!
    stp     q10, q11, [sp, #-32]!
    stp     q12, q13, [sp, #-32]!
    stp     q14, q15, [sp, #-32]!
    stp     q16, q17, [sp, #-32]!
    stp     q18, q19, [sp, #-32]!
    stp     q20, q21, [sp, #-32]!
    stp     q22, q23, [sp, #-32]!
    stp     q24, q25, [sp, #-32]!
    stp     q26, q27, [sp, #-32]!
    stp     q28, q29, [sp, #-32]!
    stp     q30, q31, [sp, #-32]!
    msr     tpidr_el1, x30          // for whoever asks: a register that nothing else uses
    bl      exception_interrupt
    ldp     q30, q31, [sp], #32
    ldp     q28, q29, [sp], #32
    ldp     q26, q27, [sp], #32
    ldp     q24, q25, [sp], #32
    ldp     q22, q23, [sp], #32
    ldp     q20, q21, [sp], #32
    ldp     q18, q19, [sp], #32
    ldp     q16, q17, [sp], #32
    ldp     q14, q15, [sp], #32
    ldp     q12, q13, [sp], #32
    ldp     q10, q11, [sp], #32
    ldp     q8, q9, [sp], #32
    ldp     q6, q7, [sp], #32
    ldp     q4, q5, [sp], #32
    ldp     q2, q3, [sp], #32
    ldp     q0, q1, [sp], #32
    ldp     x2, x3, [sp], #16
    msr     fpcr, x2
    msr     fpsr, x3
    ldp     x0, x1, [sp], #16
    msr     elr_el1, x0
    msr     spsr_el1, x1
    ldp     x18, x30, [sp], #16
    ldp     x16, x17, [sp], #16
    ldp     x14, x15, [sp], #16
    ldp     x12, x13, [sp], #16
    ldp     x10, x11, [sp], #16
    ldp     x8, x9, [sp], #16
    ldp     x6, x7, [sp], #16
    ldp     x4, x5, [sp], #16
    ldp     x2, x3, [sp], #16
    ldp     x0, x1, [sp], #16
    eret                            // which clears the exclusive monitor, too
    .ltorg
"#
);

/// Addresses are below 4 GiB, except those that are wrong: of these a report has the lower half.
#[unsafe(no_mangle)]
extern "C" fn exception_fault(is_synchronous: u32, link_register: u32) -> ! {
    let status = ESR_EL1.get() as u32;
    let kind = if is_synchronous == 1 { kind(status) } else { FaultKind::Unexpected };
    let address = if has_address(kind) { FAR_EL1.get() as u32 } else { 0 };
    let program_counter = ELR_EL1.get() as u32;
    fault(&Fault { kind, program_counter, link_register, status, address })
}

#[unsafe(no_mangle)]
extern "C" fn exception_interrupt(program_counter: u32) {
    crate::interrupt::serve(program_counter);
}

/// The link register of the code that an interrupt came to; to be asked by those who serve it.
pub(crate) fn interrupted_link_register() -> u32 {
    TPIDR_EL1.get() as u32
}
