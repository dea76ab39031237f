//! The first instructions of both programs: one core, exception level 1, the image moved to where it was
//! linked, stacks, vectors, floating point, `.bss`; then `wisp_main(0, 0, device tree, address it was
//! loaded to)`.
//!
//! The Pi's boot stage loads `kernel8.img` to 0x80000, or where `kernel_address` says, and starts it
//! at level 2 (raspberrypi/tools, armstubs/armstub8.S), as QEMU does with a raw image. QEMU starts an ELF
//! file at level 3, and the bootloader starts the firmware at level 1. The boot stage and QEMU keep the
//! other three cores to themselves, except that QEMU lets all four into an ELF file: those are put to
//! sleep here.
//!
//! The image is moved as in `../zero/boot.rs`, the stub first. Every register written here is described in
//! the ARM ARM's chapter on system registers.
//!
//! On entry, as Linux, Documentation/arch/arm64/booting.rst has it: MMU and data cache off, nothing
//! of the image in a cache, x0 = device tree.

core::arch::global_asm!(
    r#"
.section .text.boot, "ax"
.global _start
_start:
    msr     daifset, #0xf           // no interrupts
    mrs     x4, mpidr_el1
    tst     x4, #3                  // which core (TRM, MPIDR_EL1)
    b.ne    .Lpark
    mov     w19, w0                 // what the loader said, for wisp_main
    adr     x20, _start             // where it runs
    ldr     x21, =0x30d00800        // SCTLR_EL1: what must be one, MMU and caches off
    mrs     x4, CurrentEL
    cmp     x4, #(2 << 2)
    b.lo    .Llevel_1
    b.eq    .Llevel_2

    mrs     x4, S3_1_C15_C2_1       // CPUECTLR_EL1.SMPEN: before the caches (TRM, CPUECTLR_EL1)
    orr     x4, x4, #(1 << 6)
    msr     S3_1_C15_C2_1, x4
    msr     cptr_el3, xzr           // floating point is not trapped
    mov     x4, #0x531              // SCR_EL3: 64 bits below, HVC, not secure, and what must be one
    msr     scr_el3, x4
    mov     x4, #0x3c9              // level 2, its own stack pointer, everything masked
    msr     spsr_el3, x4
    adr     x4, .Llevel_2
    msr     elr_el3, x4
    eret

.Llevel_2:
    mov     x4, #0x33ff             // CPTR_EL2: what must be one; floating point is not trapped
    msr     cptr_el2, x4
    msr     hstr_el2, xzr
    mrs     x4, midr_el1            // what level 1 sees as the processor and its number
    msr     vpidr_el2, x4
    mrs     x4, mpidr_el1
    msr     vmpidr_el2, x4
    mov     x4, #(1 << 31)          // HCR_EL2: 64 bits below, nothing trapped, interrupts to level 1
    orr     x4, x4, #(1 << 1)       // SWIO: must be one on this processor (TRM, HCR_EL2)
    msr     hcr_el2, x4
    msr     sctlr_el1, x21
    mov     x4, #0x3c4              // level 1, the stack pointer of level 0, everything masked
    msr     spsr_el2, x4
    adr     x4, .Llevel_1
    msr     elr_el2, x4
    eret

.Llevel_1:
    msr     sctlr_el1, x21
    isb
    mov     x0, x20
    ldr     x1, =__image_start      // where it was linked
    ldr     x2, =__image_end
    cmp     x0, x1
    b.eq    .Lin_place
    ldr     x3, =.Lstub_end
1:  ldp     x4, x5, [x0], #16
    stp     x4, x5, [x1], #16
    cmp     x1, x3
    b.lo    1b
    dsb     sy
    ic      iallu
    dsb     sy
    isb
    ldr     x4, =.Lcopy_rest
    br      x4
.Lcopy_rest:                        // from here on at the linked address
    cmp     x1, x2
    b.hs    .Lin_place
    ldp     x4, x5, [x0], #16
    stp     x4, x5, [x1], #16
    b       .Lcopy_rest

.Lin_place:
    dsb     sy
    ic      iallu
    dsb     sy
    isb
    msr     spsel, #1               // exceptions have a stack of their own,
    ldr     x4, =__interrupt_stack_top
    mov     sp, x4
    msr     spsel, #0               // and everything else runs on level 0's
    ldr     x4, =__stack_top
    mov     sp, x4
    ldr     x4, =exception_vectors
    msr     vbar_el1, x4
    mov     x4, #(3 << 20)          // CPACR_EL1: floating point is not trapped
    msr     cpacr_el1, x4
    isb
    msr     fpcr, xzr               // IEEE 754 to the letter, as on the host

    ldr     x4, =__bss_start
    ldr     x5, =__bss_end
2:  cmp     x4, x5
    b.hs    3f
    stp     xzr, xzr, [x4], #16     // .bss is a multiple of 32 bytes
    b       2b
3:  mov     x0, xzr
    mov     x1, xzr
    mov     w2, w19
    mov     x3, x20
    ldr     x4, =wisp_main
    br      x4

.Lpark:                             // asleep; an interrupt that ends the sleep is not taken
    wfi
    b       .Lpark
    .ltorg
    .balign 16
.Lstub_end:
"#
);
