//! A full-duplex serial cable: speed, delay, noise, and being pulled out.

use std::collections::VecDeque;

use link::noise::carry;
use link::{Instant, Rates};

use crate::adapter::Adapter;
use crate::{ByteFault, Noise, PlannedFault, Random};

/// Bits on the wire for one byte: start, eight, stop.
const BITS_PER_BYTE: u64 = 10;

/// Bytes after which a receiver's interrupt comes, or when there are no more.
const INTERRUPT_LEVEL: usize = 8;

/// A receiver understands a sender that is off by one part in so many: at the tenth bit, half a bit
/// is one part in twenty for both together.
const TOLERANCE: u32 = 25;

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

/// A program's end of the cable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The computer, with its adapter.
    Host,
    /// The Pi's own port, which does as it is told.
    Board,
}

/// What a cable is like.
#[derive(Clone, Copy, Debug)]
pub struct CableSettings {
    /// Speed in baud that both ends begin with.
    pub baud: u32,
    /// Speeds that the host offers; see [`BoardSettings::rates`](crate::BoardSettings::rates).
    pub rates: Rates,
    /// What the host's adapter makes of a speed that it is asked for.
    pub adapter: Adapter,
    /// Bit errors per 10⁹ bits at 3 Mbaud, besides the noise. They grow with the fourth power of the
    /// speed, as a line's bandwidth ends.
    pub fading: u32,
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
            baud: link::BASE_BAUD,
            rates: Rates::NONE,
            adapter: Adapter::Honest,
            fading: 0,
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
    first_baud: u32,
    adapter: Adapter,
    is_plugged: bool,
}

impl Cable {
    /// A cable that is plugged in.
    pub fn new(settings: &CableSettings, random: &mut Random) -> Self {
        Self {
            to_board: Line::new(settings, settings.to_board, random.fork()),
            to_host: Line::new(settings, settings.to_host, random.fork()),
            first_baud: settings.baud,
            adapter: settings.adapter,
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

    /// Asks an end's port for a speed.
    pub fn ask_for(&mut self, end: End, now: Instant, baud: u32) {
        match end {
            End::Host => self.set_baud(end, now, self.adapter.set(baud, self.to_board.baud)),
            End::Board => self.set_baud(end, now, baud),
        }
    }

    /// A program opens its port anew: it has its first speed.
    pub fn open(&mut self, end: End, now: Instant) {
        self.set_baud(end, now, self.first_baud);
    }

    /// The speed that an end really has.
    pub fn baud(&self, end: End) -> u32 {
        match end {
            End::Host => self.to_board.baud,
            End::Board => self.to_host.baud,
        }
    }

    fn set_baud(&mut self, end: End, now: Instant, baud: u32) {
        let (sending, receiving) = match end {
            End::Host => (&mut self.to_board, &mut self.to_host),
            End::Board => (&mut self.to_host, &mut self.to_board),
        };
        sending.set_baud(baud);
        receiving.listen_at(now, baud);
        let lost = self.adapter.lost(self.to_board.baud);
        self.to_board.lost_per_thousand = lost;
        self.to_host.lost_per_thousand = lost;
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
    /// The sender's speed.
    baud: u32,
    /// The receiver's.
    listening: u32,
    /// Bytes of a thousand that the adapter loses.
    lost_per_thousand: u64,
    fading: u32,
    nanos_per_byte: u64,
    latency_nanos: u64,
    queue_bytes: usize,
    is_plugged: bool,
    /// When the last byte in the queue will have left, in nanoseconds.
    free_at: u64,
    /// Bytes, when they arrive in nanoseconds, and at which speed they were sent; in order.
    on_the_way: VecDeque<(u64, u8, u32)>,
    /// What arrived before the receiver changed its speed.
    arrived: Vec<u8>,
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
            baud: settings.baud,
            listening: settings.baud,
            lost_per_thousand: 0,
            fading: settings.fading,
            nanos_per_byte: nanos_per_byte(settings.baud),
            latency_nanos: settings.latency_micros * 1000,
            queue_bytes: settings.queue_bytes,
            is_plugged: true,
            free_at: 0,
            on_the_way: VecDeque::new(),
            arrived: Vec::new(),
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

    fn set_baud(&mut self, baud: u32) {
        self.baud = baud;
        self.nanos_per_byte = nanos_per_byte(baud);
    }

    fn listen_at(&mut self, now: Instant, baud: u32) {
        let mut arrived = std::mem::take(&mut self.arrived);
        self.receive(now, &mut arrived);
        self.arrived = arrived;
        self.listening = baud;
    }

    /// What happens to the next byte at this speed.
    fn draw_fault(&mut self) -> Option<ByteFault> {
        let fault = self.noise.draw(&mut self.random);
        if fault.is_some() || (self.fading == 0 && self.lost_per_thousand == 0) {
            return fault;
        }
        if self.random.below(1000) < self.lost_per_thousand {
            return Some(ByteFault::Drop);
        }
        let percent = u64::from(self.baud) * 100 / 3_000_000;
        let bit_errors = u64::from(self.fading) * percent.pow(4) / 100_000_000;
        Noise::bit_errors(bit_errors as u32).draw(&mut self.random)
    }

    /// What a receiver makes of a byte that was sent at another speed: something else, or nothing.
    fn misread(&mut self) -> Option<u8> {
        match self.random.below(4) {
            0 => None,
            1 => Some(0),
            _ => Some(self.random.below(256) as u8),
        }
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

    /// When everything that was sent will have left its sender.
    pub fn gone_at(&self) -> Instant {
        Instant(self.free_at.div_ceil(1000))
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
                    None => self.draw_fault(),
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
        while self.on_the_way.back().is_some_and(|(arrival, ..)| *arrival > gone) {
            self.on_the_way.pop_back();
        }
        self.free_at = now.0 * 1000;
        self.held = None;
    }

    /// Takes the bytes that have arrived.
    pub fn receive(&mut self, now: Instant, into: &mut Vec<u8>) {
        into.append(&mut self.arrived);
        while let Some((_, byte, baud)) =
            self.on_the_way.pop_front_if(|(arrival, ..)| *arrival <= now.0 * 1000)
        {
            let is_understood = baud.abs_diff(self.listening) * TOLERANCE <= self.listening;
            into.extend(if is_understood { Some(byte) } else { self.misread() });
        }
    }

    /// When the receiver is to be called: a few bytes have arrived, or the last there are.
    pub fn arrival(&self) -> Option<Instant> {
        let (arrival, ..) =
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
            self.on_the_way.push_back((self.free_at + self.latency_nanos, byte, self.baud));
        }
    }
}

fn nanos_per_byte(baud: u32) -> u64 {
    BITS_PER_BYTE * 1_000_000_000 / u64::from(baud)
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
    fn ends_of_different_speed_do_not_understand_each_other() {
        let mut cable = Cable::new(&CableSettings::default(), &mut Random::new(1));
        cable.line(Direction::ToBoard).send(Instant(0), b"slow");
        cable.ask_for(End::Host, Instant(10_000), 1_000_000);
        cable.line(Direction::ToBoard).send(Instant(10_000), &[b'x'; 100]);
        cable.line(Direction::ToHost).send(Instant(10_000), &[b'y'; 100]);
        let heard = arrived(cable.line(Direction::ToBoard), 500_000);
        assert!(heard.starts_with(b"slow") && heard.len() < 104);
        assert!(heard.iter().filter(|byte| **byte == b'x').count() < 5);
        assert!(!arrived(cable.line(Direction::ToHost), 500_000).ends_with(b"yy"));
        // One in fifty is near enough.
        cable.ask_for(End::Board, Instant(500_000), 1_020_000);
        cable.line(Direction::ToBoard).send(Instant(500_000), b"fast");
        // What arrived before a change is heard as it was.
        cable.open(End::Board, Instant(600_000));
        assert_eq!(arrived(cable.line(Direction::ToBoard), 700_000), b"fast");
    }

    #[test]
    fn errors_grow_with_the_speed() {
        let settings = CableSettings { fading: 10_000_000, ..CableSettings::default() };
        let mut damaged = Vec::new();
        for baud in [460_800, 1_000_000, 3_000_000] {
            let mut cable = Cable::new(&settings, &mut Random::new(1));
            cable.ask_for(End::Host, Instant(0), baud);
            cable.ask_for(End::Board, Instant(0), baud);
            cable.line(Direction::ToBoard).send(Instant(0), &[0x55; 100_000]);
            let heard = arrived(cable.line(Direction::ToBoard), 100_000_000);
            damaged.push(heard.iter().filter(|byte| **byte != 0x55).count());
        }
        assert!(damaged[0] < 20 && (50..150).contains(&damaged[1]), "{damaged:?}");
        assert!((7_000..9_000).contains(&damaged[2]), "{damaged:?}");
    }

    #[test]
    fn a_dead_sender_leaves_half_a_frame() {
        let mut line = line(Noise::default());
        line.send(Instant(0), b"abcdef");
        line.cut_sender(Instant(30));
        assert_eq!(arrived(&mut line, 1000), b"abc");
    }
}
