//! What can be wrong with `make-persona` itself, rather than with one of its steps.

use std::path::PathBuf;

use miette::Diagnostic;
use thiserror::Error;

/// What can be wrong. The codes are stable.
#[derive(Debug, Error, Diagnostic)]
#[allow(missing_docs)] // The fields are named in each message.
pub enum MakeError {
    #[error("{} was begun with another {what}", folder.display())]
    #[diagnostic(
        code(wisp_model::make::other),
        help("Give the options it was begun with, to go on, or another folder with -o.")
    )]
    Other { folder: PathBuf, what: &'static str },

    #[error("{} holds something that is not of `wisp-model make-persona`", folder.display())]
    #[diagnostic(code(wisp_model::make::used), help("Give another folder with -o."))]
    Used { folder: PathBuf },

    #[error("{} is not what a step before has written: {what}", path.display())]
    #[diagnostic(
        code(wisp_model::make::damaged),
        help("Remove the folder or file, and give the same command again.")
    )]
    Damaged { path: PathBuf, what: String },
}
