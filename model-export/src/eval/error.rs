//! What can be wrong with what personas are to be measured on. No message text stands in an error.

use std::path::PathBuf;

use miette::Diagnostic;
use thiserror::Error;

/// What can be wrong with what personas are to be measured on. The codes are stable.
#[derive(Debug, Error, Diagnostic)]
#[non_exhaustive]
#[allow(missing_docs)] // The fields are named in each message.
pub enum EvalError {
    #[error("there is no chat called {name}")]
    #[diagnostic(code(wisp_model::eval::thread), help("Give --thread one of these: {found}."))]
    NoThread { name: String, found: String },

    #[error("no chat has two conversations or more, so nothing of them is held back to measure by")]
    #[diagnostic(
        code(wisp_model::eval::short),
        help(
            "A new conversation begins after an hour of silence. Give more chats, or all of them by \
             leaving out --thread; check that the times in them are right."
        )
    )]
    TooShort,

    #[error("{} has a vocabulary of {tokens} tokens", path.display())]
    #[diagnostic(
        code(wisp_model::eval::vocabulary),
        help("Chats are measured with 65536 tokens at most. `--text FILE` takes any vocabulary.")
    )]
    Vocabulary { path: PathBuf, tokens: usize },
}
