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
