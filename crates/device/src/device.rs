//! Session, conversation and answers in one loop.

mod desk;
#[cfg(test)]
mod interleavings;

use alloc::boxed::Box;
use engine::{Engine, Kernels, MemoryPlan, Sampler};
use link::crash::StoredCrash;
use link::message::{
    BoardFacts, Card, CrashReport, DeviceMessage, HostMessage, MAX_MESSAGE, Refusal,
};
use link::{Instant, Session, SessionEvent};
use model_format::Model;
use persona::Style;
use tokenizer::Tokenizer;

use desk::Desk;

use crate::card;
use crate::computation::Computation;
use crate::context::{Context, MIN_CAPACITY};
use crate::mind::Mind;
use crate::settings;
use crate::words::Words;
use crate::{DeviceError, Health, Machine};

/// Messages of the host that are handled in one poll at most.
const MESSAGES_PER_POLL: usize = 4;

/// Multiply-adds in one slice of work, for the ARM1176 at 1 GHz.
///
/// What counts as one of them, for other weights, for several tokens at once and for attention, the
/// engine knows. So a slice takes at most 5 ms, as `crates/bench/tests/link.rs` works out from `make
/// bench`'s modelled cycles: of a token of 15 million weights 4.3 ms with fp8 in place and memory of
/// 330 MB/s, 3.6 with 450, and 3.5 and 2.6 with lane-shared bytes; of a batch of 16, 3.3 ms and less with
/// 450 MB/s, from which 4.4 is the most that follows for 330; f32 4.0. These are means over whole tokens and
/// prompts, of single slices there is no measurement.
///
/// A slice may exceed that by one piece: a stripe of a matrix, a head's attention, or a few slots of a
/// cache that moves on. What a moved byte takes is reckoned and not measured. Drawing a word is a slice of
/// its own. At 3 Mbaud 1,500 bytes arrive in 5 ms, and the serial port's ring holds 16 KiB. Smaller slices
/// would make batches slower: each begins with inputs that are not in the cache.
const SLICE: u32 = 1_000_000;

/// What a device may use, and where its dice start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// How the model runs; [`crate::Plan`] knows what fits into memory.
    pub engine: engine::Options,
    /// Multiply-adds in one slice of work: how long [`Machine::poll`] takes.
    pub slice: u32,
    /// Seed of the persona's dice, until the host configures another.
    pub seed: u64,
}

impl Default for Options {
    /// The engine's own, slices of a few milliseconds on the ARM1176, always the same dice.
    fn default() -> Self {
        Self { engine: engine::Options::default(), slice: SLICE, seed: 0 }
    }
}

/// What [`Machine::poll`] wants done next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Activity {
    /// Call again at once, after serving the wire.
    Busy,
    /// Nothing to do until bytes arrive or this time has come.
    IdleUntil(Option<Instant>),
    /// Restart into the bootloader.
    Reboot,
    /// Restart, and then test all memory.
    TestMemory,
    /// Panic: the host wants to see the way back.
    PlantPanic,
}

/// A persona at the end of a cable.
pub struct Device<'m, K> {
    session: Session,
    /// The message being read.
    buffer: Box<[u8; MAX_MESSAGE]>,
    mind: Mind<'m, K>,
    desk: Desk,
    card: Card<'m>,
}

impl<'m, K: Kernels> Device<'m, K> {
    /// Brings a persona to life. Allocates everything that is ever needed.
    ///
    /// The model's digest is not looked at: whoever loaded it has checked it.
    ///
    /// # Errors
    /// Why the model cannot run here; see [`DeviceError`].
    pub fn new(
        model: &Model<'m>,
        kernels: K,
        session: Session,
        options: Options,
    ) -> Result<Self, DeviceError> {
        Self::new_telling(model, kernels, session, options, &mut |_, _| {})
    }

    /// As [`Device::new`]; `tell` is called as [`Engine::new_telling`] says, so that a watchdog and
    /// whoever waits know that it goes on: see [`crate::Packing`].
    ///
    /// # Errors
    /// As [`Device::new`].
    pub fn new_telling(
        model: &Model<'m>,
        kernels: K,
        session: Session,
        options: Options,
        tell: &mut dyn FnMut(usize, usize),
    ) -> Result<Self, DeviceError> {
        let vocabulary = model.architecture().vocabulary;
        let tokenizer = Tokenizer::open(model.tokenizer())?;
        if tokenizer.vocabulary() != vocabulary {
            let tokenizer = tokenizer.vocabulary();
            return Err(DeviceError::Vocabulary { tokenizer, model: vocabulary });
        }
        let style = style_of(model);
        if !style.fits(vocabulary) {
            return Err(DeviceError::Style);
        }
        let capacity = MemoryPlan::of(model, &options.engine)?.context;
        if capacity < MIN_CAPACITY {
            return Err(DeviceError::ContextTooSmall);
        }
        let settings = settings::from_model(&model.persona().sampler);
        // What little must not fail comes first, and the engine last: if memory does not suffice,
        // then for something that says so instead of panicking.
        let buffer = Box::new([0; MAX_MESSAGE]);
        let desk = Desk::new();
        let mind = Mind::new(
            Words::new(style, tokenizer),
            Context::new(style, capacity)?,
            Sampler::new(vocabulary, settings::for_sampler(&settings), options.seed)?,
            settings,
            settings::own_manners(model.persona().rhythm.as_ref()),
            options.seed,
            || {
                let engine = Engine::new_telling(model, kernels, options.engine, tell)?;
                Ok(Computation::new(engine, options.slice))
            },
        )?;
        let card = card::of(model, capacity, settings);
        Ok(Self { session, buffer, mind, desk, card })
    }

    /// What board this is, for whoever measures it.
    pub fn set_board(&mut self, board: BoardFacts) {
        self.desk.board = board;
    }

    /// The program before this one crashed: the host is told until it has seen it.
    pub fn set_crash(&mut self, report: &CrashReport<'_>) {
        self.desk.crash = Some(StoredCrash::new(report));
        self.desk.tell_crash = self.session.peer().is_some();
    }

    /// Events of the conversation that the host has not confirmed to have stored.
    pub fn unseen_events(&self) -> usize {
        self.mind.log.len()
    }

    /// The tokens of the conversation, as far as they are decided on.
    pub fn tokens(&self) -> &[u32] {
        self.mind.context().tokens()
    }

    fn note_session(&mut self) {
        while let Some(event) = self.session.poll_event() {
            match event {
                SessionEvent::Up { .. } => self.session_came(),
                SessionEvent::Down { .. } => self.mind.session_lost(),
                SessionEvent::Mismatch { .. } => {}
            }
        }
    }

    fn session_came(&mut self) {
        self.mind.session_lost();
        self.mind.log.restart();
        self.desk.outbox.clear();
        self.desk.announce = true;
        self.desk.tell_crash = self.desk.crash.is_some();
    }

    /// Handles some messages of the host. `true` when there may be more.
    fn listen(&mut self, now: Instant) -> bool {
        for _ in 0..MESSAGES_PER_POLL {
            if self.desk.wanted.is_some() || !self.desk.outbox.has_room() {
                return false;
            }
            let Some(bytes) = self.session.receive(&mut self.buffer) else { return false };
            match HostMessage::decode(bytes) {
                Some(message) => self.desk.handle(&message, &mut self.mind, now),
                None => self.desk.refuse(Refusal::Malformed, 0),
            }
        }
        true
    }

    /// Hands to the session what it has room for, the most important first.
    fn tell(&mut self, now: Instant) {
        let Self { session, mind, desk, card, .. } = self;
        if session.peer().is_none() {
            return;
        }
        if desk.announce {
            if session.send_device(&mind.chat_state()).is_err() {
                return;
            }
            desk.announce = false;
        }
        if let Some(crash) = desk.crash.as_ref().filter(|_| desk.tell_crash) {
            if session.send_device(&DeviceMessage::Crashed(crash.report())).is_err() {
                return;
            }
            desk.tell_crash = false;
        }
        let details = || (desk.board, mind.work());
        while let Some(answer) = desk.outbox.next(|| desk.stats(session, mind, now), details, card)
        {
            if session.send_device(&answer).is_err() {
                return;
            }
            desk.outbox.sent();
        }
        while let Some((event, what)) = mind.log.next_unsent() {
            if session.send_device(&DeviceMessage::Happened { event, what }).is_err() {
                return;
            }
            mind.log.mark_sent();
        }
        while let Some(bytes) = desk.log.next_piece() {
            let count = bytes.len();
            if session.send_device(&DeviceMessage::Log { bytes }).is_err() {
                return;
            }
            desk.log.sent(count);
        }
    }
}

impl<K: Kernels> Machine for Device<'_, K> {
    fn session(&self) -> &Session {
        &self.session
    }

    fn session_mut(&mut self) -> &mut Session {
        &mut self.session
    }

    fn poll(&mut self, now: Instant) -> Activity {
        if self.session.poll_timeout().is_some_and(|due| due <= now) {
            self.session.handle_timeout(now);
        }
        self.note_session();
        let heard = self.listen(now);
        if let Some(wanted) = self.desk.wanted.take() {
            return wanted;
        }
        let thought = self.mind.think(now, &mut self.desk.outbox);
        self.tell(now);
        if heard || thought {
            Activity::Busy
        } else {
            let times = [self.session.poll_timeout(), self.mind.wakes()];
            Activity::IdleUntil(times.into_iter().flatten().min())
        }
    }

    /// Dropped and counted when there is more than the cable carries.
    fn log(&mut self, bytes: &[u8]) {
        self.desk.log.push(bytes);
    }

    fn set_health(&mut self, health: Health) {
        self.desk.health = health;
    }

    fn has_unseen_crash(&self) -> bool {
        self.desk.crash.is_some()
    }
}

/// The style of the file, in the words of crate `persona`, which knows no files.
fn style_of(model: &Model<'_>) -> Style {
    match model.persona().style {
        model_format::Style::Story { begin, end } => Style::Story { begin, end },
        model_format::Style::Chat { begin, you, wisp, end, gaps } => {
            Style::Chat { begin, you, wisp, end, gaps }
        }
    }
}
