//! General corpora: JSON Lines, plain or compressed, of conversations and plain texts.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use flate2::read::MultiGzDecoder;
use persona::Speaker;
use serde::Deserialize;

use super::dice::Dice;
use super::error::PrepareError;
use super::turn::{Document, Turn};
use crate::{Error, Result};

/// One line. Other fields are not looked at.
#[derive(Deserialize)]
#[serde(untagged)]
enum Line {
    Conversation { messages: Vec<Written> },
    Text { text: String },
}

#[derive(Deserialize)]
struct Written {
    from: String,
    text: String,
    /// Milliseconds, if known.
    #[serde(default)]
    time: Option<i64>,
}

/// Longest silence that is made up between two messages, in seconds.
const LONGEST_GAP: u64 = 600;

/// Reads a corpus. `each` is called after every document.
///
/// # Errors
/// A file that cannot be read, is cut off, has a line of another form, or no text at all.
pub fn read(path: &Path, mut each: impl FnMut()) -> Result<Vec<Document>> {
    let file = File::open(path).map_err(Error::read(path))?;
    let is_compressed = path.extension().is_some_and(|ending| ending == "gz");
    let reader: Box<dyn Read> =
        if is_compressed { Box::new(MultiGzDecoder::new(file)) } else { Box::new(file) };
    let mut documents = Vec::new();
    for (index, line) in BufReader::with_capacity(1 << 16, reader).lines().enumerate() {
        let wrong = || PrepareError::Corpus { path: path.to_owned(), line: index + 1 };
        let line = line.map_err(|cause| match cause.kind() {
            std::io::ErrorKind::InvalidData => Error::from(wrong()),
            _ if is_compressed => PrepareError::Compressed { path: path.to_owned(), cause }.into(),
            _ => Error::Read { path: path.to_owned(), cause },
        })?;
        if line.trim().is_empty() {
            continue;
        }
        let line = serde_json::from_str(&line).map_err(|_| wrong())?;
        documents.extend(document(line, documents.len() as u64));
        each();
    }
    match documents.is_empty() {
        true => Err(PrepareError::Empty { path: path.to_owned() }.into()),
        false => Ok(documents),
    }
}

/// The document of a line; none where there is no text. `place` seeds what is drawn for it.
fn document(line: Line, place: u64) -> Option<Document> {
    let messages = match line {
        Line::Text { text } => {
            let text = text.trim();
            return (!text.is_empty()).then(|| Document::Text(text.to_owned()));
        }
        Line::Conversation { messages } => messages,
    };
    let messages: Vec<Written> =
        messages.into_iter().filter(|message| !message.text.trim().is_empty()).collect();
    let first = messages.first()?.from.clone();
    let mut dice = Dice::new(place);
    // The persona is one of the two by the toss of a coin: so it learns to begin as well as to
    // answer, and no text comes twice.
    let persona_begins = dice.below(2) == 0;
    let mut turns: Vec<Turn> = Vec::with_capacity(messages.len());
    let mut before: Option<i64> = None;
    for message in messages {
        let gap_seconds = match (turns.is_empty(), message.time, before) {
            (true, ..) => 0,
            (false, Some(time), Some(before)) => {
                u32::try_from(time.saturating_sub(before).max(0) / 1000).unwrap_or(u32::MAX)
            }
            (false, ..) => typing_seconds(&message.text, &mut dice),
        };
        let speaker =
            if (message.from == first) == persona_begins { Speaker::Wisp } else { Speaker::You };
        before = message.time;
        turns.push(Turn { speaker, gap_seconds, text: message.text.trim().to_owned() });
    }
    Some(Document::Conversation { turns, follows: false })
}

/// How long a person takes to think a little and type a text: where a corpus has no times. Two to
/// five characters a second, and up to twenty seconds before.
fn typing_seconds(text: &str, dice: &mut Dice) -> u32 {
    let thinking = 1 + dice.below(20);
    let typing = text.chars().count() as u64 / (2 + dice.below(4));
    u32::try_from((thinking + typing).min(LONGEST_GAP)).unwrap_or(u32::MAX)
}
