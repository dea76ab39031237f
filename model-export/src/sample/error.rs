//! What can be wrong with the messages that a persona is to answer.

use std::path::PathBuf;

use miette::Diagnostic;
use thiserror::Error;

/// What can be wrong with what `sample` is given. The codes are stable.
#[derive(Debug, Error, Diagnostic)]
#[non_exhaustive]
#[allow(missing_docs)] // The fields are named in each message.
pub enum SampleError {
    #[error("{} has no messages to answer", path.display())]
    #[diagnostic(
        code(wisp_model::sample::opening),
        help("Write one message of the friend a line; an empty line begins a new conversation.")
    )]
    EmptyOpening { path: PathBuf },
}
