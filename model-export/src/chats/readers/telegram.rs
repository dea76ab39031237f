//! Telegram Desktop's `result.json`: one chat, or everything.
//!
//! `text` is a text or an array of texts and `{type, text}`. `date_unixtime` is UTC; exports from
//! before 2022 have only `date`, which is the local time of the computer that exported.

use std::io::Read;
use std::marker::PhantomData;

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use serde::de::MapAccess;
use serde_json::Value;

use super::json::{self, Elements, Fields, Objects};
use super::{Trouble, wall_time};
use crate::chats::clean::Reason;
use crate::chats::export::{Chat, Lines, Service, tidy_name};

/// Reads the chats of a file.
pub(super) fn read(zone: &TimeZone, input: &mut dyn Read) -> Result<Vec<Chat>, Trouble> {
    let mut file = File { zone, chats: Vec::new(), single: Thread::new(zone) };
    json::read_object(input, &mut file)?;
    let File { mut chats, single, .. } = file;
    if !single.kind.is_empty() || !single.lines.is_empty() {
        chats.push(single.chat());
    }
    Ok(chats)
}

/// The top: the fields of a single chat, or lists of chats.
struct File<'a> {
    zone: &'a TimeZone,
    chats: Vec<Chat>,
    single: Thread<'a>,
}

impl Fields for File<'_> {
    fn field<'de, A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<(), A::Error> {
        if key == "chats" || key == "left_chats" {
            let mut list = List { zone: self.zone, chats: &mut self.chats };
            return map.next_value_seed(json::Object(&mut list));
        }
        self.single.field(key, map)
    }
}

/// `{"about": …, "list": [chat, …]}`
struct List<'a> {
    zone: &'a TimeZone,
    chats: &'a mut Vec<Chat>,
}

impl Fields for List<'_> {
    fn field<'de, A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<(), A::Error> {
        if key != "list" {
            return json::skip(map);
        }
        let Self { zone, chats } = self;
        map.next_value_seed(Objects {
            start: || Thread::new(zone),
            finish: |thread: Thread| chats.push(thread.chat()),
            kind: PhantomData,
        })
    }
}

/// One chat.
struct Thread<'a> {
    zone: &'a TimeZone,
    name: String,
    kind: String,
    lines: Lines,
    previous: Option<i64>,
}

impl<'a> Thread<'a> {
    fn new(zone: &'a TimeZone) -> Self {
        let (name, kind) = (String::new(), String::new());
        Self { zone, name, kind, lines: Lines::default(), previous: None }
    }

    fn chat(self) -> Chat {
        let name = Some(tidy_name(&self.name)).filter(|name| !name.is_empty());
        let group = self.kind != "personal_chat";
        let lines = self.lines.oldest_first();
        Chat { name, group, resolution_ms: 1000, lines, ..Chat::new(Service::Telegram) }
    }

    fn take(&mut self, message: &Value) {
        let unix = json::number(message, "date_unixtime").and_then(|it| it.checked_mul(1000));
        let time = unix.or_else(|| {
            let date: DateTime = json::text(message, "date").parse().ok()?;
            wall_time(self.zone, date, self.previous)
        });
        self.previous = time.or(self.previous);
        let text = flatten(message.get("text"));
        let mark = if json::text(message, "type") == "service" {
            Some(Reason::System)
        } else if json::has(message, "forwarded_from") || json::has(message, "via_bot") {
            Some(Reason::Forwarded)
        } else {
            let only_words = message
                .as_object()
                .is_none_or(|fields| fields.keys().all(|key| !ATTACHMENTS.contains(&key.as_str())));
            (text.trim().is_empty() && !only_words).then_some(Reason::Media)
        };
        let sender = match json::text(message, "from") {
            "" if message.get("from").is_some() => "Deleted Account",
            "" => json::text(message, "actor"),
            name => name,
        };
        self.lines.push(time, sender, &text, mark);
    }
}

impl Fields for Thread<'_> {
    fn field<'de, A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<(), A::Error> {
        match key {
            "name" => self.name = map.next_value::<Value>()?.as_str().unwrap_or_default().into(),
            "type" => self.kind = map.next_value::<Value>()?.as_str().unwrap_or_default().into(),
            "messages" => map.next_value_seed(Elements(|message| self.take(&message)))?,
            _ => json::skip(map)?,
        }
        Ok(())
    }
}

/// Fields that say that something besides words was sent.
const ATTACHMENTS: [&str; 12] = [
    "media_type",
    "file",
    "photo",
    "location_information",
    "contact_information",
    "contact_vcard",
    "poll",
    "game_title",
    "invoice_information",
    "place_name",
    "giveaway_information",
    "story_data",
];

/// The words of a text that may be cut into pieces by how they are shown.
fn flatten(text: Option<&Value>) -> String {
    match text {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Array(pieces)) => {
            let piece =
                |it: &Value| it.as_str().unwrap_or_else(|| json::text(it, "text")).to_owned();
            pieces.iter().map(piece).collect()
        }
        _ => String::new(),
    }
}
