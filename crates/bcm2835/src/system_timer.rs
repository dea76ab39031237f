//! The system timer (p. 172 to 174): 64-bit microseconds, and an alarm that ends sleep.
//!
//! Compare registers 0 and 2 belong to the GPU; 1 is the alarm, 3 the watchdog's tick.

use core::sync::atomic::{AtomicU64, Ordering};

use embedded_hal::delay::DelayNs;

use crate::interrupt::{self, Source};
use crate::mmio::Block;

const TIMER: Block = Block::new(0x7e00_3000);
/// CS: which compare registers have matched; writing a bit clears it.
const STATUS: usize = 0x00;
const COUNTER_LOW: usize = 0x04;
const COUNTER_HIGH: usize = 0x08;
const COMPARE_1: usize = 0x10;
const COMPARE_3: usize = 0x18;

/// Longest sleep in microseconds: far below the 2^32 the compare register can express.
const LONGEST_SLEEP: u64 = 60_000_000;

/// What the counter showed when the program started: it runs on through a reset in QEMU.
static START: AtomicU64 = AtomicU64::new(0);

/// Microseconds since the program started, for those who have no [`SystemTimer`] at hand: logs.
pub fn uptime_micros() -> u64 {
    now().wrapping_sub(START.load(Ordering::Relaxed))
}

/// The counter: microseconds since power-on. Never wraps, 64 bits are 584,000 years.
pub(crate) fn now() -> u64 {
    loop {
        let high = TIMER.read(COUNTER_HIGH);
        let low = TIMER.read(COUNTER_LOW);
        // The low half may have wrapped between the two reads.
        if TIMER.read(COUNTER_HIGH) == high {
            return u64::from(high) << 32 | u64::from(low);
        }
    }
}

/// The alarm rang: it has done its work by ending the sleep.
pub(crate) fn on_wake() {
    TIMER.write(STATUS, 1 << 1);
}

/// Clears the watchdog's tick and sets the next.
pub(crate) fn tick_after(micros: u32) {
    TIMER.write(STATUS, 1 << 3);
    TIMER.write(COMPARE_3, (now() as u32).wrapping_add(micros));
}

/// Microseconds and alarms.
pub struct SystemTimer(());

impl SystemTimer {
    pub(crate) fn new() -> Self {
        START.store(now(), Ordering::Relaxed);
        interrupt::enable(Source::Timer1);
        Self(())
    }

    /// Microseconds since the program started.
    pub fn now(&self) -> u64 {
        uptime_micros()
    }

    /// Sets the alarm to a moment as [`SystemTimer::now`] counts; false when it has passed, so
    /// that there will be none: the register is compared for equality only. At most a minute
    /// ahead, then it rings early.
    pub fn wake_at(&mut self, moment: u64) -> bool {
        let moment = moment.saturating_add(START.load(Ordering::Relaxed));
        let moment = moment.min(now() + LONGEST_SLEEP);
        TIMER.write(COMPARE_1, moment as u32);
        // Asked after setting: had the counter run past in between, nobody would wake us. One
        // microsecond more, because the comparison may be a cycle behind the counter.
        now() + 1 < moment
    }
}

impl DelayNs for SystemTimer {
    fn delay_ns(&mut self, nanoseconds: u32) {
        // One more: the first microsecond may be nearly over.
        let end = now() + u64::from(nanoseconds.div_ceil(1000)) + 1;
        while now() < end {
            core::hint::spin_loop();
        }
    }
}
