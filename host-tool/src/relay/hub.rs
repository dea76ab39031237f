//! Where the browser tabs and the board meet: everybody sees the same chat.

use std::collections::VecDeque;
use std::sync::mpsc::{Receiver, Sender};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::UNIX_EPOCH;

use link::conversation::MessageKey;
use link::message::MAX_TEXT;
use serde::{Deserialize, Serialize};
use tokio::sync::broadcast;

use crate::api::events::{EventLog, Listener, Numbered};
use crate::client::{
    Activity, Card, ChatMessage, Choices, Command, LinkState, Notice, Transfer, Update, View,
};
use crate::history::export::{self, Conversation, Format, Said};

/// Updates a tab may lag behind before it gets a whole snapshot instead.
const BACKLOG: usize = 256;

/// How many tags of messages are remembered, to recognise one that a tab sent twice.
const REMEMBERED_TAGS: usize = 256;

/// Messages that a page gets at once. It asks for older ones when its reader comes to them: ten
/// thousand would take seconds to show, and hardly anybody reads them.
const MESSAGES_AT_ONCE: usize = 200;

/// What a page may ask for.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Request {
    /// Send a message.
    Say {
        /// Chosen by the page; sent back in `taken` once the message is stored, and a repetition is
        /// not said twice.
        tag: String,
        /// At most [`MAX_TEXT`] bytes.
        text: String,
    },
    /// Send a message in the place of the friend's last.
    Edit {
        /// As in `say`.
        tag: String,
        /// Key of the last message.
        key: u64,
        /// As in `say`.
        text: String,
    },
    /// The persona is to begin.
    Greet {},
    /// Change how the persona is to be.
    Choose {
        /// All that is chosen.
        choices: Choices,
    },
    /// The friend is typing.
    Typing {},
    /// End the reply.
    Stop {},
    /// Answer again.
    Regenerate {},
    /// Empty the conversation.
    Forget {},
    /// Send the messages before this one.
    Older {
        /// Key of the oldest message that the page has.
        before: u64,
    },
}

/// What a page is told beside updates.
#[derive(Serialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
enum Told<'a> {
    Snapshot { run: u128, view: Recent<'a> },
    Older { messages: &'a [ChatMessage], has_older: bool },
}

/// A view without the messages that are not shown at first.
#[derive(Serialize)]
struct Recent<'a> {
    name: &'a str,
    link: &'a LinkState,
    transfer: &'a Option<Transfer>,
    messages: &'a [ChatMessage],
    /// Whether there are messages before these.
    has_older: bool,
    activity: Activity,
    notice: &'a Option<Notice>,
    card: &'a Option<Card>,
    choices: Choices,
}

impl<'a> Recent<'a> {
    fn of(view: &'a View) -> Self {
        let View { name, link, transfer, messages, activity, notice, card, choices, .. } = view;
        let (messages, has_older) = latest(messages);
        let (activity, choices) = (*activity, *choices);
        Self { name, link, transfer, messages, has_older, activity, notice, card, choices }
    }
}

/// The end of a conversation, and whether there is more before it.
fn latest(messages: &[ChatMessage]) -> (&[ChatMessage], bool) {
    let first = messages.len().saturating_sub(MESSAGES_AT_ONCE);
    (messages.get(first..).unwrap_or_default(), first > 0)
}

/// A request that makes no sense; the tab that sent it is not our page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadRequest;

/// An update, and how a page is told it.
#[derive(Debug)]
pub struct Published {
    /// The update itself.
    pub update: Update,
    /// As JSON.
    pub text: String,
}

/// Shared by all tabs.
pub struct Hub {
    /// When it began, in milliseconds: a page that meets another hub knows that its tags are unknown there.
    run: u128,
    state: Mutex<State>,
    live: broadcast::Sender<Arc<Published>>,
    events: broadcast::Sender<Arc<Numbered>>,
    commands: Sender<Command>,
}

struct State {
    view: View,
    tags: VecDeque<Tag>,
    /// For bots, if anybody wants it.
    events: Option<EventLog>,
}

/// What a tab, or a program, called something that it said.
struct Tag {
    name: String,
    /// The message's key, once it is stored.
    key: Option<u64>,
}

impl Hub {
    /// A hub that sends commands to the board and shows it under this name.
    pub fn new(name: &str, commands: Sender<Command>) -> Arc<Self> {
        let state = State { view: View::new(name), tags: VecDeque::new(), events: None };
        let (live, _) = broadcast::channel(BACKLOG);
        let (events, _) = broadcast::channel(BACKLOG);
        let run = UNIX_EPOCH.elapsed().unwrap_or_default().as_millis();
        Arc::new(Self { run, state: Mutex::new(state), live, events, commands })
    }

    /// From now on keeps events for bots, under the name of this run of the program.
    pub fn keep_events(&self, run: &str) {
        let mut state = self.state();
        state.events = Some(EventLog::new(run.to_string(), &state.view));
    }

    /// What a bot gets first that comes with the id of the last event it has, and all that comes
    /// after it. `None` when no events are kept.
    pub fn listen(&self, last: Option<&str>) -> Option<Listener> {
        let state = self.state();
        let first = state.events.as_ref()?.since(last);
        Some(Listener::new(first, self.events.subscribe()))
    }

    /// Shows every update to every tab, until the driver ends. Blocks.
    pub fn pump(&self, updates: &Receiver<Update>) {
        while let Ok(update) = updates.recv() {
            self.publish(&update);
        }
    }

    /// Shows one update to every tab.
    pub fn publish(&self, update: &Update) {
        if matches!(update, Update::Log { .. } | Update::Details { .. } | Update::Met { .. }) {
            return;
        }
        // Under the lock: no tab may see the snapshot and then this update again, or neither.
        let mut state = self.state();
        state.view.apply(update);
        let text = match update {
            Update::History { .. } => Ok(self.snapshot(&state.view)),
            _ => serde_json::to_string(update),
        };
        if let Update::Lost { tag } = update {
            state.tags.retain(|known| known.name != *tag);
        }
        if let Update::Taken { tag, key } = update
            && let Some(known) = state.tags.iter_mut().find(|known| known.name == *tag)
        {
            known.key = Some(*key);
        }
        for event in state.events.iter_mut().flat_map(|log| log.handle(update)) {
            // An error means that no bot listens.
            let _ = self.events.send(event);
        }
        if let Ok(text) = text {
            // An error means that no tab is open.
            let _ = self.live.send(Arc::new(Published { update: update.clone(), text }));
        }
    }

    /// Everything so far, and all that comes after it.
    pub fn join(&self) -> (String, broadcast::Receiver<Arc<Published>>) {
        self.watch(|view| self.snapshot(view))
    }

    /// What somebody makes of everything so far, and all that comes after it.
    pub fn watch<T>(
        &self,
        look: impl FnOnce(&View) -> T,
    ) -> (T, broadcast::Receiver<Arc<Published>>) {
        let state = self.state();
        (look(&state.view), self.live.subscribe())
    }

    /// Has the driver do something.
    pub fn command(&self, command: Command) {
        // The driver ends only when the whole program does.
        let _ = self.commands.send(command);
    }

    /// Carries out what a page asked for; the answer goes to that page alone.
    ///
    /// # Errors
    /// The text is no request.
    pub fn handle(&self, text: &str) -> Result<Option<String>, BadRequest> {
        let request = serde_json::from_str(text).map_err(|_| BadRequest)?;
        let command = match request {
            Request::Say { tag, text } => return self.say(tag, text, None),
            Request::Edit { tag, key, text } => return self.say(tag, text, Some(MessageKey(key))),
            Request::Greet {} => Command::Greet,
            Request::Choose { choices } if choices.is_sane() => Command::Choose(choices),
            Request::Choose { .. } => return Err(BadRequest),
            Request::Typing {} => Command::Typing,
            Request::Stop {} => Command::Stop,
            Request::Regenerate {} => Command::Regenerate,
            Request::Forget {} => Command::Forget,
            Request::Older { before } => return self.older(before).map(Some),
        };
        self.command(command);
        Ok(None)
    }

    /// Says something, once, or in the place of the last message. [`Update::Taken`] comes when it is stored; the answer repeats it for
    /// whoever may have missed it.
    ///
    /// # Errors
    /// There is no text or no tag, or one of them is too long.
    pub fn say(
        &self,
        tag: String,
        text: String,
        instead_of: Option<MessageKey>,
    ) -> Result<Option<String>, BadRequest> {
        if tag.is_empty() || tag.len() > 64 || text.trim().is_empty() || text.len() > MAX_TEXT {
            return Err(BadRequest);
        }
        let mut state = self.state();
        if let Some(known) = state.tags.iter().find(|known| known.name == tag) {
            let Some(key) = known.key else { return Ok(None) };
            return serde_json::to_string(&Update::Taken { tag, key })
                .map(Some)
                .map_err(|_| BadRequest);
        }
        if state.tags.len() == REMEMBERED_TAGS {
            state.tags.pop_front();
        }
        state.tags.push_back(Tag { name: tag.clone(), key: None });
        self.command(Command::SayTagged { tag, text, instead_of });
        Ok(None)
    }

    fn older(&self, before: u64) -> Result<String, BadRequest> {
        let state = self.state();
        let all = &state.view.messages;
        let place = all.iter().position(|message| message.key == before);
        let told = match place {
            Some(place) => {
                let (messages, has_older) = latest(all.get(..place).unwrap_or_default());
                Told::Older { messages, has_older }
            }
            // Taken back meanwhile: the page asks again by what it has then.
            None => Told::Older { messages: &[], has_older: !all.is_empty() },
        };
        serde_json::to_string(&told).map_err(|_| BadRequest)
    }

    /// The whole conversation as a file.
    pub fn export(&self, format: Format) -> Vec<u8> {
        let state = self.state();
        let said = state.view.messages.iter().map(|message| Said {
            speaker: message.speaker,
            text: &message.text,
            unix_seconds: message.unix_seconds,
        });
        let name = state.view.name.clone();
        let all = Conversation { title: name.clone(), name, messages: said.collect() };
        let mut file = Vec::new();
        // Memory takes all that is written to it.
        let _ = export::write(format, &[all], &mut file);
        file
    }

    /// Everything that a page needs to begin with.
    fn snapshot(&self, view: &View) -> String {
        let told = Told::Snapshot { run: self.run, view: Recent::of(view) };
        serde_json::to_string(&told).unwrap_or_default()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
