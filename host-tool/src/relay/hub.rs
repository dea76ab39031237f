//! Where the browser tabs and the board meet: everybody sees the same chat.

use std::collections::VecDeque;
use std::sync::mpsc::{Receiver, Sender};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use link::message::MAX_TEXT;
use serde::{Deserialize, Serialize};
use tokio::sync::broadcast;

use crate::client::{Command, Update, View};

/// Updates a tab may lag behind before it gets a whole snapshot instead.
const BACKLOG: usize = 256;

/// How many tags of messages are remembered, to recognise one that a tab sent twice.
const REMEMBERED_TAGS: usize = 256;

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
    /// The friend is typing.
    Typing {},
    /// End the reply.
    Stop {},
    /// Answer again.
    Regenerate {},
    /// Empty the conversation.
    Forget {},
}

/// What a page is told beside updates.
#[derive(Serialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
enum Told<'a> {
    Snapshot { view: &'a View },
    Taken { tag: &'a str },
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
        if let Ok(text) = serde_json::to_string(update) {
            // An error means that no tab is open.
            let _ = self.live.send(text.into());
        }
    }

    /// Everything so far, and all that comes after it.
    pub fn join(&self) -> (String, broadcast::Receiver<Arc<str>>) {
        let state = self.state();
        let snapshot =
            serde_json::to_string(&Told::Snapshot { view: &state.view }).unwrap_or_default();
        (snapshot, self.live.subscribe())
    }

    /// Carries out what a page asked for; the answer goes to that page alone.
    ///
    /// # Errors
    /// The text is no request.
    pub fn handle(&self, text: &str) -> Result<Option<String>, BadRequest> {
        let request = serde_json::from_str(text).map_err(|_| BadRequest)?;
        let command = match request {
            Request::Say { tag, text } => return self.say(tag, text).map(Some),
            Request::Typing {} => Command::Typing,
            Request::Stop {} => Command::Stop,
            Request::Regenerate {} => Command::Regenerate,
            Request::Forget {} => Command::Forget,
        };
        // The driver ends only when the whole program does.
        let _ = self.commands.send(command);
        Ok(None)
    }

    fn say(&self, tag: String, text: String) -> Result<String, BadRequest> {
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
            let _ = self.commands.send(Command::Say(text));
        }
        Ok(answer)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
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
            &long,
            &"[".repeat(50_000),
        ] {
            assert_eq!(hub.handle(text), Err(BadRequest), "{text:.60}");
        }
        assert_eq!(board.try_iter().count(), 0);
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
