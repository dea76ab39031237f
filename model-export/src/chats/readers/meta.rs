//! Messenger and Instagram: the classic export and Messenger's end-to-end encrypted one.
//!
//! Classic: a folder for each thread with `message_1.json` (the newest), `message_2.json`, …, each
//! newest first, and with UTF-8 mangled (see [`super::super::mojibake`]). Encrypted: one file for
//! each chat, `NAME_N.json`, with other field names. Times are UTC in milliseconds in both. Fields
//! as read in parsers of both, see `docs/personas.md`.

use std::collections::BTreeMap;
use std::io::Read;

use serde::de::MapAccess;
use serde_json::Value;

use super::json::{self, Elements, Fields};
use super::{Place, Trouble, phrases_meta};
use crate::chats::clean::Reason;
use crate::chats::export::{Chat, Line, Lines, Service, tidy_name};
use crate::chats::mojibake;

/// All files of all threads; a thread may be spread over files, folders and archives.
#[derive(Debug, Default)]
pub(super) struct Threads {
    /// By service, name, and whether it is a continuation.
    threads: BTreeMap<(Service, String, bool), Thread>,
}

#[derive(Debug, Default)]
struct Thread {
    people: Vec<String>,
    group: bool,
    /// By the number in the file's name.
    files: Vec<(u32, Vec<Line>)>,
}

impl Threads {
    /// Reads one file.
    pub(super) fn read(&mut self, place: &Place, input: &mut dyn Read) -> Result<(), Trouble> {
        let mut file = File::default();
        json::read_object(input, &mut file)?;
        let path = place.path.to_lowercase();
        let instagram = path.contains("instagram");
        let service = if instagram { Service::Instagram } else { Service::Messenger };
        let continuation = file.encrypted || path.contains("/e2ee_cutover/");
        let thread = file.path.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
        let name = [thread, &file.thread_name, place.folder(), &file.title]
            .into_iter()
            .map(tidy_name)
            .find(|name| !name.is_empty())
            .unwrap_or_default();
        let thread = self.threads.entry((service, name, continuation)).or_default();
        thread.group |= file.people.len() > 2;
        for person in file.people {
            if !thread.people.contains(&person) {
                thread.people.push(person);
            }
        }
        let number = if file.encrypted { 0 } else { file_number(place.file_name()) };
        thread.files.push((number, file.lines.oldest_first()));
        Ok(())
    }

    /// The chats, and which files seem to be missing.
    pub(super) fn finish(self) -> (Vec<Chat>, Vec<String>) {
        let mut notes = Vec::new();
        let chats = self.threads.into_iter().map(|((service, name, continuation), mut thread)| {
            // The highest number is the oldest.
            thread.files.sort_by_key(|(number, _)| std::cmp::Reverse(*number));
            let highest = thread.files.first().map_or(0, |(number, _)| *number);
            let numbers: std::collections::BTreeSet<_> =
                thread.files.iter().map(|(number, _)| *number).filter(|it| *it > 0).collect();
            // Counted, not listed: the number comes from a file's name and may be anything.
            let missing = (highest as usize).saturating_sub(numbers.len());
            if missing > 0 {
                notes.push(format!(
                    "{service} thread {name}: message_{highest}.json is there, but {missing} of \
                     the files before it are not; the download may be incomplete"
                ));
            }
            let mut lines: Vec<_> = thread.files.into_iter().flat_map(|(_, lines)| lines).collect();
            lines.sort_by_key(|line| line.time_ms);
            let chat = Chat::new(service);
            let (group, people) = (thread.group, thread.people);
            Chat { name: Some(name), continuation, group, people, lines, ..chat }
        });
        (chats.collect(), notes)
    }
}

/// N of `message_N.json`, or 0.
fn file_number(name: &str) -> u32 {
    let number = name.strip_prefix("message_").and_then(|rest| rest.strip_suffix(".json"));
    number.and_then(|number| number.parse().ok()).unwrap_or(0)
}

/// One file.
#[derive(Default)]
struct File {
    people: Vec<String>,
    title: String,
    thread_name: String,
    path: String,
    encrypted: bool,
    lines: Lines,
}

impl Fields for File {
    fn field<'de, A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<(), A::Error> {
        let text = |value: Value| mojibake::repair(value.as_str().unwrap_or_default());
        match key {
            "participants" => {
                let people = &mut self.people;
                map.next_value_seed(Elements(|person: Value| {
                    let name = person.as_str().unwrap_or_else(|| json::text(&person, "name"));
                    people.push(tidy_name(&mojibake::repair(name)));
                }))?;
            }
            "title" => self.title = text(map.next_value()?),
            "thread_path" => self.path = text(map.next_value()?),
            "threadName" => {
                self.thread_name = text(map.next_value()?);
                self.encrypted = true;
            }
            "messages" => {
                let Self { lines, encrypted, .. } = self;
                map.next_value_seed(Elements(|message: Value| {
                    *encrypted |= message.get("senderName").is_some();
                    take(&message, lines);
                }))?;
            }
            _ => json::skip(map)?,
        }
        Ok(())
    }
}

/// Fields that hold what was sent besides words.
const ATTACHMENTS: [&str; 9] =
    ["photos", "videos", "audio_files", "files", "gifs", "sticker", "share", "media", "plan"];

/// Values of the old field `type`, and of the encrypted export's, that no person wrote.
const WRITTEN_BY_SERVICE: [&str; 6] =
    ["call", "subscribe", "unsubscribe", "payment", "placeholder", "unsupported"];

fn take(message: &Value, lines: &mut Lines) {
    let either = |one: &str, other: &str| {
        let text = json::text(message, one);
        mojibake::repair(if text.is_empty() { json::text(message, other) } else { text })
    };
    let time = json::number(message, "timestamp_ms").or_else(|| json::number(message, "timestamp"));
    let sender = either("sender_name", "senderName");
    let content = either("content", "text");
    let kind = json::text(message, "type").to_lowercase();
    let attached = ATTACHMENTS.iter().any(|key| json::has(message, key));
    let mark = if json::has(message, "is_unsent") || json::has(message, "isUnsent") {
        Some(Reason::Unsent)
    } else if json::has(message, "call_duration") || WRITTEN_BY_SERVICE.contains(&kind.as_str()) {
        Some(Reason::System)
    } else if let Some(reason) = phrases_meta::meta(&sender, &content) {
        Some(reason)
    } else {
        (attached && content.trim().is_empty()).then_some(Reason::Media)
    };
    lines.push(time, &sender, &content, mark);
}
