@ Attention over a KV cache of lane-shared bytes, see crates/engine/src/cache/lane_cache.rs.
@
@ The kernels multiply as int8.S does for one vector and differ in what they do with the sums.

@ arm1176_key_scores(keys, query, plan; s0 = factor)
@
@ The plan: the scales and scores of the slots, the end of the scores, the columns of a key.
@
@ Keys have 4 to 64 columns. A block of 4 slots is done by one way through code for 64 columns,
@ entered so that as many steps of 8 columns remain as there are; four odd columns come first.
.set SCORES_QUERY, 0
.set SCORES_SCALES, 4
.set SCORES_SCORES, 8
.set SCORES_END, 12
.set SCORES_COLUMNS, 16         @ & 4: four odd columns
.set SCORES_ENTRY, 20           @ where the steps begin
.set SCORES_FRAME, 28

.set STEP_BYTES, 30 * 4         @ int8_eight_columns, when it is not the last

lanes_function arm1176_key_scores
    push    {r4-r11, lr}
    sub     sp, sp, #SCORES_FRAME
    vmov.f32 s12, s0
    ldmia   r2, {r3-r6}                 @ scales, scores, their end, columns
    stmia   sp, {r1, r3-r6}
    ldr     r7, =.Lscores_last_step + STEP_BYTES
    mov     r8, #STEP_BYTES
    mov     r9, r6, lsr #3              @ whole steps
    mul     r10, r9, r8
    sub     r7, r7, r10
    str     r7, [sp, #SCORES_ENTRY]
.Lscores_block:
    ldr     sum0, [sp, #SCORES_COLUMNS]
    ldr     lanes, [sp, #SCORES_QUERY]
    tst     sum0, #4
    bne     .Lscores_odd_columns
    mov     sum0, #0
    mov     sum1, #0
    mov     sum2, #0
    mov     sum3, #0
.Lscores_whole_steps:
    ldr     word2, [sp, #SCORES_ENTRY]
    ldrd    word0, word1, [block], #8
    ldmia   lanes!, {input0, input1, input2, input3}
    mov     pc, word2
    .rept   7
    int8_eight_columns 0, 0
    .endr
.Lscores_last_step:
    int8_eight_columns 0, 1
.Lscores_tail:
    vmov    s0, s1, sum0, sum1
    ldr     word0, [sp, #SCORES_SCALES]
    vmov    s2, s3, sum2, sum3
    ldr     word1, [sp, #SCORES_SCORES]
    vcvt.f32.s32 s0, s0
    vldmia  word0!, {s4-s7}
    vcvt.f32.s32 s1, s1
    vcvt.f32.s32 s2, s2
    vcvt.f32.s32 s3, s3
    ldr     word2, [sp, #SCORES_END]
    str     word0, [sp, #SCORES_SCALES]
    vmul.f32 s0, s0, s4
    vmul.f32 s1, s1, s5
    vmul.f32 s2, s2, s6
    vmul.f32 s3, s3, s7
    add     word3, word1, #16
    str     word3, [sp, #SCORES_SCORES]
    cmp     word3, word2
    vmul.f32 s0, s0, s12
    vmul.f32 s1, s1, s12
    vmul.f32 s2, s2, s12
    vmul.f32 s3, s3, s12
    vstmia  word1, {s0-s3}
    bne     .Lscores_block
    add     sp, sp, #SCORES_FRAME
    pop     {r4-r11, pc}

.Lscores_odd_columns:
    ldrd    input0, input1, [lanes], #8
    ldrd    word0, word1, [block], #8
    ldrd    word2, word3, [block], #8
    int8_two_rows 1, input0, input1, word0, word1, sum0, sum1
    int8_two_rows 1, input0, input1, word2, word3, sum2, sum3
    ldr     word0, [sp, #SCORES_COLUMNS]
    cmp     word0, #8
    bhs     .Lscores_whole_steps
    b       .Lscores_tail
    .ltorg
.size arm1176_key_scores, . - arm1176_key_scores

@ Adds the sums to the four results at hand, and compares the next four's place with their end. On
@ the stack are where `next` ones are kept and their `end`.
.macro mix_add next, end
    vmov    s0, s1, sum0, sum1
    ldr     word0, [sp, #\next]
    vmov    s2, s3, sum2, sum3
    ldr     word1, [sp, #\end]
    vcvt.f32.s32 s0, s0
    vldmia  word0, {s8-s11}
    vcvt.f32.s32 s1, s1
    vcvt.f32.s32 s2, s2
    vcvt.f32.s32 s3, s3
    add     word2, word0, #16
    str     word2, [sp, #\next]
    cmp     word2, word1
    vadd.f32 s8, s8, s0
    vadd.f32 s9, s9, s1
    vadd.f32 s10, s10, s2
    vadd.f32 s11, s11, s3
    vstmia  word0, {s8-s11}
.endm

@ arm1176_mix_values(values, weights, out, end of out, blocks of 64 slots)
@
@ Adds to `out`. Values are read strictly forwards: all of a block of 64 slots, then the next.
.set MIX_WEIGHTS, 0
.set MIX_OUT, 4
.set MIX_OUT_END, 8
.set MIX_NEXT, 12               @ the four results at hand
.set MIX_FRAME, 20
.set MIX_BLOCKS, MIX_FRAME + 36 @ above the saved registers: blocks left

lanes_function arm1176_mix_values
    push    {r4-r11, lr}
    sub     sp, sp, #MIX_FRAME
    stmia   sp, {r1-r3}
.Lmix_block:
    ldr     sum0, [sp, #MIX_OUT]
    str     sum0, [sp, #MIX_NEXT]
.Lmix_four:
    ldr     lanes, [sp, #MIX_WEIGHTS]
    int8_group
    mix_add MIX_NEXT, MIX_OUT_END
    bne     .Lmix_four
    ldr     word0, [sp, #MIX_BLOCKS]
    str     lanes, [sp, #MIX_WEIGHTS]   @ int8_group has walked over 64 of them
    subs    word0, word0, #1
    str     word0, [sp, #MIX_BLOCKS]
    bne     .Lmix_block
    add     sp, sp, #MIX_FRAME
    pop     {r4-r11, pc}
.size arm1176_mix_values, . - arm1176_mix_values

@ arm1176_mix_rest(values, weights, out, end of out, steps)
@
@ The same for the first 1 to 7 times 8 slots of one block: code for 7, entered late. The lines to
@ fetch ahead are those of the next but one four results: with a single step, four results take 55
@ cycles, and a line 150.
.set REST_WEIGHTS, 0
.set REST_NEXT, 4               @ the four results at hand
.set REST_OUT_END, 8
.set REST_ENTRY, 12             @ where the steps begin
.set REST_SKIP, 16              @ bytes from the last slots wanted to the next four results' first
.set REST_FRAME, 20
.set REST_STEPS, REST_FRAME + 36
.set REST_BYTES, 256            @ values of 64 slots for four results
.set REST_AHEAD, 2 * REST_BYTES

lanes_function arm1176_mix_rest
    push    {r4-r11, lr}
    sub     sp, sp, #REST_FRAME
    stmia   sp, {r1-r3}
    ldr     r4, [sp, #REST_STEPS]
    mov     r5, #STEP_BYTES
    ldr     r6, =.Lrest_last_step + STEP_BYTES
    mul     r7, r4, r5
    sub     r6, r6, r7
    str     r6, [sp, #REST_ENTRY]
    mov     r8, #REST_BYTES
    sub     r8, r8, r4, lsl #5
    str     r8, [sp, #REST_SKIP]
.Lrest_four:
    mov     sum0, #0
    mov     sum1, #0
    mov     sum2, #0
    mov     sum3, #0
    ldr     lanes, [sp, #REST_WEIGHTS]
    ldr     word2, [sp, #REST_ENTRY]
    ldrd    word0, word1, [block], #8
    ldmia   lanes!, {input0, input1, input2, input3}
    mov     pc, word2
    .rept   6
    int8_eight_columns 0, 0, REST_AHEAD
    .endr
.Lrest_last_step:
    int8_eight_columns 0, 1, REST_AHEAD
    ldr     word3, [sp, #REST_SKIP]
    mix_add REST_NEXT, REST_OUT_END
    add     block, block, word3
    bne     .Lrest_four
    add     sp, sp, #REST_FRAME
    pop     {r4-r11, pc}
    .ltorg
.size arm1176_mix_rest, . - arm1176_mix_rest
