//! A board of few lines, and a host's conversation with it.
#![allow(dead_code, missing_docs, reason = "each test binary uses another part")]

use link::conversation::{Conversation, Message, MessageKey, MessageState};
use link::message::{
    DeviceMessage, EndReason, Event, HostMessage, Identity, Role, Speaker, Timing,
};
use link::{DownReason, SendError, SessionEvent};
use proptest::prelude::*;
use std::collections::VecDeque;

/// An encoded message.
pub type Bytes = Vec<u8>;

pub fn encode(message: &DeviceMessage<'_>) -> Bytes {
    let mut buffer = [0; 8192];
    postcard::to_slice(message, &mut buffer).unwrap().to_vec()
}

pub fn up(role: Role, boot: u32) -> SessionEvent {
    SessionEvent::Up { peer: Identity { role, boot, version: [0, 1, 0], persona: None } }
}

pub const DOWN: SessionEvent = SessionEvent::Down { reason: DownReason::Timeout };

#[derive(Debug)]
pub enum Order {
    Say(String),
    Regenerate,
    Forget,
}

/// What the board's side of the contract says, and nothing else.
#[derive(Default)]
pub struct Board {
    pub boot: u32,
    pub last_id: u32,
    pub inbox: VecDeque<(u32, Order)>,
    pub events: Vec<(u32, Bytes)>,
    pub next_event: u32,
    pub said: Vec<(Speaker, String, u32)>,
    pub next_reply: u32,
    /// Messages still to come, and whether an answer is due then.
    pub restoring: Option<(u32, bool)>,
    /// The message that is being read.
    pub reading: Option<u32>,
    /// Steps left of the running reply, and its number.
    pub replying: Option<(u32, u32)>,
    /// Whether the last message waits for a decision.
    pub pending: bool,
    pub out: VecDeque<Bytes>,
}

impl Board {
    pub fn start(boot: u32) -> Self {
        Self { boot, next_event: 1, next_reply: 1, ..Self::default() }
    }

    pub fn happened(&mut self, what: Event<'_>) {
        let event = self.next_event;
        self.next_event += 1;
        let bytes = encode(&DeviceMessage::Happened { event, what });
        self.events.push((event, bytes.clone()));
        self.out.push_back(bytes);
    }

    pub fn connect(&mut self) {
        if self.restoring.is_some() {
            *self = Self { events: std::mem::take(&mut self.events), ..Self::with(self) };
        }
        self.out.clear();
        let messages = self.said.len() as u32;
        let state = DeviceMessage::ChatState {
            last_id: self.last_id,
            next_event: self.next_event,
            messages,
        };
        self.out.push_back(encode(&state));
        self.out.extend(self.events.iter().map(|(_, bytes)| bytes.clone()));
    }

    /// The same run, without a conversation.
    pub fn with(old: &Self) -> Self {
        Self { next_event: old.next_event, ..Self::start(old.boot) }
    }

    pub fn handle(&mut self, message: &HostMessage<'_>) {
        let order = match *message {
            HostMessage::Say { id, text, .. } => (id, Order::Say(text.into())),
            HostMessage::Regenerate { id } => (id, Order::Regenerate),
            HostMessage::Forget { id } => (id, Order::Forget),
            HostMessage::Seen { event } => {
                assert!(event < self.next_event);
                self.events.retain(|(number, _)| *number > event);
                return;
            }
            HostMessage::RestoreBegin { messages, last_id, pending } => {
                *self = Self { events: std::mem::take(&mut self.events), ..Self::with(self) };
                self.last_id = last_id;
                self.restoring = Some((messages, pending));
                self.end_restore();
                return;
            }
            HostMessage::RestoreMessage { speaker, text, .. } => {
                let (left, pending) = self.restoring.expect("a beginning");
                let number = if speaker == Speaker::Wisp {
                    self.next_reply += 1;
                    self.next_reply - 1
                } else {
                    0
                };
                self.said.push((speaker, text.into(), number));
                self.restoring = Some((left - 1, pending));
                self.end_restore();
                return;
            }
            _ => return,
        };
        assert!(self.restoring.is_none(), "orders come after what they follow");
        let (id, order) = order;
        assert!(id <= self.last_id + 1, "ids count up by one: {id} after {}", self.last_id);
        assert!(self.inbox.len() < 16);
        if id > self.last_id {
            self.last_id = id;
            self.inbox.push_back((id, order));
        }
        self.out.push_back(encode(&DeviceMessage::Received { id }));
    }

    /// All that was announced has come.
    pub fn end_restore(&mut self) {
        if let Some((0, pending)) = self.restoring {
            self.restoring = None;
            self.pending = pending;
            self.happened(Event::Restored { messages: self.said.len() as u32 });
        }
    }

    pub fn carry_out(&mut self) {
        let Some((id, order)) = self.inbox.pop_front() else { return };
        match order {
            Order::Say(text) => {
                self.said.push((Speaker::You, text, 0));
                self.reading = Some(id);
                return;
            }
            Order::Regenerate => {
                while let Some((Speaker::Wisp, _, number)) = self.said.last() {
                    let reply = *number;
                    self.said.pop();
                    self.happened(Event::Withdrawn { reply });
                }
                self.pending = !self.said.is_empty();
            }
            Order::Forget => {
                self.said.clear();
                self.pending = false;
                self.happened(Event::Forgotten);
            }
        }
        self.happened(Event::Read { id });
    }

    pub fn work(&mut self, dice: u8) {
        if self.restoring.is_some() {
        } else if let (Some(_), Some((_, Order::Forget))) = (self.reading, self.inbox.front()) {
            // Not even read to the end.
            self.reading = None;
            self.carry_out();
        } else if let Some(id) = self.reading.take() {
            self.pending = true;
            self.happened(Event::Read { id });
        } else if let Some((left, reply)) = self.replying {
            let text = &mut self.said.last_mut().unwrap().1;
            let offset = text.len() as u32;
            if left > 0 {
                let piece = format!("{}{left} ", if offset == 0 { "reply " } else { "" });
                text.push_str(&piece);
                self.replying = Some((left - 1, reply));
                self.happened(Event::Delta { reply, offset, text: &piece });
            } else {
                self.replying = None;
                let (reason, timing) = (EndReason::Finished, Timing::default());
                self.happened(Event::End { reply, reason, timing });
            }
        } else if !self.inbox.is_empty() {
            self.carry_out();
        } else if self.pending {
            self.pending = false;
            if dice < 80 {
                self.happened(Event::StayedSilent { after: self.last_id });
            } else {
                let reply = self.next_reply;
                self.next_reply += 1;
                self.said.push((Speaker::Wisp, String::new(), reply));
                self.replying = Some((u32::from(dice % 4) + 1, reply));
                self.happened(Event::Thinking { reply });
            }
        }
    }
}

/// What happens next.
#[derive(Clone, Copy, Debug)]
pub enum Act {
    Say,
    Regenerate,
    Forget,
    Work(u8),
    /// Messages that arrive at the board, and at the host.
    Deliver(u8, u8),
    Cut,
    Crash,
}

pub fn acts() -> impl Strategy<Value = Vec<Act>> {
    let act = prop_oneof![
        6 => Just(Act::Say),
        3 => Just(Act::Regenerate),
        1 => Just(Act::Forget),
        12 => any::<u8>().prop_map(Act::Work),
        16 => (0u8..5, 0u8..5).prop_map(|(a, b)| Act::Deliver(a, b)),
        3 => Just(Act::Cut),
        2 => Just(Act::Crash),
    ];
    proptest::collection::vec(act, 1..80)
}

pub struct World {
    pub conversation: Conversation,
    pub board: Board,
    pub to_board: VecDeque<Bytes>,
    pub unix_seconds: u64,
}

impl World {
    pub fn new() -> Self {
        let mut world = Self {
            conversation: Conversation::new(),
            board: Board::start(1),
            to_board: VecDeque::new(),
            unix_seconds: 0,
        };
        world.connect();
        world
    }

    pub fn connect(&mut self) {
        self.to_board.clear();
        self.board.connect();
        self.conversation.handle_session(&up(Role::Firmware, self.board.boot));
    }

    pub fn transmit(&mut self) {
        let queue = &mut self.to_board;
        self.conversation.transmit_with(|message| {
            if queue.len() >= 6 {
                return Err(SendError::Full);
            }
            queue.push_back(postcard::to_slice(message, &mut [0; 8192]).unwrap().to_vec());
            Ok(())
        });
    }

    pub fn deliver(&mut self, to_board: u8, to_host: u8) {
        for _ in 0..to_board {
            if let Some(bytes) = self.to_board.pop_front() {
                self.board.handle(&HostMessage::decode(&bytes).unwrap());
            }
        }
        for _ in 0..to_host {
            if let Some(bytes) = self.board.out.pop_front() {
                let message = DeviceMessage::decode(&bytes).unwrap();
                self.conversation.handle_message(&message, self.unix_seconds);
            }
        }
        self.transmit();
        self.check();
    }

    /// What holds at any moment.
    pub fn check(&mut self) {
        while self.conversation.poll_update().is_some() {}
        let messages = self.conversation.messages();
        let unread = messages.iter().skip_while(|message| message.is_known());
        assert!(!unread.clone().any(|message| message.is_known()));
        let keys: Vec<MessageKey> = messages.iter().map(|message| message.key).collect();
        let mut distinct = keys.clone();
        distinct.sort();
        distinct.dedup();
        assert_eq!(distinct.len(), keys.len());
    }

    pub fn settle(&mut self) {
        for _ in 0..2000 {
            self.deliver(9, 9);
            self.board.work(200);
        }
        assert!(self.conversation.is_settled());
        assert!(self.board.events.is_empty(), "all seen");
    }
}

pub fn is_final(message: &Message) -> bool {
    use MessageState::{Answered, Complete, Interrupted, Read, Unanswered};
    let state = message.state;
    let fits = match message.speaker {
        Speaker::You => matches!(state, Read | Answered | Unanswered),
        Speaker::Wisp => matches!(state, Complete(_) | Interrupted),
    };
    fits && !message.text.is_empty()
}
