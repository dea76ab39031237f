//! One message of the chat, as it is shown.

use link::message::{EndReason, Speaker, Timing};
use serde::Serialize;

/// How far a message of the friend's has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Delivery {
    /// It waits for the board.
    Waiting,
    /// It is on its way.
    Sent,
    /// The board has it.
    Received,
    /// It has entered the model.
    Read,
}

/// How far a reply is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ReplyState {
    /// More text comes.
    Writing,
    /// It is complete.
    Finished,
    /// It reached the longest length.
    Length,
    /// The friend stopped it.
    Stopped,
    /// The board crashed in the middle of it.
    Interrupted,
}

impl From<EndReason> for ReplyState {
    fn from(reason: EndReason) -> Self {
        match reason {
            EndReason::Finished => Self::Finished,
            EndReason::Length => Self::Length,
            EndReason::Stopped => Self::Stopped,
        }
    }
}

/// One message of the chat.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ChatMessage {
    /// Its name: the same for as long as it exists.
    pub key: u64,
    /// Who wrote it.
    #[serde(serialize_with = "speaker_name")]
    pub speaker: Speaker,
    /// All of its text so far, exactly as the board sent it: sanitise before printing.
    pub text: String,
    /// When it was begun: seconds since 1970.
    pub unix_seconds: u64,
    /// For the friend's messages.
    pub delivery: Option<Delivery>,
    /// For the persona's.
    pub reply: Option<ReplyState>,
    /// What the reply cost, once it is complete.
    pub timing: Option<Timing>,
}

fn speaker_name<S: serde::Serializer>(speaker: &Speaker, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(match speaker {
        Speaker::You => "you",
        Speaker::Wisp => "wisp",
    })
}
