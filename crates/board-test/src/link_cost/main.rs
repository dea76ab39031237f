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
//! `crates/bench` makes shares of a token of them.
#![no_std]
#![no_main]

#[path = "../console.rs"]
mod console;
mod copies;
#[path = "../semihosting.rs"]
mod semihosting;
mod serial;
mod service;

use core::ops::Range;

use bcm2835::{Access, Peripherals, Section, memory};
use console::{end, say};

/// Entered by the boot stub.
#[unsafe(no_mangle)]
extern "C" fn wisp_main(_zero: u32, _machine: u32, _tags: u32) -> ! {
    // SAFETY: first thing after the boot stub, once; the sections cover this program.
    let mut board = unsafe { bcm2835::start(&sections()) };
    let outcome = measure(&mut board);
    end(&mut board, outcome)
}

fn measure(board: &mut Peripherals) -> Result<(), &'static str> {
    let copies = copies::check()?;
    say(board, format_args!("copies {copies}"));
    serial::measure(board)?;
    service::measure(board)
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
