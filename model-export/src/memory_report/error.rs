//! What can keep a memory report from being made. No message text ever stands in an error.

use std::path::PathBuf;

use miette::Diagnostic;
use thiserror::Error;

/// What can keep a memory report from being made. The codes are stable.
#[derive(Debug, Error, Diagnostic)]
#[non_exhaustive]
#[allow(missing_docs)] // The fields are named in each message.
pub enum MemoryError {
    #[error("{} tells stories: it was not trained on chats", path.display())]
    #[diagnostic(
        code(wisp_model::memory::story),
        help(
            "Give a persona that chats, as `wisp-model import hf` makes it of our trainers' folders."
        )
    )]
    Story { path: PathBuf },

    #[error("no chat has two conversations or more, so there is nothing to compare with")]
    #[diagnostic(
        code(wisp_model::memory::nothing_held_back),
        help(
            "The last conversations of each chat are held back from training, and show how much can \
             be guessed. Give the same chats as to `wisp-model prepare`."
        )
    )]
    NothingHeldBack,

    #[error("{} remembers too little at a time for a message", path.display())]
    #[diagnostic(
        code(wisp_model::memory::context),
        help("`wisp-model inspect` shows its context: a persona needs 16 tokens at least.")
    )]
    Context { path: PathBuf },

    #[error("stopped before anything was measured")]
    #[diagnostic(
        code(wisp_model::memory::stopped),
        help(
            "Run it again. Ctrl-C later on still gives a report of what was measured until then."
        )
    )]
    Stopped,
}
