//! The conversation with the host, and the decision to launch.
//!
//! ```text
//! power on ─► Checking ─► Waiting ◄──────────── silence, from every state but Leaving
//!   (images of an         │  │                                  ▲
//!    earlier start,       │  └─ both verified, nobody there ─┐  │
//!    of the card)    host │     for AUTOSTART_DELAY          │  │
//!                         ▼                                  │  │
//!             Connected ◄─► Receiving ◄─► Comparing ─────────┼──┤
//!                 │             └──◄────► Verifying ─────────┼──┘
//!                 └── Launch, Reboot ──► Leaving ◄───────────┘ ──► Outcome
//! ```
//!
//! A host that is there decides; a board alone starts what it has. A host that vanishes in the
//! middle of an upload leaves its chunks behind, to be found by digest when it comes back.

use link::crash::StoredCrash;
use link::message::{
    CrashKind, CrashReport, DeviceMessage, Digest, HostMessage, Identity, Lane, MAX_MESSAGE,
    Refusal, Role, Slot, SlotState,
};
use link::{Instant, Rates, Session, SessionEvent};

use crate::answer::{Reaction, is_ready, react, refused};
use crate::memory::{Memory, PerSlot};
use crate::receiver::{Receiver, Work};
use crate::region::SlotRegion;

/// How long nobody may be at the other end before verified images are started, in microseconds.
/// A host that is already plugged in says hello several times in this span.
pub const AUTOSTART_DELAY: u64 = 1_500_000;

/// After so many crashes in a row the firmware is no longer started without a host asking: a
/// board that crashes at every start should stay reachable.
pub const MAX_CRASHES_IN_A_ROW: u32 = 3;

/// Before leaving, the host's last message should be acknowledged: at least so long, in
/// microseconds.
const LEAVE_AFTER: u64 = 20_000;

/// But a host that does not listen is not waited for longer than this, in microseconds.
const LEAVE_AT_LAST: u64 = 250_000;

/// Bytes free in the prompt lane before anything is done that wants an answer. The longest
/// answers together are a crash report (about 300 bytes) and the slots (about 100).
const ANSWER_ROOM: usize = 512;

/// Most messages taken in one poll: the longest is a chunk, 4 KiB to copy.
const MESSAGES_PER_POLL: usize = 8;

/// What the caller must do after a poll.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Go on polling.
    Continue,
    /// Copy the firmware to its address and jump there.
    Launch,
    /// Reset the board.
    Reboot,
}

/// What the loader is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LoaderState {
    /// Hashing images that an earlier start verified, or that the card brought.
    Checking,
    /// No host.
    Waiting,
    /// A host is there and has not offered anything.
    Connected,
    /// A host is bringing an image.
    Receiving,
    /// Comparing chunks with the host's digests.
    Comparing,
    /// Computing the SHA-256 of an uploaded image.
    Verifying,
    /// Letting the last answer reach the host before a launch or reboot.
    Leaving,
}

/// The whole behaviour of the bootloader.
pub struct Loader<M> {
    session: Session,
    receiver: Receiver<M>,
    identity: Identity,
    /// A whole message on its way from the session to its handler.
    buffer: [u8; MAX_MESSAGE],
    is_connected: bool,
    /// Since when there has been no host.
    alone_since: Instant,
    /// What the host of this session was told about the slots.
    told_slots: Option<PerSlot<SlotState>>,
    /// The host of this session was told about the crash.
    told_crash: bool,
    leaving: Option<Leaving>,
    /// The last poll stopped before everything was done.
    is_busy: bool,
    now: Instant,
}

#[derive(Clone, Copy)]
struct Leaving {
    outcome: Outcome,
    since: Instant,
}

impl<M: Memory> Loader<M> {
    /// Starts the loader.
    ///
    /// `version` is the bootloader's own; `random` must differ between starts, so that the host
    /// notices a restart.
    pub fn new(
        memory: M,
        regions: PerSlot<SlotRegion>,
        version: [u16; 3],
        random: u32,
        now: Instant,
    ) -> Self {
        let mut receiver = Receiver::new(memory, regions);
        if receiver.record().running {
            receiver.update_record(|record| {
                record.running = false;
                record.crashes_in_a_row = record.crashes_in_a_row.saturating_add(1);
                record.crash = Some(StoredCrash::new(&UNEXPLAINED));
            });
        }
        let identity = Identity { role: Role::Bootloader, boot: random, version, persona: None };
        Self {
            session: Session::new(identity, random),
            receiver,
            identity,
            buffer: [0; MAX_MESSAGE],
            is_connected: false,
            alone_since: now,
            told_slots: None,
            told_crash: false,
            leaving: None,
            is_busy: false,
            now,
        }
    }

    /// Takes bytes from the wire, split anywhere. [`Loader::poll`] acts on them.
    pub fn handle_bytes(&mut self, now: Instant, bytes: &[u8]) {
        self.session.handle_bytes(now, bytes);
    }

    /// Gives bytes for the wire; returns how many.
    pub fn poll_transmit(&mut self, now: Instant, out: &mut [u8]) -> usize {
        self.session.poll_transmit(now, out)
    }

    /// When [`Loader::poll`] must be called again if no bytes arrive before; a time in the past
    /// means at once.
    pub fn poll_timeout(&self) -> Option<Instant> {
        if self.is_busy {
            return Some(self.now);
        }
        let own = match self.leaving {
            Some(leaving) => Some(leaving.since.plus_micros(LEAVE_AFTER).max(self.now)),
            None if self.would_autostart() => Some(self.alone_since.plus_micros(AUTOSTART_DELAY)),
            None => None,
        };
        match (own, self.session.poll_timeout()) {
            (Some(own), Some(session)) => Some(own.min(session)),
            (own, session) => own.or(session),
        }
    }

    /// Does one bounded piece of work.
    pub fn poll(&mut self, now: Instant) -> Outcome {
        self.now = now;
        self.is_busy = false;
        self.session.handle_timeout(now);
        self.follow_session(now);
        if self.leaving.is_none() {
            self.work();
            self.take_messages(now);
            self.tell();
            self.autostart(now);
        }
        self.is_busy |= self.receiver.work_kind().is_some() && self.can_answer();
        self.leave(now)
    }

    /// Offers hosts these rates of the line; see [`Session::offer_rates`].
    pub fn offer_rates(&mut self, rates: Rates) {
        self.session.offer_rates(rates);
    }

    /// The rate in bits per second that the line is to be given; see [`Session::line_to_set`].
    pub fn line_to_set(&self) -> Option<u32> {
        self.session.line_to_set()
    }

    /// The line was given that rate, or cannot be; see [`Session::line_set`].
    pub fn line_set(&mut self, now: Instant, is_set: bool) {
        self.session.line_set(now, is_set);
    }

    /// What the loader is doing.
    pub fn state(&self) -> LoaderState {
        if self.leaving.is_some() {
            return LoaderState::Leaving;
        }
        match self.receiver.work_kind() {
            Some(Work::Rechecking) => LoaderState::Checking,
            _ if !self.is_connected => LoaderState::Waiting,
            Some(Work::Comparing) => LoaderState::Comparing,
            Some(Work::Verifying) => LoaderState::Verifying,
            None if [Slot::Firmware, Slot::Persona]
                .into_iter()
                .any(|slot| self.receiver.is_offered(slot)) =>
            {
                LoaderState::Receiving
            }
            None => LoaderState::Connected,
        }
    }

    /// The slots: after [`Outcome::Launch`], what to copy where.
    pub fn receiver(&self) -> &Receiver<M> {
        &self.receiver
    }

    /// The memory, given back.
    pub fn into_memory(self) -> M {
        self.receiver.into_memory()
    }

    /// The cable's state, for counters.
    pub fn session(&self) -> &Session {
        &self.session
    }

    fn follow_session(&mut self, now: Instant) {
        while let Some(event) = self.session.poll_event() {
            match event {
                SessionEvent::Up { .. } => {
                    self.is_connected = true;
                    self.told_slots = None;
                    self.told_crash = false;
                }
                SessionEvent::Down { .. } => {
                    self.is_connected = false;
                    self.alone_since = now;
                    self.receiver.forget_conversation();
                }
                // Named on the host's side, which has a screen.
                _ => {}
            }
        }
    }

    /// One piece of hashing, if its result could be told.
    fn work(&mut self) {
        if !self.can_answer() {
            return;
        }
        if let Some(answer) = self.receiver.work() {
            self.send(&answer);
        }
    }

    /// Messages wait while hashing is under way: their answers would be about moving targets.
    fn take_messages(&mut self, now: Instant) {
        for _ in 0..MESSAGES_PER_POLL {
            if self.leaving.is_some()
                || self.receiver.work_kind().is_some()
                || !self.can_answer()
                || !self.take_message(now)
            {
                return;
            }
        }
        self.is_busy = true;
    }

    /// Takes one message and answers it; false when there is none.
    fn take_message(&mut self, now: Instant) -> bool {
        let Some(bytes) = self.session.receive(&mut self.buffer) else {
            return false;
        };
        let reaction = match HostMessage::decode(bytes) {
            Some(message) => react(&mut self.receiver, &message),
            None => Reaction::Answer(refused(Refusal::Malformed, 0)),
        };
        match reaction {
            Reaction::Later => {}
            Reaction::Answer(answer) => self.send(&answer),
            Reaction::Answers(first, second) => {
                self.send(&first);
                self.send(&second);
            }
            Reaction::Launch => {
                self.send(&DeviceMessage::Launching);
                self.begin_leaving(Outcome::Launch, now);
            }
            Reaction::Reboot => self.begin_leaving(Outcome::Reboot, now),
            Reaction::CrashSeen => self.receiver.update_record(|record| {
                record.crash = None;
                record.crashes_in_a_row = 0;
            }),
        }
        true
    }

    /// Tells the host of this session what it does not know yet: the crash, then the slots.
    fn tell(&mut self) {
        let slots = PerSlot {
            firmware: self.receiver.slot_state(Slot::Firmware),
            persona: self.receiver.slot_state(Slot::Persona),
        };
        self.announce_persona(match slots.persona {
            SlotState::Verified(image) => Some(image.digest),
            _ => None,
        });
        if !self.is_connected || !self.can_answer() {
            return;
        }
        if !self.told_crash {
            self.told_crash = true;
            if let Some(crash) = &self.receiver.record().crash {
                // There is room, and a session: see `can_answer`.
                let _ = self.session.send_device(&DeviceMessage::Crashed(crash.report()));
            }
        }
        // Not while the images of an earlier start are still being checked: they would be
        // called incomplete.
        if self.told_slots != Some(slots) && self.receiver.work_kind() != Some(Work::Rechecking) {
            self.told_slots = Some(slots);
            self.send(&DeviceMessage::Slots { firmware: slots.firmware, persona: slots.persona });
        }
    }

    fn announce_persona(&mut self, persona: Option<Digest>) {
        if self.identity.persona != persona {
            self.identity.persona = persona;
            self.session.set_identity(self.identity);
        }
    }

    fn autostart(&mut self, now: Instant) {
        if self.would_autostart() && now >= self.alone_since.plus_micros(AUTOSTART_DELAY) {
            self.begin_leaving(Outcome::Launch, now);
        }
    }

    fn would_autostart(&self) -> bool {
        !self.is_connected
            && self.leaving.is_none()
            && self.receiver.work_kind().is_none()
            && self.receiver.record().crashes_in_a_row < MAX_CRASHES_IN_A_ROW
            && is_ready(&self.receiver)
    }

    fn begin_leaving(&mut self, outcome: Outcome, now: Instant) {
        self.leaving = Some(Leaving { outcome, since: now });
    }

    /// The outcome, once the host has had its chance to hear the last answer.
    fn leave(&mut self, now: Instant) -> Outcome {
        let Some(leaving) = self.leaving else {
            return Outcome::Continue;
        };
        let waited = now.micros_since(leaving.since);
        let is_heard = self.session.is_delivered(Lane::Prompt) && waited >= LEAVE_AFTER;
        if self.is_connected && !is_heard && waited < LEAVE_AT_LAST {
            return Outcome::Continue;
        }
        if !self.session.is_at_base_rate() && waited < LEAVE_AT_LAST {
            // The next program begins with that rate, and a host that knows is there already.
            self.session.leave_rate();
            return Outcome::Continue;
        }
        if leaving.outcome == Outcome::Launch && !self.receiver.record().running {
            self.receiver.update_record(|record| record.running = true);
        }
        leaving.outcome
    }

    /// Whether an answer would find room. Without a host there is nobody to answer.
    fn can_answer(&self) -> bool {
        !self.is_connected || self.session.send_space(Lane::Prompt) >= ANSWER_ROOM
    }

    /// Sends an answer. `can_answer` was asked before, so the only failure left is a session
    /// that ended in between, and then nobody waits for it.
    fn send(&mut self, message: &DeviceMessage<'_>) {
        let _ = self.session.send_device(message);
    }
}

/// The report of a firmware that ended without one.
const UNEXPLAINED: CrashReport<'static> = CrashReport {
    role: Role::Firmware,
    kind: CrashKind::Watchdog,
    program_counter: 0,
    link_register: 0,
    fault_status: 0,
    fault_address: 0,
    message: "",
};
