//! Interlock examples of DDI 0301H, chapter 16.

use super::assembly::{cycles, cycles_at};

/// Table 16-3.
#[test]
fn register_interlocks() {
    assert_eq!(cycles(&["ldr r1, [r2]", "add r6, r5, r4"]), 2);
    assert_eq!(cycles(&["add r1, r2, r3", "add r9, r6, r1"]), 2);
    assert_eq!(cycles(&["ldr r1, [r2]", "add r6, r5, r1"]), 4);
    assert_eq!(cycles(&["add r1, r5, r6", "ldr r2, [r1]"]), 3);
    assert_eq!(cycles(&["ldr r1, [r2]", "ldr r5, [r1]"]), 5);
}

/// 16.3: the shifter's operand is an Early Reg, the other one is not; a shift by a register takes
/// two cycles, and its distance is an Early Reg.
#[test]
fn shifts() {
    assert_eq!(cycles(&["add r1, r2, r3", "add r4, r5, r1, lsl #1"]), 3);
    assert_eq!(cycles(&["add r1, r2, r3", "add r4, r1, r9, lsl #1"]), 2);
    assert_eq!(cycles(&["add r1, r2, r3", "add r4, r2, r4, lsl r1"]), 4);
    assert_eq!(cycles(&["add r4, r2, r4, lsl r1", "add r8, r5, r5"]), 3);
}

/// Table 16-9, and 16.7: the accumulate path has a product one cycle earlier, a factor needs it
/// one cycle earlier than the ALU does.
#[test]
fn products_and_sums() {
    assert_eq!(cycles(&["usad8 r1, r2, r3", "add r5, r6, r1"]), 4);
    let scheduled = ["usad8 r1, r2, r3", "mov r9, r9", "mov r9, r9", "add r5, r6, r1"];
    assert_eq!(cycles(&scheduled), 4);
    assert_eq!(cycles(&["usad8 r1, r2, r3", "usada8 r1, r4, r5, r1"]), 3);

    let smlad = "smlad r2, r6, r10, r2";
    assert_eq!(cycles(&[smlad, smlad]), 3);
    assert_eq!(cycles(&[smlad, "add r8, r2, r2"]), 4);
    assert_eq!(cycles(&[smlad, "smlad r3, r2, r10, r3"]), 5);
    // A load is no product: the accumulate path does not help.
    assert_eq!(cycles(&["ldr r2, [r1]", smlad]), 4);
}

/// Table 16-10: two cycles and a latency of four; three cycles and four, five.
#[test]
fn long_products() {
    assert_eq!(cycles(&["mul r1, r2, r3", "add r6, r5, r4"]), 3);
    assert_eq!(cycles(&["mul r1, r2, r3", "add r6, r5, r1"]), 5);
    // The addend of MLA is a Late Reg.
    assert_eq!(cycles(&["mul r1, r2, r3", "mla r4, r5, r6, r1"]), 5);
    assert_eq!(cycles(&["smull r1, r4, r2, r3", "add r6, r5, r1"]), 5);
    assert_eq!(cycles(&["smull r1, r4, r2, r3", "add r8, r4, r4"]), 6);
}

/// 16.10: an offset shifted by anything but two takes a second cycle, and the port as well.
#[test]
fn two_cycle_addresses() {
    let shifted = "ldr r1, [r2, r3, lsl #1]";
    assert_eq!(cycles(&[shifted, "add r6, r5, r4"]), 3);
    assert_eq!(cycles(&[shifted, "add r6, r5, r1"]), 5);
    assert_eq!(cycles(&[shifted, "str r1, [r4]"]), 5);
}

/// 16.11: an updated base is there for the next load or store at once, for a shifter it is not.
#[test]
fn bases_are_forwarded_to_the_next_address() {
    let first = "ldrd r4, r5, [r2], #8";
    assert_eq!(cycles(&[first, "ldrd r6, r7, [r2], #8", "pld [r2, #192]"]), 3);
    // r0 goes to a base here and to the shifter there.
    assert_eq!(cycles(&["ldr r1, [r0], #4", "ldrb r1, [r0], r3"]), 2);
    assert_eq!(cycles(&["add r1, r2, r3", "ldr r2, [r1]"]), 3);
}

/// Table 16-16: 3/3, and 3/4 with two memory cycles when not doubleword aligned.
#[test]
fn double_words() {
    let program = ["ldrd r4, r5, [r2], #8", "add r8, r5, r5"];
    assert_eq!(cycles_at(0x1000, 1, &program), 4);
    assert_eq!(cycles_at(0x1004, 1, &program), 5);
    let port = ["ldrd r4, r5, [r2], #8", "ldr r1, [r0], #4"];
    assert_eq!(cycles_at(0x1000, 1, &port), 2);
    assert_eq!(cycles_at(0x1004, 1, &port), 3);
}

/// 16.12.3, both examples; and the transfer goes on in the background.
#[test]
fn multiples() {
    assert_eq!(cycles(&["ldmia r0, {r1-r7}", "add r10, r10, r3"]), 5);
    assert_eq!(cycles(&["stmia r0, {r1-r7}", "add r6, r10, r11"]), 5);
    assert_eq!(cycles(&["ldmia r0, {r1-r7}", "mov r9, r9", "mov r9, r9"]), 3);
    // Four memory cycles for seven registers.
    assert_eq!(cycles(&["ldmia r0, {r1-r7}", "ldr r1, [r0], #4"]), 5);
    // From an address that is not 64-bit aligned, seven registers still take four, but r3 comes in
    // the second of them, with r2.
    assert_eq!(cycles_at(0x1004, 1, &["ldmia r0, {r1-r7}", "ldr r1, [r0], #4"]), 5);
    assert_eq!(cycles_at(0x1004, 1, &["ldmia r0, {r1-r7}", "add r10, r10, r3"]), 5);
    // A store multiple waits for the registers of its list.
    assert_eq!(cycles(&["ldr r1, [r2]", "stmia r0, {r1-r7}"]), 4);
}

/// 16.10: a word at an odd address takes the port twice and comes a cycle later.
#[test]
fn unaligned_words() {
    assert_eq!(cycles_at(0x1002, 1, &["ldr r1, [r2]", "add r6, r5, r1"]), 5);
    assert_eq!(cycles_at(0x1002, 1, &["ldr r1, [r2]", "ldr r1, [r0], #4"]), 3);
}
