//! Reads a history, also while another program writes to it.

use std::path::{Path, PathBuf};

use link::conversation::Message;
use link::message::Digest;
use rusqlite::Connection;

use super::{HistoryError, Result, rows, schema};

/// A conversation in a history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chat {
    /// Its number in this history.
    pub number: i64,
    /// What the persona is called; several may have one name.
    pub name: String,
    /// SHA-256 of the persona's file; `None` until a board has said it.
    pub persona: Option<Digest>,
    /// Messages in it.
    pub messages: u64,
    /// When the first and the last were written, in seconds since 1970.
    pub written: Option<(u64, u64)>,
}

/// A history that is only read.
#[derive(Debug)]
pub struct Reader {
    connection: Connection,
    path: PathBuf,
}

impl Reader {
    /// Opens a history.
    ///
    /// # Errors
    /// There is none, it cannot be opened, or it is of a newer version.
    pub fn open(path: &Path) -> Result<Self> {
        Ok(Self { connection: schema::open_to_read(path)?, path: path.to_path_buf() })
    }

    /// The conversation with this number, or all, oldest first.
    ///
    /// # Errors
    /// The file cannot be read, or there is no such conversation.
    pub fn chats(&self, number: Option<i64>) -> Result<Vec<Chat>> {
        let mut all = chats(&self.connection).map_err(HistoryError::read(&self.path))?;
        if let Some(number) = number {
            all.retain(|chat| chat.number == number);
            if all.is_empty() {
                return Err(HistoryError::WhichChat { number });
            }
        }
        Ok(all)
    }

    /// What was said in a conversation, in order. Exactly as it came from the board: sanitise before
    /// printing.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn messages(&self, chat: &Chat) -> Result<Vec<Message>> {
        let mut messages = rows::load_messages(&self.connection, chat.number)
            .map_err(HistoryError::read(&self.path))?;
        // A reply that had not begun when it was written down.
        messages.retain(|message| !message.text.is_empty());
        Ok(messages)
    }
}

pub(super) fn chats(connection: &Connection) -> rusqlite::Result<Vec<Chat>> {
    let sql = "SELECT id, name, persona, count(message.key), min(unix_seconds), max(unix_seconds)
               FROM chat LEFT JOIN message ON message.chat = chat.id AND text <> ''
               GROUP BY id ORDER BY id";
    let mut statement = connection.prepare(sql)?;
    let chats = statement.query_map([], |row| {
        let (first, last): (Option<u64>, Option<u64>) = (row.get(4)?, row.get(5)?);
        Ok(Chat {
            number: row.get(0)?,
            name: row.get(1)?,
            persona: row.get(2)?,
            messages: row.get(3)?,
            written: first.zip(last),
        })
    })?;
    chats.collect()
}

/// Whether a text has all of these words in it, in any order, in capitals or not.
pub fn mentions(text: &str, words: &[String]) -> bool {
    let text = text.to_lowercase();
    words.iter().all(|word| text.contains(&word.to_lowercase()))
}
