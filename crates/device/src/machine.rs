//! What drives a board, seen from its main loop: a persona, or the reason why there is none.

use engine::Kernels;
use link::Instant;

use crate::{Activity, Device, Health};

/// A machine at the end of a cable, polled by a program that owns the registers.
pub trait Machine {
    /// Takes bytes from the wire, in pieces of any size.
    fn handle_bytes(&mut self, now: Instant, bytes: &[u8]);

    /// Does one bounded piece of work.
    fn poll(&mut self, now: Instant) -> Activity;

    /// Fills `out` with bytes for the wire and returns how many.
    fn poll_transmit(&mut self, now: Instant, out: &mut [u8]) -> usize;

    /// The rate in bits per second that the line is to be given; see [`link::Session::line_to_set`].
    fn line_to_set(&self) -> Option<u32>;

    /// The line was given that rate, or cannot be; see [`link::Session::line_set`].
    fn line_set(&mut self, now: Instant, is_set: bool);

    /// Takes log bytes for the host.
    fn log(&mut self, bytes: &[u8]);

    /// Takes what only the board knows, for the counters.
    fn set_health(&mut self, health: Health);

    /// Whether a crash report waits to be seen by the host.
    fn has_unseen_crash(&self) -> bool;

    /// Flashes of the light that say what is wrong; `None` when nothing is.
    fn trouble(&self) -> Option<u8> {
        None
    }
}

impl<K: Kernels> Machine for Device<'_, K> {
    fn handle_bytes(&mut self, now: Instant, bytes: &[u8]) {
        Device::handle_bytes(self, now, bytes);
    }

    fn poll(&mut self, now: Instant) -> Activity {
        Device::poll(self, now)
    }

    fn poll_transmit(&mut self, now: Instant, out: &mut [u8]) -> usize {
        Device::poll_transmit(self, now, out)
    }

    fn line_to_set(&self) -> Option<u32> {
        Device::line_to_set(self)
    }

    fn line_set(&mut self, now: Instant, is_set: bool) {
        Device::line_set(self, now, is_set);
    }

    fn log(&mut self, bytes: &[u8]) {
        Device::log(self, bytes);
    }

    fn set_health(&mut self, health: Health) {
        Device::set_health(self, health);
    }

    fn has_unseen_crash(&self) -> bool {
        Device::has_unseen_crash(self)
    }
}
