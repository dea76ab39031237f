//! Measures what the cable costs the processor, in instructions.
//!
//! ```text
//! qemu-system-arm -M raspi0 -kernel link-cost -display none -monitor none -serial stdio
//!     -semihosting -icount shift=0
//! ```
//! with somebody at the other end who answers each `#` with 16 bytes and each `.` with one. Under
//! `-icount shift=0` a nanosecond of the timer is an instruction. It writes these lines:
//!
//! ```text
//! copies COUNT                        moves in memory that were right
//! interrupt WAY COUNT INSTRUCTIONS    receive interrupts, entry and exit included
//! ring WAY BYTES INSTRUCTIONS         out of the driver's ring
//! traffic KIND BYTES FRAMES ANSWERS ROUNDS TAKE ALL
//!                                     rounds of the main loop; instructions from bytes to lanes,
//!                                     and of everything
//! idle ROUNDS INSTRUCTIONS            rounds in which nothing happens
//! ```
//! `host-tool/tests/link_cost.rs` makes shares of a token of them.
#![no_std]
#![no_main]

mod copies;
#[path = "../semihosting.rs"]
mod semihosting;
mod serial;
mod service;

use core::fmt::Write;
use core::ops::Range;

use bcm2835::{Access, Fault, Peripherals, Section, memory};

/// Entered by the boot stub.
#[unsafe(no_mangle)]
extern "C" fn wisp_main(_zero: u32, _machine: u32, _tags: u32) -> ! {
    // SAFETY: first thing after the boot stub, once; the sections cover this program.
    let mut board = unsafe { bcm2835::start(&sections()) };
    match measure(&mut board) {
        Ok(()) => semihosting::exit(0),
        Err(why) => {
            say(&mut board, format_args!("failed: {why}"));
            semihosting::exit(1)
        }
    }
}

fn measure(board: &mut Peripherals) -> Result<(), &'static str> {
    let copies = copies::check()?;
    say(board, format_args!("copies {copies}"));
    serial::measure(board)?;
    service::measure(board)
}

/// Writes a line and waits until it has left.
fn say(board: &mut Peripherals, line: core::fmt::Arguments<'_>) {
    struct Port<'a>(&'a mut bcm2835::Uart);
    impl Write for Port<'_> {
        fn write_str(&mut self, text: &str) -> core::fmt::Result {
            embedded_io::Write::write_all(self.0, text.as_bytes()).map_err(|_| core::fmt::Error)
        }
    }
    let _ = writeln!(Port(&mut board.uart), "{line}");
    board.uart.drain();
}

/// What the firmware maps.
fn sections() -> [Section; 5] {
    let section =
        |range: Range<usize>, access| Section { start: range.start, end: range.end, access };
    [
        section(memory::firmware_image(), Access::Execute),
        section(memory::firmware_data(), Access::Data),
        section(memory::firmware_stack(), Access::Data),
        section(memory::firmware_exception_stacks(), Access::Data),
        section(memory::peripherals(), Access::Device),
    ]
}

/// Called by the exception vectors.
#[unsafe(no_mangle)]
fn wisp_fault(_fault: &Fault) -> ! {
    semihosting::exit(5)
}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    semihosting::exit(4)
}
