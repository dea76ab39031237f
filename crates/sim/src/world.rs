//! Host, cable and board under one clock.

use link::conversation::Saved;
use link::message::Slot;
use link::upload::UploadError;
use link::{Instant, Rates};

use crate::board::Program;
use crate::transcript;
use crate::{
    Board, BoardSettings, Cable, CableSettings, Direction, End, Host, Images, Journal, Random,
    Stage,
};

/// What a host program remembers of the one before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Memory {
    /// The conversation as it was written down, and what was still to be said.
    Kept,
    /// Nothing.
    Lost,
}

/// Everything.
pub struct World {
    /// Microseconds since the beginning.
    pub now: Instant,
    /// What connects the two.
    pub cable: Cable,
    /// The Pi.
    pub board: Board,
    /// The host program, while it runs.
    pub host: Option<Host>,
    /// What the last host program left on its disk.
    left_behind: Option<Saved>,
    images: Images,
    host_rates: Rates,
    random: Random,
    journal: Journal,
    last_stage: Option<Stage>,
}

/// What was waited for did not happen in time.
#[derive(Clone, Debug)]
pub struct Stuck {
    what: String,
    now: Instant,
    stage: Option<Stage>,
    program: &'static str,
    is_plugged: bool,
}

impl std::fmt::Display for Stuck {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { what, now, stage, program, is_plugged } = self;
        write!(
            f,
            "hangs at {} us waiting for {what}: host {stage:?}, board {program}, plugged {is_plugged}",
            now.0
        )
    }
}

impl From<Stuck> for String {
    fn from(stuck: Stuck) -> Self {
        stuck.to_string()
    }
}

impl World {
    /// Power comes on at both ends.
    ///
    /// # Errors
    /// An image cannot be uploaded.
    pub fn new(
        cable: &CableSettings,
        board: BoardSettings,
        images: &Images,
        seed: u64,
        journal: Journal,
    ) -> Result<Self, UploadError> {
        let mut random = Random::new(seed);
        let mut world = Self {
            now: Instant(0),
            cable: Cable::new(cable, &mut random),
            board: Board::new(board, images, random.fork()),
            host: None,
            left_behind: None,
            images: images.clone(),
            host_rates: cable.rates,
            random,
            journal,
            last_stage: None,
        };
        world.start_host(Memory::Lost)?;
        Ok(world)
    }

    /// Says what happens, to whoever repeats the run.
    pub fn note(&self, what: impl FnOnce() -> String) {
        self.journal.note(self.now, what);
    }

    /// Ends the host program at once.
    pub fn kill_host(&mut self) {
        if let Some(host) = self.host.take() {
            self.note(|| "the host program is killed".to_string());
            self.left_behind = Some(host.into_disk());
        }
    }

    /// Starts the host program, unless it runs.
    ///
    /// # Errors
    /// An image cannot be uploaded.
    pub fn start_host(&mut self, memory: Memory) -> Result<(), UploadError> {
        if self.host.is_some() {
            return Ok(());
        }
        self.note(|| format!("the host program starts, memory {memory:?}"));
        let kept = self.left_behind.take().filter(|_| memory == Memory::Kept);
        let (boot, nonce) = (self.random.word(), self.random.word());
        let disk = kept.unwrap_or_default();
        self.cable.open(End::Host, self.now);
        self.host = Some(Host::new(&self.images, disk, boot, nonce, self.host_rates)?);
        Ok(())
    }

    /// The speed in baud at which both programs are, if they are at one and in a session.
    pub fn baud(&self) -> Option<u32> {
        let host = self.host.as_ref()?.session();
        let baud = host.counters().baud;
        let ends = [End::Host, End::Board].map(|end| self.cable.baud(end));
        let is_agreed = host.peer().is_some() && !host.is_negotiating() && ends == [baud; 2];
        is_agreed.then_some(baud)
    }

    /// Pulls the cable.
    pub fn unplug(&mut self) {
        self.note(|| "the cable is pulled".to_string());
        self.cable.unplug();
    }

    /// Puts the cable back.
    pub fn plug(&mut self) {
        self.note(|| "the cable is back".to_string());
        self.cable.plug();
    }

    /// Presses the reset button.
    pub fn reset_board(&mut self) {
        self.note(|| "the board is reset".to_string());
        self.board.reset(self.now, &mut self.cable);
    }

    /// Takes the board's power.
    pub fn cut_power(&mut self, decay_percent: u64) {
        self.note(|| format!("power is cut, {decay_percent} % of memory decays"));
        self.board.cut_power(self.now, decay_percent, &mut self.cable);
    }

    /// Gives the board power.
    pub fn give_power(&mut self) {
        self.note(|| "power is back".to_string());
        self.board.give_power(self.now);
    }

    /// Noise from nowhere.
    pub fn garbage(&mut self, direction: Direction, bytes: &[u8]) {
        self.note(|| format!("{} bytes of garbage {direction:?}", bytes.len()));
        self.cable.line(direction).inject(self.now, bytes);
    }

    /// Whether the persona can be talked to: both ends are in the same session, and know it.
    pub fn is_online(&self) -> bool {
        self.host
            .as_ref()
            .is_some_and(|host| host.stage() == Stage::Online && self.board.is_linked_to(host))
    }

    /// Whether everything that was to be said is said and answered: both ends have come to rest.
    /// Messages may still be under way from the board.
    pub fn is_settled(&self) -> bool {
        let is_said = self.host.as_ref().is_some_and(|host| host.conversation().is_settled());
        is_said && self.is_online() && self.board.is_idle()
    }

    /// Whether both ends tell the same story.
    ///
    /// # Errors
    /// Both stories.
    pub fn check_agreement(&self) -> Result<(), String> {
        let host = self.host.as_ref().map(|host| transcript::of_host(host.conversation()));
        match (host, self.board.lines()) {
            (Some(host), Some(board)) => transcript::agree(&host, &board),
            _ => Err("one end is not there".to_string()),
        }
    }

    /// Lets time pass.
    pub fn run_for(&mut self, micros: u64) {
        let end = self.now.plus_micros(micros);
        while self.now < end {
            self.step(end);
        }
    }

    /// Lets time pass until `done`.
    ///
    /// # Errors
    /// It takes longer than `limit_micros`.
    pub fn run_until(
        &mut self,
        what: &str,
        limit_micros: u64,
        mut done: impl FnMut(&Self) -> bool,
    ) -> Result<(), Stuck> {
        let end = self.now.plus_micros(limit_micros);
        while !done(self) {
            if self.now >= end {
                return Err(self.stuck(what));
            }
            self.step(end);
        }
        Ok(())
    }

    /// Lets time pass until both ends have been at rest for so long that nothing can be under way
    /// any more.
    ///
    /// # Errors
    /// It takes longer than `limit_micros`.
    pub fn run_until_quiet(&mut self, limit_micros: u64) -> Result<(), Stuck> {
        let end = self.now.plus_micros(limit_micros);
        loop {
            self.run_until("rest", end.micros_since(self.now), Self::is_settled)?;
            let since = self.now;
            while self.is_settled() {
                if self.now.micros_since(since) > REST_MICROS {
                    return Ok(());
                }
                self.step(since.plus_micros(REST_MICROS + 1));
            }
        }
    }

    fn stuck(&self, what: &str) -> Stuck {
        Stuck {
            what: what.to_string(),
            now: self.now,
            stage: self.host.as_ref().map(Host::stage),
            program: match self.board.program() {
                Program::Off => "without power",
                Program::Starting { .. } => "starting",
                Program::Loader(_) => "in the bootloader",
                Program::Firmware(firmware) if firmware.is_idle() => "idle",
                Program::Firmware(_) => "thinking",
                Program::Hung { .. } => "hung",
            },
            is_plugged: self.cable.is_plugged(),
        }
    }

    /// Does what is due now, then carries time to the next event, or to `until`.
    pub fn step(&mut self, until: Instant) {
        match &mut self.host {
            Some(host) => host.turn(self.now, &mut self.cable, self.journal),
            None => {
                // Nobody has the port open.
                let mut lost = Vec::new();
                self.cable.line(Direction::ToHost).receive(self.now, &mut lost);
            }
        }
        self.board.turn(self.now, &mut self.cable, self.journal);
        let host = self.host.as_ref().and_then(|host| host.wake(&mut self.cable));
        let board = self.board.wake(&mut self.cable);
        let next = [host, board].into_iter().flatten().min().unwrap_or(until);
        self.now = next.max(self.now.plus_micros(1)).min(until.max(self.now.plus_micros(1)));
        let stage = self.host.as_ref().map(Host::stage);
        if stage != self.last_stage {
            self.last_stage = stage;
            self.note(|| format!("host stage: {stage:?}"));
        }
    }

    /// Chunks the present host program has handed to the cable for a slot.
    pub fn chunks_sent(&self, slot: Slot) -> u32 {
        self.host.as_ref().map_or(0, |host| host.upload(slot).progress().chunks_sent)
    }
}

/// The longest that a message can be under way on a cable that works: a retransmission whose
/// timer had backed off as far as it can, and a little.
pub const REST_MICROS: u64 = 1_200_000;
