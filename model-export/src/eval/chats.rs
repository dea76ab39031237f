//! The part of chats that `prepare` holds back, and how the persona chats there.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

use indicatif::ProgressBar;
use jiff::tz::TimeZone;
use persona::{Speaker, gap_bucket};

use super::error::EvalError;
use super::report::ChatsReport;
use crate::Result;
use crate::chats::clean::{LONGEST, Options};
use crate::chats::export::tidy_name;
use crate::chats::readers::Hints;
use crate::chats::rhythm::Rhythm;
use crate::chats::turn_taking::{Next, Rates, TurnTaking};
use crate::chats::{Message, canonical, ingest};
use crate::stream::chosen::leave_out;
use crate::stream::turn::{Document, Split, Turn, both_sides, most_frequent};

/// Which chats to measure on.
#[derive(Clone, Debug)]
pub struct Request {
    /// The folder that `ingest` wrote, a canonical file, or exports.
    pub path: PathBuf,
    /// Who the persona is in them.
    pub persona: String,
    /// Only these chats; all, if none.
    pub threads: Vec<String>,
    /// Files with records that are left out, as in `prepare`.
    pub without: Vec<PathBuf>,
}

/// The part of chats that is held back.
pub(super) struct HeldBack {
    /// Its conversations.
    pub(super) documents: Vec<Document>,
    /// Bytes of message text in them.
    pub(super) bytes: usize,
    /// How the persona chats in them.
    pub(super) rates: Rates,
    /// How it does in all of these chats.
    pub(super) whole: Rates,
    threads: Vec<String>,
}

impl HeldBack {
    /// Reads chats, and takes from them what `prepare` holds back.
    ///
    /// # Errors
    /// Whatever is wrong with them; a persona or a chat that is not there.
    pub(super) fn read(request: &Request) -> Result<Self> {
        let (mut messages, persona) = match is_canonical(&request.path) {
            true => (canonical::read(&request.path)?, request.persona.clone()),
            false => (ingested(&request.path, &request.persona)?, tidy_name(&request.persona)),
        };
        leave_out(&mut messages, &request.without)?;
        Self::of(messages, &persona, &request.threads)
    }

    fn of(messages: Vec<Message>, persona: &str, threads: &[String]) -> Result<Self> {
        let messages = both_sides(chosen(messages, threads)?, persona)?;
        let mut split = Split::default();
        for chat in messages.chunk_by(|one, other| one.chat == other.chat) {
            split.add_chat(chat, persona);
        }
        let documents = split.valid;
        if documents.is_empty() {
            return Err(EvalError::TooShort.into());
        }
        let bytes = documents.iter().flat_map(Document::texts).map(str::len).sum();
        let mut turn_taking = TurnTaking::default();
        for chat in chats(&documents) {
            let turns: Vec<&Turn> = chat.collect();
            for (place, turn) in turns.iter().enumerate() {
                turn_taking.add(is_own(turn), turns.get(place + 1).map(|next| happened(next)));
            }
        }
        Ok(HeldBack {
            documents,
            bytes,
            rates: turn_taking.rates(),
            whole: Rates::from(&Rhythm::of(&messages, persona)),
            threads: threads.to_vec(),
        })
    }

    pub(super) fn report(&self, persona: &str, context: usize) -> ChatsReport {
        ChatsReport {
            persona: persona.to_owned(),
            threads: self.threads.clone(),
            conversations: self.documents.len(),
            messages: self.documents.iter().flat_map(Document::texts).count(),
            context,
            held_back: self.rates,
            whole: self.whole,
        }
    }
}

/// The messages of each chat, conversations one after the other.
pub(super) fn chats(documents: &[Document]) -> impl Iterator<Item = impl Iterator<Item = &Turn>> {
    let follows =
        |document: &Document| matches!(document, Document::Conversation { follows: true, .. });
    documents.chunk_by(move |_, next| follows(next)).map(|chat| chat.iter().flat_map(turns))
}

fn turns(document: &Document) -> &[Turn] {
    match document {
        Document::Conversation { turns, .. } => turns,
        Document::Text(_) => &[],
    }
}

/// Whether the persona wrote it.
pub(super) fn is_own(turn: &Turn) -> bool {
    turn.speaker == Speaker::Wisp
}

/// How it came to this message.
fn happened(next: &Turn) -> Next {
    Next { gap: gap_bucket(next.gap_seconds), persona: f64::from(u8::from(is_own(next))) }
}

/// The messages of these chats only; all, if none are named.
fn chosen(mut messages: Vec<Message>, threads: &[String]) -> Result<Vec<Message>> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for message in &messages {
        *counts.entry(message.chat.as_str()).or_default() += 1;
    }
    if let Some(name) = threads.iter().find(|name| !counts.contains_key(name.as_str())) {
        let found = most_frequent(counts);
        return Err(EvalError::NoThread { name: name.clone(), found }.into());
    }
    let wanted: BTreeSet<&str> = threads.iter().map(String::as_str).collect();
    messages.retain(|message| wanted.is_empty() || wanted.contains(message.chat.as_str()));
    Ok(messages)
}

/// Whether this is what `ingest` writes, not an export. What cannot be read is said when it is.
fn is_canonical(path: &Path) -> bool {
    if path.is_dir() {
        return path.join(canonical::FILE_NAME).is_file();
    }
    let Ok(file) = File::open(path) else { return true };
    let mut lines = BufReader::new(file).split(b'\n').map_while(std::result::Result::ok);
    let first = lines.find(|line| !line.trim_ascii().is_empty());
    first.is_none_or(|line| serde_json::from_slice::<Message>(&line).is_ok())
}

/// The messages of exports, cleaned as `ingest` does unless told otherwise.
fn ingested(path: &Path, persona: &str) -> Result<Vec<Message>> {
    let hints = Hints { zone: TimeZone::system(), date_order: None, owner: "Me".to_owned() };
    let request = ingest::Request {
        paths: vec![path.to_owned()],
        output: None,
        hints,
        options: Options { keep: BTreeSet::default(), longest: LONGEST },
        groups: false,
        without: Vec::new(),
    };
    let bar = ProgressBar::new_spinner().with_message("reading exports");
    let gathered = ingest::gather(&request, &mut |_| bar.inc(1));
    bar.finish_and_clear();
    Ok(ingest::digest(&request, gathered?, &[persona.to_owned()])?.0)
}
