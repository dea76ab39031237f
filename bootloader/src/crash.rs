//! The end of a bootloader that went wrong: a record in the handover block, then a reset.

use core::panic::PanicInfo;
use core::slice;

use bcm2835::{Fault, FaultKind, memory, reset};
use boot_core::handover;
use link::message::{CrashKind, CrashReport, Role};

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
        role: Role::Bootloader,
        kind,
        program_counter: fault.program_counter,
        link_register: fault.link_register,
        fault_status: fault.status,
        fault_address: fault.address,
        message: "",
    })
}

/// Rust wants one; the linker finds that nothing calls it.
#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    end(&CrashReport {
        role: Role::Bootloader,
        kind: CrashKind::Panic,
        program_counter: 0,
        link_register: 0,
        fault_status: 0,
        fault_address: 0,
        message: "",
    })
}

fn end(report: &CrashReport<'_>) -> ! {
    let block = memory::handover();
    // SAFETY: mapped memory. The loader's reference to it is never used again: this function
    // does not return, and with one core nothing else runs.
    let block = unsafe { slice::from_raw_parts_mut(block.start as *mut u8, block.len()) };
    handover::note_crash(block, report);
    reset()
}
