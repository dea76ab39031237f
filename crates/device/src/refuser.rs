//! A board without a persona: it still answers, says why, and restarts when asked.
//!
//! It allocates nothing: that there is no memory may be the reason.

use link::message::{DeviceMessage, HostMessage, MAX_MESSAGE, Refusal};
use link::{Instant, Session, SessionEvent};

use crate::{Activity, Machine};

/// Says the same refusal to everything.
#[derive(Debug)]
pub struct Refuser {
    session: Session,
    refusal: DeviceMessage<'static>,
    buffer: [u8; MAX_MESSAGE],
    /// The refusal is to be said.
    is_due: bool,
}

impl Refuser {
    /// `refusal` is said to every host, once and as the answer to whatever it asks; `detail` is
    /// what the refusal is about.
    pub fn new(session: Session, refusal: Refusal, detail: u32) -> Self {
        let refusal = DeviceMessage::Refused { refusal, detail };
        Self { session, refusal, buffer: [0; MAX_MESSAGE], is_due: false }
    }
}

impl Machine for Refuser {
    fn session(&self) -> &Session {
        &self.session
    }

    fn session_mut(&mut self) -> &mut Session {
        &mut self.session
    }

    fn poll(&mut self, now: Instant) -> Activity {
        self.session.handle_timeout(now);
        while let Some(event) = self.session.poll_event() {
            self.is_due = matches!(event, SessionEvent::Up { .. });
        }
        while let Some(message) = self.session.receive(&mut self.buffer) {
            match HostMessage::decode(message) {
                Some(HostMessage::Reboot) => return Activity::Reboot,
                Some(HostMessage::TestMemory) => return Activity::TestMemory,
                Some(HostMessage::PlantPanic) => return Activity::PlantPanic,
                _ => self.is_due = true,
            }
        }
        if self.is_due && self.session.send_device(&self.refusal).is_ok() {
            self.is_due = false;
        }
        Activity::IdleUntil(self.session.poll_timeout())
    }

    fn trouble(&self) -> Option<u8> {
        let DeviceMessage::Refused { refusal, .. } = self.refusal else { return None };
        Some(match refusal {
            Refusal::OutOfMemory => 5,
            Refusal::SelfTestFailed => 6,
            _ => 2,
        })
    }
}
