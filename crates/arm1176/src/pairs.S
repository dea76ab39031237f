@ Two vectors at a time: what int8.S and int4.S have in common.
@
@ Two vectors share the loads and the shifts of the weights. Two rows times two vectors are the most
@ that fits: 4 sums, 4 words (2 in use, 2 on their way), 4 inputs and 2 addresses are the 14 registers
@ there are. So a block is walked twice, for its rows 0 and 1 and then for 2 and 3; the second
@ time, and for all further pairs of vectors, its weights come from the cache.
@
@ The inputs of a pair lie interleaved: a word of the first vector, a word of the second. All
@ addresses within a group are constant offsets of at most 255, LDRD's limit.
@
@ The float work of two rows is spread over the multiplications that follow: VMOV, VCVT and VMLA take
@ their results four and eight cycles later, and nothing waits.

sum00   .req r2         @ row 0 (or 2), first vector
sum10   .req r3         @ row 1 (or 3), first vector
row0    .req r4         @ words of two rows
row1    .req r5
next0   .req r6         @ the same rows, next columns
next1   .req r7
odd0    .req r8         @ inputs, first and second vector
odd1    .req r9
even0   .req r10
even1   .req r11
sum01   .req r12        @ row 0 (or 2), second vector
sum11   .req lr         @ row 1 (or 3), second vector

@ Two rows times two vectors.
.macro pairs_multiply first, worda, wordb, inputa, inputb
    .if \first
    smuad   sum00, \worda, \inputa
    smuad   sum10, \wordb, \inputa
    smuad   sum01, \worda, \inputb
    smuad   sum11, \wordb, \inputb
    .else
    smlad   sum00, \worda, \inputa, sum00
    smlad   sum10, \wordb, \inputa, sum10
    smlad   sum01, \worda, \inputb, sum01
    smlad   sum11, \wordb, \inputb, sum11
    .endif
.endm

@ The plan: what the function is called with, and what it keeps on the stack while it works.
.set PLAN_BLOCK, 0              @ first block of this row block
.set PLAN_ROW_BLOCKS, 4         @ how many are left
.set PLAN_ROW_BLOCK_BYTES, 8    @ from one to the next
.set PLAN_LANES, 12             @ inputs of the first pair
.set PLAN_PAIR_BYTES, 16        @ from one pair to the next
.set PLAN_LANES_END, 20         @ behind the inputs of the last pair
.set PLAN_OUT, 24               @ results of the first vector
.set PLAN_OUT_STRIDE, 28        @ bytes from vector to vector
.set PLAN_FACTORS, 32           @ what the sums are multiplied with at the end, one a vector
.set PLAN_WORDS, 9
@ Below the plan, what changes from pair to pair:
.set PAIR_LANES_END, 36         @ behind the inputs of this pair
.set PAIR_OUT, 40               @ results of its first vector
.set PAIR_FACTOR, 44            @ its factors
.set PAIR_AHEAD, 48             @ from a group to what this pair fetches ahead
.set PAIRS_FRAME, 56

@ name(plan)
@
@ `group` multiplies 64 columns of 4 rows; `bytes` long is a block, of which the scales are the last 16.
@ With `stream`, weights are fetched ahead of their use as for one vector. Without, this row block is in
@ the cache already, and each pair fetches three lines a group of the next row block.
.macro pairs_function name, group, bytes, stream
    lanes_function \name
    push    {r4-r11, lr}
    sub     sp, sp, #(PAIRS_FRAME + 4)
    vpush   {s16-s23}
    .set    PAIRS_BASE, 32              @ the frame lies above the eight saved registers
    ldmia   r0, {r1-r9}
    add     r0, sp, #PAIRS_BASE
    stmia   r0, {r1-r9}
.L\name\()_row_block:
    ldr     lanes, [sp, #(PAIRS_BASE + PLAN_LANES)]
    ldr     r2, [sp, #(PAIRS_BASE + PLAN_OUT)]
    ldr     r3, [sp, #(PAIRS_BASE + PLAN_FACTORS)]
    ldr     r12, [sp, #(PAIRS_BASE + PLAN_ROW_BLOCK_BYTES)]
    str     r2, [sp, #(PAIRS_BASE + PAIR_OUT)]
    str     r3, [sp, #(PAIRS_BASE + PAIR_FACTOR)]
    sub     r12, r12, #\bytes           @ seen from the group behind
    str     r12, [sp, #(PAIRS_BASE + PAIR_AHEAD)]
.L\name\()_pair:
    ldr     r12, [sp, #(PAIRS_BASE + PLAN_PAIR_BYTES)]
    ldr     block, [sp, #(PAIRS_BASE + PLAN_BLOCK)]
    ldr     r2, [sp, #(PAIRS_BASE + PAIR_OUT)]
    ldr     r3, [sp, #(PAIRS_BASE + PLAN_OUT_STRIDE)]
    add     r12, lanes, r12
    str     r12, [sp, #(PAIRS_BASE + PAIR_LANES_END)]
    ldrd    row0, row1, [block]
    ldrd    odd0, odd1, [lanes]
    ldrd    even0, even1, [lanes, #8]
    vldmia  r2, {s16-s19}               @ s16 to s19: sums of the first vector's four rows
    add     r2, r2, r3
    vldmia  r2, {s20-s23}               @ s20 to s23: of the second's
.L\name\()_group:
    \group \stream                      @ leaves rows 0 and 1 added, 2 and 3 in the sums
    vmov    s2, s3, sum00, sum10
    ldr     sum00, [sp, #(PAIRS_BASE + PAIR_LANES_END)]
    add     lanes, lanes, #256
    vmov    s6, s7, sum01, sum11
    .if !\stream
    ldr     sum01, [sp, #(PAIRS_BASE + PAIR_AHEAD)]
    .endif
    add     block, block, #\bytes
    cmp     lanes, sum00
    vcvt.f32.s32 s2, s2
    ldrdne  row0, row1, [block]       @ nothing behind the last group
    vcvt.f32.s32 s3, s3
    ldrdne  odd0, odd1, [lanes]
    vcvt.f32.s32 s6, s6
    ldrdne  even0, even1, [lanes, #8]
    vcvt.f32.s32 s7, s7
    .if !\stream
    add     sum01, block, sum01
    pld     [sum01]
    pld     [sum01, #32]
    pld     [sum01, #64]
    .else
    pld     [block, #LANES_AHEAD - 16]  @ 32 behind the last one of the group
    .endif
    vmla.f32 s18, s2, s10
    vmla.f32 s19, s3, s11
    vmla.f32 s22, s6, s10
    vmla.f32 s23, s7, s11
    bne     .L\name\()_group

    ldr     r4, [sp, #(PAIRS_BASE + PAIR_FACTOR)]
    ldr     r2, [sp, #(PAIRS_BASE + PAIR_OUT)]
    ldr     r3, [sp, #(PAIRS_BASE + PLAN_OUT_STRIDE)]
    vldmia  r4!, {s0, s1}
    ldr     r5, [sp, #(PAIRS_BASE + PAIR_AHEAD)]
    ldr     r6, [sp, #(PAIRS_BASE + PLAN_LANES_END)]
    str     r4, [sp, #(PAIRS_BASE + PAIR_FACTOR)]
    add     r7, r2, r3
    add     r5, r5, #96
    vmul.f32 s16, s16, s0
    vmul.f32 s17, s17, s0
    vmul.f32 s18, s18, s0
    vmul.f32 s19, s19, s0
    vmul.f32 s20, s20, s1
    vmul.f32 s21, s21, s1
    vmul.f32 s22, s22, s1
    vmul.f32 s23, s23, s1
    str     r5, [sp, #(PAIRS_BASE + PAIR_AHEAD)]
    add     r3, r7, r3
    str     r3, [sp, #(PAIRS_BASE + PAIR_OUT)]
    vstmia  r2, {s16-s19}
    vstmia  r7, {s20-s23}
    cmp     lanes, r6
    bne     .L\name\()_pair

    ldr     r2, [sp, #(PAIRS_BASE + PLAN_BLOCK)]
    ldr     r3, [sp, #(PAIRS_BASE + PLAN_ROW_BLOCK_BYTES)]
    ldr     r4, [sp, #(PAIRS_BASE + PLAN_OUT)]
    ldr     r5, [sp, #(PAIRS_BASE + PLAN_ROW_BLOCKS)]
    add     r2, r2, r3
    add     r4, r4, #16
    str     r2, [sp, #(PAIRS_BASE + PLAN_BLOCK)]
    str     r4, [sp, #(PAIRS_BASE + PLAN_OUT)]
    subs    r5, r5, #1
    str     r5, [sp, #(PAIRS_BASE + PLAN_ROW_BLOCKS)]
    bne     .L\name\()_row_block
    vpop    {s16-s23}
    add     sp, sp, #(PAIRS_FRAME + 4)
    pop     {r4-r11, pc}
    .size   \name, . - \name
.endm

@ Between the two halves of a block: the sums of rows 0 and 1 leave, those of rows 2 and 3 begin
@ with `row0` and `row1`; the four scales are `scales` bytes from the block's beginning.
.macro pairs_second_half scales
    vmov    s0, s1, sum00, sum10
    vldr    d4, [block, #\scales]       @ s8 to s11: the scales
    vmov    s4, s5, sum01, sum11
    vldr    d5, [block, #\scales + 8]
.endm

.macro pairs_convert
    vcvt.f32.s32 s0, s0
    vcvt.f32.s32 s1, s1
    vcvt.f32.s32 s4, s4
    vcvt.f32.s32 s5, s5
.endm

.macro pairs_add
    vmla.f32 s16, s0, s8
    vmla.f32 s17, s1, s9
    vmla.f32 s20, s4, s8
    vmla.f32 s21, s5, s9
.endm
