//! Lines on the serial port.

use core::fmt::{Arguments, Write};

use bcm2835::Peripherals;

/// Writes a line, and waits until it has left: the next thing may be a crash.
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
