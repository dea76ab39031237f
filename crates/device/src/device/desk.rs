//! What the host asks for, and what it is told apart from the conversation's events.

use engine::Kernels;
use heapless::String;
use link::crash::StoredCrash;
use link::message::{BoardFacts, HostMessage, MAX_TEXT, Refusal, Slot, Stats};
use link::{Instant, Session};

use super::Activity;
use crate::Health;
use crate::inbox::{Arrival, Order};
use crate::log_buffer::LogBuffer;
use crate::mind::Mind;
use crate::outbox::{Answer, Outbox};
use crate::restore::Restore;

/// What is to be told apart from the conversation's events.
pub(super) struct Desk {
    pub(super) outbox: Outbox,
    pub(super) log: LogBuffer,
    pub(super) health: Health,
    pub(super) board: BoardFacts,
    pub(super) crash: Option<StoredCrash>,
    /// The chat's state is to be told before anything else.
    pub(super) announce: bool,
    /// The crash report is to be told in this session.
    pub(super) tell_crash: bool,
    /// What the program is to do instead of going on.
    pub(super) wanted: Option<Activity>,
}

impl Desk {
    /// With nothing on it. Allocates what it ever needs.
    pub(super) fn new() -> Self {
        Self {
            outbox: Outbox::new(),
            log: LogBuffer::new(),
            health: Health::default(),
            board: BoardFacts::default(),
            crash: None,
            announce: false,
            tell_crash: false,
            wanted: None,
        }
    }

    pub(super) fn refuse(&mut self, refusal: Refusal, detail: u32) {
        self.outbox.push(Answer::Refused(refusal, detail));
    }

    fn order<K: Kernels>(
        &mut self,
        mind: &mut Mind<'_, K>,
        id: u32,
        order: impl FnOnce() -> Order,
    ) {
        match mind.inbox.arrive(id, order) {
            Arrival::Taken | Arrival::Repeated => self.outbox.push(Answer::Received(id)),
            Arrival::Refused(refusal) => self.refuse(refusal, id),
        }
    }

    /// Does what a message of the host asks for, or passes it on to the conversation.
    pub(super) fn handle<K: Kernels>(
        &mut self,
        message: &HostMessage<'_>,
        mind: &mut Mind<'_, K>,
        now: Instant,
    ) {
        match *message {
            HostMessage::Say { id, gap_seconds, text } => {
                match String::<MAX_TEXT>::try_from(text) {
                    Ok(text) => self.order(mind, id, || Order::Say { gap_seconds, text }),
                    Err(_) => self.refuse(Refusal::TextTooLong, id),
                }
            }
            HostMessage::Regenerate { id } => self.order(mind, id, || Order::Regenerate),
            HostMessage::TakeBack { id } => self.order(mind, id, || Order::TakeBack),
            HostMessage::Greet => {
                if !mind.greet() {
                    self.refuse(Refusal::AlreadyBegun, 0);
                }
            }
            HostMessage::Forget { id } => self.order(mind, id, || Order::Forget),
            HostMessage::Stop => mind.stop(),
            HostMessage::Configure(settings) => mind.configure(settings),
            HostMessage::ConfigureDefault => mind.configure_default(),
            HostMessage::Manners(manners) => mind.behave(manners),
            HostMessage::Typing => mind.friend_types(now),
            HostMessage::Clock { unix_seconds } => mind.set_clock(now, unix_seconds),
            HostMessage::RestoreSilence { gap_seconds } => mind.coming_silence = gap_seconds,
            HostMessage::RestoreBegin { messages, last_id, pending } => {
                mind.begin_restore(Restore::new(messages, last_id, pending));
            }
            HostMessage::RestoreMessage { speaker, gap_seconds, text } => {
                if !mind.restore_message(speaker, gap_seconds, text) {
                    self.refuse(Refusal::WrongRestore, 0);
                }
            }
            HostMessage::StatsRequest => self.outbox.push(Answer::Stats),
            HostMessage::CardRequest => self.outbox.push(Answer::Card),
            HostMessage::DetailsRequest => self.outbox.push(Answer::Details),
            HostMessage::Seen { event } => {
                // One that the host cannot know confirms nothing. It is not refused either: the
                // number in a refusal is the id of an order.
                let _ = mind.log.seen(event);
            }
            HostMessage::CrashSeen => self.crash = None,
            HostMessage::Reboot => self.wanted = Some(Activity::Reboot),
            HostMessage::TestMemory => self.wanted = Some(Activity::TestMemory),
            HostMessage::PlantPanic => self.wanted = Some(Activity::PlantPanic),
            HostMessage::Offer { slot, .. }
            | HostMessage::Digests { slot, .. }
            | HostMessage::Chunk { slot, .. }
            | HostMessage::Verify { slot } => {
                self.refuse(Refusal::WrongProgram, u32::from(slot == Slot::Persona));
            }
            HostMessage::Launch => self.refuse(Refusal::WrongProgram, 0),
        }
    }

    /// The counters.
    pub(super) fn stats<K: Kernels>(
        &self,
        session: &Session,
        mind: &Mind<'_, K>,
        now: Instant,
    ) -> Stats {
        let link = session.counters();
        let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        let mut stats = Stats {
            uptime_seconds: u32::try_from(now.0 / 1_000_000).unwrap_or(u32::MAX),
            context_used: count(mind.context().tokens().len()),
            context_size: count(mind.context().capacity()),
            tokens: mind.tokens_computed(),
            frames_received: link.frames_received,
            frames_corrupt: link.frames_corrupt,
            frames_resent: link.frames_resent,
            log_bytes_dropped: self.log.dropped(),
            ..Stats::default()
        };
        self.health.fill(&mut stats);
        stats
    }
}
