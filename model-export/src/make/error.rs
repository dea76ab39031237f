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

    #[error("{} was made of what was there before, and takes long to make again", path.display())]
    #[diagnostic(
        code(wisp_model::make::stale),
        help(
            "Remove that folder, or the newer folder before it that you do not want, and give the \
             same command again."
        )
    )]
    Stale { path: PathBuf },

    #[error("there is no model at {}", path.display())]
    #[diagnostic(
        code(wisp_model::make::from),
        help(
            "Give --from a persona file, a folder that `wisp-model train`, `export hf` or `adopt` wrote, \
             or a model of others: a GGUF file, or a folder of Hugging Face's transformers with its \
             config.json."
        )
    )]
    From { path: PathBuf },

    #[error("a persona is not stored as f32")]
    #[diagnostic(code(wisp_model::make::format), help("Give --format fp8, int8 or int4."))]
    Format,

    #[error("a persona's name has 64 bytes at most, and this one has {bytes}")]
    #[diagnostic(
        code(wisp_model::make::name),
        help(
            "Shorten the name in chats/chats.jsonl and chats/report.json, in the folder of this \
             persona, and give the same command again."
        )
    )]
    Name { bytes: usize },

    #[error("this command cannot be given: {what}")]
    #[diagnostic(
        code(wisp_model::make::option),
        help("Give `wisp-model make-persona` again with another option or name there.")
    )]
    Option { what: String },

    #[error("stopped before the end")]
    #[diagnostic(
        code(wisp_model::make::stopped),
        help("To go on, give the same `wisp-model make-persona` again.")
    )]
    Stopped,

    #[error("{} is not UTF-8", path.display())]
    #[diagnostic(code(wisp_model::make::path), help("Give it another name."))]
    Path { path: PathBuf },

    #[error("{} is not what a step before has written: {what}", path.display())]
    #[diagnostic(
        code(wisp_model::make::damaged),
        help("Remove the folder or file, and give the same command again.")
    )]
    Damaged { path: PathBuf, what: String },
}
