//! Two sessions joined by a cable that does what bad cables do, under a virtual clock.
#![allow(dead_code, reason = "each test uses its part of it")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use link::message::{Identity, Lane, MAX_MESSAGE, Role};
use link::{Instant, Session, SessionEvent};
use std::collections::VecDeque;

/// Bytes moved in each direction per tick of the virtual clock.
const BYTES_PER_TICK: u64 = 16;

/// SplitMix64 (Steele, Lea and Flood, 2014).
#[derive(Clone, Debug)]
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    pub fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }

    pub fn chance(&mut self, per_million: u32) -> bool {
        per_million > 0 && self.below(1_000_000) < u64::from(per_million)
    }
}

/// What the cable does to bytes, in millionths per byte unless it says otherwise.
#[derive(Clone, Copy, Debug, Default)]
pub struct Faults {
    /// Flips one bit. Ten bits on the wire: a bit error rate of `e` is `10 e` here.
    pub flip: u32,
    pub drop: u32,
    pub double: u32,
    /// Inserts a random byte.
    pub insert: u32,
    /// Inserts up to 200 random bytes.
    pub burst: u32,
    /// Holds everything back for up to 300 ms.
    pub delay: u32,
    /// Drops whole frames, in millionths per frame.
    pub frame_loss: u32,
}

/// One direction.
#[derive(Clone, Debug)]
pub struct Wire {
    pub faults: Faults,
    pub is_cut: bool,
    random: Random,
    pub latency_micros: u64,
    underway: VecDeque<(u64, u8)>,
    held_until: u64,
    is_dropping: bool,
    is_at_start: bool,
    pub carried: u64,
    /// What the sending side's operating system holds back, and how much it would.
    buffered: VecDeque<u8>,
    pub buffer_size: usize,
}

impl Wire {
    fn new(faults: Faults, latency_micros: u64, seed: u64) -> Self {
        Self {
            faults,
            is_cut: false,
            random: Random(seed),
            latency_micros,
            underway: VecDeque::new(),
            held_until: 0,
            is_dropping: false,
            is_at_start: true,
            carried: 0,
            buffered: VecDeque::new(),
            buffer_size: BYTES_PER_TICK as usize,
        }
    }

    pub fn inject(&mut self, bytes: &[u8]) {
        let at = self.underway.back().map_or(0, |(at, _)| *at);
        self.underway.extend(bytes.iter().map(|byte| (at, *byte)));
    }

    fn carry(&mut self, now: u64, mut byte: u8) {
        self.carried += 1;
        if self.is_cut {
            return;
        }
        if self.is_at_start && byte != 0 {
            self.is_dropping = self.random.chance(self.faults.frame_loss);
            self.is_at_start = false;
        }
        let is_end = byte == 0;
        if is_end {
            self.is_at_start = true;
        }
        if self.is_dropping {
            self.is_dropping = !is_end;
            return;
        }
        if self.random.chance(self.faults.delay) {
            self.held_until = now + self.random.below(300_000);
        }
        let at = (now + self.latency_micros)
            .max(self.held_until)
            .max(self.underway.back().map_or(0, |(at, _)| *at));
        if self.random.chance(self.faults.burst) {
            for _ in 0..self.random.below(200) {
                let noise = self.random.next() as u8;
                self.underway.push_back((at, noise));
            }
        }
        if self.random.chance(self.faults.insert) {
            let noise = self.random.next() as u8;
            self.underway.push_back((at, noise));
        }
        if self.random.chance(self.faults.drop) {
            return;
        }
        if self.random.chance(self.faults.flip) {
            byte ^= 1 << self.random.below(8);
        }
        self.underway.push_back((at, byte));
        if self.random.chance(self.faults.double) {
            self.underway.push_back((at, byte));
        }
    }

    fn deliver(&mut self, now: u64, out: &mut Vec<u8>) {
        out.clear();
        while let Some((_, byte)) = self.underway.front().filter(|(at, _)| *at <= now) {
            out.push(*byte);
            self.underway.pop_front();
        }
    }
}

/// One end.
pub struct End {
    pub session: Session,
    pub events: Vec<SessionEvent>,
    pub received: Vec<Vec<u8>>,
    /// Whether received messages are fetched.
    pub is_reading: bool,
}

impl End {
    pub fn new(session: Session) -> Self {
        Self { session, events: Vec::new(), received: Vec::new(), is_reading: true }
    }

    pub fn is_up(&self) -> bool {
        self.session.peer().is_some()
    }

    fn fetch(&mut self) {
        while let Some(event) = self.session.poll_event() {
            self.events.push(event);
        }
        let mut buffer = [0; MAX_MESSAGE];
        while self.is_reading {
            match self.session.receive(&mut buffer) {
                Some(message) => self.received.push(message.to_vec()),
                None => break,
            }
        }
    }
}

/// Host and board.
pub struct Pair {
    pub ends: [End; 2],
    /// From end 0 to end 1, and back.
    pub wires: [Wire; 2],
    /// Microseconds.
    pub now: u64,
    tick_micros: u64,
}

pub fn identity(role: Role, boot: u32) -> Identity {
    Identity { role, boot, version: [0, 1, 0], persona: None }
}

impl Pair {
    pub fn new(baud: u64, faults: Faults, seed: u64) -> Self {
        let mut random = Random(seed);
        let host = Session::new(identity(Role::Host, 1), random.next() as u32);
        let board = Session::new(identity(Role::Bootloader, 2), random.next() as u32);
        Self::of(host, board, baud, faults, seed)
    }

    pub fn of(host: Session, board: Session, baud: u64, faults: Faults, seed: u64) -> Self {
        let mut random = Random(seed ^ 0xCAB1E);
        Self {
            ends: [End::new(host), End::new(board)],
            wires: [Wire::new(faults, 500, random.next()), Wire::new(faults, 500, random.next())],
            now: 0,
            tick_micros: BYTES_PER_TICK * 10 * 1_000_000 / baud,
        }
    }

    /// Bytes that the line could have carried since then.
    pub fn bytes_since(&self, start: u64) -> u64 {
        (self.now - start) * BYTES_PER_TICK / self.tick_micros
    }

    /// Lets one tick pass.
    pub fn tick(&mut self) {
        let mut bytes = Vec::with_capacity(64);
        for side in 0..2 {
            let end = &mut self.ends[side];
            let now = Instant(self.now);
            if end.session.poll_timeout().is_some_and(|at| at <= now) {
                end.session.handle_timeout(now);
                let next = end.session.poll_timeout();
                assert!(next.is_none_or(|at| at > now), "a timer fires again at once");
            }
            let wire = &mut self.wires[side];
            let mut out = vec![0; wire.buffer_size - wire.buffered.len()];
            let count = end.session.poll_transmit(now, &mut out);
            wire.buffered.extend(&out[..count]);
            for _ in 0..BYTES_PER_TICK {
                if let Some(byte) = wire.buffered.pop_front() {
                    wire.carry(self.now, byte);
                }
            }
        }
        self.now += self.tick_micros;
        for side in 0..2 {
            self.wires[side].deliver(self.now, &mut bytes);
            let end = &mut self.ends[1 - side];
            end.session.handle_bytes(Instant(self.now), &bytes);
            end.fetch();
        }
    }

    /// Ticks until `is_done`; panics when that takes longer than `limit_micros`.
    pub fn run_until(&mut self, limit_micros: u64, mut is_done: impl FnMut(&mut Self) -> bool) {
        let end = self.now + limit_micros;
        while !is_done(self) {
            assert!(
                self.now < end,
                "not done in {limit_micros} us; {:?} {:?}",
                self.ends[0].session.counters(),
                self.ends[1].session.counters()
            );
            self.tick();
        }
    }

    pub fn run_for(&mut self, micros: u64) {
        let end = self.now + micros;
        while self.now < end {
            self.tick();
        }
    }

    pub fn run_until_up(&mut self) {
        self.run_until(5_000_000, |pair| pair.ends.iter().all(End::is_up));
    }

    pub fn space(&self, side: usize, lane: Lane) -> usize {
        self.ends[side].session.send_space(lane)
    }
}
