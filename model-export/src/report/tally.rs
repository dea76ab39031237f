//! Counting for the report while lines are decided about.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::{ChatReport, LeftOut, Month, Report};
use crate::chats::Message;
use crate::chats::clean::{Outcome, Reason};
use crate::chats::export::{Chat, Line, Service};
use crate::chats::rhythm::Rhythm;
use crate::chats::source::Looked;

/// Counts while lines are decided about.
#[derive(Debug)]
pub struct Tally {
    zone: TimeZone,
    report: Report,
    /// Times and sides of the lines that people sent in the current conversation, and of those kept.
    sent: Vec<(i64, bool)>,
    kept: Vec<(i64, bool)>,
}

/// Too few to learn from: a hint, not an error.
const FEW_MESSAGES: u64 = 2000;

impl Tally {
    /// Nothing counted yet. Days and months are those of `zone`.
    pub fn new(persona: &str, zone: &TimeZone) -> Self {
        let report = Report {
            persona: persona.to_owned(),
            time_zone: zone.iana_name().unwrap_or("of this computer").to_owned(),
            files: 0,
            bytes: 0,
            unknown_files: 0,
            skipped_files: 0,
            services: BTreeMap::new(),
            read: 0,
            kept: 0,
            text_bytes: [0; 2],
            dropped: BTreeMap::new(),
            left_out: BTreeMap::new(),
            links_cut: 0,
            chats: Vec::new(),
            months: Vec::new(),
            rhythm: Rhythm::default(),
            rhythm_before: Rhythm::default(),
            notes: Vec::new(),
        };
        Self { zone: zone.clone(), report, sent: Vec::new(), kept: Vec::new() }
    }

    /// Takes what was looked at.
    pub fn looked(&mut self, looked: &Looked, notes: Vec<String>) {
        self.report.files = looked.read;
        self.report.bytes = looked.bytes;
        self.report.unknown_files = looked.unknown;
        self.report.skipped_files = looked.skipped;
        self.report.notes = notes;
        if let Some(file) = &looked.web_page {
            self.report.notes.push(format!(
                "{file} is a web page, not data: if chats are missing, ask the service for JSON"
            ));
        }
    }

    /// Counts a chat that was read.
    pub fn read(&mut self, chat: &Chat) {
        let lines = chat.lines.len() as u64;
        let count = self.report.services.entry(chat.service).or_default();
        count.chats += 1;
        count.lines += lines;
        self.report.read += lines;
    }

    /// Counts a chat that is left out whole.
    pub fn leave_out(&mut self, why: LeftOut, lines: usize) {
        let count = self.report.left_out.entry(why).or_default();
        count.chats += 1;
        count.lines += lines as u64;
    }

    /// Begins the next conversation.
    pub fn begin(&mut self, service: Service, name: &str) {
        self.end();
        self.report.chats.push(ChatReport {
            name: name.to_owned(),
            service,
            read: 0,
            kept: 0,
            dropped: BTreeMap::new(),
            days: None,
            rhythm: Rhythm::default(),
        });
    }

    /// Counts a line of the current conversation.
    pub fn line(&mut self, line: &Line, outcome: &Outcome) {
        let own = *line.sender == *self.report.persona;
        let Some(chat) = self.report.chats.last_mut() else { return };
        chat.read += 1;
        match outcome {
            Outcome::Kept { text, links_cut } => {
                chat.kept += 1;
                self.report.kept += 1;
                self.report.links_cut += u64::from(*links_cut);
                let [persona, others] = &mut self.report.text_bytes;
                *(if own { persona } else { others }) += text.len() as u64;
                self.kept.push((line.time_ms, own));
                self.sent.push((line.time_ms, own));
            }
            Outcome::Dropped(reason) => {
                *chat.dropped.entry(*reason).or_default() += 1;
                *self.report.dropped.entry(*reason).or_default() += 1;
                let sent_by_a_person = !matches!(
                    reason,
                    Reason::System
                        | Reason::Reaction
                        | Reason::Unsent
                        | Reason::Duplicate
                        | Reason::Unreadable
                );
                if sent_by_a_person {
                    self.sent.push((line.time_ms, own));
                }
            }
        }
    }

    fn end(&mut self) {
        let (sent, kept) = (std::mem::take(&mut self.sent), std::mem::take(&mut self.kept));
        let Some(chat) = self.report.chats.last_mut() else { return };
        chat.rhythm.add(kept.iter().copied());
        self.report.rhythm.add(kept.iter().copied());
        self.report.rhythm_before.add(sent.into_iter());
        let day = |time_ms: i64| self.zone_date(time_ms).map(|date| date.to_string());
        let ends = kept.first().zip(kept.last());
        let days = ends.and_then(|((first, _), (last, _))| Some((day(*first)?, day(*last)?)));
        if let Some(chat) = self.report.chats.last_mut() {
            chat.days = days;
        }
    }

    fn zone_date(&self, time_ms: i64) -> Option<jiff::civil::Date> {
        let time = Timestamp::from_millisecond(time_ms).ok()?;
        Some(self.zone.to_datetime(time).date())
    }

    /// The report of `messages`.
    pub fn finish(mut self, messages: &[Message]) -> Report {
        self.end();
        self.report.months = self.months(messages);
        let mut report = self.report;
        report.chats.sort_by_key(|chat| std::cmp::Reverse(chat.kept));
        if report.kept > 0 && report.kept < FEW_MESSAGES {
            report.notes.push(format!(
                "{} messages are little to learn from: add more chats if you can",
                report.kept
            ));
        }
        report
    }

    /// Messages by month, from the first to the last without holes.
    fn months(&self, messages: &[Message]) -> Vec<Month> {
        let mut counts: BTreeMap<i32, [u64; 2]> = BTreeMap::new();
        for message in messages {
            let Some(date) = self.zone_date(message.time_ms) else { continue };
            let month = i32::from(date.year()) * 12 + i32::from(date.month()) - 1;
            let [own, others] = counts.entry(month).or_default();
            *(if message.sender == self.report.persona { own } else { others }) += 1;
        }
        let (Some((first, _)), Some((last, _))) =
            (counts.first_key_value(), counts.last_key_value())
        else {
            return Vec::new();
        };
        (*first..=*last)
            .map(|month| {
                let [own, others] = counts.get(&month).copied().unwrap_or_default();
                let month = format!("{:04}-{:02}", month.div_euclid(12), month.rem_euclid(12) + 1);
                Month { month, own, others }
            })
            .collect()
    }
}
