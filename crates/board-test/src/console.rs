//! How a test program speaks and ends: lines on the serial port, and QEMU's exit code.

#[path = "say.rs"]
mod lines;

use core::fmt::Debug;

use bcm2835::{Fault, Peripherals};

pub(crate) use lines::say;

use crate::semihosting;

/// Ends the program: with 0, or with 1 after saying why.
pub(crate) fn end(board: &mut Peripherals, outcome: Result<(), impl Debug>) -> ! {
    match outcome {
        Ok(()) => semihosting::exit(0),
        Err(why) => {
            say(board, format_args!("failed: {why:?}"));
            semihosting::exit(1)
        }
    }
}

/// Called by the exception vectors: something read or wrote where there is no memory.
#[unsafe(no_mangle)]
fn wisp_fault(_fault: &Fault) -> ! {
    semihosting::exit(5)
}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    semihosting::exit(4)
}
