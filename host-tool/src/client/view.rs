//! What there is to see of the board and the chat, and how it changes.
//!
//! The driver thread publishes [`Update`]s; applied one after another they make a [`View`]. The
//! same values, as JSON, are what the page gets.

use link::conversation::Crash;
use link::message::{BoardFacts, Identity, Stats, Work};
use serde::Serialize;

use super::chat_message::ChatMessage;
use super::link_state::{LinkState, Phase, Transfer};
use super::{Card, Choices};
use crate::errors::WispError;
use crate::{board_texts, sanitise};

/// What the persona is doing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Activity {
    /// Nothing.
    #[default]
    Idle,
    /// It has decided to answer; no word is there yet.
    Thinking,
    /// Words are coming.
    Writing,
    /// It has read everything and says nothing.
    Silent,
}

/// Something the friend should know.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Notice {
    /// One sentence.
    pub message: String,
    /// Stable code.
    pub code: String,
    /// What to do, or empty.
    pub help: String,
}

impl From<&WispError> for Notice {
    fn from(error: &WispError) -> Self {
        Self { message: error.to_string(), code: error.code_text(), help: error.help_text() }
    }
}

impl From<&Crash> for Notice {
    fn from(crash: &Crash) -> Self {
        let text = board_texts::crash(crash.kind);
        Self {
            message: board_texts::crash_line(crash),
            code: text.code.to_string(),
            help: text.help.to_string(),
        }
    }
}

/// What this end of the cable has counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct CableCounters {
    /// Bytes read from the port.
    pub bytes_received: u64,
    /// Bytes written to the port.
    pub bytes_sent: u64,
    /// How often the port was opened.
    pub connections: u32,
    /// Sessions that came up.
    pub sessions: u32,
    /// Frames that arrived whole.
    pub frames_received: u32,
    /// Frames that failed their check, or were too long.
    pub frames_corrupt: u32,
    /// Frames sent, repetitions included.
    pub frames_sent: u32,
    /// Frames sent again.
    pub frames_resent: u32,
    /// Smoothed round trip in microseconds; 0 when unknown.
    pub round_trip_micros: u32,
    /// Speed of the line in bits per second; 0 when it has none, as a socket that nothing was agreed
    /// on for.
    pub baud: u32,
    /// Times that a higher speed was given up, or was tried in vain.
    pub fallbacks: u32,
}

/// One change of what there is to see.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
#[allow(missing_docs)] // The fields are the documented types above.
pub enum Update {
    /// The way to the persona changed.
    Link { link: LinkState },
    /// An upload went on.
    Transfer { transfer: Transfer },
    /// All that was wanted is on the board, verified and started.
    Loaded,
    /// All of a conversation, oldest first, in the place of what was shown; the page gets a
    /// snapshot instead.
    #[serde(skip)]
    History { messages: Vec<ChatMessage> },
    /// A message is new or changed. It belongs after the one with the key `after`, or at the
    /// beginning.
    Message { message: ChatMessage, after: Option<u64> },
    /// What was said with this tag is the message with this key, and is stored: the end of this
    /// program does not lose it any more. The message itself comes next.
    Taken { tag: String, key: u64 },
    /// What was said with this tag was not taken, and will not be: the conversation is another one
    /// now, or it was to replace what is no longer the last message.
    Lost { tag: String },
    /// A message was taken back.
    Withdrawn { key: u64 },
    /// The conversation is empty again.
    Forgotten,
    /// The persona does something else.
    Activity { activity: Activity },
    /// Who the persona is.
    Card { card: Card },
    /// The friend has chosen something about it.
    Choices { choices: Choices },
    /// Something the friend should know.
    Notice { notice: Notice },
    /// The board crashed and came back.
    Crashed { notice: Notice },
    /// The board's counters.
    Stats { stats: Stats },
    /// This end's counters.
    Cable { cable: CableCounters },
    /// What the board is and has done, as asked for; not for the page.
    #[serde(skip)]
    Details { board: BoardFacts, work: Work },
    /// A program on the board said hello on this port; not for the page.
    #[serde(skip)]
    Met { peer: Identity, port: String },
    /// Log bytes of the firmware; not for the page.
    #[serde(skip)]
    Log { bytes: Vec<u8> },
}

impl Update {
    /// Whether the board has done something: whoever waits for it may go on waiting. States of the
    /// way come without one, and a log and counters also from one that is stuck.
    pub fn is_sign_of_life(&self) -> bool {
        !matches!(self, Self::Cable { .. } | Self::Log { .. } | Self::Link { .. })
    }
}

/// Everything there is to see, at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct View {
    /// Name of the persona.
    pub name: String,
    /// The way to it.
    pub link: LinkState,
    /// The upload under way.
    pub transfer: Option<Transfer>,
    /// The chat, oldest first.
    pub messages: Vec<ChatMessage>,
    /// What the persona does.
    pub activity: Activity,
    /// The latest thing the friend should know, until somebody speaks again.
    pub notice: Option<Notice>,
    /// The board's counters.
    pub stats: Option<Stats>,
    /// Who the persona is, once it has said so.
    pub card: Option<Card>,
    /// What the friend has chosen about it.
    pub choices: Choices,
}

impl View {
    /// Nothing yet, of the persona with this name.
    pub fn new(name: &str) -> Self {
        Self { name: name.to_string(), ..Self::default() }
    }

    /// Takes one change in.
    pub fn apply(&mut self, update: &Update) {
        match update {
            Update::Link { link } => {
                if link.phase != Phase::Loading {
                    self.transfer = None;
                }
                self.link = link.clone();
            }
            Update::Transfer { transfer } => self.transfer = Some(transfer.clone()),
            Update::Loaded => self.transfer = None,
            Update::History { messages } => {
                self.messages.clone_from(messages);
                self.notice = None;
                // Whoever it is with will say so.
                self.card = None;
            }
            Update::Message { message, after } => self.place(message, *after),
            Update::Withdrawn { key } => self.messages.retain(|message| message.key != *key),
            Update::Forgotten => {
                self.messages.clear();
                self.notice = None;
            }
            Update::Activity { activity } => self.activity = *activity,
            Update::Notice { notice } | Update::Crashed { notice } => {
                self.notice = Some(notice.clone());
            }
            Update::Stats { stats } => self.stats = Some(*stats),
            Update::Card { card } => {
                // A board may bring a persona that no file was named for.
                let name = sanitise::one_line(&card.name);
                if !name.is_empty() {
                    self.name = name;
                }
                self.card = Some(card.clone());
            }
            Update::Choices { choices } => self.choices = *choices,
            Update::Taken { .. }
            | Update::Lost { .. }
            | Update::Cable { .. }
            | Update::Details { .. }
            | Update::Met { .. }
            | Update::Log { .. } => {}
        }
    }

    fn place(&mut self, message: &ChatMessage, after: Option<u64>) {
        // From the end, where nearly everything happens: a chat may be long.
        match self.messages.iter().rposition(|other| other.key == message.key) {
            Some(place) => drop(self.messages.remove(place)),
            None => self.notice = None,
        }
        let place = after
            .and_then(|after| self.messages.iter().rposition(|other| other.key == after))
            .map_or(0, |before| before + 1);
        self.messages.insert(place, message.clone());
    }
}

#[cfg(test)]
mod tests {
    use link::message::Speaker;

    use super::*;
    use crate::client::ReplyState;

    fn message(key: u64, text: &str) -> ChatMessage {
        ChatMessage {
            key,
            speaker: Speaker::Wisp,
            text: text.to_string(),
            unix_seconds: 1,
            delivery: None,
            reply: Some(ReplyState::Writing),
            timing: None,
        }
    }

    fn put(view: &mut View, key: u64, text: &str, after: Option<u64>) {
        view.apply(&Update::Message { message: message(key, text), after });
    }

    #[test]
    fn a_message_that_grows_stays_one_and_can_be_taken_back() {
        let mut view = View::new("Wisp");
        put(&mut view, 1, "a", None);
        put(&mut view, 2, "c", Some(1));
        put(&mut view, 7, "b", Some(1));
        put(&mut view, 2, "cd", Some(7));
        let texts: Vec<_> = view.messages.iter().map(|m| m.text.as_str()).collect();
        assert_eq!(texts, ["a", "b", "cd"]);
        view.apply(&Update::Withdrawn { key: 7 });
        assert_eq!(view.messages.len(), 2);
        view.apply(&Update::Forgotten);
        assert!(view.messages.is_empty());
    }

    #[test]
    fn the_page_gets_stable_names() {
        let update = Update::Message { message: message(7, "<b>"), after: Some(3) };
        assert_eq!(
            serde_json::to_string(&update).unwrap(),
            r#"{"type":"message","message":{"key":7,"speaker":"wisp","text":"<b>","unix_seconds":1,"delivery":null,"reply":"writing","timing":null},"after":3}"#
        );
        let update = Update::Link { link: LinkState::plain(Phase::Online, "online") };
        assert_eq!(
            serde_json::to_string(&update).unwrap(),
            r#"{"type":"link","link":{"phase":"online","words":"online","code":"","help":""}}"#
        );
        assert_eq!(serde_json::to_string(&Update::Forgotten).unwrap(), r#"{"type":"forgotten"}"#);
    }
}
