//! Examples and rules of DDI 0301H, chapter 21.

use super::assembly::{cycles, cycles_at};

/// Cycles with FPSCR.LEN = b111: eight iterations.
fn with_eight(program: &[&str]) -> u64 {
    cycles_at(0x1000, 8, program)
}

/// 21.4, examples 21-1 to 21-3: forwarding saves one cycle of eight; not between precisions, and
/// not to a store.
#[test]
fn forwarding() {
    assert_eq!(cycles(&["vadd.f32 s1, s2, s3", "vadd.f32 s8, s9, s1"]), 7 + 1);
    assert_eq!(cycles(&["vmul.f64 d2, d0, d1", "vadd.f32 s12, s13, s5"]), 9 + 1);
    assert_eq!(cycles(&["vmul.f64 d2, d0, d1", "vstr d2, [r0]"]), 9 + 1);
    assert_eq!(cycles(&["vadd.f32 s1, s2, s3", "vstr s1, [r0]"]), 8 + 1);
    // From loads, but not from core registers.
    assert_eq!(cycles(&["vldr s1, [r0]", "vadd.f32 s8, s9, s1"]), 3 + 1);
    assert_eq!(cycles(&["vmov s1, r1", "vadd.f32 s8, s9, s1"]), 4 + 1);
    // Not from integers.
    assert_eq!(cycles(&["vcvt.s32.f32 s4, s1", "vmov r1, s4"]), 8 + 1);
}

/// Table 21-16: FLDM brings two registers a cycle, the last after N/2 + 3, less one forwarded.
#[test]
fn load_multiple() {
    assert_eq!(cycles(&["vldmia r0, {s8-s15}", "vadd.f32 s1, s2, s15"]), 4 + 3 - 1 + 1);
    // The port and the load/store pipeline are taken for four cycles.
    assert_eq!(cycles(&["vldmia r0, {s8-s15}", "ldr r1, [r0], #4"]), 5);
    assert_eq!(cycles(&["vldmia r0, {s8-s15}", "vmov s1, r1"]), 5);
    assert_eq!(cycles(&["vldmia r0, {s8-s15}", "mov r9, r9"]), 2);
}

/// Table 21-16: an addition every cycle, a division every fifteen, additions beside it.
#[test]
fn throughput() {
    assert_eq!(cycles(&["vadd.f32 s1, s2, s3", "vadd.f32 s3, s4, s5"]), 2);
    assert_eq!(cycles(&["vdiv.f32 s0, s1, s2", "vdiv.f32 s3, s4, s5"]), 16);
    assert_eq!(cycles(&["vdiv.f32 s0, s1, s2", "vadd.f32 s3, s4, s5"]), 2);
}

/// FCMP has a latency of four, FMSTAT of two; a conditional instruction waits for the flags.
#[test]
fn comparisons() {
    let program = ["vcmp.f32 s1, s2", "vmrs APSR_nzcv, fpscr", "addeq r8, r5, r5"];
    assert_eq!(cycles(&program), 4 + 2 + 1);
    assert_eq!(cycles(&["vcmp.f32 s1, s2", "add r8, r5, r5"]), 2);
}

/// 21.10, the example of all three pipelines in parallel, with LEN = b011: one instruction after
/// the other without a stall. The vector then keeps the FMAC pipeline for four cycles.
#[test]
fn three_pipelines_in_parallel() {
    let program =
        ["vldmia r4, {s4-s13}", "vdiv.f32 s0, s1, s2", "vadd.f32 s16, s20, s24", "mov r9, r9"];
    // The division writes bank 0, so it is scalar and spends one cycle in the FMAC pipeline.
    assert_eq!(cycles_at(0x1000, 4, &program), 4);
    let mut next = program.to_vec();
    next[3] = "vadd.f32 s3, s4, s5";
    assert_eq!(cycles_at(0x1000, 4, &next), 2 + 4 + 1);
}

/// 21.10: were the division a short vector, too, the addition would wait for its last iteration
/// to pass the FMAC pipeline.
#[test]
fn a_vector_of_divisions_blocks_the_other_pipeline() {
    // Four divisions of fifteen cycles begin in cycles 0, 15, 30 and 45.
    let program = ["vdiv.f32 s16, s20, s24", "vadd.f32 s3, s4, s5"];
    assert_eq!(cycles_at(0x1000, 4, &program), 45 + 1 + 1);
}

/// 21.10: core instructions, loads and transfers go on while eight iterations run.
#[test]
fn a_vector_lets_everything_else_pass() {
    let program = ["vmla.f32 s16, s8, s0", "ldr r1, [r2]", "mov r9, r9", "vldr s1, [r0]"];
    assert_eq!(with_eight(&program), 4);
}

/// 21.6: an iteration frees its sources when it begins, so a register of iteration i can be
/// overwritten i + 1 cycles after the vector has begun.
#[test]
fn sources_are_locked_until_their_iteration() {
    let vector = "vmla.f32 s16, s8, s0";
    // s8 and s9: the second iteration.
    assert_eq!(with_eight(&[vector, "vmov s8, s9, r1, r2"]), 2 + 1);
    // s14 and s15: the eighth.
    assert_eq!(with_eight(&[vector, "vmov s14, s15, r1, r2"]), 8 + 1);
    // A scalar operand is read until the last iteration.
    assert_eq!(with_eight(&[vector, "vmov s0, s1, r1, r2"]), 8 + 1);
    // Without a vector there is no such lock.
    assert_eq!(cycles(&[vector, "vmov s8, s9, r1, r2"]), 2);
}

/// 21.6: a vector begins when the registers of all iterations are free: the last sum of a vector
/// on the same accumulators is there 7 + 7 cycles later.
#[test]
fn accumulating_vectors() {
    let first = "vmla.f32 s16, s8, s0";
    assert_eq!(with_eight(&[first, first]), 7 + 7 + 1);
    // Other accumulators wait for the pipeline only.
    assert_eq!(with_eight(&[first, "vmla.f32 s24, s8, s1"]), 8 + 1);
    // What a core register brought is there after four cycles, for all iterations.
    assert_eq!(with_eight(&["vmov s14, s15, r1, r2", first]), 4 + 1);
    // The last sum leaves the pipeline a cycle later for a store; s16 is the first.
    assert_eq!(with_eight(&[first, "vmov r2, s16"]), 8 + 1);
}

/// 21.11: FMXR waits until everything before it is done and delays the next VFP instruction.
/// How long is our reading.
#[test]
fn system_registers_serialise() {
    let vector = "vmla.f32 s16, s8, s0";
    assert_eq!(with_eight(&[vector, "vmsr fpscr, r1"]), 7 + 8 + 1);
    assert_eq!(cycles(&["vmsr fpscr, r1", "vadd.f32 s3, s4, s5"]), 4 + 1);
    assert_eq!(cycles(&["vmsr fpscr, r1", "add r6, r5, r4"]), 2);
}
