//! JSON Lines: the canonical record, for chats from anywhere else.

use std::collections::BTreeMap;
use std::io::Read;

use serde_json::Value;

use super::{Trouble, each_line, json};
use crate::chats::export::{Chat, Lines, Service, tidy_name};

/// Reads the chats of a file: `{"time": ms, "sender": "…", "text": "…", "chat": "…"}` a line.
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
        lines.push(json::number(&record, "time"), sender, text, None);
        Ok(())
    })?;
    Ok(chats.into_iter().map(|(name, lines)| chat(name, lines)).collect())
}

fn chat(name: String, lines: Lines) -> Chat {
    let mut lines = lines.oldest_first();
    lines.sort_by_key(|line| line.time_ms);
    let name = Some(name).filter(|name| !name.is_empty());
    Chat { name, lines, ..Chat::new(Service::JsonLines) }
}
