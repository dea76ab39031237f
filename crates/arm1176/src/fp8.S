@ E4M3 weights times f32 vectors, with the short vectors of the VFP11 (TRM DDI 0301H, 18.4 and 20.2).
@
@ With FPSCR.LEN = 8, `vmla.f32 s16, s8, s0` is eight multiply-adds: s16 += s8 * s0, s17 += s9 * s0,
@ to s23 += s15 * s0. The registers form banks of eight; one in bank 0 (s0 to s7) counts as a scalar.
@ A product is rounded before it is added (VFPv2 does not fuse), so eight rows get exactly the sums
@ that the portable code forms one by one: columns ascending.
@
@ A short vector runs beside the integer side and the VFP's loads, stores and transfers, which wait
@ for the registers it has locked only (TRM 21.6 and 21.10). The schedules below follow from that
@ and from the cycle model; they were not timed on a board.
@
@ Compiled code wants LEN = 1 (AAPCS 6.1.2.1): each function sets it back, and interrupts and faults
@ set it themselves (crates/bcm2835/src/board/zero/vectors.rs).
@
@ All functions take a pointer to their arguments, whose layout fp8.rs describes.

    .section .text.fp8, "ax"
    .arch   armv6k
    .fpu    vfpv2
    .arm

@ A column of eight rows on its way: first the codes, then the weights.
w0      .req r0
w1      .req r1
w2      .req r2
w3      .req r3
w4      .req r4
w5      .req r5
w6      .req r6
w7      .req r7
codes   .req r8                 @ the next code to load
stride  .req r9                 @ from a row to the next
back    .req r10                @ from the last row to the next column of the first: 1 - 7 * stride
table   .req r11                @ the value of every code
x       .req r12                @ the next inputs
values  .req r12                @ where decoded weights go
ahead   .req lr                 @ from a code to what is worth fetching into the cache now

@ The code of row \row. If that is \fetch or \fetch + 4, also asks for the cache line it needs later.
.macro code weight, step, row, fetch
    .if (\fetch >= 0) && ((\row & 3) == \fetch)
    pld     [codes, ahead]
    .endif
    ldrb    \weight, [codes], \step
.endm

.macro first_codes
    code    w0, stride, 0, -1
    code    w1, stride, 1, -1
    code    w2, stride, 2, -1
    code    w3, stride, 3, -1
    code    w4, stride, 4, -1
    code    w5, stride, 5, -1
    code    w6, stride, 6, -1
    code    w7, back, 7, -1
.endm

.macro look_up weight
    ldr     \weight, [table, \weight, lsl #2]
.endm

@ One column times \input, while the codes of the next column are loaded.
@
@ Distances: a loaded code is an address at least 4 instructions later, a loaded weight moves to
@ the VFP 3 later, and the multiplication starts 4 after the last move (latencies 3 + 1 for an
@ address, 3, and 4: TRM 16.10 and table 21-16). The multiplication itself then takes 8 cycles of
@ the VFP while the integer side goes on with the next column: so two columns in succession use
@ different registers for their weights, \a to \h. 21 instructions.
.macro column input, a, b, c, d, e, f, g, h, fetch, inputs
    look_up w0
    look_up w1
    look_up w2
    look_up w3
    vmov    \a, \b, w0, w1
    code    w0, stride, 0, \fetch
    vmov    \c, \d, w2, w3
    code    w1, stride, 1, \fetch
    code    w2, stride, 2, \fetch
    code    w3, stride, 3, \fetch
    .if \inputs                 @ far from the multiplications that read s0 to s7
    vldmia  x!, {s0-s7}
    pld     [x, #96]
    .endif
    look_up w4
    look_up w5
    look_up w6
    look_up w7
    vmov    \e, \f, w4, w5
    code    w4, stride, 4, \fetch
    vmov    \g, \h, w6, w7
    code    w5, stride, 5, \fetch
    code    w6, stride, 6, \fetch
    code    w7, back, 7, \fetch
    vmla.f32 s16, \a, \input
.endm

.macro even_column input, fetch, inputs=0
    column  \input, s8, s9, s10, s11, s12, s13, s14, s15, \fetch, \inputs
.endm

.macro odd_column input, fetch
    column  \input, s24, s25, s26, s27, s28, s29, s30, s31, \fetch, 0
.endm

@ The last column of a stretch: no codes follow.
.macro last_column input, a, b, c, d, e, f, g, h
    look_up w0
    look_up w1
    look_up w2
    look_up w3
    look_up w4
    look_up w5
    look_up w6
    look_up w7
    vmov    \a, \b, w0, w1
    vmov    \c, \d, w2, w3
    vmov    \e, \f, w4, w5
    vmov    \g, \h, w6, w7
    vmla.f32 \input
.endm

@ Eight columns; asks for lines of the rows \fetch and \fetch + 4, and for inputs.
@
@ The two rows are fetched right after each other, because in a matrix of 1024 columns they share a
@ set of the cache: it is replaced round robin, and anything fetched in between could make the
@ second push out the first.
.macro eight_columns fetch, is_last
    even_column s0, -1, 1
    odd_column  s1, -1
    even_column s2, \fetch
    odd_column  s3, -1
    even_column s4, -1
    odd_column  s5, -1
    even_column s6, -1
    .if \is_last
    last_column "s16, s24, s7", s24, s25, s26, s27, s28, s29, s30, s31
    .else
    odd_column  s7, -1
    .endif
.endm

@ FPSCR.LEN (bits 16 to 18, length - 1; STRIDE stays 1). Serialising: what is under way ends first.
.macro vector_length length
    vmrs    r1, fpscr
    bic     r1, r1, #0x70000
    .if \length > 1
    orr     r1, r1, #((\length - 1) << 16)
    .endif
    vmsr    fpscr, r1
.endm

@ fp8_rows(r0: &Rows): rows by eight times one vector, times the scales of the rows.
@
@ Its notes are a cache line of the stack, since whatever it touches may have been pushed out by
@ the codes that stream by:
@   [sp]      stretches of 32 columns left in these rows
@   [sp, #4]  vector
@   [sp, #8]  stretches in a row
@   [sp, #12] columns after them
@   [sp, #16] scales of the next eight rows
@   [sp, #20] where their results go
@   [sp, #24] rows left, by eight
@   [sp, #28] the stack pointer as it was
    .global fp8_rows
    .type   fp8_rows, %function
    .balign 32
fp8_rows:
    push    {r4-r11, lr}
    vpush   {s16-s31}
    vector_length 8
    mov     r1, sp
    sub     sp, sp, #32
    bic     sp, sp, #31
    str     r1, [sp, #28]
    ldr     codes, [r0]
    ldr     stride, [r0, #4]
    ldr     table, [r0, #8]
    add     r0, r0, #12
    ldmia   r0, {r1-r6}
    add     r0, sp, #4
    stmia   r0, {r1-r6}
    rsb     back, stride, stride, lsl #3
    rsb     back, back, #1

.Lrows:                         @ 8 rows
    ldr     x, [sp, #4]
    ldr     w1, [sp, #8]
    str     w1, [sp]
    mov     ahead, #64          @ fetch what is needed two stretches later
    mov     w0, #0
    vmov    s0, w0
    vmov.f32 s16, s0            @ a scalar copied to all eight sums

.Lstretch:                      @ 32 columns
    ldr     w0, [sp]
    subs    w0, w0, #1
    blo     .Lrest
    str     w0, [sp]
    cmp     w0, #1
    bne     1f
    @ The last two stretches fetch for the row that takes this one's place eight rows on: 64 less
    @ the length of a row, which is the stride, and 8 strides more. And the first inputs again.
    @ (All by plain additions: the cycle model can follow those.)
    add     w0, back, stride
    add     w0, w0, stride
    add     w0, w0, stride      @ 1 - 4 * stride
    add     w0, w0, x           @ x is 64 inputs short of its end
    pld     [w0, #255]          @ so this is input 0
    pld     [w0, #255 + 32]
    pld     [w0, #255 + 64]
    pld     [w0, #255 + 96]
    add     ahead, stride, stride
    add     ahead, ahead, stride
    add     ahead, ahead, ahead
    add     ahead, ahead, stride
    add     ahead, ahead, #64   @ 7 * stride + 64
1:  first_codes
    eight_columns 0, 0
    eight_columns 2, 0
    eight_columns 1, 0
    eight_columns 3, 1
    b       .Lstretch

.Lrest:                         @ less than 32 columns
    ldr     w0, [sp, #12]
    str     w0, [sp]
.Leight:                        @ 8 of them
    ldr     w0, [sp]
    subs    w0, w0, #8
    blo     .Lone
    str     w0, [sp]
    first_codes
    eight_columns -1, 1
    b       .Leight
.Lone:                          @ 1 of them
    ldr     w0, [sp]
    subs    w0, w0, #1
    blo     .Lscale
    str     w0, [sp]
    first_codes
    vldmia  x!, {s0}
    last_column "s16, s8, s0", s8, s9, s10, s11, s12, s13, s14, s15
    b       .Lone

.Lscale:
    add     w0, sp, #16
    ldmia   w0, {w1-w3}         @ scales, results, rows left
    sub     codes, codes, back  @ from row 1 to row 8
    add     codes, codes, #1
    vldmia  w1!, {s8-s15}
    pld     [w1, #28]           @ the last scale of the next eight rows
    subs    w3, w3, #1
    vmul.f32 s16, s16, s8       @ eight products
    vstmia  w2!, {s16-s23}
    stmia   w0, {w1-w3}
    bne     .Lrows

    ldr     sp, [sp, #28]
    vector_length 1
    vpop    {s16-s31}
    pop     {r4-r11, pc}
    .size   fp8_rows, . - fp8_rows

@ One column from codes to values in memory, while the codes of the next are loaded: 18
@ instructions, 20 cycles, since a store of four words takes two. \next is 0 in the last column.
.macro decode fetch, next=1
    look_up w0
    look_up w1
    look_up w2
    look_up w3
    look_up w4
    look_up w5
    look_up w6
    look_up w7
    stmia   values!, {w0-w3}
    .if \next
    code    w0, stride, 0, \fetch
    code    w1, stride, 1, \fetch
    code    w2, stride, 2, \fetch
    code    w3, stride, 3, \fetch
    .endif
    stmia   values!, {w4-w7}
    .if \next
    code    w4, stride, 4, \fetch
    code    w5, stride, 5, \fetch
    code    w6, stride, 6, \fetch
    code    w7, back, 7, \fetch
    .endif
.endm

@ fp8_decode(r0: &Decode): the values of eight rows and some columns, column after column.
@
@ Every line that is read is fetched for the eight rows that follow, too.
    .global fp8_decode
    .type   fp8_decode, %function
    .balign 32
fp8_decode:
    push    {r4-r11, lr}
    sub     sp, sp, #12
    ldr     r1, [r0, #16]       @ stretches of 32 columns
    ldr     r2, [r0, #20]       @ single columns
    str     r1, [sp, #4]
    str     r2, [sp, #8]
    ldr     codes, [r0]
    ldr     stride, [r0, #4]
    ldr     table, [r0, #8]
    ldr     values, [r0, #12]
    rsb     back, stride, stride, lsl #3
    rsb     back, back, #1

.Ldecode_stretch:
    ldr     w0, [sp, #4]
    subs    w0, w0, #1
    blo     .Ldecode_one
    str     w0, [sp, #4]
    first_codes
    add     ahead, stride, stride   @ 8 * stride
    add     ahead, ahead, ahead
    add     ahead, ahead, ahead
    .irp    row, 0, 2, 1, 3
    .rept   3
    decode  -1
    .endr
    decode  \row
    .rept   3
    decode  -1
    .endr
    decode  -1, (\row != 3)
    .endr
    b       .Ldecode_stretch

.Ldecode_one:
    ldr     w0, [sp, #8]
    subs    w0, w0, #1
    blo     .Ldecoded
    str     w0, [sp, #8]
    first_codes
    decode  -1, 0
    b       .Ldecode_one

.Ldecoded:
    add     sp, sp, #12
    pop     {r4-r11, pc}
    .size   fp8_decode, . - fp8_decode

    .unreq  w0
    .unreq  w1
    .unreq  w2
    .unreq  w3
    .unreq  w4
    .unreq  w5
    .unreq  w6
    .unreq  w7
    .unreq  codes
    .unreq  stride
    .unreq  back
    .unreq  table
    .unreq  x
    .unreq  values
    .unreq  ahead

@ One column of eight decoded rows times the inputs \a and \b of two vectors, with LEN = 4.
@
@ s8-s11 and s12-s15 hold the weights of rows 0-3 and 4-7; s16-s23 are the sums of the first
@ vector, s24-s31 those of the second. A multiplication takes 4 cycles and cannot start before its
@ sums of a column ago are ready, nor can a load before its registers were read (TRM 21.6). So a
@ half is loaded after the first multiplication that no longer needs it, when the one before it
@ has read its last register, and is there 4 cycles before it is used: 16 cycles, none lost.
@ Whatever else must be done goes where the integer side waits anyway: \first and \second.
.macro two_vectors a, b, first, second
    vmla.f32 s16, s8, \a
    vldmia  values!, {s12-s15}  @ rows 4-7 of this column
    \first
    vmla.f32 s24, s8, \b
    vmla.f32 s20, s12, \a
    vldmia  values!, {s8-s11}   @ rows 0-3 of the next
    \second
    vmla.f32 s28, s12, \b
.endm

values  .req r1
x       .req r2
sums_a  .req r3
sums_b  .req r4
pairs   .req r5
step    .req r6
groups  .req r12

@ fp8_multiply(r0: &Multiply): decoded columns of eight rows times pairs of vectors, added to sums
@ in memory. Reads 16 bytes past the values and the inputs.
    .global fp8_multiply
    .type   fp8_multiply, %function
    .balign 32
fp8_multiply:
    push    {r4-r6, lr}
    vpush   {s16-s31}
    vector_length 4
    ldr     x, [r0, #4]
    ldr     sums_a, [r0, #8]
    ldr     sums_b, [r0, #12]
    ldr     pairs, [r0, #16]
    ldr     step, [r0, #20]
    vldmia  x!, {s0-s3}

.Lpair:
    ldr     values, [r0]
    ldr     groups, [r0, #24]
    vldmia  values!, {s8-s11}
    vldmia  sums_a, {s16-s23}
    vldmia  sums_b, {s24-s31}
    pld     [sums_a, step]      @ those of the next pair
    pld     [sums_b, step]
.Lgroup:                        @ 4 columns
    two_vectors s0, s1, "vldmia x!, {s4-s7}", "pld [x, #112]"
    two_vectors s2, s3, "subs groups, groups, #1"
    two_vectors s4, s5, "vldmia x!, {s0-s3}"    @ of the next group, or of the next pair
    two_vectors s6, s7
    bne     .Lgroup

    subs    pairs, pairs, #1
    vstmia  sums_a, {s16-s23}
    vstmia  sums_b, {s24-s31}
    add     sums_a, sums_a, step
    add     sums_b, sums_b, step
    bne     .Lpair

    vector_length 1
    vpop    {s16-s31}
    pop     {r4-r6, pc}
    .size   fp8_multiply, . - fp8_multiply

    .unreq  values
    .unreq  x
    .unreq  sums_a
    .unreq  sums_b
    .unreq  pairs
    .unreq  step
    .unreq  groups
