//! What can go wrong with the history: message, stable code, next step. It never says what was said.

use std::path::{Path, PathBuf};

use miette::Diagnostic;
use thiserror::Error;

/// Everything that can go wrong with the history.
#[derive(Debug, Error, Diagnostic)]
#[non_exhaustive]
#[allow(missing_docs)] // The fields are named in each message.
pub enum HistoryError {
    #[error("another wisp keeps its conversation in {path}", path = path.display())]
    #[diagnostic(
        code(wisp::history::busy),
        help(
            "Go on there, or end it. A second board at the same time needs a file of its own: `--history FILE`; or `--no-history`."
        )
    )]
    Busy { path: PathBuf },

    #[error("the history {path} cannot be opened: {cause}", path = path.display())]
    #[diagnostic(
        code(wisp::history::open),
        help(
            "Check the folder and who may write there, name another file with `--history FILE`, or do without: `--no-history`."
        )
    )]
    Open { path: PathBuf, cause: String },

    #[error("{path} is no history of Wisp's", path = path.display())]
    #[diagnostic(
        code(wisp::history::foreign),
        help("It was not touched. Name another file with `--history FILE`.")
    )]
    Foreign { path: PathBuf },

    #[error("the history {path} was written by a newer wisp (version {version} of the file)", path = path.display())]
    #[diagnostic(
        code(wisp::history::newer),
        help(
            "It was not touched. Use the newer wisp, or another file: `--history FILE`, `--no-history`."
        )
    )]
    Newer { path: PathBuf, version: u32 },

    #[error("the history {path} is damaged: {cause}", path = path.display())]
    #[diagnostic(
        code(wisp::history::damaged),
        help(
            "It was not touched. Move it away and begin anew, or mend a copy: `sqlite3 OLD .recover | sqlite3 NEW`, then `--history NEW`."
        )
    )]
    Damaged { path: PathBuf, cause: String },

    #[error("the history {path} cannot be read: {cause}", path = path.display())]
    #[diagnostic(
        code(wisp::history::read),
        help("Check the disk and the file's permissions. Nothing was changed.")
    )]
    Read { path: PathBuf, cause: String },

    #[error("the conversation cannot be stored in {path}: {cause}", path = path.display())]
    #[diagnostic(
        code(wisp::history::write),
        help(
            "Is the disk full? Nothing more is said to the board until it can be stored; it is tried again every second."
        )
    )]
    Write { path: PathBuf, cause: String },

    #[error("there is no history at {path}", path = path.display())]
    #[diagnostic(
        code(wisp::history::missing),
        help(
            "It begins with the first `wisp serve` or `wisp chat`. Another file: `--history FILE`."
        )
    )]
    Missing { path: PathBuf },

    #[error("this system does not say where a user's data belongs")]
    #[diagnostic(
        code(wisp::history::nowhere),
        help("Set HOME, or name a file with `--history FILE`; or do without: `--no-history`.")
    )]
    Nowhere,

    #[error("there is no conversation {number}")]
    #[diagnostic(
        code(wisp::history::which_chat),
        help("`wisp history list` shows the conversations and their numbers; `--chat` takes one.")
    )]
    WhichChat { number: i64 },

    #[error("cannot write the export to {path}: {cause}", path = path.display())]
    #[diagnostic(
        code(wisp::history::export),
        help("Name a file that is not there yet, where there is space. Nothing was written.")
    )]
    Export { path: PathBuf, cause: std::io::Error },

    #[error("nothing was deleted: it was not confirmed")]
    #[diagnostic(
        code(wisp::history::not_confirmed),
        help("Answer `yes`, or give `--yes` where nobody can be asked.")
    )]
    NotConfirmed,
}

impl HistoryError {
    /// Makes an error of what SQLite says when it reads.
    pub(super) fn read(path: &Path) -> impl Fn(rusqlite::Error) -> Self {
        let path = path.to_path_buf();
        move |cause| match cause.sqlite_error_code() {
            Some(rusqlite::ErrorCode::DatabaseCorrupt) => {
                Self::Damaged { path: path.clone(), cause: cause.to_string() }
            }
            _ => Self::Read { path: path.clone(), cause: cause.to_string() },
        }
    }

    /// Makes an error of what SQLite says when it writes.
    pub(super) fn write(path: &Path) -> impl Fn(rusqlite::Error) -> Self + use<> {
        let path = path.to_path_buf();
        move |cause| Self::Write { path: path.clone(), cause: cause.to_string() }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_error_has_its_own_code_and_a_next_step() {
        let path = || PathBuf::from("file");
        let cause = || "cause".to_string();
        let samples = [
            HistoryError::Busy { path: path() },
            HistoryError::Open { path: path(), cause: cause() },
            HistoryError::Foreign { path: path() },
            HistoryError::Newer { path: path(), version: 9 },
            HistoryError::Damaged { path: path(), cause: cause() },
            HistoryError::Read { path: path(), cause: cause() },
            HistoryError::Write { path: path(), cause: cause() },
            HistoryError::Missing { path: path() },
            HistoryError::Nowhere,
            HistoryError::WhichChat { number: 7 },
            HistoryError::Export { path: path(), cause: std::io::Error::other("cause") },
            HistoryError::NotConfirmed,
        ];
        let (catalogue, _) = include_str!("error.rs").split_once("impl HistoryError").unwrap();
        assert_eq!(catalogue.matches("#[error(").count(), samples.len(), "one has no sample");
        let mut codes = HashSet::new();
        for error in &samples {
            let code = error.code().unwrap().to_string();
            assert!(code.starts_with("wisp::history::"), "{code}");
            assert!(codes.insert(code.clone()), "{code} is used twice");
            assert!(error.help().unwrap().to_string().len() > 10, "{code} says no next step");
        }
    }
}
