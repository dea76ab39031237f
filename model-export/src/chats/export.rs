//! What a reader finds in an export: chats and their lines, before anything is cleaned.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use serde::Serialize;

use super::clean::Reason;

/// Where an export is from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[allow(missing_docs)] // The names say it.
pub enum Service {
    Messenger,
    Instagram,
    WhatsApp,
    Telegram,
    Sms,
    Discord,
    JsonLines,
}

impl fmt::Display for Service {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(match self {
            Self::Messenger => "Messenger",
            Self::Instagram => "Instagram",
            Self::WhatsApp => "WhatsApp",
            Self::Telegram => "Telegram",
            Self::Sms => "SMS",
            Self::Discord => "Discord",
            Self::JsonLines => "JSON Lines",
        })
    }
}

/// One line of a chat.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// Milliseconds since 1970, UTC.
    pub time_ms: i64,
    /// Who wrote it; empty if nobody did.
    pub sender: Arc<str>,
    /// What was written, tidy.
    pub text: String,
    /// Why it cannot be a message, if the format itself says so.
    pub mark: Option<Reason>,
}

/// One chat of one export.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chat {
    /// Where it is from.
    pub service: Service,
    /// The thread's name; if there is none, the chat is called after the other person.
    pub name: Option<String>,
    /// Belongs to the same person's only thread with a name of its own, if there is just one.
    pub continuation: bool,
    /// The export says that this is no conversation between two people.
    pub group: bool,
    /// Who takes part, as far as the export says it; who writes is in the lines.
    pub people: Vec<String>,
    /// How fine its times are, in milliseconds.
    pub resolution_ms: i64,
    /// The lines, oldest first.
    pub lines: Vec<Line>,
}

impl Chat {
    /// An empty chat between two people with times in milliseconds.
    pub fn new(service: Service) -> Self {
        Self {
            service,
            name: None,
            continuation: false,
            group: false,
            people: Vec::new(),
            resolution_ms: 1,
            lines: Vec::new(),
        }
    }
}

/// Before 1990 and from 2100 on nobody chats: such a time is damage.
const TIMES_MS: std::ops::Range<i64> = 631_152_000_000..4_102_444_800_000;

/// Collects the lines of a chat; names are stored once.
#[derive(Debug, Default)]
pub struct Lines {
    names: HashMap<String, Arc<str>>,
    lines: Vec<Line>,
}

impl Lines {
    /// Takes a line. Without a usable time it is marked unreadable and takes the time of the line
    /// before.
    pub fn push(&mut self, time_ms: Option<i64>, sender: &str, text: &str, mark: Option<Reason>) {
        let sender = self.name(sender);
        let (time_ms, mark) = match time_ms.filter(|time| TIMES_MS.contains(time)) {
            Some(time) => (time, mark),
            None => (self.lines.last().map_or(TIMES_MS.start, |line| line.time_ms), {
                Some(Reason::Unreadable)
            }),
        };
        let mark = if sender.is_empty() { mark.or(Some(Reason::System)) } else { mark };
        self.lines.push(Line { time_ms, sender, text: tidy_text(text), mark });
    }

    fn name(&mut self, name: &str) -> Arc<str> {
        if let Some(known) = self.names.get(name) {
            return known.clone();
        }
        let tidy: Arc<str> = tidy_name(name).into();
        self.names.insert(name.to_owned(), tidy.clone());
        tidy
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.lines.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// The lines oldest first: a file that begins with its newest line is turned round.
    pub fn oldest_first(mut self) -> Vec<Line> {
        let ends = self.lines.first().zip(self.lines.last());
        if ends.is_some_and(|(first, last)| first.time_ms > last.time_ms) {
            self.lines.reverse();
        }
        self.lines
    }
}

/// Longer names are cut: a name is shown in tables.
const LONGEST_NAME: usize = 80;

/// A name as it is compared and shown: no invisible characters, single spaces, not endless.
pub fn tidy_name(name: &str) -> String {
    let visible: String =
        name.chars().map(|it| if it.is_whitespace() { ' ' } else { it }).filter(visible).collect();
    let words: Vec<_> = visible.split(' ').filter(|word| !word.is_empty()).collect();
    words.join(" ").chars().take(LONGEST_NAME).collect()
}

/// Control characters, directions of writing, byte order marks: nothing a name or a text needs.
/// The joiners of emoji and of Indic scripts (U+200C, U+200D) are needed.
fn visible(it: &char) -> bool {
    !it.is_control() && !is_direction(*it)
}

/// Marks that only say in which direction a script runs, and the byte order mark.
pub fn is_direction(it: char) -> bool {
    matches!(it, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{61c}' | '\u{feff}')
}

/// The lines of a text as a message has them: `\n` between them, no invisible characters, plain
/// spaces, no space at the ends.
pub fn tidy_text(text: &str) -> String {
    let mut tidy = String::with_capacity(text.len());
    for it in text.chars() {
        match it {
            '\n' => tidy.push('\n'),
            '\t' | '\u{a0}' | '\u{202f}' => tidy.push(' '),
            '\u{2028}' | '\u{2029}' => tidy.push('\n'),
            it if visible(&it) => tidy.push(it),
            _ => {}
        }
    }
    let lines: Vec<_> = tidy.split('\n').map(str::trim_end).collect();
    lines.join("\n").trim().to_owned()
}
