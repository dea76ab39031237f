//! The conversations, kept in one SQLite file: they outlive the program, the board and its power.
//!
//! ```text
//! client ─ store ─► History ─► file   one writer (lock.rs), others may read
//! `wisp history` ──── Reader ──┘
//! ```
//! A persona is a friend, on whatever board it lives: each has one conversation, found by the digest
//! of its file. What the board is told to forget is overwritten here, not only unlinked.

mod error;
pub mod export;
mod lock;
pub mod place;
mod reader;
mod rows;
mod schema;

use std::path::{Path, PathBuf};

use link::conversation::{Saved, Unsaved};
use link::message::Digest;
use rusqlite::{Connection, OptionalExtension, params};

pub use error::HistoryError;
pub use reader::{Chat, Reader, mentions};

use lock::Lock;

/// Whether another program writes to the history at this place now.
pub fn is_busy(path: &Path) -> bool {
    lock::is_taken(path)
}

/// Looks at every page of a history, and lists its conversations. Nothing is changed.
///
/// # Errors
/// There is none, it cannot be read, it is damaged, or of a newer version.
pub fn check_whole(path: &Path) -> Result<Vec<Chat>> {
    schema::check_whole(path)?;
    Reader::open(path)?.chats(None)
}

/// Result of everything here that can fail.
type Result<T> = std::result::Result<T, HistoryError>;

/// A history that is written to: by one program at a time.
#[derive(Debug)]
pub struct History {
    connection: Connection,
    path: PathBuf,
    chat: Current,
    /// Words that are gone may still be readable in the log of changes.
    has_remains: bool,
    _lock: Lock,
}

/// The conversation that is going on.
#[derive(Clone, Debug, Default)]
struct Current {
    /// Its row, once there is anything to keep.
    row: Option<i64>,
    persona: Option<Digest>,
    name: String,
}

impl History {
    /// Opens a history, or begins one where there is none.
    ///
    /// # Errors
    /// Another program writes to it, it cannot be opened, it is damaged, or of a newer version.
    pub fn open(path: &Path) -> Result<Self> {
        place::prepare(path)?;
        let lock = Lock::beside(path)?;
        let connection = schema::open(path)?;
        let (path, chat) = (path.to_path_buf(), Current::default());
        // Whoever wrote to it last may have been stopped before the log was emptied.
        Ok(Self { connection, path, chat, has_remains: true, _lock: lock })
    }

    /// Takes up the conversation with this persona. Of one that is not known yet the latest is
    /// assumed: most likely the same board is still there.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn take_up(&mut self, persona: Option<&Digest>, name: &str) -> Result<Saved> {
        self.chat = self.look_up(persona, name)?;
        self.load()
    }

    /// The board has this persona: takes up the conversation with it. `None` when it goes on already.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn meet(&mut self, persona: &Digest, name: &str) -> Result<Option<Saved>> {
        if self.chat.persona.as_ref() == Some(persona) {
            return Ok(None);
        }
        let found = self.look_up(Some(persona), name)?;
        if self.chat.persona.is_none() && found.row.is_none() {
            // What was said before anybody was there is for whoever came first.
            self.chat.persona = Some(*persona);
            if let Some(row) = self.chat.row {
                let sql = "UPDATE chat SET persona = ?1 WHERE id = ?2";
                self.connection
                    .execute(sql, params![persona, row])
                    .map_err(HistoryError::write(&self.path))?;
            }
            return Ok(None);
        }
        self.chat = found;
        self.load().map(Some)
    }

    fn look_up(&self, persona: Option<&Digest>, name: &str) -> Result<Current> {
        let sql = match persona {
            Some(_) => "SELECT id, persona FROM chat WHERE persona = ?1",
            None => "SELECT id, persona FROM chat WHERE ?1 IS NULL ORDER BY used DESC LIMIT 1",
        };
        let found: Option<(i64, Option<Digest>)> = self
            .connection
            .query_row(sql, [persona], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()
            .map_err(HistoryError::read(&self.path))?;
        let name = name.to_string();
        Ok(match found {
            Some((row, persona)) => Current { row: Some(row), persona, name },
            None => Current { row: None, persona: persona.copied(), name },
        })
    }

    fn load(&self) -> Result<Saved> {
        let Some(row) = self.chat.row else { return Ok(Saved::default()) };
        rows::load(&self.connection, row).map_err(HistoryError::read(&self.path))
    }

    /// Writes down what has changed: all of it or, on an error, nothing. When this returns, not even
    /// a power failure loses it.
    ///
    /// # Errors
    /// The file cannot be written, most likely because the disk is full.
    pub fn store(&mut self, unsaved: &Unsaved<'_>, unix_seconds: u64) -> Result<()> {
        let failed = HistoryError::write(&self.path);
        let transaction = self.connection.transaction().map_err(&failed)?;
        let chat = &self.chat;
        let (row, loses_words) =
            rows::store_chat(&transaction, chat.row, &chat.name, chat.persona, unix_seconds)
                .and_then(|row| Ok((row, rows::store(&transaction, row, unsaved)?)))
                .map_err(&failed)?;
        transaction.commit().map_err(&failed)?;
        self.chat.row = Some(row);
        self.has_remains |= loses_words;
        self.scrub()
    }

    /// Makes what is gone unreadable; tried again with the next change, if somebody reads just now.
    fn scrub(&mut self) -> Result<()> {
        if self.has_remains {
            let scrubbed = schema::scrub(&self.connection);
            self.has_remains = !scrubbed.map_err(HistoryError::write(&self.path))?;
        }
        Ok(())
    }

    /// What was chosen about the persona, as [`Self::choose`] got it.
    pub fn choices(&self) -> Option<String> {
        let row = self.chat.row?;
        let sql = "SELECT choices FROM chat WHERE id = ?1";
        self.connection.query_row(sql, [row], |row| row.get(0)).ok().flatten()
    }

    /// Writes down what was chosen about the persona.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn choose(&mut self, choices: &str, unix_seconds: u64) -> Result<()> {
        let failed = HistoryError::write(&self.path);
        let transaction = self.connection.transaction().map_err(&failed)?;
        let chat = &self.chat;
        let row = rows::store_chat(&transaction, chat.row, &chat.name, chat.persona, unix_seconds)
            .map_err(&failed)?;
        let sql = "UPDATE chat SET choices = ?1 WHERE id = ?2";
        transaction.execute(sql, params![choices, row]).map_err(&failed)?;
        transaction.commit().map_err(&failed)?;
        self.chat.row = Some(row);
        Ok(())
    }

    /// All conversations there are.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn chats(&self) -> Result<Vec<Chat>> {
        reader::chats(&self.connection).map_err(HistoryError::read(&self.path))
    }

    /// Deletes what was said in a conversation. The board is told to forget it too, when it is there
    /// again.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn delete(&mut self, chat: i64) -> Result<()> {
        let failed = HistoryError::write(&self.path);
        let transaction = self.connection.transaction().map_err(&failed)?;
        rows::forget(&transaction, chat).map_err(&failed)?;
        transaction.commit().map_err(&failed)?;
        self.has_remains = true;
        self.scrub()
    }
}
