//! Sleep without missing what ends it.

use crate::board;

/// Sleeps until an interrupt is pending, unless `busy` says that there is work.
///
/// `busy` runs with interrupts masked, and a pending interrupt ends the sleep even while masked:
/// no wake-up can slip between the question and the sleep. Something must be able to wake the
/// processor, or it sleeps for ever: so `busy` sets the alarm, [`crate::SystemTimer::wake_at`]. Set
/// before, it could ring and be served too early.
pub fn idle_unless(busy: impl FnOnce() -> bool) {
    critical_section::with(|_| {
        if !busy() {
            board::wait_for_interrupt();
        }
    });
}
