//! How a test program speaks and ends: lines on the serial port, and QEMU's exit code.

use core::fmt::{Arguments, Debug, Write};

use bcm2835::{Fault, Peripherals};

use crate::semihosting;

/// Writes a line and waits until it has left.
pub(crate) fn say(board: &mut Peripherals, line: Arguments<'_>) {
    struct Port<'a>(&'a mut bcm2835::Uart);
    impl Write for Port<'_> {
        fn write_str(&mut self, text: &str) -> core::fmt::Result {
            embedded_io::Write::write_all(self.0, text.as_bytes()).map_err(|_| core::fmt::Error)
        }
    }
    let _ = writeln!(Port(&mut board.uart), "{line}");
    board.uart.drain();
}

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
