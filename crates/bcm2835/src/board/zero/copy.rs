//! `memcpy` and `memmove` in place of the compiler's, which need four instructions for a word, or nine
//! where the two places are not aligned alike: with bytes from a cable they hardly ever are.
//!
//! The ARM1176 loads and stores a word anywhere (TRM 4.2, after [`crate::start`] has allowed it;
//! before, nothing copies but whole words), but several at once only from and to a word's address. So
//! what is written is aligned first, and what is read may lie as it does.

// The names are those of the C library and of the "Run-time ABI for the Arm Architecture", section
// 4.3.4; the compiler's own are weak and give way.
core::arch::global_asm!(
    r#"
.section .text.memcpy, "ax"
.arch armv6k
.arm
.balign 32
.global memcpy
.global __aeabi_memcpy
.global __aeabi_memcpy4
.global __aeabi_memcpy8
.global memmove
.global __aeabi_memmove
.global __aeabi_memmove4
.global __aeabi_memmove8

@ r0 to, r1 from, r2 bytes; r0 stays. Reads what it overwrites in time when `to` lies before `from`.
memcpy:
__aeabi_memcpy:
__aeabi_memcpy4:
__aeabi_memcpy8:
    push    {{r0, r4, r5, lr}}
    subs    r2, r2, #16             @ from here on r2 is short by what the next step takes
    blo     .Lcopy_words
.Lcopy_align:
    tst     r0, #3
    ldrbne  r3, [r1], #1
    strbne  r3, [r0], #1
    subne   r2, r2, #1
    bne     .Lcopy_align
    tst     r1, #3
    bne     .Lcopy_unaligned
    cmp     r2, #0
    blt     .Lcopy_words
.Lcopy_aligned:                     @ 5 instructions for 16 bytes
    ldmia   r1!, {{r3, r4, r12, lr}}
    subs    r2, r2, #16
    stmia   r0!, {{r3, r4, r12, lr}}
    bge     .Lcopy_aligned
    b       .Lcopy_words
.Lcopy_unaligned:
    cmp     r2, #0
    blt     .Lcopy_words
.Lcopy_unaligned_next:              @ 7 instructions for 16 bytes
    ldr     r3, [r1], #4
    ldr     r4, [r1], #4
    ldr     r12, [r1], #4
    ldr     lr, [r1], #4
    subs    r2, r2, #16
    stmia   r0!, {{r3, r4, r12, lr}}
    bge     .Lcopy_unaligned_next
.Lcopy_words:
    adds    r2, r2, #12
    blt     .Lcopy_bytes
.Lcopy_word:
    ldr     r3, [r1], #4
    subs    r2, r2, #4
    str     r3, [r0], #4
    bge     .Lcopy_word
.Lcopy_bytes:
    adds    r2, r2, #4
    popeq   {{r0, r4, r5, pc}}
.Lcopy_byte:
    ldrb    r3, [r1], #1
    subs    r2, r2, #1
    strb    r3, [r0], #1
    bne     .Lcopy_byte
    pop     {{r0, r4, r5, pc}}

@ The same, and the places may overlap.
memmove:
__aeabi_memmove:
__aeabi_memmove4:
__aeabi_memmove8:
    sub     r3, r0, r1
    cmp     r3, r2                  @ below: `to` is one of the bytes to be read
    bhs     memcpy
    add     r12, r0, r2
    add     r1, r1, r2
.Lmove_byte:                        @ from the end; rare, so byte by byte
    subs    r2, r2, #1
    ldrbhs  r3, [r1, #-1]!
    strbhs  r3, [r12, #-1]!
    bhi     .Lmove_byte
    bx      lr
"#
);
