//! A loader and a host at the two ends of a cable, under a virtual clock.
#![allow(dead_code, reason = "each test binary uses another part")]
#![allow(clippy::unwrap_used, reason = "a test helper may fail the test")]

use boot_core::{Loader, Outcome};
use link::message::{DeviceMessage, HostMessage, Identity, MAX_MESSAGE, Role, Slot};
use link::upload::{Phase, Uploader};
use link::{Instant, Session, SessionEvent};

use super::{PERSONA_ADDRESS, Ram};

/// Bytes carried per step and direction, and the time that takes at 3 Mbaud.
const STEP_BYTES: usize = 64;
const STEP_MICROS: u64 = 213;

/// Most time skipped at once while nobody speaks.
const NAP_MICROS: u64 = 20_000;

/// Both ends and what is between them.
pub struct Rig {
    pub now: Instant,
    /// `None` while the board has no power.
    pub loader: Loader<Ram>,
    pub outcome: Outcome,
    pub host: Session,
    pub uploader: Option<Uploader<Vec<u8>>>,
    /// Whether bytes arrive.
    pub is_plugged: bool,
    /// Whether the host program runs.
    pub is_host_alive: bool,
    /// Bytes that reached the board.
    pub delivered: u64,
    /// Answers of the board, encoded, for the tests that ask by hand.
    pub heard: Vec<Vec<u8>>,
    pub events: Vec<SessionEvent>,
    starts: u32,
}

impl Rig {
    /// Power comes on at both ends.
    pub fn new(ram: Ram) -> Self {
        Self {
            now: Instant(0),
            loader: start(ram, 1, Instant(0)),
            outcome: Outcome::Continue,
            host: host(2),
            uploader: None,
            is_plugged: true,
            is_host_alive: true,
            delivered: 0,
            heard: Vec::new(),
            events: Vec::new(),
            starts: 2,
        }
    }

    /// The same, with a persona to bring.
    pub fn uploading(ram: Ram, image: &[u8]) -> Self {
        let mut rig = Self::new(ram);
        rig.bring(image);
        rig
    }

    /// Begins another upload of a persona.
    pub fn bring(&mut self, image: &[u8]) {
        let uploader = Uploader::new(Slot::Persona, PERSONA_ADDRESS, image.to_vec()).unwrap();
        self.uploader = Some(uploader);
    }

    /// The host program dies and is started again, with nothing remembered.
    pub fn restart_host(&mut self, image: &[u8]) {
        self.starts += 1;
        self.host = host(self.starts);
        self.bring(image);
    }

    /// The board restarts; of each cache line not flushed, `keeps` says whether it was written.
    pub fn restart_board(mut self, keeps: impl FnMut() -> bool) -> Self {
        self.starts += 1;
        let mut ram = self.loader.into_memory();
        ram.reset(keeps);
        ram.assert_sound();
        self.loader = start(ram, self.starts, self.now);
        self.outcome = Outcome::Continue;
        self
    }

    /// The plug is pulled and put back, perhaps with another card in the slot.
    pub fn cut_power(mut self, change: impl FnOnce(&mut Ram)) -> Self {
        self.starts += 1;
        let mut ram = self.loader.into_memory();
        ram.lose_power();
        change(&mut ram);
        self.loader = start(ram, self.starts, self.now);
        self.outcome = Outcome::Continue;
        self
    }

    pub fn phase(&self) -> Phase {
        self.uploader.as_ref().unwrap().phase()
    }

    pub fn chunks_sent(&self) -> u32 {
        self.uploader.as_ref().unwrap().progress().chunks_sent
    }

    /// Says something by hand.
    pub fn say(&mut self, message: &HostMessage<'_>) {
        self.host.send_host(message).unwrap();
    }

    /// Runs until `done`, or fails after `limit` seconds of virtual time.
    pub fn run_until(&mut self, limit: u64, mut done: impl FnMut(&Self) -> bool) {
        let end = self.now.plus_millis(limit * 1000);
        while !done(self) {
            assert!(self.now < end, "not done after {limit} s: {:?}", self.loader.state());
            self.step();
        }
    }

    /// Runs for some time.
    pub fn run_for(&mut self, micros: u64) {
        let end = self.now.plus_micros(micros);
        while self.now < end {
            self.step();
        }
    }

    /// Carries a few bytes each way and lets both ends act.
    pub fn step(&mut self) {
        let mut buffer = [0; STEP_BYTES];
        let mut is_quiet = true;
        if self.is_host_alive {
            self.host.handle_timeout(self.now);
            self.run_host();
            let count = self.host.poll_transmit(self.now, &mut buffer);
            if self.is_plugged && self.outcome == Outcome::Continue {
                self.loader.handle_bytes(self.now, &buffer[..count]);
                self.delivered += count as u64;
            }
            is_quiet &= count == 0;
        }
        if self.outcome == Outcome::Continue {
            self.outcome = self.loader.poll(self.now);
            let count = self.loader.poll_transmit(self.now, &mut buffer);
            if self.is_plugged && self.is_host_alive {
                self.host.handle_bytes(self.now, &buffer[..count]);
                self.run_host();
            }
            is_quiet &= count == 0;
        }
        self.advance(is_quiet);
    }

    fn advance(&mut self, is_quiet: bool) {
        let next = self.now.plus_micros(STEP_MICROS);
        let alarms = [self.loader.poll_timeout(), self.host.poll_timeout()];
        let alarm = alarms.into_iter().flatten().min();
        self.now = match (is_quiet, alarm) {
            (true, Some(alarm)) => alarm.clamp(next, self.now.plus_micros(NAP_MICROS)),
            (true, None) => self.now.plus_micros(NAP_MICROS),
            (false, _) => next,
        };
    }

    fn run_host(&mut self) {
        while let Some(event) = self.host.poll_event() {
            if let Some(uploader) = &mut self.uploader {
                uploader.handle_event(&event);
            }
            self.events.push(event);
        }
        let mut buffer = [0; MAX_MESSAGE];
        while let Some(bytes) = self.host.receive(&mut buffer) {
            let message = DeviceMessage::decode(bytes).unwrap();
            if let Some(uploader) = &mut self.uploader {
                uploader.handle(&message);
            }
            self.heard.push(bytes.to_vec());
        }
        if let Some(uploader) = &mut self.uploader {
            uploader.poll(&mut self.host);
        }
    }

    /// Whether the board said something of this kind since the last question.
    pub fn was_told(&mut self, kind: impl Fn(&DeviceMessage<'_>) -> bool) -> bool {
        let heard = std::mem::take(&mut self.heard);
        heard.iter().any(|bytes| kind(&DeviceMessage::decode(bytes).unwrap()))
    }
}

fn start(mut ram: Ram, random: u32, now: Instant) -> Loader<Ram> {
    ram.load_card();
    let regions = ram.regions();
    Loader::new(ram, regions, [0, 1, 0], random, now)
}

fn host(nonce: u32) -> Session {
    let identity = Identity { role: Role::Host, boot: nonce, version: [0, 1, 0], persona: None };
    Session::new(identity, nonce)
}
