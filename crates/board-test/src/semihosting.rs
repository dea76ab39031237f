//! Ends QEMU with an exit code: SYS_EXIT_EXTENDED (ARM, "Semihosting for AArch32 and AArch64").

/// Operation number.
const EXIT_EXTENDED: usize = 0x20;
/// "The program ended as it wanted to."
const APPLICATION_EXIT: usize = 0x2_0026;

/// Ends QEMU. On a board without a debugger nothing answers, and this waits for ever.
pub(crate) fn exit(code: u32) -> ! {
    // Fields as wide as an address.
    let block = [APPLICATION_EXIT, code as usize];
    // SAFETY: the call reads the two fields and does not return.
    unsafe {
        #[cfg(target_arch = "arm")]
        core::arch::asm!("svc #0x123456", in("r0") EXIT_EXTENDED, in("r1") block.as_ptr());
        #[cfg(target_arch = "aarch64")]
        core::arch::asm!("hlt #0xf000", in("x0") EXIT_EXTENDED, in("x1") block.as_ptr());
    }
    loop {
        core::hint::spin_loop();
    }
}
