//! Tests that need the board's processor and chip: a bare-metal program for QEMU.
//!
//! ```text
//! qemu-system-arm -M raspi0 -kernel board-test -display none -monitor none -serial stdio -semihosting
//! ```
//! or, for a Zero 2 W, `qemu-system-aarch64 -M raspi3b` and the rest alike.
//! It says what it does on the serial port and ends QEMU with exit code 0 when all is well.
//!
//! First the [`checks`], then the [`crashes`]: each crash on purpose is reported by the vectors,
//! recorded in memory, followed by a watchdog reset and found by the next start.
#![no_std]
#![no_main]

mod checks;
mod crashes;
mod processor;
mod say;
mod semihosting;

use bcm2835::{Access, Fault, FaultKind, Section, memory, reset};
use say::say;

/// Entered by the boot stub.
#[unsafe(no_mangle)]
extern "C" fn wisp_main(_zero: u32, _machine: u32, _tags: u32) -> ! {
    // SAFETY: first thing after the boot stub, once; the sections cover this program.
    let mut board = unsafe { bcm2835::start(&sections()) };
    let mut notebook = crashes::read();
    if notebook.is_fresh() {
        say(&mut board, format_args!("checks"));
        for (name, check) in checks::ALL {
            let verdict = check(&mut board);
            say(&mut board, format_args!("check {name}: {verdict:?}"));
            if verdict.is_err() {
                semihosting::exit(1);
            }
        }
    } else if let Some((name, verdict)) = crashes::judge(&notebook) {
        say(&mut board, format_args!("crash {name}: {verdict:?}"));
        if verdict.is_err() {
            semihosting::exit(2);
        }
    }
    match crashes::next(&mut notebook) {
        Some((name, crash)) => {
            say(&mut board, format_args!("crash {name}"));
            crash(&mut board);
            say(&mut board, format_args!("crash {name} did not happen"));
            semihosting::exit(3)
        }
        None => {
            say(&mut board, format_args!("wisp: board_checks {} checks", checks::ALL.len()));
            say(&mut board, format_args!("wisp: board_crashes {} crashes", crashes::ALL.len()));
            semihosting::exit(0)
        }
    }
}

/// What the firmware maps, so that its guards are tested.
fn sections() -> [Section; 6] {
    [
        Section::new(memory::firmware_image(), Access::Execute),
        Section::new(memory::firmware_data(), Access::Data),
        Section::new(memory::firmware_stack(), Access::Data),
        Section::new(memory::firmware_exception_stacks(), Access::Data),
        Section::new(memory::handover(), Access::Data),
        Section::new(memory::peripherals(), Access::Device),
    ]
}

/// Called by the exception vectors.
#[unsafe(no_mangle)]
fn wisp_fault(fault: &Fault) -> ! {
    if !processor::are_floats_scalar() {
        semihosting::exit(5);
    }
    crashes::record(fault);
    reset()
}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    crashes::record(&Fault {
        kind: FaultKind::Unexpected,
        program_counter: 0,
        link_register: 0,
        status: u32::MAX,
        address: 0,
    });
    semihosting::exit(4)
}
