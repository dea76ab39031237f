//! Why a line of an export does not become a message.

use clap::ValueEnum;
use serde::Serialize;

/// Why a line was dropped. The order is that of the report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)] // `meaning` says it.
pub enum Reason {
    System,
    Reaction,
    Media,
    Unsent,
    Forwarded,
    Duplicate,
    Empty,
    Link,
    Phone,
    Email,
    Code,
    Long,
    Unreadable,
}

impl Reason {
    /// All of them, in the order of the report.
    pub const ALL: [Self; 13] = [
        Self::System,
        Self::Reaction,
        Self::Media,
        Self::Unsent,
        Self::Forwarded,
        Self::Duplicate,
        Self::Empty,
        Self::Link,
        Self::Phone,
        Self::Email,
        Self::Code,
        Self::Long,
        Self::Unreadable,
    ];

    /// Its name in tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::System => "system lines",
            Self::Reaction => "reactions",
            Self::Media => "media",
            Self::Unsent => "unsent",
            Self::Forwarded => "forwarded",
            Self::Duplicate => "duplicates",
            Self::Empty => "empty",
            Self::Link => "only links",
            Self::Phone => "phone numbers",
            Self::Email => "e-mail addresses",
            Self::Code => "codes",
            Self::Long => "over-long",
            Self::Unreadable => "unreadable",
        }
    }

    /// What it stands for.
    pub fn meaning(self) -> &'static str {
        match self {
            Self::System => "calls, joins, settings, and whatever else the service wrote itself",
            Self::Reaction => "a heart on a message is no message",
            Self::Media => "photos, voice, stickers, files, places; a caption is kept",
            Self::Unsent => "taken back, deleted, or never sent",
            Self::Forwarded => "somebody else's words",
            Self::Duplicate => "the same message in two exports, or twice in one",
            Self::Empty => "nothing to read in it",
            Self::Link => "nothing but links; links inside a text are cut out of it",
            Self::Phone => "a message with a phone number",
            Self::Email => "a message with an e-mail address",
            Self::Code => "one-time codes, passwords, card and account numbers",
            Self::Long => "longer than a chat message of this size of model should be",
            Self::Unreadable => "no usable time in the record",
        }
    }
}

/// What `--keep` can keep. What a service wrote itself is nobody's words and cannot be kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Keep {
    /// Links, whole.
    Links,
    /// Messages with phone numbers.
    Phones,
    /// Messages with e-mail addresses.
    Emails,
    /// Messages with codes, passwords, card numbers.
    Codes,
    /// Forwarded messages.
    Forwarded,
    /// Messages that stand in several exports.
    Duplicates,
    /// Messages of any length.
    Long,
}

impl Keep {
    /// The reason it switches off.
    pub fn reason(self) -> Reason {
        match self {
            Self::Links => Reason::Link,
            Self::Phones => Reason::Phone,
            Self::Emails => Reason::Email,
            Self::Codes => Reason::Code,
            Self::Forwarded => Reason::Forwarded,
            Self::Duplicates => Reason::Duplicate,
            Self::Long => Reason::Long,
        }
    }
}
