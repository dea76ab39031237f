//! One direction of a cable: a transmitter with a small queue, and a wire.

use std::collections::VecDeque;

use link::Instant;
use link::noise::carry;

use super::CableSettings;
use crate::{ByteFault, Noise, PlannedFault, Random};

/// Bits on the wire for one byte: start, eight, stop.
const BITS_PER_BYTE: u64 = 10;

/// Bytes after which a receiver's interrupt comes, or when there are no more.
const INTERRUPT_LEVEL: usize = 8;

/// A receiver understands a sender that is off by one part in so many: at the tenth bit, half a bit
/// is one part in twenty for both together.
const TOLERANCE: u32 = 25;

/// One direction: a transmitter with a small queue, and a wire.
#[derive(Debug)]
pub struct Line {
    /// The sender's speed.
    pub(super) baud: u32,
    /// The receiver's.
    listening: u32,
    /// Bytes of a thousand that the adapter loses.
    pub(super) lost_per_thousand: u64,
    fading: u32,
    nanos_per_byte: u64,
    latency_nanos: u64,
    queue_bytes: usize,
    pub(super) is_plugged: bool,
    /// When the last byte in the queue will have left, in nanoseconds.
    free_at: u64,
    /// Bytes, when they arrive in nanoseconds, and at which speed they were sent; in order.
    pub(super) on_the_way: VecDeque<(u64, u8, u32)>,
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
    pub(super) fn new(settings: &CableSettings, noise: Noise, random: Random) -> Self {
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

    pub(super) fn set_baud(&mut self, baud: u32) {
        self.baud = baud;
        self.nanos_per_byte = nanos_per_byte(baud);
    }

    pub(super) fn listen_at(&mut self, now: Instant, baud: u32) {
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
