@ Lane-shared weights: what the kernels of int8.S, int4.S and attention.S have in common.
@
@ A word holds several small weights. SMLAD multiplies its two signed halves with two inputs and
@ adds both products to a sum; shifted left, the word shows its next weights at the top of the
@ halves. The quantiser has allowed for the bits below (crates/model-format/src/lanes.rs).
@
@ The schedule (TRM 16.7, 16.10, 16.15; all of it one instruction per cycle):
@ - SMLAD takes one cycle and gives its sum to a next SMLAD after two, to others after three. No
@   kernel adds to a sum twice within four instructions.
@ - SMLAD wants its factors a cycle early. A shifted word can be multiplied in the second
@   instruction after LSL: two words are always shifted together.
@ - A loaded word can be multiplied in the fourth cycle after LDR or LDRD. Words are loaded at
@   least five instructions ahead, into the pair of registers that the multiplications do not use.
@ - LDRD loads two words in the time of one. The address should be a multiple of 8 for that; a
@   multiple of 4 is enough for it to work (TRM 4.3.14: "a series of incrementing aligned word
@   loads"), and blocks are multiples of 16 bytes.
@ - The processor does not fetch ahead by itself: each line of 32 bytes of the weights has its PLD,
@   LANES_AHEAD bytes before it is needed: at 450 MB/s a line comes every 71 cycles and takes
@   150, so anything from three lines up does. A PLD behind the end of the weights does no harm:
@   it never faults. Loads never read there: the last step of a kernel loads nothing ahead.
@
@ No overflow: a half is at most 2^15 in magnitude, an input 1023, a group 64 columns, and
@ 64 * 2^15 * 1023 = 2,145,386,496 < 2^31. SMLAD would tell by setting the Q flag: kernel-check
@ looks at it.
@
@ Of the floating point registers only s0 to s15 are used where that suffices: a function need not
@ save them. VMLA rounds the product before it adds.

.syntax unified
.arch   armv6
.fpu    vfpv2
.arm

.set LANES_AHEAD, 192

.macro lanes_function name
    .section .text.\name, "ax"
    .balign 32
    .global \name
    .type   \name, %function
\name:
.endm

@ ---- One vector: four rows at a time -----------------------------------------------------------

block   .req r0         @ the next weights
lanes   .req r1         @ the next inputs
sum0    .req r2         @ integer sums of four rows
sum1    .req r3
sum2    .req r4
sum3    .req r5
word0   .req r6         @ weights of four rows, in pairs for LDRD
word1   .req r7
word2   .req r8
word3   .req r9
input0  .req r10        @ eight inputs in four registers, for LDM
input1  .req r11
input2  .req r12
input3  .req lr

@ Frees the names above and in pairs.S: other assembly of the program may use them.
.macro lanes_end
    .irp name, block, lanes, sum0, sum1, sum2, sum3, word0, word1, word2, word3
    .unreq \name
    .endr
    .irp name, input0, input1, input2, input3, sum00, sum01, sum10, sum11
    .unreq \name
    .endr
    .irp name, row0, row1, next0, next1, odd0, odd1, even0, even1
    .unreq \name
    .endr
.endm

@ Multiplies one word of two rows with two inputs. `first` begins the sums instead of adding.
.macro lanes_two_rows first, input, worda, wordb, suma, sumb
    .if \first
    smuad   \suma, \worda, \input
    smuad   \sumb, \wordb, \input
    .else
    smlad   \suma, \worda, \input, \suma
    smlad   \sumb, \wordb, \input, \sumb
    .endif
.endm

.macro lanes_shift bits, worda, wordb
    lsl     \worda, \worda, #\bits
    lsl     \wordb, \wordb, #\bits
.endm

@ name(blocks, lanes, out, row_blocks, groups; s0 = what an input's unit is worth)
@
@ `group` is the macro that multiplies 64 columns of 4 rows and leaves sum0 to sum3, with `block`
@ at the scales and `lanes` at the next group. With `wide`, inputs are asked for again a group ahead: the
@ cache replaces its lines in turn, whether they are needed or not (TRM 7.2.1), and the longer a row
@ is, the more of its inputs the weights have pushed out before the next row block.
.macro lanes_vector name, group, wide
    lanes_function \name
    push    {r4-r11, lr}
    sub     sp, sp, #20
    ldr     r4, [sp, #56]               @ groups
    add     r4, r1, r4, lsl #7          @ where the inputs end: 128 bytes a group
    add     r3, r2, r3, lsl #4          @ where the results end: 16 bytes a row block
    str     r1, [sp]                    @ [sp]      inputs
    str     r4, [sp, #4]                @ [sp, #4]  their end
    str     r2, [sp, #8]                @ [sp, #8]  next results
    str     r3, [sp, #12]               @ [sp, #12] their end
    vmov.f32 s12, s0
.L\name\()_row_block:
    mov     sum0, #0
    ldr     lanes, [sp]
    vmov    s8, s9, sum0, sum0          @ s8 to s11: the four rows' sums
    vmov    s10, s11, sum0, sum0
.L\name\()_group:
    \group
    vmov    s0, s1, sum0, sum1
    vmov    s2, s3, sum2, sum3
    vldmia  block!, {s4-s7}             @ the scales
    pld     [block, #LANES_AHEAD]
    .if \wide
    .irp line, 0, 1, 2, 3
    pld     [lanes, #128 + 32 * \line]
    .endr
    .endif
    ldr     sum0, [sp, #4]
    vcvt.f32.s32 s0, s0
    vcvt.f32.s32 s1, s1
    vcvt.f32.s32 s2, s2
    vcvt.f32.s32 s3, s3
    cmp     lanes, sum0
    vmla.f32 s8, s0, s4
    vmla.f32 s9, s1, s5
    vmla.f32 s10, s2, s6
    vmla.f32 s11, s3, s7
    bne     .L\name\()_group

    ldr     sum0, [sp, #8]
    ldr     sum1, [sp, #12]
    vmul.f32 s8, s8, s12
    vmul.f32 s9, s9, s12
    vmul.f32 s10, s10, s12
    vmul.f32 s11, s11, s12
    vstmia  sum0!, {s8-s11}
    str     sum0, [sp, #8]
    cmp     sum0, sum1
    bne     .L\name\()_row_block
    add     sp, sp, #20
    pop     {r4-r11, pc}
    .size   \name, . - \name
.endm
