//! The host's side of a chat: nothing is lost, doubled or out of order, whatever the cable does.
//!
//! ```text
//! say, regenerate, forget ─► orders ──transmit──► board
//! transcript, updates ◄── handle_message ◄── events
//! ```
//! An order stays here until the board has carried it out (`Read`), so neither a lost session nor
//! a crash of the board loses it. Events are numbered: what comes twice is used once. A board that
//! has lost the conversation (it crashed, or its power was cut) is given it again.
//!
//! Sans-I/O, like the session below it: time is an argument, in seconds since 1970.

mod events;
mod orders;
mod transcript;
mod update;

use alloc::collections::VecDeque;

use crate::message::{DeviceMessage, HostMessage, MAX_TEXT, Manners, Refusal, Role, Settings};
use crate::{SendError, Session, SessionEvent};
use orders::{Orders, Task};
use transcript::Transcript;

pub use transcript::{Message, MessageKey, MessageState};
pub use update::{Crash, Update};

/// Longest text of a message that is given back to a board, in bytes: what fits one message of
/// the cable. Of a longer one the end is given.
const MAX_RESTORED_TEXT: usize = crate::message::CHUNK_SIZE;

/// Why a message cannot be said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SayError {
    /// Longer than [`MAX_TEXT`] bytes.
    TooLong {
        /// How long it is, in bytes.
        bytes: usize,
    },
}

/// Where the session stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// There is none with a persona.
    Down,
    /// The board will say where the conversation stands.
    Greeting { boot: u32 },
    /// The board is given the conversation.
    Restoring { given: Given, silence: u32 },
    /// The conversation goes on, or will when the board has read it again.
    Ready,
}

/// How much of the conversation the board was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Given {
    Nothing,
    Silence,
    Messages(usize),
}

/// What comes next on the cable.
enum Outgoing {
    Seen(u32),
    Settings,
    Manners,
    RestoreSilence(u32),
    RestoreBegin,
    RestoreMessage(usize),
    Order(usize, u32),
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
    /// The board was given the conversation and has not yet said that it knows it.
    rereading: bool,
    /// The crash that this run of the board's program reports, once told.
    crash: Option<Crash>,
    /// The board is to be told what was seen.
    seen_due: bool,
    settings: Option<Settings>,
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
        self.orders.add(Task::Say(key));
        Ok(key)
    }

    /// The persona is to take its last answer back and to answer again.
    pub fn regenerate(&mut self) {
        self.orders.add(Task::Regenerate);
    }

    /// The conversation is to be forgotten, here and on the board.
    pub fn forget(&mut self) {
        self.orders.add(Task::Forget(self.transcript.next_key()));
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
        self.settings = Some(settings);
        self.settings_due = true;
    }

    /// How the persona is to behave, in this and all later sessions.
    pub fn set_manners(&mut self, manners: Manners) {
        self.manners = Some(manners);
        self.manners_due = true;
    }

    /// The persona is to choose its words in its own way again, in this and all later sessions.
    pub fn configure_default(&mut self) {
        self.settings = None;
        self.settings_due = false;
        self.signal(HostMessage::ConfigureDefault);
    }

    /// Asks for [`Update::Details`].
    pub fn request_details(&mut self) {
        self.signal(HostMessage::DetailsRequest);
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

    /// Takes what [`Session::poll_event`] tells.
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
            DeviceMessage::ChatState { last_id, messages, .. } => {
                self.greet(last_id, messages, unix_seconds);
            }
            DeviceMessage::Received { id } => {
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
            _ => {}
        }
    }

    /// Sends what can be sent. Call it after anything else here, and when the session may have
    /// room again.
    pub fn transmit(&mut self, session: &mut Session) {
        self.transmit_with(|message| session.send_host(message));
    }

    /// [`Self::transmit`] for anything that takes messages. Stops at the first that is not taken.
    pub fn transmit_with(
        &mut self,
        mut send: impl FnMut(&HostMessage<'_>) -> Result<(), SendError>,
    ) {
        while let Some(next) = self.next_outgoing() {
            let Some(message) = self.compose(&next) else { return };
            if send(&message).is_err() {
                return;
            }
            self.was_sent(&next);
        }
    }

    fn next_outgoing(&self) -> Option<Outgoing> {
        match self.phase {
            Phase::Down | Phase::Greeting { .. } => return None,
            Phase::Restoring { .. } | Phase::Ready => {}
        }
        if let (true, Some(next)) = (self.seen_due, self.next_event) {
            return Some(Outgoing::Seen(next.wrapping_sub(1)));
        }
        if self.settings_due && self.settings.is_some() {
            return Some(Outgoing::Settings);
        }
        if self.manners_due && self.manners.is_some() {
            return Some(Outgoing::Manners);
        }
        match self.phase {
            Phase::Restoring { given: Given::Nothing, silence } => {
                Some(Outgoing::RestoreSilence(silence))
            }
            Phase::Restoring { given: Given::Silence, .. } => Some(Outgoing::RestoreBegin),
            Phase::Restoring { given: Given::Messages(given), .. } => {
                Some(Outgoing::RestoreMessage(given))
            }
            _ => self.orders.next().map(|(place, id, _)| Outgoing::Order(place, id)),
        }
    }

    fn compose(&self, next: &Outgoing) -> Option<HostMessage<'_>> {
        Some(match *next {
            Outgoing::Seen(event) => HostMessage::Seen { event },
            Outgoing::Settings => HostMessage::Configure(self.settings?),
            Outgoing::Manners => HostMessage::Manners(self.manners?),
            Outgoing::RestoreSilence(gap_seconds) => HostMessage::RestoreSilence { gap_seconds },
            Outgoing::RestoreBegin => HostMessage::RestoreBegin {
                messages: count(self.transcript.known().len()),
                last_id: self.orders.base(),
                pending: self.transcript.is_pending(),
            },
            Outgoing::RestoreMessage(given) => {
                let message = self.transcript.known().get(given)?;
                HostMessage::RestoreMessage {
                    speaker: message.speaker,
                    gap_seconds: message.gap_seconds,
                    text: end_of(&message.text, MAX_RESTORED_TEXT),
                }
            }
            Outgoing::Order(..) => match self.orders.next()? {
                (_, id, Task::Say(key)) => {
                    let message = self.transcript.get(key)?;
                    let gap_seconds = message.gap_seconds;
                    HostMessage::Say { id, gap_seconds, text: &message.text }
                }
                (_, id, Task::Regenerate) => HostMessage::Regenerate { id },
                (_, id, Task::Forget(_)) => HostMessage::Forget { id },
                (_, _, Task::Signal(signal)) => signal,
            },
        })
    }

    fn was_sent(&mut self, next: &Outgoing) {
        match *next {
            Outgoing::Seen(_) => self.seen_due = false,
            Outgoing::Settings => self.settings_due = false,
            Outgoing::Manners => self.manners_due = false,
            Outgoing::RestoreSilence(silence) => {
                self.phase = Phase::Restoring { given: Given::Silence, silence };
            }
            Outgoing::RestoreBegin => self.restored_so_far(0),
            Outgoing::RestoreMessage(given) => self.restored_so_far(given.saturating_add(1)),
            Outgoing::Order(place, id) => {
                if let Some((_, _, Task::Say(key))) = self.orders.next() {
                    let Self { transcript, updates, .. } = self;
                    set_state(transcript, updates, key, MessageState::Sent);
                }
                self.orders.sent(place, id);
            }
        }
    }

    fn restored_so_far(&mut self, given: usize) {
        let is_whole = given >= self.transcript.known().len();
        self.rereading = is_whole;
        self.phase = match self.phase {
            Phase::Restoring { silence, .. } if !is_whole => {
                Phase::Restoring { given: Given::Messages(given), silence }
            }
            _ => Phase::Ready,
        };
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

    /// The board says where the conversation stands: does it still know ours?
    fn greet(&mut self, last_id: u32, messages: u32, unix_seconds: u64) {
        let Phase::Greeting { boot } = self.phase else { return };
        let same_run = self.boot == Some(boot);
        self.boot = Some(boot);
        self.phase = Phase::Ready;
        self.signal(HostMessage::Clock { unix_seconds });
        self.updates.push_back(Update::Connected { messages });
        if same_run && last_id >= self.orders.taken() {
            let Self { orders, transcript, updates, .. } = self;
            orders.align(last_id, |key| {
                set_state(transcript, updates, key, MessageState::Received);
            });
            return;
        }
        if !same_run {
            self.next_event = None;
            self.crash = None;
        }
        self.rereading = false;
        self.settle_interrupted();
        let knows_nothing = self.transcript.known().is_empty();
        // A conversation that is given back counts on from an id that the board has not had: in
        // the next session its count tells whether it was given all of it.
        let base = if knows_nothing {
            last_id
        } else {
            last_id.max(self.orders.taken()).saturating_add(1)
        };
        let Self { orders, transcript, updates, .. } = self;
        orders.start_over(base, |key| {
            set_state(transcript, updates, key, MessageState::Waiting);
        });
        if !knows_nothing {
            self.transcript.number_replies();
            let messages = count(self.transcript.known().len());
            self.updates.push_back(Update::Restoring { messages });
            let silence = self.transcript.silence(unix_seconds);
            self.phase = Phase::Restoring { given: Given::Nothing, silence };
        }
    }

    /// The reply that was running when the board lost the conversation is over.
    fn settle_interrupted(&mut self) {
        let (kept, removed) = self.transcript.interrupt();
        self.updates.extend(removed.map(|key| Update::Withdrawn { key }));
        if let Some(key) = kept {
            self.updates.push_back(Update::Interrupted { key });
            self.settle(MessageState::Answered);
        }
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
    if let Some(message) = transcript.get_mut(key) {
        message.state = state;
        updates.push_back(Update::MessageState { key });
    }
}

/// The last `most` bytes of a text, or fewer where a character would be cut.
fn end_of(text: &str, most: usize) -> &str {
    let start = text.len().saturating_sub(most);
    (start..=text.len()).find_map(|start| text.get(start..)).unwrap_or_default()
}

/// There are never more messages than a `u32` counts.
fn count(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}
