//! Registers and drivers of the BCM2835 in a Raspberry Pi Zero: the only place with MMIO.
//!
//! The BCM2837 in a Zero 2 W has the same peripherals around another processor. What differs is in
//! `board`.
//!
//! Page numbers without a title are those of Broadcom's "BCM2835 ARM Peripherals", 6 February
//! 2012; "TRM" is ARM's "ARM1176JZF-S Technical Reference Manual", r0p7 (DDI 0301H).
//!
//! `start` turns the processor's MMU and caches on and hands out the drivers, once. Away from a
//! board only what is pure (divisors, descriptors, mailbox messages) is of use; the crate compiles
//! there so that it can be tested and linted.
#![no_std]
// Elsewhere nobody calls `start`, and so none of the drivers behind it.
#![cfg_attr(not(target_os = "none"), allow(dead_code))]

mod baud;
mod board;
mod cache;
mod cpu;
mod critical;
mod exception;
mod gpio;
mod heap;
mod interrupt;
mod led;
mod mailbox;
#[cfg(target_os = "none")]
pub mod memory;
mod mmio;
mod pl011;
mod property;
mod random;
mod ring;
mod section;
mod system_timer;
mod watchdog;

pub use baud::{BaudError, Divisor};
pub use board::{clean_data, launch};
pub use cpu::idle_unless;
pub use exception::{Fault, FaultKind};
pub use heap::LockedHeap;
pub use interrupt::disable_all as silence_interrupts;
pub use led::ActivityLed;
pub use mailbox::{Board, Clock, Mailbox, MailboxError};
pub use pl011::{LineCounters, Uart};
pub use property::PropertyError;
pub use random::Random;
pub use section::{Access, Section};
pub use system_timer::{SystemTimer, uptime_micros};
pub use watchdog::{Watchdog, reset};

/// Every driver, each once.
pub struct Peripherals {
    /// The serial port on header pins 8 and 10.
    pub uart: Uart,
    /// Microseconds and alarms.
    pub timer: SystemTimer,
    /// Questions to the GPU's firmware.
    pub mailbox: Mailbox,
    /// The green LED.
    pub led: ActivityLed,
    /// What restarts a board that hangs.
    pub watchdog: Watchdog,
    /// Random numbers.
    pub random: Random,
}

/// Turns on the MMU with these sections, the caches and branch prediction, then the drivers and
/// interrupts.
///
/// # Safety
/// To be called once, first thing after the boot stub, with caches off and interrupts masked. The
/// sections must cover the program's code, data and stacks.
#[cfg(target_os = "none")]
pub unsafe fn start(sections: &[Section]) -> Peripherals {
    // SAFETY: the caller promises that this is the first and only call, with caches off.
    unsafe { board::enable(sections) };
    // The Pi's boot stage leaves the USB interrupt on (Linux commit bd59b343a9c9): it would come
    // again and again, with nobody to serve it.
    interrupt::disable_all();
    let mut mailbox = Mailbox::new();
    let uart = Uart::new(&mut mailbox);
    let timer = SystemTimer::new();
    let watchdog = Watchdog::new(&mut mailbox);
    let peripherals = Peripherals {
        uart,
        timer,
        mailbox,
        led: ActivityLed::new(),
        watchdog,
        random: Random::new(),
    };
    board::unmask_interrupts();
    peripherals
}
