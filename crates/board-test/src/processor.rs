//! What the checks and crashes say in the processor's own language.

/// Reads a word from an address that is no multiple of 4.
///
/// # Safety
/// The four bytes behind the first of `bytes` must be readable.
pub(crate) unsafe fn unaligned_word(bytes: *const u8) -> u32 {
    let word: u32;
    // SAFETY: as the caller promises.
    unsafe {
        #[cfg(target_arch = "arm")]
        core::arch::asm!(
            "ldr {word}, [{bytes}, #1]",
            word = out(reg) word,
            bytes = in(reg) bytes,
            options(readonly, nostack)
        );
        #[cfg(target_arch = "aarch64")]
        core::arch::asm!(
            "ldur {word:w}, [{bytes}, #1]",
            word = out(reg) word,
            bytes = in(reg) bytes,
            options(readonly, nostack)
        );
    }
    word
}

/// Reads where there is nothing.
pub(crate) fn read_null() {
    // SAFETY: none: that is the point, here and below. Nothing is mapped there.
    unsafe {
        #[cfg(target_arch = "arm")]
        core::arch::asm!("ldr {word}, [{null}]", word = out(reg) _, null = in(reg) 0);
        #[cfg(target_arch = "aarch64")]
        core::arch::asm!("ldr {word}, [{null}]", word = out(reg) _, null = in(reg) 0_u64);
    }
}

/// Goes on where there is nothing.
pub(crate) fn call_null() {
    // SAFETY: none.
    unsafe {
        #[cfg(target_arch = "arm")]
        core::arch::asm!("blx {null}", null = in(reg) 0, out("lr") _);
        #[cfg(target_arch = "aarch64")]
        core::arch::asm!("blr {null}", null = in(reg) 0_u64, out("lr") _);
    }
}

/// A function in one instruction: it returns.
#[cfg(target_arch = "arm")]
pub(crate) const RETURN: u32 = 0xe12f_ff1e;
#[cfg(target_arch = "aarch64")]
pub(crate) const RETURN: u32 = 0xd65f_03c0;

/// What the processor does not know.
pub(crate) fn undefined() {
    // SAFETY: none.
    unsafe { core::arch::asm!("udf #0") }
}

/// FPSCR.LEN = 8, as in a kernel (TRM 20.4.2): float arithmetic by compiled code now goes wrong. There is
/// nothing like it on a Zero 2 W.
pub(crate) fn set_short_vectors() {
    // SAFETY: none: compiled code must not run like this, except that it ends in a crash.
    #[cfg(target_arch = "arm")]
    unsafe {
        core::arch::asm!(
            "vmrs {status}, fpscr",
            "orr {status}, {status}, #0x70000",
            "vmsr fpscr, {status}",
            status = out(reg) _
        );
    }
}

/// Whether FPSCR.LEN and STRIDE are what compiled code wants.
pub(crate) fn are_floats_scalar() -> bool {
    #[cfg(target_arch = "arm")]
    {
        let status: u32;
        // SAFETY: reading a status register changes nothing.
        unsafe { core::arch::asm!("vmrs {}, fpscr", out(reg) status) };
        status & 0x37_0000 == 0
    }
    #[cfg(target_arch = "aarch64")]
    true
}

/// Whether all of the vector registers hold what they held so many rounds of nothing before.
#[cfg(target_arch = "aarch64")]
pub(crate) fn do_vectors_last(rounds: u32) -> bool {
    let before: [u128; 32] =
        core::array::from_fn(|index| (index as u128 + 1) * 0x0123_4567_89ab_cdef_0fed_cba9);
    let mut after = [0_u128; 32];
    // SAFETY: reads all of one array and writes all of the other.
    unsafe {
        core::arch::asm!(
            "ldp q0, q1, [{from}, #0]",
            "ldp q2, q3, [{from}, #32]",
            "ldp q4, q5, [{from}, #64]",
            "ldp q6, q7, [{from}, #96]",
            "ldp q8, q9, [{from}, #128]",
            "ldp q10, q11, [{from}, #160]",
            "ldp q12, q13, [{from}, #192]",
            "ldp q14, q15, [{from}, #224]",
            "ldp q16, q17, [{from}, #256]",
            "ldp q18, q19, [{from}, #288]",
            "ldp q20, q21, [{from}, #320]",
            "ldp q22, q23, [{from}, #352]",
            "ldp q24, q25, [{from}, #384]",
            "ldp q26, q27, [{from}, #416]",
            "ldp q28, q29, [{from}, #448]",
            "ldp q30, q31, [{from}, #480]",
            "2:",
            "subs {rounds:w}, {rounds:w}, #1",
            "b.ne 2b",
            "stp q0, q1, [{to}, #0]",
            "stp q2, q3, [{to}, #32]",
            "stp q4, q5, [{to}, #64]",
            "stp q6, q7, [{to}, #96]",
            "stp q8, q9, [{to}, #128]",
            "stp q10, q11, [{to}, #160]",
            "stp q12, q13, [{to}, #192]",
            "stp q14, q15, [{to}, #224]",
            "stp q16, q17, [{to}, #256]",
            "stp q18, q19, [{to}, #288]",
            "stp q20, q21, [{to}, #320]",
            "stp q22, q23, [{to}, #352]",
            "stp q24, q25, [{to}, #384]",
            "stp q26, q27, [{to}, #416]",
            "stp q28, q29, [{to}, #448]",
            "stp q30, q31, [{to}, #480]",
            from = in(reg) before.as_ptr(),
            to = in(reg) after.as_mut_ptr(),
            rounds = inout(reg) rounds => _,
            out("v0") _, out("v1") _, out("v2") _, out("v3") _,
            out("v4") _, out("v5") _, out("v6") _, out("v7") _,
            out("v8") _, out("v9") _, out("v10") _, out("v11") _,
            out("v12") _, out("v13") _, out("v14") _, out("v15") _,
            out("v16") _, out("v17") _, out("v18") _, out("v19") _,
            out("v20") _, out("v21") _, out("v22") _, out("v23") _,
            out("v24") _, out("v25") _, out("v26") _, out("v27") _,
            out("v28") _, out("v29") _, out("v30") _, out("v31") _,
            options(nostack)
        );
    }
    before == after
}

/// A Zero has no vector registers; its floats are tested by calculating.
#[cfg(target_arch = "arm")]
pub(crate) fn do_vectors_last(_rounds: u32) -> bool {
    true
}
