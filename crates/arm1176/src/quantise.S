@ Rounding vectors to whole numbers in lane order (engine::kernels::Kernels::round_lanes), and the
@ largest magnitude before it: eight numbers at a time.
@
@ Rounding works with the short vectors of the VFP11, eight long (TRM DDI 0301H, 18.4 and 20.2; fp8.S
@ says more): a register in bank 0 counts as a scalar.
@   s0        the factor
@   s1        the number that rounds to whole ones when it is added: 1.5 * 2^23
@   s8 - s15  eight numbers
@ A product and a sum of eight take 8 cycles each. Meanwhile the core packs and stores the eight
@ before, whose whole numbers stand in the low halves of r4 - r11: a sum is below 2^24 in magnitude, and
@ those of numbers up to 1023 differ from 1.5 * 2^23 in these bits only.

    .section .text.quantise, "ax"
    .arch   armv6
    .fpu    vfpv2
    .arm

x       .req r0                 @ the next eight
end     .req r1
place   .req r2                 @ where the next two go
apart   .req r3                 @ bytes from there to the two after them
status  .req r12

@ arm1176_largest_magnitude(r0: first, r1: end): the largest in r0, as the bits of a float. At least
@ eight numbers, and a multiple of eight.
@
@ Magnitudes compare like their bits, and shifted left by one they have no sign: that costs no
@ instruction of its own.
best    .req r12
    .global arm1176_largest_magnitude
    .type   arm1176_largest_magnitude, %function
arm1176_largest_magnitude:
    push    {r4-r11}
    mov     best, #0
1:
    ldmia   x!, {r4-r11}
    pld     [x, #64]
    .irp number, r4, r5, r6, r7, r8, r9, r10, r11
    cmp     best, \number, lsl #1
    movlo   best, \number, lsl #1
    .endr
    cmp     x, end
    blo     1b
    mov     r0, best, lsr #1
    pop     {r4-r11}
    bx      lr
    .size   arm1176_largest_magnitude, . - arm1176_largest_magnitude
    .unreq  best

@ Starts the product of the next eight.
.macro round_begin
    vldmia  x!, {s8-s15}
    vmul.f32 s8, s8, s0
.endm

@ The sums to the core, as soon as they are there.
.macro round_take
    vmov    r4, r5, s8, s9
    vmov    r6, r7, s10, s11
    vmov    r8, r9, s12, s13
    vmov    r10, r11, s14, s15
.endm

@ Four words of two whole numbers: x1 x3, x0 x2, x5 x7, x4 x6.
.macro round_store_bytes
    pkhbt   r7, r5, r7, lsl #16
    pkhbt   r6, r4, r6, lsl #16
    pkhbt   r11, r9, r11, lsl #16
    pkhbt   r10, r8, r10, lsl #16
    str     r7, [place], apart
    str     r6, [place], apart
    str     r11, [place], apart
    str     r10, [place], apart
.endm

@ x3 x7, x2 x6, x1 x5, x0 x4.
.macro round_store_nibbles
    pkhbt   r7, r7, r11, lsl #16
    pkhbt   r6, r6, r10, lsl #16
    pkhbt   r5, r5, r9, lsl #16
    pkhbt   r4, r4, r8, lsl #16
    str     r7, [place], apart
    str     r6, [place], apart
    str     r5, [place], apart
    str     r4, [place], apart
.endm

@ name(r0: first, r1: end, r2: where the first two go, r3: bytes from two to two, s0: factor, s1: what
@ rounds). At least eight numbers, and a multiple of eight.
.macro round_function name, store
    .global \name
    .type   \name, %function
\name:
    push    {r4-r11, lr}
    vmrs    status, fpscr
    bic     r4, status, #0x70000
    orr     r4, r4, #0x70000    @ LEN: length - 1
    vmsr    fpscr, r4
    round_begin
    vadd.f32 s8, s8, s1
    cmp     x, end
    bhs     2f
1:
    round_take
    round_begin
    \store
    vadd.f32 s8, s8, s1
    cmp     x, end
    blo     1b
2:
    round_take
    \store
    vmsr    fpscr, status
    pop     {r4-r11, pc}
    .size   \name, . - \name
.endm

round_function arm1176_round_bytes, round_store_bytes
round_function arm1176_round_nibbles, round_store_nibbles

@ arm1176_fetch(r0: first, r1: end): asks for the lines of these words, of which there is one at least.
@
@ The first is loaded, for the sake of a cycle model that sees addresses but no values; nobody waits for
@ what it gives.
    .global arm1176_fetch
    .type   arm1176_fetch, %function
arm1176_fetch:
    ldr     r2, [r0]
    b       2f
1:
    pld     [r0]
2:
    add     r0, r0, #32
    cmp     r0, r1
    blo     1b
    bx      lr
    .size   arm1176_fetch, . - arm1176_fetch

    .unreq  x
    .unreq  end
    .unreq  place
    .unreq  apart
    .unreq  status
