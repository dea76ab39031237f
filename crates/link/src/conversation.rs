//! The host's side of a chat: nothing is lost, doubled or out of order, whatever the cable does.
//!
//! ```text
//! say, say_instead, regenerate, forget ─► orders ──transmit──► board
//! transcript, updates ◄── handle_message ◄── events
//! ```
//! An order stays here until the board has carried it out (`Read`), so neither a lost session nor
//! a crash of the board loses it. Events are numbered: what comes twice is used once. A board that
//! has lost the conversation (it crashed, or its power was cut) is given it again.
//!
//! Sans-I/O, like the session below it: time is an argument, in seconds since 1970.

mod events;
mod orders;
mod restore;
mod saved;
mod transcript;
mod transmit;
mod update;

use alloc::collections::VecDeque;

use crate::SessionEvent;
use crate::message::{
    DeviceMessage, HostMessage, MAX_TEXT, Manners, Refusal, Role, Settings, Speaker,
};
use orders::{Orders, Task};
use restore::BoardState;
use transcript::Transcript;

pub use saved::{OrderKind, Saved, SavedOrder, Standing, Unsaved};
pub use transcript::{Message, MessageKey, MessageState};
pub use update::{Crash, PersonaCard, Update};

/// Why a message cannot be said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SayError {
    /// Longer than [`MAX_TEXT`] bytes.
    TooLong {
        /// How long it is, in bytes.
        bytes: usize,
    },
    /// Only the friend's last message can be said anew, and it is another one.
    NotTheLast,
}

/// Where the session stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// There is none with a persona.
    Down,
    /// The board will say where the conversation stands.
    Greeting { boot: u32 },
    /// The board is given the conversation from this message on.
    Restoring { first: usize, given: Given },
    /// The conversation goes on, or will when the board has read it again.
    Ready,
}

/// How much of the conversation the board was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Given {
    /// Nothing; it was silent for so many seconds.
    Nothing { silence: u32 },
    /// How long it was silent.
    Silence,
    /// So many messages.
    Messages(usize),
}

/// A chat with one persona.
#[derive(Debug)]
pub struct Conversation {
    transcript: Transcript,
    orders: Orders,
    updates: VecDeque<Update>,
    phase: Phase,
    /// The run of the board's program that knows this conversation.
    boot: Option<u32>,
    /// Number of the next event; `None` takes whatever comes first.
    next_event: Option<u32>,
    /// The board is given the conversation and has not yet said that it knows it.
    rereading: bool,
    /// Somebody stores what changes.
    is_kept: bool,
    /// Beside the messages something has changed that is to be stored.
    standing_changed: bool,
    /// The crash that this run of the board's program reports, once told.
    crash: Option<Crash>,
    /// The board is to be told what was seen.
    seen_due: bool,
    /// How the persona is to choose its words, as the board is told; nothing if that is as it may.
    settings: Option<HostMessage<'static>>,
    /// The board is to be told the settings.
    settings_due: bool,
    manners: Option<Manners>,
    /// The board is to be told the manners.
    manners_due: bool,
}

impl Default for Conversation {
    fn default() -> Self {
        Self::new()
    }
}

impl Conversation {
    /// An empty conversation. If the board is in the middle of one, it goes on from there, without
    /// what was said before.
    pub fn new() -> Self {
        Self {
            transcript: Transcript::default(),
            orders: Orders::default(),
            updates: VecDeque::new(),
            phase: Phase::Down,
            boot: None,
            next_event: None,
            rereading: false,
            is_kept: false,
            standing_changed: false,
            crash: None,
            seen_due: false,
            settings: None,
            settings_due: false,
            manners: None,
            manners_due: false,
        }
    }

    /// The friend writes a message. It is sent as soon as possible.
    ///
    /// # Errors
    /// [`SayError::TooLong`].
    pub fn say(&mut self, text: &str, unix_seconds: u64) -> Result<MessageKey, SayError> {
        if text.len() > MAX_TEXT {
            return Err(SayError::TooLong { bytes: text.len() });
        }
        let key = self.transcript.add_say(text, unix_seconds);
        self.order(Task::Say(key));
        Ok(key)
    }

    /// The friend writes the last message anew: the persona forgets the old one, with what it
    /// answered, and reads this instead. One that still waits here never leaves.
    ///
    /// # Errors
    /// As [`Self::say`], and [`SayError::NotTheLast`].
    pub fn say_instead(
        &mut self,
        old: MessageKey,
        text: &str,
        unix_seconds: u64,
    ) -> Result<MessageKey, SayError> {
        if text.len() > MAX_TEXT {
            return Err(SayError::TooLong { bytes: text.len() });
        }
        let last = self.transcript.messages().iter().rev().find(|it| it.speaker == Speaker::You);
        let Some(gap_seconds) = last.filter(|it| it.key == old).map(|it| it.gap_seconds) else {
            return Err(SayError::NotTheLast);
        };
        let key = self.transcript.add_say(text, unix_seconds);
        // It comes after whatever came before the old one.
        self.transcript.set_gap(key, gap_seconds);
        if self.orders.retract(Task::Say(old)) {
            self.transcript.remove(old);
            self.updates.push_back(Update::Withdrawn { key: old });
        } else {
            self.order(Task::TakeBack);
        }
        self.order(Task::Say(key));
        Ok(key)
    }

    /// The persona is to begin the conversation. Nothing happens if something was said already.
    pub fn greet(&mut self) {
        self.signal(HostMessage::Greet);
    }

    /// The persona is to take its last answer back and to answer again.
    pub fn regenerate(&mut self) {
        self.order(Task::Regenerate);
    }

    /// The conversation is to be forgotten, here and on the board.
    pub fn forget(&mut self) {
        self.order(Task::Forget(self.transcript.next_key()));
    }

    /// The running reply is to end where it is, and nothing said so far is to be answered, also not
    /// what waits here for room on the board. Only for this session: without one it is nothing.
    pub fn stop(&mut self) {
        self.signal(HostMessage::Stop);
    }

    /// The friend is typing.
    pub fn typing(&mut self) {
        self.signal(HostMessage::Typing);
    }

    /// Asks for [`Update::Stats`].
    pub fn request_stats(&mut self) {
        self.signal(HostMessage::StatsRequest);
    }

    /// The board is to restart.
    pub fn reboot(&mut self) {
        self.signal(HostMessage::Reboot);
    }

    /// The board is to crash, for a test of the way back.
    pub fn plant_panic(&mut self) {
        self.signal(HostMessage::PlantPanic);
    }

    /// How the persona is to choose its words, in this and all later sessions.
    pub fn configure(&mut self, settings: Settings) {
        self.settings = Some(HostMessage::Configure(settings));
        self.settings_due = true;
    }

    /// How the persona is to behave, in this and all later sessions.
    pub fn set_manners(&mut self, manners: Manners) {
        self.manners_due |= self.manners != Some(manners);
        self.manners = Some(manners);
    }

    /// The persona is to choose its words in its own way again, in this and all later sessions.
    pub fn configure_default(&mut self) {
        self.settings = Some(HostMessage::ConfigureDefault);
        self.settings_due = true;
    }

    /// Asks for [`Update::Details`].
    pub fn request_details(&mut self) {
        self.signal(HostMessage::DetailsRequest);
    }

    /// Asks for [`Update::Card`].
    pub fn request_card(&mut self) {
        self.signal(HostMessage::CardRequest);
    }

    /// What was said: first what the persona knows, then what it has yet to read.
    pub fn messages(&self) -> &[Message] {
        self.transcript.messages()
    }

    /// One message; `None` when it was withdrawn or forgotten.
    pub fn message(&self, key: MessageKey) -> Option<&Message> {
        self.transcript.get(key)
    }

    /// Whether the board has carried out everything it was asked to. It may still be writing.
    pub fn is_settled(&self) -> bool {
        self.phase == Phase::Ready && !self.rereading && self.orders.is_empty()
    }

    /// The next thing to tell the user.
    pub fn poll_update(&mut self) -> Option<Update> {
        self.updates.pop_front()
    }

    /// Takes what [`crate::Session::poll_event`] tells.
    pub fn handle_session(&mut self, event: &SessionEvent) {
        match event {
            SessionEvent::Up { peer } => {
                self.lose_session();
                if peer.role == Role::Firmware {
                    self.phase = Phase::Greeting { boot: peer.boot };
                }
            }
            SessionEvent::Down { .. } => self.lose_session(),
            SessionEvent::Mismatch { .. } => {}
        }
    }

    /// Takes a message of the board. Those that are not about the chat are ignored.
    pub fn handle_message(&mut self, message: &DeviceMessage<'_>, unix_seconds: u64) {
        if self.phase == Phase::Down {
            return;
        }
        match *message {
            DeviceMessage::ChatState { last_id, next_event, messages } => {
                self.take_up_with(BoardState { last_id, next_event, messages }, unix_seconds);
            }
            DeviceMessage::Received { id } => {
                self.standing_changed |= id > self.orders.taken();
                let Self { orders, transcript, updates, .. } = self;
                orders.received(id, |key| {
                    set_state(transcript, updates, key, MessageState::Received);
                });
            }
            DeviceMessage::Happened { event, what } => self.happened(event, &what, unix_seconds),
            DeviceMessage::Refused { refusal, detail } => self.refused(refusal, detail),
            DeviceMessage::Crashed(report) => {
                // Repeated by the board until it hears of it, but told once.
                let crash = Some(Crash::from(&report));
                if crash != self.crash {
                    self.updates.extend(crash.clone().map(Update::Crashed));
                    self.crash = crash;
                }
                self.signal(HostMessage::CrashSeen);
            }
            DeviceMessage::Stats(stats) => self.updates.push_back(Update::Stats(stats)),
            DeviceMessage::Details { board, work } => {
                self.updates.push_back(Update::Details { board, work });
            }
            DeviceMessage::Card(card) => self.updates.push_back(Update::Card((&card).into())),
            _ => {}
        }
    }

    fn order(&mut self, task: Task) {
        self.orders.add(task);
        self.standing_changed = true;
    }

    fn signal(&mut self, signal: HostMessage<'static>) {
        if self.phase != Phase::Down {
            self.orders.add(Task::Signal(signal));
        }
    }

    fn lose_session(&mut self) {
        if self.phase != Phase::Down {
            self.updates.push_back(Update::Disconnected);
        }
        self.phase = Phase::Down;
        self.seen_due = false;
        self.settings_due = true;
        self.manners_due = true;
        let Self { orders, transcript, updates, .. } = self;
        orders.session_lost(|key| set_state(transcript, updates, key, MessageState::Waiting));
    }

    fn settle(&mut self, state: MessageState) {
        let changed = self.transcript.settle(state);
        self.updates.extend(changed.into_iter().map(|key| Update::MessageState { key }));
    }

    fn refused(&mut self, refusal: Refusal, detail: u32) {
        match refusal {
            Refusal::Busy | Refusal::WrongId if self.orders.hold(detail) => {}
            Refusal::TextTooLong => {
                if let Some(key) = self.orders.give_up(detail) {
                    self.transcript.remove(key);
                }
                self.standing_changed = true;
                self.updates.push_back(Update::Refused { refusal, detail });
            }
            _ => self.updates.push_back(Update::Refused { refusal, detail }),
        }
    }
}

fn set_state(
    transcript: &mut Transcript,
    updates: &mut VecDeque<Update>,
    key: MessageKey,
    state: MessageState,
) {
    if transcript.set_state(key, state) {
        updates.push_back(Update::MessageState { key });
    }
}
