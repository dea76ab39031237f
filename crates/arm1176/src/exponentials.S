@ e to the power of many numbers that are not positive, eight at a time with the short vectors of the
@ VFP11 (TRM DDI 0301H, 18.4 and 20.2; fp8.S says more): the operations of `engine::float::exp4`,
@ each on eight numbers.
@
@ With FPSCR.LEN = 8 the registers form banks of eight, and one in bank 0 counts as a scalar:
@   s0        first the largest, then 1
@   s1, s2    log2 e, and the number that rounds to whole ones when it is added
@   s3 - s7   the coefficients of the polynomial
@   s8 - s15  x, then y, then r
@   s16 - s23 the whole numbers, then n, then the sum of the polynomial
@ An operation takes 8 cycles for its eight numbers, as long as the first of them takes to be ready
@ for the next operation: so nothing waits.

    .section .text.exponentials, "ax"
    .arch   armv6k
    .fpu    vfpv2
    .arm

place   .req r0                 @ the next eight
end     .req r1
least   .req r2                 @ the least whole number that does not underflow, as it stands in a float
above   .req r3
sum_a   .req r12
sum_b   .req lr

@ 2^n times the sum, or 0 where n is out of range: \whole becomes the result.
@ The lowest bits of \whole are n, so shifted they are added to the exponent of the sum.
.macro scale whole, sum
    sub     above, \whole, least
    add     \whole, \sum, \whole, lsl #23
    cmp     above, #39
    movhi   \whole, #0
.endm

@ arm1176_exponentials(r0: first, r1: end, r2: seven constants, s0: largest)
@ At least eight numbers, and a multiple of eight.
    .balign 32
    .global arm1176_exponentials
    .type   arm1176_exponentials, %function
arm1176_exponentials:
    push    {r4-r11, lr}
    vpush   {s16-s23}
    sub     sp, sp, #12
    vstr    s0, [sp]
    mov     r3, #0x3f800000     @ 1.0
    str     r3, [sp, #4]
    vldmia  r2, {s1-s7}
    vmrs    r3, fpscr
    str     r3, [sp, #8]
    bic     r3, r3, #0x70000
    orr     r3, r3, #0x70000    @ LEN: length - 1
    vmsr    fpscr, r3
    ldr     least, =0x4b3fffd9  @ 1.5 * 2^23 - 39, as the bits of a float
1:
    pld     [place, #64]        @ whoever wrote the numbers did so past the cache
    vldr    s0, [sp]
    vldmia  place, {s8-s15}
    vsub.f32 s8, s8, s0         @ x
    vldr    s0, [sp, #4]
    vmul.f32 s8, s8, s1         @ y
    vadd.f32 s16, s8, s2        @ whole
    vmov    r4, r5, s16, s17
    vmov    r6, r7, s18, s19
    vmov    r8, r9, s20, s21
    vmov    r10, r11, s22, s23
    vsub.f32 s16, s16, s2       @ n
    vsub.f32 s8, s8, s16        @ r
    vmul.f32 s16, s8, s7
    vadd.f32 s16, s16, s6
    vmul.f32 s16, s16, s8
    vadd.f32 s16, s16, s5
    vmul.f32 s16, s16, s8
    vadd.f32 s16, s16, s4
    vmul.f32 s16, s16, s8
    vadd.f32 s16, s16, s3
    vmul.f32 s16, s16, s8
    vadd.f32 s16, s16, s0
    vmov    sum_a, sum_b, s16, s17
    scale   r4, sum_a
    scale   r5, sum_b
    vmov    sum_a, sum_b, s18, s19
    scale   r6, sum_a
    scale   r7, sum_b
    vmov    sum_a, sum_b, s20, s21
    scale   r8, sum_a
    scale   r9, sum_b
    vmov    sum_a, sum_b, s22, s23
    scale   r10, sum_a
    scale   r11, sum_b
    stmia   place!, {r4-r11}
    cmp     place, end
    blo     1b
    ldr     r3, [sp, #8]
    vmsr    fpscr, r3
    add     sp, sp, #12
    vpop    {s16-s23}
    pop     {r4-r11, pc}
    .ltorg
    .size   arm1176_exponentials, . - arm1176_exponentials

    .purgem scale
    .unreq  place
    .unreq  end
    .unreq  least
    .unreq  above
    .unreq  sum_a
    .unreq  sum_b
