//! What a folder was begun with, so that going on means the same.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use whole_files::{Content, Readers};

use super::{MakeError, MakePersona};
use crate::{Error, Result};

/// The file in the folder.
const FILE: &str = "make-persona.json";

/// The options that decide what comes out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Notes {
    exports: Vec<String>,
    name: Option<String>,
    preset: Option<String>,
    minutes: Option<f64>,
    tokens: Option<f64>,
    corpora: Vec<String>,
    vocabulary: u32,
    licences: Option<String>,
    from: Option<String>,
    conversations: u32,
    format: String,
}

impl Notes {
    /// # Errors
    /// A path that cannot be noted.
    pub fn of(make: &MakePersona) -> Result<Self> {
        let absolute = |path: &PathBuf| -> Result<String> {
            let path = std::path::absolute(path).unwrap_or_else(|_| path.clone());
            path.into_os_string()
                .into_string()
                .map_err(|path| MakeError::Path { path: path.into() }.into())
        };
        Ok(Notes {
            exports: make.exports.iter().map(absolute).collect::<Result<_>>()?,
            name: make.name.clone(),
            preset: make.preset.map(|size| size.to_string()),
            minutes: make.minutes,
            tokens: make.tokens,
            corpora: make.corpus.clone(),
            vocabulary: make.vocabulary,
            licences: make.licences.as_ref().map(absolute).transpose()?,
            from: make.from.as_ref().map(absolute).transpose()?,
            conversations: make.conversations,
            format: make.format.to_string(),
        })
    }

    /// Leaves the notes in a folder without results, which is made; in one with some, compares them.
    ///
    /// # Errors
    /// When they are others, or the folder is not one of `make-persona`.
    pub fn agree(&self, folder: &Path) -> Result<()> {
        let path = folder.join(FILE);
        let is_begun = path.exists();
        let entries = match std::fs::read_dir(folder) {
            Ok(entries) => entries.count(),
            Err(error) if error.kind() == ErrorKind::NotFound => 0,
            Err(cause) => return Err(Error::Read { path: folder.to_owned(), cause }),
        };
        if entries == usize::from(is_begun) {
            // Only names and numbers: this cannot fail.
            let json = serde_json::to_string_pretty(self).unwrap_or_default() + "\n";
            let files: [(&str, Content<'_>); 1] = [(FILE, &|to| to.write_all(json.as_bytes()))];
            return Ok(whole_files::write_together(folder, Readers::Everybody, &files)?);
        }
        if !is_begun {
            return Err(MakeError::Used { folder: folder.to_owned() }.into());
        }
        let json = std::fs::read(&path).map_err(Error::read(&path))?;
        let begun: Notes = serde_json::from_slice(&json)
            .map_err(|error| MakeError::Damaged { path: path.clone(), what: error.to_string() })?;
        match self.difference(&begun) {
            Some(what) => Err(MakeError::Other { folder: folder.to_owned(), what }.into()),
            None => Ok(()),
        }
    }

    /// What is not the same.
    fn difference(&self, begun: &Notes) -> Option<&'static str> {
        let pairs = [
            (self.exports == begun.exports, "list of exports"),
            (self.name == begun.name, "--name"),
            (self.preset == begun.preset, "--preset"),
            (self.minutes == begun.minutes, "--minutes"),
            (self.tokens == begun.tokens, "--tokens"),
            (self.corpora == begun.corpora, "--corpus"),
            (self.vocabulary == begun.vocabulary, "--vocabulary"),
            (self.licences == begun.licences, "--licences"),
            (self.from == begun.from, "--from"),
            (self.conversations == begun.conversations, "--conversations"),
            (self.format == begun.format, "--format"),
        ];
        pairs.into_iter().find(|(same, _)| !same).map(|(_, what)| what)
    }
}
