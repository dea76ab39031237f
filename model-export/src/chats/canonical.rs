//! The canonical file: every message that was kept, one JSON record a line, sorted by time in a chat.

use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::error::ChatError;
use crate::{Error, Result};

/// One message as everything after `ingest` sees it. A record may have other fields, which are not
/// looked at.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Message {
    /// When it was sent: milliseconds since 1970, UTC.
    #[serde(rename = "time")]
    pub time_ms: i64,
    /// Who sent it. The persona has one name in all chats.
    pub sender: String,
    /// What was sent. Lines are separated by `\n`; other control characters do not occur.
    pub text: String,
    /// The conversation it belongs to; unique in a file.
    pub chat: String,
}

/// Chats that a language model wrote are called this and its name.
pub const SYNTHETIC: &str = "synthetic/";

/// The file's name in the folder that `ingest` writes.
pub const FILE_NAME: &str = "chats.jsonl";

/// Writes messages, one a line.
///
/// # Errors
/// What `output` reports.
pub fn write(output: &mut dyn Write, messages: &[Message]) -> std::io::Result<()> {
    for message in messages {
        serde_json::to_writer(&mut *output, message)?;
        output.write_all(b"\n")?;
    }
    Ok(())
}

/// Reads a canonical file, or the one in a folder that `ingest` wrote: chat by chat, in the file's
/// order, which is by time within a chat.
///
/// # Errors
/// A file that cannot be read, a line that is no record, a file without messages.
pub fn read(path: &Path) -> Result<Vec<Message>> {
    let messages = read_any(path)?;
    if messages.is_empty() {
        return Err(ChatError::NoMessages { file: path.display().to_string() }.into());
    }
    Ok(messages)
}

/// As [`read`], for a list that may be empty.
///
/// # Errors
/// A file that cannot be read, a line that is no record.
pub fn read_any(path: &Path) -> Result<Vec<Message>> {
    let file_path = if path.is_dir() { path.join(FILE_NAME) } else { path.to_owned() };
    let file = File::open(&file_path).map_err(Error::read(&file_path))?;
    let mut messages = Vec::new();
    for (index, line) in BufReader::new(file).lines().enumerate() {
        let damaged = || ChatError::Json {
            file: file_path.display().to_string(),
            line: index + 1,
            column: 1,
        };
        let line = line.map_err(|cause| match cause.kind() {
            std::io::ErrorKind::InvalidData => Error::from(damaged()),
            _ => Error::Read { path: file_path.clone(), cause },
        })?;
        if !line.trim().is_empty() {
            messages.push(serde_json::from_str(&line).map_err(|_| damaged())?);
        }
    }
    Ok(messages)
}
