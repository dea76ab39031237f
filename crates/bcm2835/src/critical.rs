//! The `critical-section` implementation: one core at work, so masking interrupts is enough.
#![cfg(target_os = "none")]

use crate::board::{mask_interrupts, unmask_interrupts};

struct MaskInterrupts;
critical_section::set_impl!(MaskInterrupts);

// SAFETY: one core is at work, and with interrupts masked nothing else runs on it. Faults do run,
// but never return.
unsafe impl critical_section::Impl for MaskInterrupts {
    unsafe fn acquire() -> bool {
        mask_interrupts()
    }

    unsafe fn release(were_on: bool) {
        if were_on {
            unmask_interrupts();
        }
    }
}
