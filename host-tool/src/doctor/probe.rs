//! Says hello on a port and listens to who is there. Sans-I/O: it gets bytes and the time.

use link::conversation::Crash;
use link::message::{
    BoardFacts, DeviceMessage, HostMessage, Identity, MAX_MESSAGE, Refusal, Role, SlotState,
};
use link::{Instant, Rates, Session, SessionEvent};

use crate::errors::BoardRefused;
use crate::port::Talker;

/// How long somebody may take to answer, in seconds: the session says hello ten times meanwhile.
pub const PATIENCE_SECONDS: u64 = 2;

/// How long a board that has answered is listened to: what it has, how it crashed, its log.
const DETAILS_MICROS: u64 = 500_000;

/// The longest that speeds are tried where they fail: all of them, one after the other.
const RATES_MICROS: u64 = 8_000_000;

/// Most bytes of the board's log that are kept.
const MOST_LOG: usize = 64 * 1024;

/// What was heard on a port. Nothing of a conversation is in it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Heard {
    /// Bytes that came.
    pub bytes: u64,
    /// Those of them that a program prints which writes plain text.
    pub printable: u64,
    /// Frames that were whole. If nobody said hello they were this program's own.
    pub frames: u32,
    /// Who answered.
    pub peer: Option<Identity>,
    /// Who says hello, without having heard this program's.
    pub unhearing: Option<Identity>,
    /// Whether somebody speaks other versions of the protocol only.
    pub is_other_protocol: bool,
    /// What is in the bootloader's places for firmware and persona.
    pub slots: Option<[SlotState; 2]>,
    /// Why the firmware runs no persona.
    pub refused: Option<BoardRefused>,
    /// The last crash that nobody was told of, without the words of its message.
    pub crash: Option<Crash>,
    /// What kind of board it says it is.
    pub board: Option<BoardFacts>,
    /// The log that came meanwhile, as it came.
    pub log: Vec<u8>,
    /// The speed that the line was given, and proved, in bits per second; `None` when there was none to
    /// try.
    pub baud: Option<u32>,
    /// Speeds that were tried in vain, or given up.
    pub fallbacks: u32,
}

/// A session that only wants to know who is there. It confirms nothing, so the board tells whoever
/// chats next all that it has to tell.
#[derive(Debug)]
pub struct Probe {
    session: Session,
    heard: Heard,
    began: Instant,
    up_since: Option<Instant>,
    is_asked: bool,
    has_ended: bool,
}

impl Probe {
    /// Begins. `boot` and `nonce` are to be random. `rates` are tried if the board offers them.
    pub fn new(now: Instant, boot: u32, nonce: u32, rates: Rates) -> Self {
        let identity = Identity { role: Role::Host, boot, version: link::VERSION, persona: None };
        let mut session = Session::new(identity, nonce);
        session.offer_rates(rates);
        Self {
            session,
            heard: Heard::default(),
            began: now,
            up_since: None,
            is_asked: false,
            has_ended: false,
        }
    }

    /// Leaves the line to whoever comes next, at the speed that everybody begins with.
    pub fn leave(&mut self) {
        if self.has_ended {
            return;
        }
        self.has_ended = true;
        let counters = self.session.counters();
        self.heard.fallbacks = counters.fallbacks;
        let has_tried = counters.baud != link::BASE_BAUD || counters.fallbacks > 0;
        self.heard.baud = Some(counters.baud).filter(|_| has_tried);
        self.session.leave_rate();
    }

    /// Whether it has been left.
    pub fn has_left(&self) -> bool {
        self.session.is_at_base_rate()
    }

    /// Whether nothing more is to be expected.
    pub fn is_done(&self, now: Instant) -> bool {
        match self.up_since {
            Some(since) => {
                let micros = now.micros_since(since);
                let counters = self.session.counters();
                let is_down = counters.baud == link::BASE_BAUD && counters.fallbacks > 0;
                let is_trying = self.session.is_negotiating() || is_down;
                micros >= if is_trying { RATES_MICROS } else { DETAILS_MICROS }
            }
            None => {
                let is_late = now.micros_since(self.began) >= PATIENCE_SECONDS * 1_000_000;
                self.heard.is_other_protocol || is_late
            }
        }
    }

    /// What was heard so far.
    pub fn heard(self) -> Heard {
        self.heard
    }
}

impl Talker for Probe {
    fn transmit(&mut self, now: Instant, out: &mut [u8]) -> usize {
        self.session.handle_timeout(now);
        if self.up_since.is_some() && !self.is_asked {
            self.is_asked = self.session.send_host(&HostMessage::DetailsRequest).is_ok();
        }
        self.session.poll_transmit(now, out)
    }

    fn receive(&mut self, now: Instant, bytes: &[u8]) {
        let heard = &mut self.heard;
        heard.bytes = heard.bytes.saturating_add(bytes.len() as u64);
        let printable =
            bytes.iter().filter(|byte| matches!(byte, b'\t' | b'\n' | b'\r' | b' '..=b'~'));
        heard.printable = heard.printable.saturating_add(printable.count() as u64);
        self.session.handle_bytes(now, bytes);
        while let Some(event) = self.session.poll_event() {
            match event {
                SessionEvent::Up { peer } => {
                    self.up_since = self.up_since.or(Some(now));
                    self.heard.peer = Some(peer);
                }
                SessionEvent::Mismatch { .. } => self.heard.is_other_protocol = true,
                SessionEvent::Down { .. } => self.is_asked = false,
            }
        }
        let mut buffer = [0; MAX_MESSAGE];
        while let Some(bytes) = self.session.receive(&mut buffer) {
            if let Some(message) = DeviceMessage::decode(bytes) {
                self.heard.take(&message);
            }
        }
        self.heard.frames = self.session.counters().frames_received;
        let has_answered = self.heard.peer.is_some();
        self.heard.unhearing = self.session.heard_from().copied().filter(|_| !has_answered);
    }

    fn line_to_set(&self) -> Option<u32> {
        self.session.line_to_set()
    }

    fn line_set(&mut self, now: Instant, is_set: bool) {
        self.session.line_set(now, is_set);
    }
}

impl Heard {
    fn take(&mut self, message: &DeviceMessage<'_>) {
        match *message {
            DeviceMessage::Slots { firmware, persona } => self.slots = Some([firmware, persona]),
            DeviceMessage::Details { board, .. } => self.board = Some(board),
            DeviceMessage::Refused {
                refusal:
                    refusal @ (Refusal::OutOfMemory | Refusal::BadPersona | Refusal::SelfTestFailed),
                detail,
            } => self.refused = Some(BoardRefused { refusal, detail }),
            // A panic's message may quote a text that was being worked on.
            DeviceMessage::Crashed(report) => {
                self.crash = Some(Crash { message: String::new(), ..Crash::from(&report) });
            }
            DeviceMessage::Log { bytes } => {
                let room = MOST_LOG.saturating_sub(self.log.len());
                self.log.extend(bytes.iter().take(room));
            }
            // What was said in a conversation among them: it is none of the doctor's business.
            _ => {}
        }
    }

    /// Whether most of what came is plain text.
    pub fn is_text(&self) -> bool {
        self.bytes > 0 && self.printable.saturating_mul(10) >= self.bytes.saturating_mul(9)
    }

    /// Whether a board answered.
    pub fn is_board(&self) -> bool {
        self.peer.is_some_and(|peer| peer.role != Role::Host)
    }
}

#[cfg(test)]
mod tests;
