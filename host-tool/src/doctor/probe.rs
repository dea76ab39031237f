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
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    /// Joins a probe with a board for three seconds; `script` is what the board says once it is up.
    fn talk(mut board: Session, script: &[DeviceMessage<'_>]) -> (Heard, u64) {
        let mut probe = Probe::new(Instant(0), 1, 1, Rates::NONE);
        let mut script = script.iter();
        let mut is_up = false;
        let mut buffer = [0; 4096];
        let mut now = Instant(0);
        while !probe.is_done(now) {
            now = now.plus_millis(1);
            let count = probe.transmit(now, &mut buffer);
            board.handle_bytes(now, &buffer[..count]);
            board.handle_timeout(now);
            while let Some(event) = board.poll_event() {
                is_up |= matches!(event, SessionEvent::Up { .. });
            }
            if is_up && let Some(message) = script.next() {
                board.send_device(message).unwrap();
            }
            let count = board.poll_transmit(now, &mut buffer);
            probe.receive(now, &buffer[..count]);
        }
        (probe.heard(), now.0 / 1000)
    }

    fn identity(role: Role) -> Identity {
        Identity { role, boot: 9, version: [0, 0, 9], persona: None }
    }

    #[test]
    fn a_board_says_who_it_is_and_what_it_has_but_not_what_was_said() {
        let report = link::message::CrashReport {
            role: Role::Firmware,
            kind: link::message::CrashKind::Panic,
            program_counter: 0x8000,
            link_register: 0,
            fault_status: 0,
            fault_address: 0,
            message: "inside `a secret`",
        };
        let what = link::message::Event::Delta { reply: 1, offset: 0, text: "a secret" };
        let script = [
            DeviceMessage::Refused { refusal: Refusal::BadPersona, detail: 0 },
            DeviceMessage::Crashed(report),
            DeviceMessage::Happened { event: 0, what },
            DeviceMessage::Log { bytes: b"log" },
        ];
        let (heard, millis) = talk(Session::new(identity(Role::Firmware), 2), &script);
        assert_eq!(heard.peer, Some(identity(Role::Firmware)));
        assert_eq!(heard.refused.unwrap().refusal, Refusal::BadPersona);
        assert_eq!(heard.crash.as_ref().unwrap().program_counter, 0x8000);
        assert_eq!(heard.log, b"log");
        assert!(heard.is_board() && heard.unhearing.is_none() && millis < 1000, "{millis} ms");
        assert!(!format!("{heard:?}").contains("secret"));
    }

    /// One of the two wires is missing.
    #[test]
    fn a_board_that_does_not_hear_is_no_echo() {
        let mut probe = Probe::new(Instant(0), 1, 1, Rates::NONE);
        let mut board = Session::new(identity(Role::Bootloader), 2);
        let mut buffer = [0; 4096];
        for millis in 0..1000 {
            let now = Instant(millis * 1000);
            probe.transmit(now, &mut buffer);
            board.handle_timeout(now);
            let count = board.poll_transmit(now, &mut buffer);
            probe.receive(now, &buffer[..count]);
        }
        let heard = probe.heard();
        assert_eq!(heard.unhearing, Some(identity(Role::Bootloader)));
        assert!(heard.frames >= 3 && heard.peer.is_none() && !heard.is_board(), "{heard:?}");
    }

    /// A board that offers speeds, on a line that carries `limit` at most.
    fn try_speeds(limit: u32) -> (Heard, u64) {
        let mut probe = Probe::new(Instant(0), 1, 1, Rates::ALL);
        let mut board = Session::new(identity(Role::Firmware), 2);
        board.offer_rates(Rates::ALL);
        let mut buffer = [0; 4096];
        let (mut now, mut bauds, mut has_left) = (Instant(0), [link::BASE_BAUD; 2], false);
        while !(has_left && probe.has_left()) {
            now = now.plus_millis(1);
            if probe.is_done(now) {
                has_left = true;
                probe.leave();
            }
            let count = probe.transmit(now, &mut buffer);
            if bauds[0] == bauds[1] && bauds[0] <= limit {
                board.handle_bytes(now, &buffer[..count]);
            }
            board.handle_timeout(now);
            let count = board.poll_transmit(now, &mut buffer);
            if bauds[0] == bauds[1] && bauds[0] <= limit {
                probe.receive(now, &buffer[..count]);
            }
            if let Some(baud) = probe.line_to_set() {
                bauds[0] = baud;
                probe.line_set(now, true);
            }
            if let Some(baud) = board.line_to_set() {
                bauds[1] = baud;
                board.line_set(now, true);
            }
        }
        (probe.heard(), now.0 / 1000)
    }

    #[test]
    fn the_speed_is_tried() {
        let (heard, millis) = try_speeds(3_000_000);
        assert_eq!((heard.baud, heard.fallbacks), (Some(3_000_000), 0));
        assert!(millis < 1000, "{millis}");
        let (heard, _) = try_speeds(921_600);
        assert_eq!((heard.baud, heard.fallbacks), (Some(921_600), 4));
        let (heard, millis) = try_speeds(link::BASE_BAUD);
        assert_eq!((heard.baud, heard.fallbacks), (Some(link::BASE_BAUD), 7));
        assert!(millis < 9000, "{millis}");
    }

    #[test]
    fn another_protocol_is_told_at_once() {
        let board = Session::with_versions(identity(Role::Firmware), 2, 100, 101);
        let (heard, millis) = talk(board, &[]);
        assert!(heard.is_other_protocol && heard.peer.is_none() && millis < 1000);
    }

    #[test]
    fn silence_and_garbage_end_after_the_patience() {
        for (bytes, is_text) in [(&b""[..], false), (b"login: ", true), (&[0xf8, 0x00], false)] {
            let mut probe = Probe::new(Instant(5), 1, 1, Rates::NONE);
            probe.receive(Instant(10), bytes);
            let end = 5 + PATIENCE_SECONDS * 1_000_000;
            assert!(!probe.is_done(Instant(end - 1)) && probe.is_done(Instant(end)));
            let heard = probe.heard();
            assert_eq!((heard.bytes, heard.is_text()), (bytes.len() as u64, is_text));
            assert!(!heard.is_board());
        }
    }

    #[test]
    fn an_echo_is_frames_without_anybody() {
        let mut probe = Probe::new(Instant(0), 1, 1, Rates::NONE);
        let mut buffer = [0; 4096];
        for millis in 0..1000 {
            let now = Instant(millis * 1000);
            let count = probe.transmit(now, &mut buffer);
            probe.receive(now, &buffer[..count]);
        }
        let heard = probe.heard();
        assert!(
            heard.frames >= 3 && heard.peer.is_none() && heard.unhearing.is_none(),
            "{heard:?}"
        );
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn noise_is_never_taken_for_a_board(pieces in vec(vec(any::<u8>(), 0..300), 0..20)) {
            let mut probe = Probe::new(Instant(0), 1, 1, Rates::NONE);
            let mut buffer = [0; 4096];
            for (piece, millis) in pieces.iter().zip((0..).step_by(50)) {
                let now = Instant(0).plus_millis(millis);
                probe.transmit(now, &mut buffer);
                probe.receive(now, piece);
            }
            let heard = probe.heard();
            prop_assert_eq!(heard.bytes, pieces.iter().map(|piece| piece.len() as u64).sum::<u64>());
            prop_assert!(!heard.is_board() && heard.slots.is_none() && heard.log.is_empty());
        }
    }
}
