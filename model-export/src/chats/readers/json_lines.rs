//! JSON Lines: the canonical record, for chats from anywhere else.

use std::collections::BTreeMap;
use std::io::Read;

use jiff::Timestamp;
use serde_json::Value;

use super::{Trouble, each_line, json};
use crate::chats::export::{Chat, Lines, Service, tidy_name};

/// Reads the chats of a file: `{"time": ms, "sender": "…", "text": "…", "chat": "…"}` a line.
/// Times may also be seconds, or written as in RFC 3339.
pub(super) fn read(input: &mut dyn Read) -> Result<Vec<Chat>, Trouble> {
    let mut chats: BTreeMap<String, Lines> = BTreeMap::new();
    each_line(input, |number, line| {
        let line = line.trim_start_matches('\u{feff}');
        if line.trim().is_empty() {
            return Ok(());
        }
        let record: Value = serde_json::from_str(line).map_err(|error| match error.classify() {
            serde_json::error::Category::Eof => Trouble::Truncated { line: number },
            _ => Trouble::Json { line: number, column: error.column() },
        })?;
        if !record.is_object() {
            return Err(Trouble::Json { line: number, column: 1 });
        }
        let (sender, text) = (json::text(&record, "sender"), json::text(&record, "text"));
        let lines = chats.entry(tidy_name(json::text(&record, "chat"))).or_default();
        lines.push(record.get("time").and_then(time_ms), sender, text, None);
        Ok(())
    })?;
    Ok(chats.into_iter().map(|(name, lines)| chat(name, lines)).collect())
}

/// Chats are younger than 1990, so a number this small counts seconds, and not milliseconds.
const SECONDS_BELOW: f64 = 1e11;

fn time_ms(time: &Value) -> Option<i64> {
    let text = time.as_str().map(str::trim);
    let Some(number) = text.map_or_else(|| time.as_f64(), |text| text.parse().ok()) else {
        return text?.parse::<Timestamp>().ok().map(Timestamp::as_millisecond);
    };
    // What is no time, however large, is refused with those of other centuries.
    Some(if number < SECONDS_BELOW { number * 1000.0 } else { number }.round() as i64)
}

fn chat(name: String, lines: Lines) -> Chat {
    let mut lines = lines.oldest_first();
    lines.sort_by_key(|line| line.time_ms);
    let name = Some(name).filter(|name| !name.is_empty());
    Chat { name, lines, ..Chat::new(Service::JsonLines) }
}
