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
@ The cache replaces its lines in turn, whether they are needed or not (TRM 7.2.1): the weights that
@ stream through push out others. A missing line costs 150 cycles, a PLD of a line that is there
@ costs one. So while a group is multiplied, the next one's weights and inputs are asked for again:
@ bytes during all four rows, nibbles while rows 2 and 3 are multiplied. And each pair fetches three
@ lines per group of the next row block, one and two at a time, so that they do not keep the memory
@ from what is needed sooner.
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
.set PLAN_GOES_ON, 36           @ 0: the sums begin with +0; else with the results that are there
@ Above it, what changes from pair to pair:
.set PAIR_LANES_END, 40         @ behind the inputs of this pair
.set PAIR_OUT, 44               @ results of its first vector
.set PAIR_FACTOR, 48            @ its factors
.set PAIR_AHEAD, 52             @ from the next group to what this pair fetches of the next row block
.set FIRST_AHEAD, 56            @ the first pair's
.set PAIRS_FRAME, 60

@ name(plan)
@
@ `group` multiplies 64 columns of 4 rows; `bytes` long is a block, of which the scales are the last 16.
@ Each pair fetches three lines of the next row block's block, `ahead` bytes behind those that the pair
@ before has fetched, so that four pairs fetch all.
.macro pairs_function name, group, bytes, ahead
    lanes_function \name
    push    {r4-r11, lr}
    vpush   {s16-s23}
    sub     sp, sp, #PAIRS_FRAME
    ldmia   r0, {r1-r10}
    stmia   sp, {r1-r10}
    @ A cycle model that sees addresses but no values cannot follow a PLD unless it has seen its
    @ registers at work: so they load something once, and are stored one by one.
    cmp     r2, #1
    ldr     r12, [r1]
    ldrhi   r12, [r1, r3]
    ldr     r12, [r4]
    ldr     r12, [r7]
    ldr     r12, [r7, r8]
    sub     r3, r3, #\bytes
    str     r3, [sp, #FIRST_AHEAD]
    str     r4, [sp, #PLAN_LANES]
    str     r7, [sp, #PLAN_OUT]
    str     r8, [sp, #PLAN_OUT_STRIDE]
.L\name\()_row_block:
    ldr     lanes, [sp, #PLAN_LANES]
    ldr     r2, [sp, #PLAN_OUT]
    ldr     r3, [sp, #PLAN_FACTORS]
    ldr     r12, [sp, #FIRST_AHEAD]
    str     r2, [sp, #PAIR_OUT]
    str     r3, [sp, #PAIR_FACTOR]
    str     r12, [sp, #PAIR_AHEAD]
.L\name\()_pair:
    ldr     r12, [sp, #PLAN_PAIR_BYTES]
    ldr     block, [sp, #PLAN_BLOCK]
    ldr     r2, [sp, #PAIR_OUT]
    ldr     r3, [sp, #PLAN_OUT_STRIDE]
    add     r12, lanes, r12
    str     r12, [sp, #PAIR_LANES_END]
    ldrd    row0, row1, [block]
    ldrd    odd0, odd1, [lanes]
    ldrd    even0, even1, [lanes, #8]
    ldr     r12, [sp, #PLAN_GOES_ON]
    add     r3, r2, r3
    vmov    s16, s17, r12, r12          @ s16 to s19: sums of the first vector's four rows
    vmov    s18, s19, r12, r12
    cmp     r12, #0
    vmov    s20, s21, r12, r12          @ s20 to s23: of the second's
    vmov    s22, s23, r12, r12
    vldmiane r2, {s16-s19}
    vldmiane r3, {s20-s23}
    ldr     r12, [sp, #PLAN_LANES]
    pld     [r2, #32]                   @ the results of the row blocks to come
    pld     [r3, #32]
    .irp line, 0, 1, 2, 3, 4, 5, 6, 7
    pld     [r12, #32 * \line]          @ the next row block begins with the first inputs
    .endr
.L\name\()_group:
    \group                              @ leaves rows 0 and 1 added, 2 and 3 in the sums
    vmov    s2, s3, sum00, sum10
    ldr     sum00, [sp, #PAIR_LANES_END]
    add     lanes, lanes, #256
    vmov    s6, s7, sum01, sum11
    ldr     sum01, [sp, #PAIR_AHEAD]
    add     block, block, #\bytes
    cmp     lanes, sum00
    vcvt.f32.s32 s2, s2
    ldrdne  row0, row1, [block]         @ nothing behind the last group
    vcvt.f32.s32 s3, s3
    ldrdne  odd0, odd1, [lanes]
    vcvt.f32.s32 s6, s6
    ldrdne  even0, even1, [lanes, #8]
    vcvt.f32.s32 s7, s7
    add     sum01, block, sum01
    pld     [block, #\bytes - 16]        @ of the next group, now at hand, the last line
    pld     [sum01]
    vmla.f32 s18, s2, s10
    vmla.f32 s19, s3, s11
    vmla.f32 s22, s6, s10
    vmla.f32 s23, s7, s11
    bne     .L\name\()_group

    ldr     r4, [sp, #PAIR_FACTOR]
    ldr     r2, [sp, #PAIR_OUT]
    ldr     r3, [sp, #PLAN_OUT_STRIDE]
    vldmia  r4!, {s0, s1}
    ldr     r5, [sp, #PAIR_AHEAD]
    ldr     r6, [sp, #PLAN_LANES_END]
    str     r4, [sp, #PAIR_FACTOR]
    add     r7, r2, r3
    add     r5, r5, #\ahead
    vmul.f32 s16, s16, s0
    vmul.f32 s17, s17, s0
    vmul.f32 s18, s18, s0
    vmul.f32 s19, s19, s0
    vmul.f32 s20, s20, s1
    vmul.f32 s21, s21, s1
    vmul.f32 s22, s22, s1
    vmul.f32 s23, s23, s1
    str     r5, [sp, #PAIR_AHEAD]
    add     r3, r7, r3
    str     r3, [sp, #PAIR_OUT]
    vstmia  r2, {s16-s19}
    vstmia  r7, {s20-s23}
    cmp     lanes, r6
    bne     .L\name\()_pair

    ldr     r2, [sp, #PLAN_BLOCK]
    ldr     r3, [sp, #PLAN_ROW_BLOCK_BYTES]
    ldr     r4, [sp, #PLAN_OUT]
    ldr     r5, [sp, #PLAN_ROW_BLOCKS]
    add     r2, r2, r3
    add     r4, r4, #16
    str     r2, [sp, #PLAN_BLOCK]
    str     r4, [sp, #PLAN_OUT]
    subs    r5, r5, #1
    str     r5, [sp, #PLAN_ROW_BLOCKS]
    bne     .L\name\()_row_block
    add     sp, sp, #PAIRS_FRAME
    vpop    {s16-s23}
    pop     {r4-r11, pc}
    .size   \name, . - \name
.endm

@ Between the two halves of a block: the sums of rows 0 and 1 leave, those of rows 2 and 3 begin
@ with `row0` and `row1`; the four scales are `scales` bytes from the block's beginning.
.macro pairs_second_half scales
    vmov    s0, s1, sum00, sum10
    ldr     sum00, [sp, #PAIR_AHEAD]
    vldr    d4, [block, #\scales]       @ s8 to s11: the scales
    vmov    s4, s5, sum01, sum11
    vldr    d5, [block, #\scales + 8]
    add     sum00, block, sum00
    pld     [sum00, #\scales + 16 + 32] @ PAIR_AHEAD counts from the next group
    pld     [sum00, #\scales + 16 + 64]
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
