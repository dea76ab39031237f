//! The first instructions of both programs: move the image to where it was linked, set up modes,
//! stacks, vectors and floating point, clear `.bss`, call `wisp_main(r0, r1, r2,
//! address it was loaded to)`.
//!
//! The image may have been loaded anywhere: at 0x8000 by the Pi or `qemu -bios`, at 0x10000 by
//! `qemu -kernel` with a raw image, in place by `qemu -kernel` with an ELF file. Where the old
//! and the new place overlap, the move is downwards, so copying upwards reads every word before
//! it is overwritten; what would be lost is the copying code itself. So the stub goes first, and
//! its copy at the new place does the rest. (The stub is shorter than the distance: 0x8000.)
//!
//! On entry, as Linux, Documentation/arch/arm/booting.rst has it: supervisor mode, MMU and data
//! cache off, r0 = 0, r1 = machine type, r2 = boot parameters.

core::arch::global_asm!(
    r#"
.section .text.boot, "ax"
.arch armv6k
.fpu vfpv2
.arm
.global _start
_start:
    cpsid   if, #0x13               @ supervisor mode, no interrupts
    mov     r8, r0                  @ what the loader said, for wisp_main
    mov     r9, r1
    mov     r10, r2
    adr     r0, _start              @ where it runs
    mov     r11, r0
    ldr     r1, =__image_start      @ where it was linked
    ldr     r2, =__image_end
    cmp     r0, r1
    beq     .Lin_place
    ldr     r3, =.Lstub_end
1:  ldmia   r0!, {{r4-r7}}
    stmia   r1!, {{r4-r7}}
    cmp     r1, r3
    blo     1b
    mov     r4, #0
    mcr     p15, 0, r4, c7, c10, 4  @ data synchronization barrier
    mcr     p15, 0, r4, c7, c5, 0   @ invalidate the instruction cache: four times and eleven
    mcr     p15, 0, r4, c7, c5, 0   @ instructions, erratum 411920 (see cache.rs)
    mcr     p15, 0, r4, c7, c5, 0
    mcr     p15, 0, r4, c7, c5, 0
    .rept   11
    nop
    .endr
    mcr     p15, 0, r4, c7, c5, 6   @ flush the branch target cache
    mcr     p15, 0, r4, c7, c5, 4   @ flush the prefetch buffer
    ldr     pc, =.Lcopy_rest
.Lcopy_rest:                        @ from here on at the linked address
    cmp     r1, r2
    bhs     .Lin_place
    ldmia   r0!, {{r4-r7}}
    stmia   r1!, {{r4-r7}}
    b       .Lcopy_rest

.Lin_place:
    mov     r4, #0
    mcr     p15, 0, r4, c7, c10, 4  @ data synchronization barrier
    cps     #0x12                   @ a stack for each mode: interrupt,
    ldr     sp, =__interrupt_stack_top
    cps     #0x11                   @ fast interrupt,
    ldr     sp, =__fast_interrupt_stack_top
    cps     #0x17                   @ abort,
    ldr     sp, =__abort_stack_top
    cps     #0x1b                   @ undefined instruction,
    ldr     sp, =__undefined_stack_top
    cps     #0x13                   @ and supervisor, the one everything runs in
    ldr     sp, =__stack_top

    ldr     r0, =exception_vectors
    mcr     p15, 0, r0, c12, c0, 0  @ secure vector base address (TRM 3.2.43)
    mrc     p15, 0, r0, c1, c0, 2   @ coprocessor access control (TRM 3.2.9):
    orr     r0, r0, #0xf00000       @ full access to the floating point unit
    mcr     p15, 0, r0, c1, c0, 2
    mcr     p15, 0, r4, c7, c5, 4   @ flush the prefetch buffer
    mov     r0, #0x40000000
    vmsr    fpexc, r0               @ floating point on
    mov     r0, #0x03000000         @ RunFast (TRM 18.5): flush to zero, default NaN, no traps:
    vmsr    fpscr, r0               @ everything in hardware

    ldr     r0, =__bss_start
    ldr     r1, =__bss_end
    mov     r5, #0
    mov     r6, #0
    mov     r7, #0
2:  cmp     r0, r1
    stmialo r0!, {{r4-r7}}          @ .bss is a multiple of 32 bytes
    blo     2b

    mov     r0, r8
    mov     r1, r9
    mov     r2, r10
    mov     r3, r11
    ldr     pc, =wisp_main
    .ltorg
    .balign 16
.Lstub_end:
"#
);
