//! Two watchdogs: a soft one that can say where the program hangs, and the chip's as last resort.
//!
//! Registers not in the manual: Linux, drivers/watchdog/bcm2835_wdt.c.
//!
//! The soft one is a timer interrupt each second: main loop not seen for [`PATIENCE_MICROS`], and
//! the interrupted address becomes a fault report. Should interrupts be dead too, the hardware
//! resets the board a little later.

use core::sync::atomic::{AtomicU32, Ordering};

use crate::board;
use crate::exception::{self, Fault, FaultKind};
use crate::interrupt::{self, Source};
use crate::mailbox::Mailbox;
use crate::mmio::Block;
use crate::system_timer;

const POWER: Block = Block::new(0x7e10_0000);
/// PM_RSTC: bits 5 and 4 choose what a timeout does.
const RESET_CONTROL: usize = 0x1c;
const RESET_MASK: u32 = 0b11 << 4;
const FULL_RESET: u32 = 0b10 << 4;
/// PM_WDOG: ticks of 1/65536 s until then, 20 bits.
const TIMEOUT: usize = 0x24;
/// Writes without it are ignored.
const PASSWORD: u32 = 0x5a00_0000;

/// The hardware's patience: 15 s, near the most that 20 bits can hold.
const HARDWARE_TICKS: u32 = 15 << 16;
/// The soft watchdog's patience.
const PATIENCE_MICROS: u32 = 12_000_000;
const TICK_MICROS: u32 = 1_000_000;

/// Microseconds, low half, when the main loop last came by.
static LAST_SEEN: AtomicU32 = AtomicU32::new(0);

/// Restarts a board that hangs.
pub struct Watchdog {
    has_hardware: bool,
}

impl Watchdog {
    /// QEMU 7.2 resets at once when the watchdog is armed, whatever the timeout
    /// (hw/misc/bcm2835_powermgt.c): there the soft one is alone.
    pub(crate) fn new(mailbox: &mut Mailbox) -> Self {
        Self { has_hardware: !mailbox.is_emulated() }
    }

    /// Starts both; from now on [`Watchdog::pat`] is due every few seconds.
    pub fn start(&mut self) {
        self.pat();
        system_timer::tick_after(TICK_MICROS);
        interrupt::enable(Source::Timer3);
    }

    /// The main loop is alive.
    pub fn pat(&mut self) {
        LAST_SEEN.store(system_timer::now() as u32, Ordering::Relaxed);
        if self.has_hardware {
            arm(HARDWARE_TICKS);
        }
    }
}

fn arm(ticks: u32) {
    POWER.write(TIMEOUT, PASSWORD | ticks);
    let others = POWER.read(RESET_CONTROL) & !RESET_MASK & 0x00ff_ffff;
    POWER.write(RESET_CONTROL, PASSWORD | others | FULL_RESET);
}

/// Resets the chip, with everything in the data cache written to memory first.
pub fn reset() -> ! {
    board::mask_interrupts();
    board::clean_data();
    // Ten ticks, as Linux does: 150 µs.
    arm(10);
    loop {
        core::hint::spin_loop();
    }
}

/// Once a second, from the interrupt.
pub(crate) fn on_tick(program_counter: u32) {
    system_timer::tick_after(TICK_MICROS);
    let silence = (system_timer::now() as u32).wrapping_sub(LAST_SEEN.load(Ordering::Relaxed));
    if silence > PATIENCE_MICROS {
        let kind = FaultKind::Hang;
        let link_register = board::interrupted_link_register();
        exception::fault(&Fault { kind, program_counter, link_register, status: 0, address: 0 });
    }
}
