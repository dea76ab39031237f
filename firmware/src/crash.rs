//! The end of a firmware that went wrong: a record in the handover block, then a reset.
//!
//! After the reset the bootloader tells the host, finds the images whole and starts again.

use core::fmt::{self, Write};
use core::panic::PanicInfo;

use bcm2835::{Fault, FaultKind, reset};
use boot_core::handover;
use heapless::String;
use link::crash::MAX_CRASH_MESSAGE;
use link::message::{CrashKind, CrashReport, Role};

use crate::board::handover_block;

/// Called by the exception vectors.
#[unsafe(no_mangle)]
fn wisp_fault(fault: &Fault) -> ! {
    let kind = match fault.kind {
        FaultKind::UndefinedInstruction => CrashKind::UndefinedInstruction,
        FaultKind::PrefetchAbort => CrashKind::PrefetchAbort,
        FaultKind::DataAbort => CrashKind::DataAbort,
        FaultKind::Unexpected => CrashKind::Unexpected,
        FaultKind::Hang => CrashKind::Watchdog,
    };
    end(&CrashReport {
        role: Role::Firmware,
        kind,
        program_counter: fault.program_counter,
        link_register: fault.link_register,
        fault_status: fault.status,
        fault_address: fault.address,
        message: "",
    })
}

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    let mut text = Text(String::new());
    let _ = write!(text, "{info}");
    end(&CrashReport {
        role: Role::Firmware,
        kind: CrashKind::Panic,
        program_counter: 0,
        link_register: 0,
        fault_status: 0,
        fault_address: 0,
        message: &text.0,
    })
}

/// Takes what fits and drops the rest.
struct Text(String<MAX_CRASH_MESSAGE>);

impl Write for Text {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        text.chars().try_for_each(|character| self.0.push(character).map_err(|_| fmt::Error))
    }
}

fn end(report: &CrashReport<'_>) -> ! {
    // SAFETY: nothing runs after this, so nothing uses an earlier reference again.
    handover::note_crash(unsafe { handover_block() }, report);
    reset()
}
