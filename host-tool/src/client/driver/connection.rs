//! The driver's port: opened, lost, found again, and what is told meanwhile.

use std::io;

use link::{BASE_BAUD, DownReason, SessionEvent};

use super::super::link_state::{LinkState, Phase};
use super::super::view::Update;
use super::{Driver, Ended, RETRY};
use crate::errors::WispError;
use crate::port::Speed;

/// Silence after which the friend is told, and the next port is tried.
const SILENCE_SECONDS: u64 = 4;

impl Driver {
    /// Opens the port; false when it cannot be opened now.
    pub(super) fn connect(&mut self) -> std::result::Result<bool, Ended> {
        match self.connector.connect() {
            Ok(port) => {
                self.port = Some(port);
                self.session.line_opened();
                self.was_raised = false;
                self.has_connected = true;
                self.last_failure.clear();
                self.cable.connections = self.cable.connections.saturating_add(1);
                self.silent_since = Some(self.now());
                let frames = self.session.counters().frames_received;
                self.resumed_at = self.session.peer().map(|_| frames);
                self.guide.handle_port_opened(self.now());
                let words = format!("listening on {}", self.connector.describe());
                self.show(Update::Link { link: LinkState::plain(Phase::Waiting, words) })?;
                Ok(true)
            }
            Err(error) => {
                let words = error.to_string();
                if words != self.last_failure {
                    self.last_failure = words;
                    let phase = self.phase_of(&error);
                    self.show(Update::Link { link: LinkState::explained(phase, &error) })?;
                }
                Ok(false)
            }
        }
    }

    /// A port that is not there may be plugged in, a busy one may become free. Permission and
    /// such do not come by themselves, except just after plugging in, until udev has done its work.
    fn phase_of(&self, error: &WispError) -> Phase {
        match error {
            WispError::PortPermission { .. } | WispError::PortNotSerial { .. }
                if !self.has_connected =>
            {
                Phase::Failed
            }
            _ => Phase::Searching,
        }
    }

    pub(super) fn close(&mut self) {
        self.port = None;
        self.outgoing.clear();
    }

    /// Gives the line the speed that the session wants.
    pub(super) fn set_line(&mut self) -> io::Result<()> {
        let Some(baud) = self.session.line_to_set().filter(|_| self.outgoing.is_empty()) else {
            return Ok(());
        };
        let Some(port) = &mut self.port else { return Ok(()) };
        let set = port.set_baud(baud);
        let is_base = baud == BASE_BAUD;
        self.was_raised |= !is_base;
        self.session.line_set(self.now(), set.is_ok());
        self.counters_due = true;
        // A device that takes no other speed is one thing; one that does not come back is opened anew.
        if is_base { set } else { Ok(()) }
    }

    /// An adapter that does not come back from a higher speed, whatever it says, does when its port is
    /// opened anew.
    pub(super) fn mind_adapter(&mut self, event: &SessionEvent) {
        let is_lost = matches!(event, SessionEvent::Down { reason: DownReason::Timeout });
        let was_raised = std::mem::take(&mut self.was_raised);
        let is_adapter = self.port.as_ref().is_some_and(|port| port.has_speed());
        if !(is_lost && was_raised && is_adapter) {
            return;
        }
        self.close();
        // If that fails, the usual way finds out why, and says it.
        if let Ok(port) = self.connector.reopen() {
            self.port = Some(port);
            self.session.line_opened();
        }
    }

    /// The line's speed in bits per second; 0 when there is none, or nobody knows it.
    pub(super) fn baud(&self, negotiated: u32) -> u32 {
        let is_adapter = self.port.as_ref().is_some_and(|port| port.has_speed());
        match self.connector.speed() {
            Speed::AtMost(baud) if is_adapter && baud < BASE_BAUD => baud,
            _ if is_adapter || negotiated != BASE_BAUD => negotiated,
            _ => 0,
        }
    }

    /// A port that was gone for less than the session's patience is there again, and the other end
    /// never noticed: no session comes up, the old one goes on.
    pub(super) fn mind_resumption(&mut self) {
        let Some(frames) = self.resumed_at else { return };
        if self.session.peer().is_none() {
            self.resumed_at = None;
        } else if self.session.counters().frames_received != frames {
            self.resumed_at = None;
            self.silent_since = None;
            self.guide.handle_port_resumed();
        }
    }

    /// While nobody is there, a port that has just been plugged in is worth trying at once.
    pub(super) fn mind_news(&mut self) {
        let now = self.now();
        let is_time = now.micros_since(self.news_asked) >= RETRY.as_micros() as u64;
        // A session of the port before does not count until it is heard on this one.
        let is_heard = self.session.peer().is_some() && self.silent_since.is_none();
        if self.port.is_none() || is_heard || !is_time {
            return;
        }
        self.news_asked = now;
        if self.connector.has_news() {
            self.close();
        }
    }

    /// Tells the friend when nobody answers, and tries another port when there is one.
    pub(super) fn mind_silence(&mut self) -> std::result::Result<(), Ended> {
        let Some(since) = self.silent_since else { return Ok(()) };
        if self.now().micros_since(since) < SILENCE_SECONDS * 1_000_000 {
            return Ok(());
        }
        self.silent_since = None;
        let error = WispError::Silent { port: self.connector.describe(), seconds: SILENCE_SECONDS };
        self.show(Update::Link { link: LinkState::explained(Phase::Waiting, &error) })?;
        self.connector.note(false);
        if self.connector.has_alternatives() {
            self.close();
        }
        Ok(())
    }
}
