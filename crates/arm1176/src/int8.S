@ Lane-shared bytes: an instruction per weight for one vector, 0.93 for each of a pair.
@
@ A word of a row has four columns; its halves hold, above the byte below, the bytes of columns 1
@ and 3, and after LSL #8 those of 0 and 2. So the inputs are in the order x1 x3 x0 x2.

@ ---- One vector --------------------------------------------------------------------------------

@ Two rows by four columns: six instructions for eight weights.
.macro int8_two_rows first, odd, even, worda, wordb, suma, sumb
    lanes_two_rows \first, \odd, \worda, \wordb, \suma, \sumb
    lanes_shift 8, \worda, \wordb
    lanes_two_rows 0, \even, \worda, \wordb, \suma, \sumb
.endm

@ Four rows by eight columns: 30 instructions for 32 weights. The inputs and the words of rows 0 and
@ 1 have been loaded; unless it is the `last` one, those of the next step are at the end.
.macro int8_eight_columns first, last, ahead=LANES_AHEAD
    ldrd    word2, word3, [block], #8
    pld     [block, #\ahead]
    int8_two_rows \first, input0, input1, word0, word1, sum0, sum1
    ldrd    word0, word1, [block], #8
    int8_two_rows \first, input0, input1, word2, word3, sum2, sum3
    ldrd    word2, word3, [block], #8
    int8_two_rows 0, input2, input3, word0, word1, sum0, sum1
    .if !\last
    ldrd    word0, word1, [block], #8
    .endif
    int8_two_rows 0, input2, input3, word2, word3, sum2, sum3
    .if !\last
    ldmia   lanes!, {input0, input1, input2, input3}
    .endif
.endm

@ Four rows by 64 columns.
.macro int8_group
    ldmia   lanes!, {input0, input1, input2, input3}
    ldrd    word0, word1, [block], #8
    int8_eight_columns 1, 0
    .rept 6
    int8_eight_columns 0, 0
    .endr
    int8_eight_columns 0, 1
.endm

lanes_vector arm1176_int8_vector, int8_group, 0
lanes_vector arm1176_int8_wide_vector, int8_group, 1

@ ---- Two vectors -------------------------------------------------------------------------------

@ Four columns of two rows for two vectors: 13 instructions for 16 products. `next_words` and
@ `next_lanes` say where the next step's weights and inputs are.
.macro int8_pair_step first, worda, wordb, nexta, nextb, next_words, next_lanes
    pairs_multiply \first, \worda, \wordb, odd0, odd1
    ldrd    odd0, odd1, [lanes, #\next_lanes]
    lanes_shift 8, \worda, \wordb
    ldrd    \nexta, \nextb, [block, #\next_words]
    pairs_multiply 0, \worda, \wordb, even0, even1
    ldrd    even0, even1, [lanes, #\next_lanes + 8]
.endm

@ The next group's inputs and weights: four lines of either while rows 0 and 1 are multiplied, four
@ while rows 2 and 3 are. So each is asked for some 300 to 450 cycles before it is needed: enough for a
@ few lines that have to wait for each other.
.macro int8_pair_ahead rows, step
    .if (\step) % 4 == 0
    pld     [block, #272 + 16 * \rows + 8 * \step]
    pld     [lanes, #256 + 16 * \rows + 8 * \step]
    .endif
.endm

@ Two such steps; `rows` is 0 for rows 0 and 1, 8 for rows 2 and 3; `step` counts four columns.
.macro int8_pair_steps first, rows, step
    int8_pair_step \first, row0, row1, next0, next1, 16 * \step + 16 + \rows, 16 * \step + 16
    int8_pair_ahead \rows, \step
    int8_pair_step 0, next0, next1, row0, row1, 16 * \step + 32 + \rows, 16 * \step + 32
.endm

.macro int8_pair_group
    @ Rows 0 and 1.
    int8_pair_steps 1, 0, 0
    .irp step, 2, 4, 6, 8, 10, 12
    int8_pair_steps 0, 0, \step
    .endr
    int8_pair_step 0, row0, row1, next0, next1, 16 * 15, 16 * 15
    int8_pair_step 0, next0, next1, row0, row1, 8, 0    @ back to the beginning
    @ Rows 2 and 3.
    pairs_second_half 256
    int8_pair_steps 1, 8, 0
    pairs_convert
    .irp step, 2, 4, 6
    int8_pair_steps 0, 8, \step
    .endr
    pairs_add
    .irp step, 8, 10, 12
    int8_pair_steps 0, 8, \step
    .endr
    int8_pair_step 0, row0, row1, next0, next1, 16 * 15 + 8, 16 * 15
    pairs_multiply 0, next0, next1, odd0, odd1          @ the last step loads nothing
    lanes_shift 8, next0, next1
    pairs_multiply 0, next0, next1, even0, even1
.endm

pairs_function arm1176_int8_pairs, int8_pair_group, 272, 96
