//! The conversation: what is read, when it is answered, and what may interrupt what.
//!
//! ```text
//!            Say                     read               <wisp>
//!   Idle ───────────► Reading ───────────► Deciding ───────────► Replying
//!    ▲│ Regenerate                          │ ▲ ▲ ▲                 │ end
//!    │├───────────► TakingBack ─────────────│─┘ │ └──── burst ──────┤
//!    │└─ a moment of the silence ───────────│───┘                   │
//!    └──────────────────────────────────────┴── <you> ──────────────┘
//! ```
//! The rule for text that arrives while Wisp thinks: it enters the model at a message boundary
//! only. While nothing of the running reply has been shown there is a boundary right before that
//! reply: it is withdrawn and thought again. Once some has been shown, it is finished first.

mod orders;
mod reading;
mod recovery;
mod speech;

use engine::{EngineError, Kernels, Sampler};
use link::Instant;
use link::message::{self, DeviceMessage, Settings, Work};
use persona::{Dice, Manners, Moment, Silence};

use crate::computation::Computation;
use crate::context::Context;
use crate::event_log::EventLog;
use crate::inbox::Inbox;
use crate::outbox::Outbox;
use crate::reply::Reply;
use crate::restore::Restore;
use crate::settings;
use crate::words::Words;
use crate::work::WorkMeter;

/// What is going on.
enum Phase {
    /// Nothing.
    Idle,
    /// A lost conversation comes back and is read.
    Restoring(Restore),
    /// A message of the friend is being read.
    Reading { id: u32 },
    /// The last answer is being taken back, message by message, for the order with this id.
    TakingBack { id: u32, with_question: bool },
    /// Speak or wait?
    Deciding(Question),
    /// A message of Wisp is being written.
    Replying { reply: Reply, moment: Moment },
}

/// Whether to speak now.
#[derive(Clone, Copy)]
struct Question {
    /// Which moment of the silence it is.
    moment: Moment,
    /// The host waits for an answer, or to hear that there is none.
    asked: bool,
    /// The friend insists on an answer.
    forced: bool,
    /// While the silence to try stands at the end of the context: the chance that the silence ends
    /// in this bucket.
    trial: Option<f32>,
}

impl Question {
    fn new(moment: Moment) -> Self {
        Self { moment, asked: moment.number == AT_ONCE.number, forced: false, trial: None }
    }
}

/// Right after a message.
const AT_ONCE: Moment = Moment { number: 0, gap_seconds: 0 };

/// The conversation with everything that it needs.
pub(crate) struct Mind<'m, K> {
    pub(crate) inbox: Inbox,
    pub(crate) log: EventLog,
    pub(crate) settings: Settings,
    /// What the model's file says about them.
    default_settings: Settings,
    manners: Manners,
    /// Those that the model's file says.
    own_manners: Manners,
    /// The silence since the last message.
    silence: Silence,
    /// How long the conversation has been silent that is restored next, in seconds.
    pub(crate) coming_silence: u32,
    words: Words<'m>,
    computation: Computation<'m, K>,
    context: Context,
    sampler: Sampler,
    phase: Phase,
    /// The friend wants no more of the running answer, and none to the orders up to this one.
    stop: Option<u32>,
    seed: u64,
    /// How often the current answer was taken back by `Regenerate`.
    roll: u32,
    next_reply: u32,
    /// Id of the last message of the friend that was read.
    last_read: u32,
    /// Tokens computed when the last reply ended.
    tokens_at_last_end: u32,
    work: WorkMeter,
}

impl<'m, K: Kernels> Mind<'m, K> {
    /// `computation` is called when all else has its memory: it takes the most by far, and can
    /// say that there is not enough.
    ///
    /// # Errors
    /// Those of `computation`.
    pub(crate) fn new(
        words: Words<'m>,
        context: Context,
        sampler: Sampler,
        settings: Settings,
        manners: Manners,
        seed: u64,
        computation: impl FnOnce() -> Result<Computation<'m, K>, EngineError>,
    ) -> Result<Self, EngineError> {
        let inbox = Inbox::new();
        let log = EventLog::new(crate::reply::MAX_SHOWN_PER_TOKEN);
        Ok(Self {
            inbox,
            log,
            settings,
            default_settings: settings,
            manners,
            own_manners: manners,
            silence: Silence::default(),
            coming_silence: 0,
            words,
            computation: computation()?,
            context,
            sampler,
            phase: Phase::Idle,
            stop: None,
            seed,
            roll: 0,
            next_reply: 1,
            last_read: 0,
            tokens_at_last_end: 0,
            work: WorkMeter::default(),
        })
    }

    /// The conversation's tokens.
    pub(crate) fn context(&self) -> &Context {
        &self.context
    }

    /// Where the conversation stands, for a host that appears.
    pub(crate) fn chat_state(&self) -> DeviceMessage<'static> {
        DeviceMessage::ChatState {
            last_id: self.inbox.last_id(),
            next_event: self.log.next_number(),
            messages: self.context.message_count(),
        }
    }

    /// Tokens computed since the start.
    pub(crate) fn tokens_computed(&self) -> u32 {
        self.computation.tokens()
    }

    /// Takes new settings; a running reply keeps the old ones.
    pub(crate) fn configure(&mut self, wanted: Settings) {
        self.settings = settings::sane(wanted);
        if let Some(seed) = wanted.seed {
            self.seed = seed;
        }
    }

    /// Takes the settings of the model's file again; a running reply keeps the old ones.
    pub(crate) fn configure_default(&mut self) {
        self.settings = self.default_settings;
    }

    /// Takes new manners.
    pub(crate) fn behave(&mut self, wanted: message::Manners) {
        self.manners = settings::manners(self.own_manners, wanted);
        self.silence.reconsider();
    }

    /// The friend is typing: the persona does not begin to speak now.
    pub(crate) fn friend_types(&mut self, now: Instant) {
        self.silence.typing(now.0);
    }

    /// What time it is.
    pub(crate) fn set_clock(&mut self, now: Instant, unix_seconds: u64) {
        self.silence.set_clock(now.0, unix_seconds);
    }

    /// When there will be something to do although nothing happens.
    pub(crate) fn wakes(&self) -> Option<Instant> {
        let is_idle = matches!(self.phase, Phase::Idle) && self.log.has_room();
        let due = || self.silence.due().filter(|_| self.may_speak());
        is_idle.then(due).flatten().map(Instant)
    }

    /// Whether the persona may write one more message without a word from the friend.
    fn may_speak(&self) -> bool {
        let most = usize::from(self.manners.most_unanswered);
        self.words.style.has_bursts() && self.context.unanswered() < most
    }

    /// The dice of this place, for what is right after the last message.
    fn dice(&self) -> Dice {
        let message = self.context.message_count();
        Dice { seed: self.seed, message, roll: self.roll, moment: 0 }
    }

    /// What was done since the start.
    pub(crate) fn work(&self) -> Work {
        self.work.done()
    }

    /// The friend wants the persona to begin. `false` if something was said already.
    pub(crate) fn greet(&mut self) -> bool {
        let is_new = self.context.message_count() == 0 && self.inbox.front().is_none();
        if is_new && matches!(self.phase, Phase::Idle) {
            self.phase = Phase::Deciding(Question { forced: true, ..Question::new(AT_ONCE) });
        }
        is_new
    }

    /// The friend wants no more of the running reply, and no answer to what is being read or waits
    /// to be.
    pub(crate) fn stop(&mut self) {
        self.stop = Some(self.inbox.last_id());
    }

    /// Does one bounded piece of work. `false` when there is nothing to do, or no room to note
    /// what happens.
    pub(crate) fn think(&mut self, now: Instant, answers: &mut Outbox) -> bool {
        if self.stop.is_some_and(|last| self.carry_out_stop(now, last)) {
            return true;
        }
        if !self.log.has_room() {
            return false;
        }
        if self.take_order(now, answers) {
            return true;
        }
        match &self.phase {
            Phase::Idle => return self.listen_to_silence(now),
            Phase::Restoring(restore) if !restore.is_complete() => return false,
            Phase::Restoring(restore) => {
                let restore = *restore;
                self.read_restored(now, restore);
            }
            Phase::Reading { id } => {
                let id = *id;
                self.read(now, id);
            }
            Phase::TakingBack { id, with_question } => {
                let (id, with_question) = (*id, *with_question);
                self.take_back(now, id, with_question);
            }
            Phase::Deciding(_) => self.decide(),
            Phase::Replying { .. } => self.speak(now),
        }
        true
    }

    fn empty(&mut self) {
        self.context.clear();
        self.work.forget();
        self.phase = Phase::Idle;
        self.silence.end();
        self.roll = 0;
        self.last_read = 0;
    }
}

#[cfg(test)]
mod tests;
