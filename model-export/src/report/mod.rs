//! The report of an ingestion: what was kept, what was dropped and why, and how the persona chats.
//!
//! Names stand in it, texts do not. One [`Report`] is shown on the terminal, as a page, as JSON.

pub mod html;
mod plot;
mod tally;
pub mod terminal;

use std::collections::BTreeMap;

use serde::Serialize;

pub(crate) use html::STYLE;
pub(crate) use plot::escape;
pub use tally::Tally;

use crate::chats::clean::Reason;
use crate::chats::export::Service;
use crate::chats::rhythm::Rhythm;
use crate::cli;

/// Why a whole chat is left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum LeftOut {
    /// More than two people, a bot, or notes to oneself.
    Group,
    /// The persona is not in it.
    WithoutPersona,
    /// Only one of the two wrote.
    OneSided,
    /// The user named it.
    Unwanted,
}

impl LeftOut {
    /// Its name in tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::Group => "group chats, bots, notes to oneself",
            Self::WithoutPersona => "chats without the persona",
            Self::OneSided => "chats in which only one side writes",
            Self::Unwanted => "chats left out by name",
        }
    }
}

/// How many chats and lines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Count {
    /// Chats.
    pub chats: usize,
    /// Their lines.
    pub lines: u64,
}

/// Messages in a month.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Month {
    /// As `2026-11`.
    pub month: String,
    /// Messages of the persona.
    pub own: u64,
    /// Messages of the others.
    pub others: u64,
}

/// One conversation.
#[derive(Clone, Debug, Serialize)]
pub struct ChatReport {
    /// Its name, as in the canonical file.
    pub name: String,
    /// Where it is from.
    pub service: Service,
    /// Lines read.
    pub read: u64,
    /// Messages kept.
    pub kept: u64,
    /// What was dropped.
    pub dropped: BTreeMap<Reason, u64>,
    /// The first and the last day, as `2026-11-21`; nothing if nothing was kept.
    pub days: Option<(String, String)>,
    /// How the persona chats in it.
    pub rhythm: Rhythm,
}

/// Everything that is reported.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// The persona's name.
    pub persona: String,
    /// The time zone of days and months, and of times that an export gave without one.
    pub time_zone: String,
    /// Files read.
    pub files: usize,
    /// Their bytes, unpacked.
    pub bytes: u64,
    /// Files that could have held chats by their names, but did not.
    pub unknown_files: usize,
    /// Files of other kinds, not opened.
    pub skipped_files: usize,
    /// Chats and lines read, by service.
    pub services: BTreeMap<Service, Count>,
    /// Lines read.
    pub read: u64,
    /// Messages kept.
    pub kept: u64,
    /// Characters of the kept messages, in bytes of UTF-8: the persona's and the others'.
    pub text_bytes: [u64; 2],
    /// Lines dropped, by reason.
    pub dropped: BTreeMap<Reason, u64>,
    /// Chats left out whole.
    pub left_out: BTreeMap<LeftOut, Count>,
    /// Messages out of which links were cut.
    pub links_cut: u64,
    /// Each conversation, the longest first.
    pub chats: Vec<ChatReport>,
    /// Messages by month, without holes.
    pub months: Vec<Month>,
    /// How the persona chats, in what was kept.
    pub rhythm: Rhythm,
    /// The same with media and everything else that people sent, before cleaning.
    pub rhythm_before: Rhythm,
    /// What the user should know.
    pub notes: Vec<String>,
}

impl Report {
    /// As JSON, with the rates that follow from the counts.
    pub fn json(&self) -> String {
        // Numbers and names only: this cannot fail.
        let mut json = serde_json::to_value(self).unwrap_or_default();
        if let Some(fields) = json.as_object_mut() {
            let rates = serde_json::json!({
                "reply_rate": self.rhythm.reply_rate(),
                "burst_length": self.rhythm.burst_length(),
                "first_speech_rate": self.rhythm.first_speech_rate(),
            });
            fields.insert("rates".into(), rates);
        }
        cli::to_json(&json)
    }
}

/// A number with its thousands apart: `43,819`.
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// So many of something: `1 chat`, `1,204 chats`.
pub(crate) fn counted(number: u64, what: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{} {what}{plural}", grouped(number))
}

/// A share as `81.4 %`.
pub(crate) fn percent(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
}

/// The gap buckets in words (`persona::GAP_LIMITS`).
pub(crate) const GAPS: [&str; persona::GAPS] =
    ["to 1 min", "to 10 min", "to 1 h", "to 6 h", "longer"];

#[cfg(test)]
mod tests {
    use super::grouped;

    #[test]
    fn thousands_stand_apart() {
        let cases = [(0, "0"), (999, "999"), (1000, "1,000"), (43_819, "43,819")];
        for (number, shown) in cases {
            assert_eq!(grouped(number), shown);
        }
        assert_eq!(grouped(1_234_567), "1,234,567");
    }
}
