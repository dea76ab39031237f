//! Ends QEMU with an exit code: SYS_EXIT_EXTENDED (ARM, "Semihosting for AArch32 and AArch64").

/// Operation number.
const EXIT_EXTENDED: u32 = 0x20;
/// "The program ended as it wanted to."
const APPLICATION_EXIT: u32 = 0x2_0026;

/// Ends QEMU. On a board without a debugger nothing answers, and this waits for ever.
pub(crate) fn exit(code: u32) -> ! {
    let block = [APPLICATION_EXIT, code];
    // SAFETY: the call reads the two words and does not return.
    unsafe {
        core::arch::asm!("svc #0x123456", in("r0") EXIT_EXTENDED, in("r1") block.as_ptr());
    }
    loop {
        core::hint::spin_loop();
    }
}
