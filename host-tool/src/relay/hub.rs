//! Where the browser tabs and the board meet: everybody sees the same chat.

use std::collections::VecDeque;
use std::sync::mpsc::{Receiver, Sender};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use link::conversation::MessageKey;
use link::message::MAX_TEXT;
use serde::{Deserialize, Serialize};
use tokio::sync::broadcast;

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
        /// Chosen by the page; sent back in `taken`, and a repetition is not said twice.
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
    Snapshot { view: Recent<'a> },
    Taken { tag: &'a str },
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

/// Shared by all tabs.
pub struct Hub {
    state: Mutex<State>,
    live: broadcast::Sender<Arc<str>>,
    commands: Sender<Command>,
}

struct State {
    view: View,
    tags: VecDeque<String>,
}

impl Hub {
    /// A hub that sends commands to the board and shows it under this name.
    pub fn new(name: &str, commands: Sender<Command>) -> Arc<Self> {
        let state = State { view: View::new(name), tags: VecDeque::new() };
        let (live, _) = broadcast::channel(BACKLOG);
        Arc::new(Self { state: Mutex::new(state), live, commands })
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
            Update::History { .. } => Ok(snapshot(&state.view)),
            _ => serde_json::to_string(update),
        };
        if let Ok(text) = text {
            // An error means that no tab is open.
            let _ = self.live.send(text.into());
        }
    }

    /// Everything so far, and all that comes after it.
    pub fn join(&self) -> (String, broadcast::Receiver<Arc<str>>) {
        let state = self.state();
        (snapshot(&state.view), self.live.subscribe())
    }

    /// Carries out what a page asked for; the answer goes to that page alone.
    ///
    /// # Errors
    /// The text is no request.
    pub fn handle(&self, text: &str) -> Result<Option<String>, BadRequest> {
        let request = serde_json::from_str(text).map_err(|_| BadRequest)?;
        let command = match request {
            Request::Say { tag, text } => return self.say(tag, text, Command::Say).map(Some),
            Request::Edit { tag, key, text } => {
                let instead = |text| Command::SayInstead(MessageKey(key), text);
                return self.say(tag, text, instead).map(Some);
            }
            Request::Greet {} => Command::Greet,
            Request::Choose { choices } if choices.is_sane() => Command::Choose(choices),
            Request::Choose { .. } => return Err(BadRequest),
            Request::Typing {} => Command::Typing,
            Request::Stop {} => Command::Stop,
            Request::Regenerate {} => Command::Regenerate,
            Request::Forget {} => Command::Forget,
            Request::Older { before } => return self.older(before).map(Some),
        };
        // The driver ends only when the whole program does.
        let _ = self.commands.send(command);
        Ok(None)
    }

    fn say(
        &self,
        tag: String,
        text: String,
        command: impl FnOnce(String) -> Command,
    ) -> Result<String, BadRequest> {
        if tag.is_empty() || tag.len() > 64 || text.trim().is_empty() || text.len() > MAX_TEXT {
            return Err(BadRequest);
        }
        let answer = serde_json::to_string(&Told::Taken { tag: &tag }).map_err(|_| BadRequest)?;
        let mut state = self.state();
        if !state.tags.contains(&tag) {
            if state.tags.len() == REMEMBERED_TAGS {
                state.tags.pop_front();
            }
            state.tags.push_back(tag);
            let _ = self.commands.send(command(text));
        }
        Ok(answer)
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

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Everything that a page needs to begin with.
fn snapshot(view: &View) -> String {
    serde_json::to_string(&Told::Snapshot { view: Recent::of(view) }).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[test]
    fn a_message_sent_twice_is_said_once_and_confirmed_twice() {
        let (commands, board) = mpsc::channel();
        let hub = Hub::new("Wisp", commands);
        let say = r#"{"type":"say","tag":"a1","text":"hello"}"#;
        for _ in 0..2 {
            let answer = hub.handle(say).unwrap().unwrap();
            assert_eq!(answer, r#"{"type":"taken","tag":"a1"}"#);
        }
        assert_eq!(board.try_iter().collect::<Vec<_>>(), [Command::Say("hello".to_string())]);
    }

    #[test]
    fn what_is_no_request_reaches_nobody() {
        let (commands, board) = mpsc::channel();
        let hub = Hub::new("Wisp", commands);
        let long = format!(r#"{{"type":"say","tag":"a","text":"{}"}}"#, "x".repeat(MAX_TEXT + 1));
        for text in [
            "",
            "{}",
            "[]",
            "null",
            r#"{"type":"shutdown"}"#,
            r#"{"type":"say","text":"x"}"#,
            r#"{"type":"say","tag":"","text":"x"}"#,
            r#"{"type":"say","tag":"a","text":"  "}"#,
            r#"{"type":"say","tag":"a","text":7}"#,
            r#"{"type":"stop","extra":1}"#,
            r#"{"type":"choose","choices":{"talkativeness_milli":10001}}"#,
            r#"{"type":"choose","choices":{"quiet":{"from":1}}}"#,
            r#"{"type":"choose","choices":{"mood":1}}"#,
            r#"{"type":"edit","tag":"a","text":"x"}"#,
            r#"{"type":"edit","tag":"a","key":1,"text":""}"#,
            r#"{"type":"older"}"#,
            r#"{"type":"older","before":-1}"#,
            r#"{"type":"older","before":"7"}"#,
            &long,
            &"[".repeat(50_000),
        ] {
            assert_eq!(hub.handle(text), Err(BadRequest), "{text:.60}");
        }
        assert_eq!(board.try_iter().count(), 0);
    }

    /// Keys of the messages in what a page was told.
    fn keys(told: &serde_json::Value) -> Vec<u64> {
        let messages = told["messages"].as_array().unwrap();
        messages.iter().map(|message| message["key"].as_u64().unwrap()).collect()
    }

    #[test]
    fn a_long_conversation_comes_in_pieces_each_message_once() {
        let (commands, board) = mpsc::channel();
        let hub = Hub::new("Wisp", commands);
        let message = |key| ChatMessage {
            key,
            speaker: link::message::Speaker::You,
            text: "x".repeat(60),
            unix_seconds: 1,
            delivery: None,
            reply: None,
            timing: None,
        };
        let (_, mut open) = hub.join();
        hub.publish(&Update::History { messages: (0..10_000).map(message).collect() });
        let (snapshot, _) = hub.join();
        assert_eq!(*open.try_recv().unwrap(), *snapshot, "a page that is open gets it anew");
        assert!(snapshot.len() < 40_000, "{} bytes", snapshot.len());
        let read = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
        let mut told = read(&snapshot)["view"].clone();
        let mut seen = keys(&told);
        while told["has_older"] == true {
            let ask = format!(r#"{{"type":"older","before":{}}}"#, seen[0]);
            told = read(&hub.handle(&ask).unwrap().unwrap());
            assert!(keys(&told).len() <= MESSAGES_AT_ONCE);
            seen.splice(..0, keys(&told));
        }
        assert_eq!(seen, (0..10_000).collect::<Vec<_>>());
        let unknown = hub.handle(r#"{"type":"older","before":99999}"#).unwrap().unwrap();
        assert_eq!(unknown, r#"{"type":"older","messages":[],"has_older":true}"#);
        assert_eq!(board.try_iter().count(), 0, "it is none of the board's business");
    }

    #[test]
    fn a_tab_that_comes_late_gets_what_was_and_then_what_comes() {
        let (commands, _board) = mpsc::channel();
        let hub = Hub::new("Wisp", commands);
        hub.publish(&Update::Activity { activity: crate::client::Activity::Thinking });
        let (snapshot, mut live) = hub.join();
        assert!(snapshot.contains(r#""activity":"thinking""#), "{snapshot}");
        hub.publish(&Update::Forgotten);
        assert_eq!(&*live.try_recv().unwrap(), r#"{"type":"forgotten"}"#);
        assert!(live.try_recv().is_err());
    }
}
