@ Lane-shared nibbles: as int8.S, with eight columns in a word.
@
@ The halves hold at their top the nibbles of columns 3 and 7, after one LSL #4 those of 2 and 6,
@ then 1 and 5, then 0 and 4. So the inputs are in the order x3 x7 x2 x6 x1 x5 x0 x4.

@ ---- One vector --------------------------------------------------------------------------------

@ Two rows by eight columns: 14 instructions for 16 weights.
.macro int4_two_rows first, worda, wordb, suma, sumb
    lanes_two_rows \first, input0, \worda, \wordb, \suma, \sumb
    lanes_shift 4, \worda, \wordb
    lanes_two_rows 0, input1, \worda, \wordb, \suma, \sumb
    lanes_shift 4, \worda, \wordb
    lanes_two_rows 0, input2, \worda, \wordb, \suma, \sumb
    lanes_shift 4, \worda, \wordb
    lanes_two_rows 0, input3, \worda, \wordb, \suma, \sumb
.endm

@ Four rows by eight columns, 16 bytes: every other step fetches a line ahead.
.macro int4_eight_columns first, last, ahead
    ldrd    word2, word3, [block], #8
    .if \ahead
    pld     [block, #LANES_AHEAD]
    .endif
    int4_two_rows \first, word0, word1, sum0, sum1
    .if !\last
    ldrd    word0, word1, [block], #8
    .endif
    int4_two_rows \first, word2, word3, sum2, sum3
    .if !\last
    ldmia   lanes!, {input0, input1, input2, input3}
    .endif
.endm

@ Four rows by 64 columns.
.macro int4_group
    ldmia   lanes!, {input0, input1, input2, input3}
    ldrd    word0, word1, [block], #8
    int4_eight_columns 1, 0, 1
    .rept 3
    int4_eight_columns 0, 0, 0
    int4_eight_columns 0, 0, 1
    .endr
    int4_eight_columns 0, 1, 0
.endm

lanes_vector arm1176_int4_vector, int4_group, 0
lanes_vector arm1176_int4_wide_vector, int4_group, 1

@ ---- Two vectors -------------------------------------------------------------------------------

@ Eight columns of two rows for two vectors: 27 instructions for 32 products. The inputs come in four
@ parts; odd0 and odd1 hold the first and third, even0 and even1 the others.
.macro int4_pair_step first, worda, wordb, nexta, nextb, this_lanes, next_words, next_lanes
    pairs_multiply \first, \worda, \wordb, odd0, odd1
    ldrd    odd0, odd1, [lanes, #\this_lanes + 16]
    lanes_shift 4, \worda, \wordb
    ldrd    \nexta, \nextb, [block, #\next_words]
    pairs_multiply 0, \worda, \wordb, even0, even1
    ldrd    even0, even1, [lanes, #\this_lanes + 24]
    lanes_shift 4, \worda, \wordb
    pairs_multiply 0, \worda, \wordb, odd0, odd1
    ldrd    odd0, odd1, [lanes, #\next_lanes]
    lanes_shift 4, \worda, \wordb
    pairs_multiply 0, \worda, \wordb, even0, even1
    ldrd    even0, even1, [lanes, #\next_lanes + 8]
.endm

@ While rows 2 and 3 are multiplied: the next group's inputs and weights.
.macro int4_pair_ahead rows, step
    .if \rows
    pld     [block, #144 + 16 * \step]
    pld     [lanes, #256 + 32 * \step]
    pld     [lanes, #256 + 32 * \step + 32]
    .endif
.endm

@ Two such steps; `rows` is 0 for rows 0 and 1, 8 for rows 2 and 3; `step` counts eight columns.
.macro int4_pair_steps first, rows, step
    int4_pair_step \first, row0, row1, next0, next1, 32 * \step, 16 * \step + 16 + \rows, 32 * \step + 32
    int4_pair_ahead \rows, \step
    int4_pair_step 0, next0, next1, row0, row1, 32 * \step + 32, 16 * \step + 32 + \rows, 32 * \step + 64
.endm

.macro int4_pair_group
    @ Rows 0 and 1.
    int4_pair_steps 1, 0, 0
    int4_pair_steps 0, 0, 2
    int4_pair_steps 0, 0, 4
    int4_pair_step 0, row0, row1, next0, next1, 32 * 6, 16 * 7, 32 * 7
    int4_pair_step 0, next0, next1, row0, row1, 32 * 7, 8, 0    @ back to the beginning
    @ Rows 2 and 3.
    pairs_second_half 128
    int4_pair_steps 1, 8, 0
    pairs_convert
    int4_pair_steps 0, 8, 2
    pairs_add
    int4_pair_steps 0, 8, 4
    int4_pair_step 0, row0, row1, next0, next1, 32 * 6, 16 * 7 + 8, 32 * 7
    int4_pair_ahead 8, 6
    pairs_multiply 0, next0, next1, odd0, odd1                  @ the last step loads nothing ahead
    ldrd    odd0, odd1, [lanes, #32 * 7 + 16]
    lanes_shift 4, next0, next1
    pairs_multiply 0, next0, next1, even0, even1
    ldrd    even0, even1, [lanes, #32 * 7 + 24]
    lanes_shift 4, next0, next1
    pairs_multiply 0, next0, next1, odd0, odd1
    lanes_shift 4, next0, next1
    pairs_multiply 0, next0, next1, even0, even1
.endm

pairs_function arm1176_int4_pairs, int4_pair_group, 144, 32
