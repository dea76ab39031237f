//! The Pi: runs the real bootloader and the real persona, crashes, resets, loses power.

use std::mem;

use boot_core::{Loader, Memory as _, Outcome, handover};
use device::{Activity, Options};
use link::message::Slot;
use link::{Instant, Rates};

use crate::firmware::{Firmware, PLANTED};
use crate::transcript::Line;
use crate::{Cable, Direction, End, Host, Images, Journal, Ram, Random};

/// A board that hangs is reset after this; as in `bcm2835`.
const WATCHDOG_MICROS: u64 = 12_000_000;

/// How the virtual board differs from a real one.
#[derive(Clone, Copy, Debug)]
pub struct BoardSettings {
    /// From power or reset to the bootloader's first instruction, in microseconds. (On a Pi a few
    /// seconds: nothing depends on it.)
    pub start_micros: u64,
    /// What the device may use.
    pub options: Options,
    /// How long a slice of the device's work takes.
    pub slice_micros: u64,
    /// How long a slice of the bootloader's hashing takes.
    pub hash_micros: u64,
    /// Bytes of the firmware's slot.
    pub firmware_bytes: usize,
    /// Bytes of the persona's slot.
    pub persona_bytes: usize,
    /// Whether there is a card with the images in the board: the Pi's boot stage loads it.
    pub has_card: bool,
    /// Bytes that its port keeps while the program is busy: as `RECEIVE_RING` in `bcm2835`. What comes
    /// when it is full is lost.
    pub receive_ring: usize,
    /// Speeds that its port can be given; none for programs that know only one.
    pub rates: Rates,
}

impl Default for BoardSettings {
    /// For a tiny persona: a few slices for each token, some 100 tokens a second.
    fn default() -> Self {
        Self {
            start_micros: 50_000,
            options: Options {
                engine: engine::Options { context: 160, ..engine::Options::default() },
                slice: 500,
                seed: 1,
            },
            slice_micros: 3000,
            hash_micros: 200,
            firmware_bytes: 8 * 1024,
            persona_bytes: 8 * 1024,
            has_card: false,
            receive_ring: 16 * 1024,
            rates: Rates::NONE,
        }
    }
}

/// What the processor is doing.
pub enum Program {
    /// There is no power.
    Off,
    /// The Pi's own boot stage is at work.
    Starting {
        /// Until then.
        until: Instant,
    },
    /// The bootloader.
    Loader(Box<Loader<Ram>>),
    /// The persona.
    Firmware(Box<Firmware>),
    /// The firmware does not come back to its main loop.
    Hung {
        /// Until the watchdog steps in.
        until: Instant,
    },
}

/// The board.
pub struct Board {
    settings: BoardSettings,
    images: Images,
    /// Empty while the bootloader holds it.
    ram: Ram,
    program: Program,
    /// The program is busy until then and does not look at the cable.
    busy_until: Instant,
    /// When the program wants to be called.
    due: Option<Instant>,
    may_send: bool,
    /// A program was started, which sets its port up.
    owes_opening: bool,
    received: Vec<u8>,
    overrun_bytes: u64,
    random: Random,
    launches: u32,
}

impl Board {
    /// A board that was just given power, on which only these images may run.
    pub fn new(settings: BoardSettings, images: &Images, mut random: Random) -> Self {
        let ram = Ram::new(settings.firmware_bytes, settings.persona_bytes, &mut random);
        Self {
            settings,
            images: images.clone(),
            ram,
            program: Program::Starting { until: Instant(settings.start_micros) },
            busy_until: Instant(0),
            due: Some(Instant(settings.start_micros)),
            may_send: false,
            owes_opening: false,
            received: Vec::new(),
            overrun_bytes: 0,
            random,
            launches: 0,
        }
    }

    /// What the processor is doing.
    pub fn program(&self) -> &Program {
        &self.program
    }

    /// Bytes that were lost because the program was busy for too long.
    pub fn overrun_bytes(&self) -> u64 {
        self.overrun_bytes
    }

    /// How often the firmware was started.
    pub fn launches(&self) -> u32 {
        self.launches
    }

    /// Whether the persona runs and has a session with this host program.
    pub fn is_linked_to(&self, host: &Host) -> bool {
        matches!(&self.program, Program::Firmware(firmware) if firmware.is_linked_to(host))
    }

    /// Whether the persona runs and has nothing to do.
    pub fn is_idle(&self) -> bool {
        matches!(&self.program, Program::Firmware(firmware) if firmware.is_idle())
    }

    /// The conversation as the board knows it; `None` when no persona runs.
    pub fn lines(&self) -> Option<Vec<Line>> {
        match &self.program {
            Program::Firmware(firmware) => Some(firmware.lines()),
            _ => None,
        }
    }

    /// The conversation's tokens; `None` when no persona runs.
    pub fn tokens(&self) -> Option<&[u32]> {
        match &self.program {
            Program::Firmware(firmware) => Some(firmware.tokens()),
            _ => None,
        }
    }

    /// The reset button.
    pub fn reset(&mut self, now: Instant, cable: &mut Cable) {
        if matches!(self.program, Program::Off) {
            return;
        }
        cable.line(Direction::ToHost).cut_sender(now);
        self.restart(now);
    }

    /// The plug is pulled: memory decays by this much.
    pub fn cut_power(&mut self, now: Instant, decay_percent: u64, cable: &mut Cable) {
        cable.line(Direction::ToHost).cut_sender(now);
        self.stop();
        self.ram.decay(decay_percent, &mut self.random);
        self.program = Program::Off;
        self.due = None;
    }

    /// The plug is put back.
    pub fn give_power(&mut self, now: Instant) {
        if matches!(self.program, Program::Off) {
            self.restart(now);
        }
    }

    /// The firmware loops for ever; the watchdog will notice.
    pub fn hang(&mut self, now: Instant) {
        if matches!(self.program, Program::Firmware(_)) {
            let until = now.plus_micros(WATCHDOG_MICROS);
            self.program = Program::Hung { until };
            self.due = Some(until);
            self.may_send = false;
        }
    }

    /// Does what is due: one round of the program's main loop. A slice of work takes its time
    /// before its results go out; interrupts keep the cable's queue running meanwhile.
    pub(crate) fn turn(&mut self, now: Instant, cable: &mut Cable, journal: Journal) {
        if now < self.busy_until {
            return;
        }
        self.transmit(now, cable);
        self.set_line(now, cable);
        if now < self.busy_until {
            return;
        }
        self.received.clear();
        cable.line(Direction::ToBoard).receive(now, &mut self.received);
        let lost = self.received.len().saturating_sub(self.settings.receive_ring);
        self.received.truncate(self.settings.receive_ring);
        self.overrun_bytes += lost as u64;
        let is_due = self.due.is_some_and(|due| due <= now);
        if is_due || !self.received.is_empty() {
            self.work(now, journal);
            self.follow_up(now);
            if mem::take(&mut self.owes_opening) {
                cable.open(End::Board, now);
            }
            if now >= self.busy_until {
                self.transmit(now, cable);
            }
        }
        self.set_line(now, cable);
    }

    /// Gives the port another speed. The real driver waits until everything has left.
    fn set_line(&mut self, now: Instant, cable: &mut Cable) {
        let wanted = match &self.program {
            Program::Loader(loader) => loader.line_to_set(),
            Program::Firmware(firmware) => firmware.line_to_set(),
            _ => None,
        };
        let Some(baud) = wanted.filter(|_| now >= self.busy_until) else { return };
        let gone = cable.line(Direction::ToHost).gone_at();
        if gone > now {
            self.busy_until = gone;
            self.due = Some(gone);
            return;
        }
        cable.ask_for(End::Board, now, baud);
        match &mut self.program {
            Program::Loader(loader) => loader.line_set(now, true),
            Program::Firmware(firmware) => firmware.line_set(now),
            _ => {}
        }
        self.may_send = true;
        self.due = Some(now);
    }

    fn transmit(&mut self, now: Instant, cable: &mut Cable) {
        let line = cable.line(Direction::ToHost);
        let room = line.room(now);
        if !self.may_send || room == 0 {
            return;
        }
        let mut bytes = vec![0; room];
        let count = match &mut self.program {
            Program::Loader(loader) => loader.poll_transmit(now, &mut bytes),
            Program::Firmware(firmware) => firmware.transmit(now, &mut bytes),
            _ => 0,
        };
        line.send(now, bytes.get(..count).unwrap_or_default());
        self.may_send = count == room;
    }

    /// When [`Board::turn`] is to be called.
    pub(crate) fn wake(&self, cable: &mut Cable) -> Option<Instant> {
        let room = self.may_send.then(|| cable.line(Direction::ToHost).room_at());
        let arrival = cable.line(Direction::ToBoard).arrival();
        let next = [room, arrival, self.due].into_iter().flatten().min()?;
        Some(next.max(self.busy_until))
    }

    fn work(&mut self, now: Instant, journal: Journal) {
        match &mut self.program {
            Program::Off => {}
            Program::Starting { until } if now >= *until => self.start_loader(now, journal),
            Program::Hung { until } if now >= *until => {
                journal.note(now, || "board: the watchdog steps in".to_string());
                self.restart(now);
            }
            Program::Starting { .. } | Program::Hung { .. } => {}
            Program::Loader(loader) => {
                loader.handle_bytes(now, &self.received);
                let outcome = loader.poll(now);
                self.may_send = true;
                self.due = loader.poll_timeout();
                if self.due.is_some_and(|due| due <= now) {
                    self.busy_until = now.plus_micros(self.settings.hash_micros);
                }
                match outcome {
                    Outcome::Continue => {}
                    Outcome::Launch => self.start_firmware(now, journal),
                    Outcome::Reboot => self.restart(now),
                }
            }
            Program::Firmware(firmware) => {
                let activity = firmware.work(now, &self.received);
                self.may_send = true;
                match activity {
                    Activity::Busy => {
                        self.busy_until = now.plus_micros(self.settings.slice_micros);
                        self.due = Some(self.busy_until);
                    }
                    Activity::IdleUntil(due) => self.due = due,
                    Activity::Reboot => {
                        handover::note_restart(self.ram.handover_mut());
                        self.restart(now);
                    }
                    // The memory here is sound, and testing it no business of a simulation's.
                    Activity::TestMemory => {
                        handover::note_test(self.ram.handover_mut());
                        self.restart(now);
                    }
                    Activity::PlantPanic => {
                        journal.note(now, || "board: planted panic".to_string());
                        handover::note_crash(self.ram.handover_mut(), &PLANTED);
                        self.restart(now);
                    }
                }
            }
        }
    }

    /// What the firmware's main loop does beside the device.
    fn follow_up(&mut self, now: Instant) {
        if let Program::Firmware(firmware) = &mut self.program {
            firmware.do_chores(now, self.ram.handover_mut());
        }
    }

    /// Ends the program, and takes the memory back.
    fn stop(&mut self) {
        if let Program::Loader(loader) = mem::replace(&mut self.program, Program::Off) {
            self.ram = loader.into_memory();
        }
        self.may_send = false;
        self.busy_until = Instant(0);
    }

    fn restart(&mut self, now: Instant) {
        self.stop();
        let until = now.plus_micros(self.settings.start_micros);
        self.program = Program::Starting { until };
        self.due = Some(until);
    }

    fn start_loader(&mut self, now: Instant, journal: Journal) {
        journal.note(now, || "board: the bootloader starts".to_string());
        if self.settings.has_card {
            self.ram.load_card(&self.images);
        }
        let regions = self.ram.regions();
        let ram = mem::take(&mut self.ram);
        let mut loader = Loader::new(ram, regions, [0, 1, 0], self.random.word(), now);
        loader.offer_rates(self.settings.rates);
        self.owes_opening = true;
        self.program = Program::Loader(Box::new(loader));
        self.due = Some(now);
    }

    /// # Panics
    /// When what the bootloader starts is not what was brought, byte for byte.
    #[expect(clippy::panic, reason = "a bad image was started: the worst that can happen")]
    fn start_firmware(&mut self, now: Instant, journal: Journal) {
        self.stop();
        self.launches += 1;
        let starts_with = |slot, image: &[u8]| self.ram.slot(slot).starts_with(image);
        assert!(starts_with(Slot::Firmware, &self.images.firmware), "a bad firmware was started");
        assert!(starts_with(Slot::Persona, self.images.persona), "a bad persona was started");
        journal.note(now, || "board: the firmware starts".to_string());
        let record = handover::load(self.ram.handover());
        let BoardSettings { options, rates, .. } = self.settings;
        self.owes_opening = true;
        match Firmware::new(&self.images, &record, options, rates, &mut self.random, now) {
            Ok(firmware) => self.program = Program::Firmware(Box::new(firmware)),
            Err(error) => panic!("the persona does not run: {error}"),
        }
        self.due = Some(now);
    }
}
