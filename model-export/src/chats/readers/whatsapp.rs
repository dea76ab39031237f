//! WhatsApp's text of a chat: `_chat.txt` of an iPhone, `WhatsApp Chat with NAME.txt` of Android.
//!
//! Times are those of the phone's clock, mostly without seconds on Android. What WhatsApp writes
//! itself is in the phone's language; on an iPhone it begins with U+200E.

use std::collections::BTreeMap;
use std::io::Read;

use jiff::tz::TimeZone;

use super::whatsapp_date::{decide, misfit};
use super::whatsapp_line::{Stamp, header};
use super::{DateOrder, Hints, Place, Trouble, each_line, phrases_whatsapp, wall_time};
use crate::chats::export::{Chat, Line, Lines, Service, is_direction, tidy_name};

/// A line with its continuations.
struct Row {
    number: usize,
    stamp: Stamp,
    rest: String,
}

/// Reads the chat of a file.
pub(super) fn read(hints: &Hints, place: &Place, input: &mut dyn Read) -> Result<Chat, Trouble> {
    let mut rows: Vec<Row> = Vec::new();
    each_line(input, |number, line| {
        if let Some((stamp, rest)) = header(line) {
            rows.push(Row { number, stamp, rest: rest.to_owned() });
        } else if let Some(row) = rows.last_mut() {
            row.rest.push('\n');
            row.rest.push_str(line);
        }
        Ok(())
    })?;
    let senders = Senders::of(&rows);
    let lines = lines(hints, &rows, &senders)?;
    let group = rows.iter().any(|row| phrases_whatsapp::only_in_groups(&row.rest));
    let minutes = rows.iter().all(|row| row.stamp.second.is_none());
    let resolution_ms = if minutes { 60_000 } else { 1000 };
    let name = chat_name(place.file_name());
    Ok(Chat { name, group, resolution_ms, lines, ..Chat::new(Service::WhatsApp) })
}

/// The name in `WhatsApp Chat with NAME.txt`. In other languages, and in archives, the chat is
/// called after the other person.
fn chat_name(file_name: &str) -> Option<String> {
    let name = file_name.strip_suffix(".txt")?.strip_prefix("WhatsApp Chat with ")?;
    Some(tidy_name(name)).filter(|name| !name.is_empty())
}

fn lines(hints: &Hints, rows: &[Row], senders: &Senders) -> Result<Vec<Line>, Trouble> {
    let stamps: Vec<_> = rows.iter().map(|row| (row.number, row.stamp)).collect();
    let order = match hints.date_order {
        Some(order) => order,
        None => decide(&stamps)?,
    };
    let mut lines = Lines::default();
    let mut previous = None;
    for row in rows {
        let time =
            time_of(&hints.zone, order, row, previous).ok_or_else(|| match hints.date_order {
                Some(_) => Trouble::MixedDates { line: row.number },
                None => misfit(&stamps),
            })?;
        previous = Some(time);
        let (sender, text) = senders.split(&row.rest);
        let (text, mark) = phrases_whatsapp::without_additions(text, row.stamp.bracketed);
        lines.push(Some(time), sender, &text, mark);
    }
    Ok(lines.oldest_first())
}

/// A message that was delivered late stands after younger ones: within this many milliseconds, the
/// order of the file is right and not its times.
const LATE_MS: i64 = 2 * 3_600_000;

fn time_of(zone: &TimeZone, order: DateOrder, row: &Row, previous: Option<i64>) -> Option<i64> {
    let time = wall_time(zone, order.read(&row.stamp)?, previous)?;
    Some(match previous {
        Some(previous) if time < previous && previous - time <= LATE_MS => previous,
        _ => time,
    })
}

/// The senders of a file. A name may hold `: `, as text does: `Dr: Who: hello`.
struct Senders {
    /// By what stands before the first `: `: how many `: ` belong to the name.
    extra: BTreeMap<String, usize>,
}

/// A name with `: ` must occur at least this often on average to be taken for one.
const ROWS_PER_LONG_NAME: usize = 3;

impl Senders {
    fn of(rows: &[Row]) -> Self {
        let mut by_prefix: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for row in rows {
            if let Some((prefix, _)) = prefix(&row.rest, 0) {
                by_prefix.entry(prefix).or_default().push(&row.rest);
            }
        }
        let extra = by_prefix.into_iter().filter_map(|(name, rows)| {
            let extra = (1..4).take_while(|extra| is_name(&rows, *extra)).last()?;
            Some((name.to_owned(), extra))
        });
        Self { extra: extra.collect() }
    }

    /// Who wrote a row, or nobody, and what.
    fn split<'a>(&self, rest: &'a str) -> (&'a str, &'a str) {
        let Some((name, text)) = prefix(rest, 0) else { return ("", rest) };
        let extra = self.extra.get(name).copied().unwrap_or(0);
        let (name, text) = prefix(rest, extra).unwrap_or((name, text));
        // `NAME changed the subject to “a: b”`: the quotation has not ended where a name would. Those
        // of `Bob "Bear" Hill: hello` have.
        if name.matches(['"', '“', '”', '«', '»', '„']).count() % 2 == 1 {
            return ("", rest);
        }
        let name = name.trim_start_matches(|it: char| is_direction(it) || it.is_whitespace());
        let unsaved = name.strip_prefix('~').filter(|name| name.starts_with(char::is_whitespace));
        (unsaved.unwrap_or(name), text)
    }
}

/// Whether all of these rows have a longer name, and few different ones.
fn is_name(rows: &[&str], extra: usize) -> bool {
    let mut names = std::collections::BTreeSet::new();
    let all = rows.iter().all(|row| {
        prefix(row, extra).is_some_and(|(name, _)| {
            names.insert(name);
            true
        })
    });
    all && rows.len() >= ROWS_PER_LONG_NAME * names.len()
}

/// The longest that a name is looked for, in bytes.
const LONGEST_NAME: usize = 120;

/// What stands before and after the `: ` number `extra` of the first line.
fn prefix(rest: &str, extra: usize) -> Option<(&str, &str)> {
    let first_line = rest.split('\n').next().unwrap_or_default();
    // An empty message may have lost its space.
    let line_end = first_line.strip_suffix(':').map(|line| (line.len(), 1));
    let colons = first_line.match_indices(": ").map(|(at, colon)| (at, colon.len()));
    let (at, length) = colons.chain(line_end).nth(extra)?;
    let text = rest.get(at + length..)?;
    rest.get(..at).filter(|name| name.len() <= LONGEST_NAME).map(|name| (name, text))
}
