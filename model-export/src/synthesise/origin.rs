//! Where the conversations are from, and what they cost: a page of JSON beside them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::error::SynthesiseError;
use super::rules::Rejection;
use crate::{Error, Result, cli};

/// All runs that wrote a file.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Origin {
    /// What this is, for who finds it.
    pub about: String,
    /// The runs, oldest first.
    pub runs: Vec<Run>,
}

/// One run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Run {
    /// The server's base address.
    pub teacher: String,
    /// The model, as the server calls it.
    pub model: String,
    /// When it began and when the last answer came, UTC.
    pub begun: String,
    /// See `begun`.
    pub ended: String,
    /// SHA-256 of what is the same in all requests: the instructions and the description.
    pub prompt_sha256: String,
    /// Whether a description of the persona was sent.
    pub described: bool,
    /// Conversations of the chats in each request.
    pub examples: usize,
    /// The seed.
    pub seed: u64,
    /// The temperature.
    pub temperature: f64,
    /// Requests that were answered.
    pub requests: u64,
    /// Attempts that failed.
    pub failures: u64,
    /// Tokens that the teacher read, as far as it counts them.
    pub tokens_read: u64,
    /// Tokens that it wrote.
    pub tokens_written: u64,
    /// Conversations that were taken.
    pub conversations: u64,
    /// Messages in them.
    pub messages: u64,
    /// Those that were not, by reason.
    pub rejected: BTreeMap<Rejection, u64>,
}

impl Run {
    /// All that were not taken.
    pub fn rejections(&self) -> u64 {
        self.rejected.values().sum()
    }

    /// Why, the most frequent first.
    pub fn reasons(&self) -> String {
        let mut reasons: Vec<_> = self.rejected.iter().collect();
        reasons.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
        let reasons = reasons.into_iter().map(|(why, count)| format!("{count} {}", why.meaning()));
        reasons.collect::<Vec<_>>().join(", ")
    }
}

/// `talks.jsonl` has `talks.origin.json`.
pub fn path_beside(path: &Path) -> PathBuf {
    path.with_extension("origin.json")
}

impl Origin {
    /// Reads what earlier runs wrote; there may be nothing.
    ///
    /// # Errors
    /// A file that cannot be read, or has something else in it.
    pub fn read(path: &Path) -> Result<Self> {
        match std::fs::read(path) {
            Ok(bytes) => Ok(serde_json::from_slice(&bytes).map_err(|error| {
                SynthesiseError::Origin { path: path.to_owned(), line: error.line() }
            })?),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Self {
                about: "Conversations written by a language model, not by people.".to_owned(),
                runs: Vec::new(),
            }),
            Err(cause) => Err(Error::Read { path: path.to_owned(), cause }),
        }
    }

    /// Requests of all runs: the number of the next.
    pub fn requests(&self) -> u64 {
        self.runs.iter().map(|run| run.requests).sum()
    }

    /// The page.
    pub fn json(&self) -> String {
        cli::to_json(self)
    }

    /// Writes it, whole or not at all.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn write(&self, path: &Path) -> Result<()> {
        Ok(whole_files::write(path, self.json().as_bytes())?)
    }
}
