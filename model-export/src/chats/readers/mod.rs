//! The readers: one for each format, chosen by what a file holds.

mod detect;
mod discord;
mod json;
mod json_lines;
mod meta;
mod phrases_meta;
mod phrases_whatsapp;
mod sms;
mod telegram;
mod whatsapp;
mod whatsapp_date;
mod whatsapp_line;
mod xml_text;

use std::io::Read;

use jiff::tz::TimeZone;

pub use detect::{Format, HEAD_BYTES, detect, is_web_page};
pub use whatsapp_date::DateOrder;
pub(in crate::chats) use whatsapp_line::digit;

use super::error::ChatError;
use super::export::Chat;

/// What the user says about the exports.
#[derive(Clone, Debug)]
pub struct Hints {
    /// The zone of times that an export gives without one.
    pub zone: TimeZone,
    /// The order of day, month and year in WhatsApp's files, if it cannot be told.
    pub date_order: Option<DateOrder>,
    /// Who made an export that does not name its owner.
    pub owner: String,
}

/// Where a file was found.
#[derive(Clone, Debug)]
pub struct Place {
    /// For people: the path, and the path inside an archive.
    pub label: String,
    /// The folders and the name, separated by `/`.
    pub path: String,
}

impl Place {
    /// The file's name.
    pub fn file_name(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or_default()
    }

    /// The name of the folder that it is in.
    pub fn folder(&self) -> &str {
        self.path.rsplit('/').nth(1).unwrap_or_default()
    }
}

/// What goes wrong while a file is read, before it is known which file.
#[derive(Debug)]
pub enum Trouble {
    /// It cannot be read at all.
    Io(std::io::Error),
    /// The input ends too early.
    Truncated {
        /// The line, from 1.
        line: usize,
    },
    /// Not JSON, or JSON of another shape.
    Json {
        /// The line, from 1.
        line: usize,
        /// The column, from 1.
        column: usize,
    },
    /// Not XML.
    Xml {
        /// The byte, from 0.
        offset: u64,
    },
    /// Not UTF-8.
    NotText {
        /// The line, from 1.
        line: usize,
    },
    /// Day and month cannot be told apart.
    DateOrder,
    /// No order of day and month fits all dates.
    MixedDates {
        /// The line, from 1.
        line: usize,
    },
}

impl From<serde_json::Error> for Trouble {
    /// Only the position is kept: the message of the error may quote the file.
    fn from(error: serde_json::Error) -> Self {
        match error.classify() {
            serde_json::error::Category::Io => Self::Io(error.into()),
            serde_json::error::Category::Eof => Self::Truncated { line: error.line() },
            _ => Self::Json { line: error.line(), column: error.column() },
        }
    }
}

impl Trouble {
    /// The error, now that the file is known.
    pub fn in_file(self, file: &str) -> ChatError {
        let file = file.to_owned();
        match self {
            Self::Io(cause) => ChatError::Read { file, cause },
            Self::Truncated { line } => ChatError::Truncated { file, line },
            Self::Json { line, column } => ChatError::Json { file, line, column },
            Self::Xml { offset } => ChatError::Xml { file, offset },
            Self::NotText { line } => ChatError::NotText { file, line },
            Self::DateOrder => ChatError::DateOrder { file },
            Self::MixedDates { line } => ChatError::MixedDates { file, line },
        }
    }
}

/// Reads files of any format; what belongs together is put together at the end.
#[derive(Debug)]
pub struct Reader {
    hints: Hints,
    threads: meta::Threads,
    chats: Vec<Chat>,
}

impl Reader {
    /// Nothing read yet.
    pub fn new(hints: Hints) -> Self {
        Self { hints, threads: meta::Threads::default(), chats: Vec::new() }
    }

    /// Reads a file of a known format from its first byte on.
    ///
    /// # Errors
    /// What is wrong with it; then nothing of it is taken.
    pub fn read(
        &mut self,
        format: Format,
        place: &Place,
        input: &mut dyn Read,
    ) -> Result<(), Trouble> {
        match format {
            Format::Meta => self.threads.read(place, input)?,
            Format::Telegram => self.chats.extend(telegram::read(&self.hints.zone, input)?),
            Format::Discord => self.chats.push(discord::read(&self.hints.zone, input)?),
            Format::WhatsApp => self.chats.push(whatsapp::read(&self.hints, place, input)?),
            Format::Sms => self.chats.extend(sms::read(&self.hints.owner, input)?),
            Format::JsonLines => self.chats.extend(json_lines::read(input)?),
        }
        Ok(())
    }

    /// Every chat that was read, and what the user should know about the files.
    pub fn finish(self) -> (Vec<Chat>, Vec<String>) {
        let mut chats = self.chats;
        let (threads, notes) = self.threads.finish();
        chats.extend(threads);
        (chats, notes)
    }
}

/// Reads a text by lines of UTF-8, without their ends; `take` gets the number of each, from 1.
fn each_line(
    input: &mut dyn Read,
    mut take: impl FnMut(usize, &str) -> Result<(), Trouble>,
) -> Result<(), Trouble> {
    use std::io::BufRead;
    let mut input = std::io::BufReader::new(input);
    let mut bytes = Vec::new();
    for number in 1.. {
        bytes.clear();
        if input.read_until(b'\n', &mut bytes).map_err(Trouble::Io)? == 0 {
            break;
        }
        let line = std::str::from_utf8(&bytes).map_err(|_| Trouble::NotText { line: number })?;
        take(number, line.strip_suffix('\n').unwrap_or(line).trim_end_matches('\r'))?;
    }
    Ok(())
}

/// The time of a clock on a wall. When clocks are set back, the same hour comes twice: the first
/// is taken that is not before `previous`, so that a chat stays in order.
fn wall_time(zone: &TimeZone, time: jiff::civil::DateTime, previous: Option<i64>) -> Option<i64> {
    let ambiguous = zone.to_ambiguous_timestamp(time);
    let first = ambiguous.compatible().ok()?.as_millisecond();
    let second = ambiguous.later().ok()?.as_millisecond();
    let behind = previous.is_some_and(|previous| first < previous && previous <= second);
    Some(if behind { second } else { first })
}
