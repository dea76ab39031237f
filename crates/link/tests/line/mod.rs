//! Two sessions on a line whose ends each have a rate of their own: bytes of another rate are noise.
#![allow(dead_code, reason = "each test uses its part of it")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use link::message::{DeviceMessage, HostMessage, Identity, MAX_MESSAGE, Role};
use link::{BASE_BAUD, Instant, Rates, Session, SessionEvent};
use std::collections::VecDeque;

/// Microseconds of a tick.
const TICK: u64 = 500;

/// What an end's hardware makes of a rate that it is asked for.
pub type Adapter = fn(asked: u32, now: u32) -> u32;

/// Asked for each frame: from which end, the rate, its bytes. Says whether it arrives.
pub type Arrives = dyn FnMut(usize, u32, &[u8]) -> bool;

/// One that does as it is told.
pub const HONEST: Adapter = |asked, _| asked;

/// A frame on its way: at which rate it was sent, and its bytes.
struct Underway {
    arrives: u64,
    baud: u32,
    bytes: Vec<u8>,
}

/// One end.
pub struct End {
    pub session: Session,
    pub baud: u32,
    pub adapter: Adapter,
    pub events: Vec<SessionEvent>,
    pub received: Vec<Vec<u8>>,
    /// What was handed out since the last 0x00.
    frame: Vec<u8>,
    /// When everything handed out will have left.
    free_at: u64,
    underway: VecDeque<Underway>,
}

impl End {
    pub fn new(session: Session) -> Self {
        Self {
            session,
            baud: BASE_BAUD,
            adapter: HONEST,
            events: Vec::new(),
            received: Vec::new(),
            frame: Vec::new(),
            free_at: 0,
            underway: VecDeque::new(),
        }
    }
}

/// Host and board.
pub struct Line {
    pub ends: [End; 2],
    pub now: u64,
    pub arrives: Box<Arrives>,
    /// Kinds of the rate frames that were sent, in order.
    pub rate_frames: Vec<u8>,
}

pub fn identity(role: Role, boot: u32) -> Identity {
    Identity { role, boot, version: [0, 1, 0], persona: None }
}

/// A session that offers rates.
pub fn session(role: Role, boot: u32, rates: Rates) -> Session {
    let mut session = Session::new(identity(role, boot), boot.wrapping_mul(0x9E37_79B9));
    session.offer_rates(rates);
    session
}

/// Which of the seven frames about the rate this is, between its 0x00s.
pub fn rate_frame(frame: &[u8]) -> Option<u8> {
    match frame {
        [_, 3, rest @ ..] => {
            // A 0x00 in COBS is the distance to the next one.
            let kind = rest.first().copied()?;
            Some(if frame[0] == 2 { 0 } else { kind })
        }
        _ => None,
    }
}

impl Line {
    pub fn new(host: Rates, board: Rates) -> Self {
        let host = session(Role::Host, 1, host);
        let board = session(Role::Firmware, 2, board);
        Self {
            ends: [End::new(host), End::new(board)],
            now: 0,
            arrives: Box::new(|_, _, _| true),
            rate_frames: Vec::new(),
        }
    }

    pub fn tick(&mut self) {
        let now = Instant(self.now);
        for side in 0..2 {
            let end = &mut self.ends[side];
            if end.session.poll_timeout().is_some_and(|at| at <= now) {
                end.session.handle_timeout(now);
                let next = end.session.poll_timeout();
                assert!(next.is_none_or(|at| at > now), "a timer fires again at once");
            }
            self.transmit(side);
            let end = &mut self.ends[side];
            if end.free_at <= self.now
                && let Some(baud) = end.session.line_to_set()
            {
                end.baud = (end.adapter)(baud, end.baud);
                end.session.line_set(now, true);
                assert_eq!(end.session.line_to_set(), None);
            }
        }
        self.now += TICK;
        for side in 0..2 {
            self.deliver(side);
        }
    }

    /// Hands out as much as the line takes in a tick.
    fn transmit(&mut self, from: usize) {
        let end = &mut self.ends[from];
        while end.free_at < self.now + TICK {
            let mut byte = [0];
            if end.session.poll_transmit(Instant(self.now), &mut byte) == 0 {
                return;
            }
            let nanos_per_byte = 10_000_000_000 / u64::from(end.baud);
            end.frame.push(byte[0]);
            if byte[0] != 0 {
                continue;
            }
            let bytes = std::mem::take(&mut end.frame);
            let micros = (bytes.len() as u64 * nanos_per_byte).div_ceil(1000);
            end.free_at = end.free_at.max(self.now) + micros;
            let inner = &bytes[..bytes.len() - 1];
            self.rate_frames.extend(rate_frame(inner));
            if (self.arrives)(from, end.baud, inner) {
                let (arrives, baud) = (end.free_at + 300, end.baud);
                end.underway.push_back(Underway { arrives, baud, bytes });
            }
        }
    }

    fn deliver(&mut self, from: usize) {
        let now = self.now;
        while self.ends[from].underway.front().is_some_and(|it| it.arrives <= now) {
            let Underway { baud, mut bytes, .. } = self.ends[from].underway.pop_front().unwrap();
            let end = &mut self.ends[1 - from];
            if baud != end.baud {
                for byte in &mut bytes {
                    *byte = byte.wrapping_mul(167).wrapping_add(13);
                }
            }
            end.session.handle_bytes(Instant(now), &bytes);
            while let Some(event) = end.session.poll_event() {
                end.events.push(event);
            }
            let mut buffer = [0; MAX_MESSAGE];
            while let Some(message) = end.session.receive(&mut buffer) {
                end.received.push(message.to_vec());
            }
        }
    }

    pub fn run_for(&mut self, micros: u64) {
        let end = self.now + micros;
        while self.now < end {
            self.tick();
        }
    }

    /// Ticks until `is_done`; how long that took in microseconds.
    #[track_caller]
    pub fn run_until(&mut self, limit: u64, mut is_done: impl FnMut(&Self) -> bool) -> u64 {
        let begin = self.now;
        while !is_done(self) {
            assert!(
                self.now < begin + limit,
                "not done in {limit} us: {:?} {:?}, line {} {}, {:?}",
                self.ends[0].session.counters(),
                self.ends[1].session.counters(),
                self.ends[0].baud,
                self.ends[1].baud,
                self.rate_frames,
            );
            self.tick();
        }
        self.now - begin
    }

    /// Whether both ends are in a session and think that the line has this rate.
    pub fn is_at(&self, baud: u32) -> bool {
        self.ends.iter().all(|end| {
            end.session.peer().is_some()
                && !end.session.is_negotiating()
                && end.session.counters().baud == baud
        })
    }

    /// A message each way arrives, once.
    #[track_caller]
    pub fn exchange(&mut self, id: u32, limit: u64) {
        for end in &mut self.ends {
            end.received.clear();
        }
        self.run_until(limit, |line| line.ends.iter().all(|end| end.session.peer().is_some()));
        self.ends[0].session.send_host(&HostMessage::Seen { event: id }).unwrap();
        self.ends[1].session.send_device(&DeviceMessage::Received { id }).unwrap();
        self.run_until(limit, |line| line.ends.iter().all(|end| !end.received.is_empty()));
        let heard = HostMessage::decode(&self.ends[1].received[0]);
        assert_eq!(heard, Some(HostMessage::Seen { event: id }));
        assert!(self.ends.iter().all(|end| end.received.len() == 1));
    }
}
