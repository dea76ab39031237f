//! What drives a board, seen from its main loop: a persona, or the reason why there is none.

use link::{Instant, Session};

use crate::{Activity, Health};

/// A machine at the end of a cable, polled by a program that owns the registers.
pub trait Machine {
    /// The link, for its counters and its peer.
    fn session(&self) -> &Session;

    /// The link, to move bytes.
    fn session_mut(&mut self) -> &mut Session;

    /// Does one bounded piece of work.
    fn poll(&mut self, now: Instant) -> Activity;

    /// Takes log bytes for the host, where there is room for them.
    fn log(&mut self, _bytes: &[u8]) {}

    /// Takes what only the board knows, where counters are told.
    fn set_health(&mut self, _health: Health) {}

    /// Whether a crash report waits to be seen. When it no longer does, the board forgets it too.
    /// One that the bootloader tells waits as long as the machine lives.
    fn has_unseen_crash(&self) -> bool {
        true
    }

    /// Flashes of the light that say what is wrong; `None` when nothing is.
    fn trouble(&self) -> Option<u8> {
        None
    }

    /// Takes bytes from the wire, in pieces of any size.
    fn handle_bytes(&mut self, now: Instant, bytes: &[u8]) {
        self.session_mut().handle_bytes(now, bytes);
    }

    /// Fills `out` with bytes for the wire and returns how many; see [`Session::poll_transmit`].
    fn poll_transmit(&mut self, now: Instant, out: &mut [u8]) -> usize {
        self.session_mut().poll_transmit(now, out)
    }

    /// The rate in bits per second that the line is to be given; see [`Session::line_to_set`].
    fn line_to_set(&self) -> Option<u32> {
        self.session().line_to_set()
    }

    /// The line was given that rate, or cannot be; see [`Session::line_set`].
    fn line_set(&mut self, now: Instant, is_set: bool) {
        self.session_mut().line_set(now, is_set);
    }
}
