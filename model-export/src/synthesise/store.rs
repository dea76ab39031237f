//! The file that grows: canonical messages with a mark of origin, whole conversations only.
//!
//! A conversation is appended and on the disk before the next is looked at. What a crash tore is
//! cut off when the file is opened again; a file of anything else is never changed.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

use persona::Speaker;
use serde::{Deserialize, Serialize};

use super::error::SynthesiseError;
use super::prompt::FRIEND;
use crate::chats::Message;
use crate::chats::canonical::SYNTHETIC;
use crate::stream::dice::Dice;
use crate::stream::turn::Turn;
use crate::{Error, Result};

/// A line of the file: the canonical record, and where it is from. Readers of chats do not look at
/// the mark; `prepare` takes the teacher from the chat's name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// The message.
    #[serde(flatten)]
    pub message: Message,
    /// Its origin.
    pub origin: Mark,
}

/// Where a message is from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mark {
    /// The model that wrote it.
    pub teacher: String,
    /// The conversation's number in the file, from 1.
    pub conversation: u64,
    /// How many messages the conversation has.
    pub messages: usize,
}

/// The chat of a model's conversations, in signs that no option gives a meaning.
pub fn chat(model: &str) -> String {
    let plain = |it: char| if it.is_alphanumeric() || "._-:/".contains(it) { it } else { '_' };
    SYNTHETIC.chars().chain(model.chars().map(plain)).take(100).collect()
}

/// What the other side is called. It has no name: it was never the same person.
pub fn friend(persona: &str) -> &'static str {
    if persona == FRIEND { "you" } else { FRIEND }
}

/// The file, and what is in it.
#[derive(Debug)]
pub struct Store {
    path: PathBuf,
    persona: String,
    file: Option<File>,
    /// Bytes of whole conversations.
    length: u64,
    /// Bytes on the disk, with what was torn.
    found: u64,
    records: Vec<Record>,
    conversations: u64,
}

impl Store {
    /// Reads what is there, without changing anything. There may be nothing.
    ///
    /// # Errors
    /// A file that cannot be read, or that something else wrote.
    pub fn read(path: &Path, persona: &str) -> Result<Self> {
        let bytes = match std::fs::read(path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Vec::new(),
            Err(cause) => return Err(Error::Read { path: path.to_owned(), cause }),
        };
        let mut store = Self {
            path: path.to_owned(),
            persona: persona.to_owned(),
            file: None,
            length: 0,
            found: bytes.len() as u64,
            records: Vec::new(),
            conversations: 0,
        };
        store.take(&bytes)?;
        Ok(store)
    }

    fn take(&mut self, bytes: &[u8]) -> Result<()> {
        let foreign = |line| SynthesiseError::Foreign { path: self.path.clone(), line };
        let mut read = 0u64;
        // The conversation that is not whole yet.
        let mut open: Vec<Record> = Vec::new();
        let (mut records, mut length, mut conversations) = (Vec::new(), 0, 0);
        for (index, line) in bytes.split_inclusive(|byte| *byte == b'\n').enumerate() {
            let record = serde_json::from_slice::<Record>(line);
            let Some(b'\n') = line.last() else {
                // Torn: a beginning of a record, or a whole one without its end.
                let begins = b"{\"time\":";
                let is_ours =
                    record.is_ok() || line.starts_with(begins) || begins.starts_with(line);
                let is_whole =
                    record.is_err() && serde_json::from_slice::<serde_json::Value>(line).is_ok();
                if !is_ours || is_whole {
                    return Err(foreign(index + 1).into());
                }
                break;
            };
            read += line.len() as u64;
            let record = record.map_err(|_| foreign(index + 1))?;
            if open.first().is_some_and(|it| it.origin != record.origin) {
                return Err(foreign(index + 1).into());
            }
            let wanted = record.origin.messages;
            open.push(record);
            if open.len() >= wanted {
                conversations += 1;
                length = read;
                records.append(&mut open);
            }
        }
        let known = [self.persona.as_str(), friend(&self.persona)];
        if records.iter().any(|it| !known.contains(&it.message.sender.as_str())) {
            let (path, name) = (self.path.clone(), self.persona.clone());
            return Err(SynthesiseError::OtherPersona { path, name }.into());
        }
        (self.records, self.length, self.conversations) = (records, length, conversations);
        Ok(())
    }

    /// How many conversations there are.
    pub fn conversations(&self) -> u64 {
        self.conversations
    }

    /// All messages.
    pub fn messages(&self) -> Vec<Message> {
        self.records.iter().map(|record| record.message.clone()).collect()
    }

    /// The conversations as turns.
    pub fn talks(&self) -> impl Iterator<Item = Vec<Turn>> {
        let talks = self.records.chunk_by(|one, other| one.origin == other.origin);
        talks.map(|talk| {
            let turn = |record: &Record| Turn {
                speaker: match record.message.sender == self.persona {
                    true => Speaker::Wisp,
                    false => Speaker::You,
                },
                gap_seconds: 0,
                text: record.message.text.clone(),
            };
            talk.iter().map(turn).collect()
        })
    }

    /// Makes sure that nobody else writes, and cuts off what was torn.
    ///
    /// # Errors
    /// When somebody does, or the disk refuses.
    pub fn open(&mut self) -> Result<&mut File> {
        if self.file.is_none() {
            let write = |cause| Error::Write { path: self.path.clone(), cause };
            let file = File::options().append(true).create(true).open(&self.path).map_err(write)?;
            let locked = file.try_lock().is_err();
            let length = file.metadata().map_err(write)?.len();
            if locked || length != self.found {
                return Err(SynthesiseError::Locked { path: self.path.clone() }.into());
            }
            file.set_len(self.length).map_err(write)?;
            self.file = Some(file);
        }
        // It was set just now.
        self.file.as_mut().ok_or_else(|| SynthesiseError::Locked { path: self.path.clone() }.into())
    }

    /// Whether there is a file already.
    pub fn exists(&self) -> bool {
        self.file.is_some() || self.path.exists()
    }

    /// Appends a conversation. It is on the disk whole, or nothing of it.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn append(&mut self, turns: &[Turn], model: &str, times: &Times) -> Result<()> {
        let number = self.conversations + 1;
        let before = self.records.last().map(|record| record.message.time_ms);
        let mark = Mark { teacher: model.to_owned(), conversation: number, messages: turns.len() };
        let mut time_ms = times.begin(before, turns.first().map_or(0, |it| it.gap_seconds), number);
        let mut records = Vec::with_capacity(turns.len());
        let mut lines = Vec::new();
        for (place, turn) in turns.iter().enumerate() {
            if place > 0 {
                time_ms = time_ms.saturating_add(i64::from(turn.gap_seconds) * 1000);
            }
            let sender = match turn.speaker {
                Speaker::Wisp => self.persona.as_str(),
                Speaker::You => friend(&self.persona),
            };
            let message = Message {
                time_ms,
                sender: sender.to_owned(),
                text: turn.text.clone(),
                chat: chat(model),
            };
            let record = Record { message, origin: mark.clone() };
            // Only names, numbers and texts: this cannot fail.
            lines.extend(serde_json::to_vec(&record).unwrap_or_default());
            lines.push(b'\n');
            records.push(record);
        }
        let length = self.length;
        let file = self.open()?;
        let written = file.write_all(&lines).and_then(|()| file.sync_data());
        if let Err(cause) = written {
            // If this fails too, the next run cuts.
            let _ = match length {
                0 => std::fs::remove_file(&self.path),
                _ => file.set_len(length),
            };
            return Err(Error::Write { path: self.path.clone(), cause });
        }
        self.length += lines.len() as u64;
        self.records.append(&mut records);
        self.conversations = number;
        Ok(())
    }
}

/// When conversations happen: one after the other, from a beginning that the seed decides.
#[derive(Clone, Debug)]
pub struct Times {
    /// Decides the beginning and silences that the teacher did not give.
    pub seed: u64,
    /// Silences of the chats, in seconds.
    pub silences: Vec<u32>,
}

/// 1 January 2001, in milliseconds: long before the chats, so that nobody takes one for the other.
const FIRST_MS: i64 = 978_307_200_000;

/// Silences between conversations: above what ends one (`chats::rhythm`), up to two days.
const SILENCES: std::ops::RangeInclusive<u32> = 3601..=172_800;

impl Times {
    /// When a conversation begins, in milliseconds, after a message at `before` and, if that can
    /// be, the silence that the teacher gave.
    fn begin(&self, before: Option<i64>, given: u32, number: u64) -> i64 {
        let mut dice = Dice::new(self.seed ^ number.rotate_left(32));
        let Some(before) = before else {
            return FIRST_MS + i64::try_from(dice.below(365 * 86_400)).unwrap_or(0) * 1000;
        };
        let silence = if SILENCES.contains(&given) {
            given
        } else {
            let place = dice.below(self.silences.len() as u64) as usize;
            let drawn = self.silences.get(place).copied();
            let drawn = drawn.unwrap_or(3601 + dice.below(72_000) as u32);
            drawn.clamp(*SILENCES.start(), *SILENCES.end())
        };
        before.saturating_add(i64::from(silence) * 1000)
    }
}
