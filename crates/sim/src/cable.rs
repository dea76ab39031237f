//! A full-duplex serial cable: speed, delay, noise, and being pulled out.

use std::collections::VecDeque;

use link::Instant;
use link::noise::carry;

use crate::{ByteFault, Noise, PlannedFault, Random};

/// Bits on the wire for one byte: start, eight, stop.
const BITS_PER_BYTE: u64 = 10;

/// Bytes after which a receiver's interrupt comes, or when there are no more.
const INTERRUPT_LEVEL: usize = 8;

/// Which way bytes go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// From the host to the board.
    ToBoard,
    /// From the board to the host.
    ToHost,
}

impl Direction {
    /// Both.
    pub const BOTH: [Self; 2] = [Self::ToBoard, Self::ToHost];
}

/// What a cable is like.
#[derive(Clone, Copy, Debug)]
pub struct CableSettings {
    /// Speed in baud.
    pub baud: u32,
    /// Microseconds that each byte takes besides the time of its bits.
    pub latency_micros: u64,
    /// Bytes that wait in a transmitter's queue at most. What is in there can no longer be
    /// overtaken.
    pub queue_bytes: usize,
    /// How bad the way to the board is.
    pub to_board: Noise,
    /// How bad the way to the host is.
    pub to_host: Noise,
}

impl Default for CableSettings {
    /// A perfect cable at the speed that every session starts with.
    fn default() -> Self {
        Self {
            baud: 115_200,
            latency_micros: 1000,
            queue_bytes: 64,
            to_board: Noise::default(),
            to_host: Noise::default(),
        }
    }
}

impl CableSettings {
    /// The same noise both ways.
    #[must_use]
    pub fn with_noise(self, noise: Noise) -> Self {
        Self { to_board: noise, to_host: noise, ..self }
    }
}

/// Both directions.
#[derive(Debug)]
pub struct Cable {
    to_board: Line,
    to_host: Line,
    is_plugged: bool,
}

impl Cable {
    /// A cable that is plugged in.
    pub fn new(settings: &CableSettings, random: &mut Random) -> Self {
        Self {
            to_board: Line::new(settings, settings.to_board, random.fork()),
            to_host: Line::new(settings, settings.to_host, random.fork()),
            is_plugged: true,
        }
    }

    /// One direction.
    pub fn line(&mut self, direction: Direction) -> &mut Line {
        match direction {
            Direction::ToBoard => &mut self.to_board,
            Direction::ToHost => &mut self.to_host,
        }
    }

    /// Whether bytes can pass.
    pub fn is_plugged(&self) -> bool {
        self.is_plugged
    }

    /// Pulls the plug: what is on the way is gone.
    pub fn unplug(&mut self) {
        self.set_plugged(false);
    }

    /// Puts the plug back.
    pub fn plug(&mut self) {
        self.set_plugged(true);
    }

    fn set_plugged(&mut self, is_plugged: bool) {
        self.is_plugged = is_plugged;
        for direction in Direction::BOTH {
            let line = self.line(direction);
            line.is_plugged = is_plugged;
            line.on_the_way.clear();
        }
    }
}

/// One direction: a transmitter with a small queue, and a wire.
#[derive(Debug)]
pub struct Line {
    nanos_per_byte: u64,
    latency_nanos: u64,
    queue_bytes: usize,
    is_plugged: bool,
    /// When the last byte in the queue will have left, in nanoseconds.
    free_at: u64,
    /// Bytes and when they arrive, in nanoseconds; in order.
    on_the_way: VecDeque<(u64, u8)>,
    noise: Noise,
    random: Random,
    planned: Option<PlannedFault>,
    /// The byte that a [`ByteFault::Swap`] holds back.
    held: Option<u8>,
    /// Bytes sent ever.
    position: u64,
    frame: Frame,
}

/// Where in a frame the line is, for losing whole ones. Frames end with 0x00.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Frame {
    Between,
    Passing,
    Losing,
}

impl Line {
    fn new(settings: &CableSettings, noise: Noise, random: Random) -> Self {
        Self {
            nanos_per_byte: BITS_PER_BYTE * 1_000_000_000 / u64::from(settings.baud),
            latency_nanos: settings.latency_micros * 1000,
            queue_bytes: settings.queue_bytes,
            is_plugged: true,
            free_at: 0,
            on_the_way: VecDeque::new(),
            noise,
            random,
            planned: None,
            held: None,
            position: 0,
            frame: Frame::Between,
        }
    }

    /// Lets one fault happen at its place.
    pub fn plan(&mut self, fault: PlannedFault) {
        self.planned = Some(fault);
    }

    /// Changes how bad the line is from now on.
    pub fn set_noise(&mut self, noise: Noise) {
        self.noise = noise;
    }

    /// Bytes that were sent ever, whether they arrived or not.
    pub fn position(&self) -> u64 {
        self.position
    }

    /// Bytes that the transmitter takes now: none before its queue is half empty.
    pub fn room(&self, now: Instant) -> usize {
        let waiting = self.free_at.saturating_sub(now.0 * 1000).div_ceil(self.nanos_per_byte);
        let room = self.queue_bytes.saturating_sub(waiting as usize);
        if room * 2 >= self.queue_bytes { room } else { 0 }
    }

    /// When the transmitter will take bytes.
    pub fn room_at(&self) -> Instant {
        let half = (self.queue_bytes / 2) as u64 * self.nanos_per_byte;
        Instant(self.free_at.saturating_sub(half).div_ceil(1000))
    }

    /// When everything that was sent will have arrived.
    pub fn quiet_at(&self) -> Instant {
        Instant((self.free_at + self.latency_nanos).div_ceil(1000))
    }

    /// Whether nothing is on its way.
    pub fn is_empty(&self) -> bool {
        self.on_the_way.is_empty()
    }

    /// Puts bytes into the transmitter's queue.
    pub fn send(&mut self, now: Instant, bytes: &[u8]) {
        for byte in bytes {
            let position = self.position;
            self.position += 1;
            self.free_at = self.free_at.max(now.0 * 1000) + self.nanos_per_byte;
            if self.is_plugged && !self.loses_frame(*byte) {
                let planned = self.planned.filter(|planned| planned.position == position);
                let fault = match planned {
                    Some(planned) => Some(planned.fault),
                    None => self.noise.draw(&mut self.random),
                };
                self.damage(*byte, fault);
                self.free_at += self.noise.draw_pause(&mut self.random) * 1000;
            }
        }
    }

    /// Bytes from nowhere, right after what was sent.
    pub fn inject(&mut self, now: Instant, bytes: &[u8]) {
        for byte in bytes {
            self.free_at = self.free_at.max(now.0 * 1000) + self.nanos_per_byte;
            self.put(*byte);
        }
    }

    /// The sender lost its power: what has not left it yet never will.
    pub fn cut_sender(&mut self, now: Instant) {
        let gone = now.0 * 1000 + self.latency_nanos;
        while self.on_the_way.back().is_some_and(|(arrival, _)| *arrival > gone) {
            self.on_the_way.pop_back();
        }
        self.free_at = now.0 * 1000;
        self.held = None;
    }

    /// Takes the bytes that have arrived.
    pub fn receive(&mut self, now: Instant, into: &mut Vec<u8>) {
        while let Some((_, byte)) =
            self.on_the_way.pop_front_if(|(arrival, _)| *arrival <= now.0 * 1000)
        {
            into.push(byte);
        }
    }

    /// When the receiver is to be called: a few bytes have arrived, or the last there are.
    pub fn arrival(&self) -> Option<Instant> {
        let (arrival, _) =
            self.on_the_way.get(INTERRUPT_LEVEL - 1).or_else(|| self.on_the_way.back())?;
        Some(Instant(arrival.div_ceil(1000)))
    }

    fn loses_frame(&mut self, byte: u8) -> bool {
        if self.frame == Frame::Between && byte != 0 {
            let percent = u64::from(self.noise.lost_frames);
            let is_lost = percent > 0 && self.random.percent(percent);
            self.frame = if is_lost { Frame::Losing } else { Frame::Passing };
        }
        let is_lost = self.frame == Frame::Losing;
        if byte == 0 {
            self.frame = Frame::Between;
        }
        is_lost
    }

    fn damage(&mut self, byte: u8, fault: Option<ByteFault>) {
        let mut held = self.held.take();
        carry(byte, fault, &mut held, |byte| self.put(byte));
        self.held = held;
    }

    fn put(&mut self, byte: u8) {
        if self.is_plugged {
            self.on_the_way.push_back((self.free_at + self.latency_nanos, byte));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(noise: Noise) -> Line {
        let settings = CableSettings {
            baud: 1_000_000,
            latency_micros: 100,
            queue_bytes: 16,
            ..CableSettings::default()
        };
        Line::new(&settings, noise, Random::new(1))
    }

    fn arrived(line: &mut Line, micros: u64) -> Vec<u8> {
        let mut bytes = Vec::new();
        line.receive(Instant(micros), &mut bytes);
        bytes
    }

    fn through(fault: ByteFault) -> Vec<u8> {
        let mut line = line(Noise::default());
        line.plan(PlannedFault { position: 1, fault });
        line.send(Instant(0), b"abcd");
        arrived(&mut line, 1000)
    }

    #[test]
    fn a_byte_takes_its_bits_and_the_delay() {
        let mut line = line(Noise::default());
        line.send(Instant(5), b"xy");
        assert_eq!(line.arrival(), Some(Instant(125)));
        assert_eq!(arrived(&mut line, 114), b"");
        assert_eq!(arrived(&mut line, 115), b"x");
        assert_eq!(arrived(&mut line, 125), b"y");
        assert!(line.is_empty());
    }

    #[test]
    fn the_queue_fills_and_empties() {
        let mut line = line(Noise::default());
        assert_eq!(line.room(Instant(0)), 16);
        line.send(Instant(0), &[1; 16]);
        assert_eq!(line.room(Instant(0)), 0);
        assert_eq!(line.room_at(), Instant(80));
        assert_eq!(line.room(Instant(79)), 0);
        assert_eq!(line.room(Instant(80)), 8);
        assert_eq!(line.room(Instant(160)), 16);
    }

    #[test]
    fn planned_faults_hit_their_byte() {
        assert_eq!(through(ByteFault::Drop), b"acd");
        assert_eq!(through(ByteFault::Double), b"abbcd");
        assert_eq!(through(ByteFault::Flip(0)), b"accd");
        assert_eq!(through(ByteFault::Insert(0)), b"a\0bcd");
        assert_eq!(through(ByteFault::Swap), b"acbd");
    }

    #[test]
    fn a_lost_frame_is_lost_whole() {
        let mut line = line(Noise::lost_frames(50));
        for _ in 0..1000 {
            line.send(Instant(0), b"\0frame\0");
        }
        let bytes = arrived(&mut line, u64::MAX / 1000);
        let frames = bytes.split(|byte| *byte == 0).filter(|frame| !frame.is_empty());
        let frames: Vec<_> = frames.collect();
        assert!(frames.iter().all(|frame| *frame == b"frame"));
        assert!((400..600).contains(&frames.len()), "{}", frames.len());
    }

    #[test]
    fn nothing_passes_a_pulled_plug() {
        let mut cable = Cable::new(&CableSettings::default(), &mut Random::new(1));
        cable.line(Direction::ToBoard).send(Instant(0), b"before");
        cable.unplug();
        cable.line(Direction::ToBoard).send(Instant(0), b"while");
        cable.plug();
        cable.line(Direction::ToBoard).send(Instant(0), b"after");
        assert_eq!(arrived(cable.line(Direction::ToBoard), 1_000_000), b"after");
    }

    #[test]
    fn a_dead_sender_leaves_half_a_frame() {
        let mut line = line(Noise::default());
        line.send(Instant(0), b"abcdef");
        line.cut_sender(Instant(30));
        assert_eq!(arrived(&mut line, 1000), b"abc");
    }
}
