//! The loop between a port and whoever talks through it.

use std::time::Duration;

use link::Instant;

use super::Port;
use crate::errors::{Result, WispError};

/// Longest wait for bytes.
const PATIENCE: Duration = Duration::from_millis(5);

/// Bytes handed to the port at once.
const BLOCK: usize = 2048;

/// Whoever talks: a state machine that gets bytes and the time.
pub trait Talker {
    /// Fills `out` with what is to be said, and returns how many bytes.
    fn transmit(&mut self, now: Instant, out: &mut [u8]) -> usize;

    /// Takes what was heard.
    fn receive(&mut self, now: Instant, bytes: &[u8]);

    /// The speed that the line is to be given; see [`link::Session::line_to_set`].
    fn line_to_set(&self) -> Option<u32> {
        None
    }

    /// The line was given it, or cannot be.
    fn line_set(&mut self, _now: Instant, _is_set: bool) {}
}

/// An open port, and the time since it was opened.
pub(crate) struct Exchange {
    port: Box<dyn Port>,
    name: String,
    began: std::time::Instant,
    /// What the port has not taken yet.
    outgoing: Vec<u8>,
}

impl Exchange {
    /// Begins on a port that was just opened; `name` is for errors.
    pub(crate) fn new(port: Box<dyn Port>, name: String) -> Self {
        Self { port, name, began: std::time::Instant::now(), outgoing: Vec::new() }
    }

    /// Time since the port was opened.
    pub(crate) fn now(&self) -> Instant {
        Instant(u64::try_from(self.began.elapsed().as_micros()).unwrap_or(u64::MAX))
    }

    /// Sends what is to be sent, and waits a moment for what comes.
    ///
    /// # Errors
    /// The port is gone.
    pub(crate) fn round(&mut self, talker: &mut impl Talker) -> Result<()> {
        if self.outgoing.is_empty() {
            self.outgoing.resize(BLOCK, 0);
            let count = talker.transmit(self.now(), &mut self.outgoing);
            self.outgoing.truncate(count);
        }
        if !self.outgoing.is_empty() {
            let sent = self.port.send(&self.outgoing).map_err(|cause| self.gone(&cause))?;
            self.outgoing.drain(..sent.min(self.outgoing.len()));
        }
        if self.outgoing.is_empty()
            && let Some(baud) = talker.line_to_set()
        {
            let is_set = self.port.set_baud(baud).is_ok();
            talker.line_set(self.now(), is_set);
        }
        let mut incoming = [0; 4096];
        let count =
            self.port.receive(&mut incoming, PATIENCE).map_err(|cause| self.gone(&cause))?;
        talker.receive(self.now(), incoming.get(..count).unwrap_or_default());
        Ok(())
    }

    fn gone(&self, cause: &std::io::Error) -> WispError {
        WispError::PortOpen { path: self.name.clone(), cause: format!("it vanished ({cause})") }
    }
}
