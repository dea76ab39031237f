//! The interrupt controller (p. 109 to 118) and who serves which source.

use crate::board::data_memory_barrier;
use crate::mmio::Block;
use crate::{pl011, system_timer, watchdog};

const CONTROLLER: Block = Block::new(0x7e00_b200);
/// Basic pending (p. 113 and 114), which shows the most wanted sources in bits of its own, and
/// whether there is anything in pending 1.
const PENDING_BASIC: usize = 0x00;
const IN_PENDING_1: u32 = 1 << 8;
/// Source 57, the PL011.
const UART: u32 = 1 << 19;
/// Pending 1 (p. 115): sources 0 to 31.
const PENDING_1: usize = 0x04;
/// Enable 1 and 2 (p. 116).
const ENABLE: [usize; 2] = [0x10, 0x14];
/// Disable 1, 2 and basic (p. 117).
const DISABLE: [usize; 3] = [0x1c, 0x20, 0x24];
/// Control of the fast interrupt (p. 116).
const FAST_CONTROL: usize = 0x0c;

/// Sources in use, by number (p. 113; the timer's numbers are those of its compare registers).
#[derive(Clone, Copy)]
pub(crate) enum Source {
    /// Compare register 1 of the system timer.
    Timer1 = 1,
    /// Compare register 3 of the system timer.
    Timer3 = 3,
    /// The PL011.
    Uart = 57,
}

impl Source {
    const fn register(self) -> usize {
        self as usize / 32
    }

    const fn bit(self) -> u32 {
        1 << (self as u32 % 32)
    }
}

/// Lets a source interrupt the processor.
pub(crate) fn enable(source: Source) {
    CONTROLLER.write(ENABLE[source.register()], source.bit());
}

/// Silences every source.
pub fn disable_all() {
    CONTROLLER.write(FAST_CONTROL, 0);
    for register in DISABLE {
        CONTROLLER.write(register, u32::MAX);
    }
}

/// Serves whatever is pending. The program counter is that of the interrupted code.
///
/// That may have been between an access to a register and the barrier that goes with it: so there is
/// one before the first access here, and one behind the last (p. 7).
pub(crate) fn serve(program_counter: u32) {
    data_memory_barrier();
    let pending = CONTROLLER.read(PENDING_BASIC);
    if pending & UART != 0 {
        pl011::on_interrupt();
    }
    if pending & IN_PENDING_1 != 0 {
        serve_timers(program_counter);
    }
    data_memory_barrier();
}

fn serve_timers(program_counter: u32) {
    let pending = CONTROLLER.read(PENDING_1);
    if pending & Source::Timer1.bit() != 0 {
        system_timer::on_wake();
    }
    if pending & Source::Timer3.bit() != 0 {
        watchdog::on_tick(program_counter);
    }
}
