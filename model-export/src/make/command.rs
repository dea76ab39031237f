//! A command of this program, as a person would type it.

use std::ffi::OsString;
use std::io::Write;
use std::path::PathBuf;

use clap::Parser;

use super::MakeError;
use crate::Result;
use crate::cli::{self, Arguments};
use crate::terminal::shell_word;

/// A command of this program.
pub(super) struct Command {
    pub(super) words: Vec<OsString>,
    /// Where its page goes too, for steps that write no file.
    pub(super) page: Option<PathBuf>,
}

impl Command {
    /// As a person would type it.
    pub fn shown(&self) -> String {
        let words = self.words.iter().map(|word| shell_word(&word.to_string_lossy()));
        words.collect::<Vec<_>>().join(" ")
    }

    /// Does it in this process.
    pub fn run(self, out: &mut impl Write) -> Result<()> {
        // Our own words and names of files; if one is wrong after all, clap says which.
        let arguments = Arguments::try_parse_from(&self.words)
            .map_err(|error| MakeError::Option { what: error.to_string() })?;
        let Some(path) = self.page else { return arguments.run(out) };
        let mut page = Vec::new();
        arguments.run(&mut page)?;
        cli::print(out, &page)?;
        Ok(whole_files::write(&path, &page)?)
    }
}
