//! The one conversation as a list of numbered events, for bots.
//!
//! Where the page shows each word and tick, a bot gets whole messages and the few things that it may
//! act on. Events have numbers, and the latest are kept, so that whoever lost the connection misses
//! none.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

use link::message::Speaker;
use serde::Serialize;
use tokio::sync::broadcast::Receiver;

use crate::client::{Activity, ChatMessage, Delivery, Phase, ReplyState, Update, View};

/// Events kept for whoever comes back.
const KEPT: usize = 1024;

/// Something that happened in the conversation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum Event {
    /// How far the way to the persona is.
    Connection {
        /// `online` is where it answers.
        state: Phase,
        /// The same for people.
        words: String,
        /// Stable code of the error behind it, or empty.
        code: String,
    },
    /// Somebody has written a message; the persona's come when they are complete.
    Message {
        /// Its name: the same for as long as it exists.
        id: u64,
        /// `you` for the friend, whichever page or program that was; `wisp` for the persona.
        from: &'static str,
        /// The words.
        text: String,
        /// When it was said, or begun: seconds since 1970.
        unix_seconds: u64,
        /// How the persona's ended.
        #[serde(skip_serializing_if = "Option::is_none")]
        ending: Option<ReplyState>,
    },
    /// The persona has read a message of the friend's.
    Read {
        /// Which.
        id: u64,
    },
    /// The persona has begun or ceased to think or write.
    Typing {
        /// Whether it does now.
        is_typing: bool,
    },
    /// The persona has read everything and says nothing.
    Silence {},
    /// A message was taken back.
    Withdrawn {
        /// Which it was.
        id: u64,
    },
    /// Everything said so far is forgotten.
    Forgotten {},
    /// The conversation is another one now: another persona is on the board.
    Turned {},
    /// Events are missing here: they are older than those that are kept.
    Missed {},
}

/// An event as it is sent.
#[derive(Debug, PartialEq, Eq)]
pub struct Numbered {
    /// Its name in the stream, or none for what only tells how things are.
    pub id: Option<String>,
    /// As JSON.
    pub text: String,
}

/// What one bot is told.
#[derive(Debug)]
pub struct Listener {
    /// What it missed, and how things are.
    first: VecDeque<Arc<Numbered>>,
    live: Receiver<Arc<Numbered>>,
}

impl Listener {
    /// These, and then what comes.
    pub fn new(first: Vec<Arc<Numbered>>, live: Receiver<Arc<Numbered>>) -> Self {
        Self { first: first.into(), live }
    }

    /// Waits for the next. `None` when the bot did not keep up: it may come back and hears what it
    /// missed.
    pub async fn next(&mut self) -> Option<Arc<Numbered>> {
        match self.first.pop_front() {
            Some(event) => Some(event),
            None => self.live.recv().await.ok(),
        }
    }
}

/// Turns updates into events, and keeps the latest.
#[derive(Debug)]
pub struct EventLog {
    /// Tells this run of the program from others.
    run: String,
    /// Number of the next event.
    next: u64,
    kept: VecDeque<Arc<Numbered>>,
    /// Messages that were told, and the friend's of which it was told that they were read.
    told: BTreeSet<u64>,
    read: BTreeSet<u64>,
    connection: Option<Event>,
    is_typing: bool,
}

impl EventLog {
    /// Begins with what there is; none of it is an event.
    pub fn new(run: String, view: &View) -> Self {
        let mut log = Self {
            run,
            next: 1,
            kept: VecDeque::new(),
            told: BTreeSet::new(),
            read: BTreeSet::new(),
            connection: None,
            is_typing: is_typing(view.activity),
        };
        log.connection = Some(connection(&view.link));
        log.take_for_granted(&view.messages);
        log
    }

    /// Takes a change of the chat; gives what is to be sent to everybody.
    pub fn handle(&mut self, update: &Update) -> Vec<Arc<Numbered>> {
        self.translate(update).into_iter().map(|event| self.number(&event)).collect()
    }

    /// What somebody gets first who comes with the id of the last event seen, if any: what was
    /// missed, and how things are.
    pub fn since(&self, last: Option<&str>) -> Vec<Arc<Numbered>> {
        let mut events = Vec::new();
        if let Some(last) = last {
            match self.place_after(last) {
                Some(place) => events.extend(self.kept.iter().skip(place).cloned()),
                None => events.push(unnumbered(&Event::Missed {})),
            }
        }
        events.extend(self.connection.as_ref().map(unnumbered));
        events.push(unnumbered(&Event::Typing { is_typing: self.is_typing }));
        events
    }

    /// Where the events after this one begin; `None` when that is not known any more.
    fn place_after(&self, last: &str) -> Option<usize> {
        let (run, number) = last.rsplit_once('-')?;
        let number: u64 = number.parse().ok()?;
        let oldest = self.next.checked_sub(u64::try_from(self.kept.len()).ok()?)?;
        let place = number.checked_add(1)?.checked_sub(oldest)?;
        let place = usize::try_from(place).ok()?;
        (run == self.run && place <= self.kept.len()).then_some(place)
    }

    fn number(&mut self, event: &Event) -> Arc<Numbered> {
        let id = Some(format!("{}-{}", self.run, self.next));
        self.next = self.next.saturating_add(1);
        let numbered = Arc::new(Numbered { id, text: json(event) });
        if self.kept.len() == KEPT {
            self.kept.pop_front();
        }
        self.kept.push_back(numbered.clone());
        numbered
    }

    fn translate(&mut self, update: &Update) -> Vec<Event> {
        match update {
            Update::Link { link } => {
                let event = connection(link);
                if self.connection.replace(event.clone()) == Some(event.clone()) {
                    return Vec::new();
                }
                vec![event]
            }
            Update::Message { message, .. } => self.message(message),
            Update::Withdrawn { key } => {
                self.read.remove(key);
                // What was still being written nobody has heard of.
                let was_told = self.told.remove(key);
                was_told.then_some(Event::Withdrawn { id: *key }).into_iter().collect()
            }
            Update::Activity { activity } => {
                let mut events = Vec::new();
                let is_typing = is_typing(*activity);
                if std::mem::replace(&mut self.is_typing, is_typing) != is_typing {
                    events.push(Event::Typing { is_typing });
                }
                if *activity == Activity::Silent {
                    events.push(Event::Silence {});
                }
                events
            }
            Update::Forgotten => {
                self.told.clear();
                self.read.clear();
                vec![Event::Forgotten {}]
            }
            Update::History { messages } => {
                self.take_for_granted(messages);
                vec![Event::Turned {}]
            }
            _ => Vec::new(),
        }
    }

    fn message(&mut self, message: &ChatMessage) -> Vec<Event> {
        let mut events = Vec::new();
        let id = message.key;
        let is_complete = message.reply != Some(ReplyState::Writing);
        if is_complete && self.told.insert(id) {
            events.push(Event::Message {
                id,
                from: if message.speaker == Speaker::You { "you" } else { "wisp" },
                text: message.text.clone(),
                unix_seconds: message.unix_seconds,
                ending: message.reply,
            });
        }
        if message.delivery == Some(Delivery::Read) && self.read.insert(id) {
            events.push(Event::Read { id });
        }
        events
    }

    /// These messages are there already.
    fn take_for_granted(&mut self, messages: &[ChatMessage]) {
        let is_complete = |message: &&ChatMessage| message.reply != Some(ReplyState::Writing);
        let is_read = |message: &&ChatMessage| message.delivery == Some(Delivery::Read);
        self.told = messages.iter().filter(is_complete).map(|message| message.key).collect();
        self.read = messages.iter().filter(is_read).map(|message| message.key).collect();
    }
}

fn connection(link: &crate::client::LinkState) -> Event {
    Event::Connection { state: link.phase, words: link.words.clone(), code: link.code.clone() }
}

fn is_typing(activity: Activity) -> bool {
    matches!(activity, Activity::Thinking | Activity::Writing)
}

fn unnumbered(event: &Event) -> Arc<Numbered> {
    Arc::new(Numbered { id: None, text: json(event) })
}

fn json(event: &Event) -> String {
    serde_json::to_string(event).unwrap_or_default()
}

#[cfg(test)]
mod tests;
