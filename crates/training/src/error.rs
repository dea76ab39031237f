//! Everything that can go wrong in training: what, a stable code, and what to do next.

use std::path::{Path, PathBuf};

use miette::Diagnostic;
use thiserror::Error;
use whole_files::WriteError;

/// Result of everything in this crate that can fail.
pub type Result<T> = std::result::Result<T, Error>;

/// Everything that can go wrong. The codes are stable.
#[derive(Debug, Error, Diagnostic)]
#[non_exhaustive]
#[allow(missing_docs)] // The fields are named in each message.
pub enum Error {
    #[error("cannot read {}: {cause}", path.display())]
    #[diagnostic(
        code(wisp_model::train::read),
        help("Check the path and that you may read the file.")
    )]
    Read { path: PathBuf, cause: std::io::Error },

    #[error("cannot write {}: {cause}", path.display())]
    #[diagnostic(
        code(wisp_model::train::write),
        help(
            "Check that you may write there and that there is space, then go on with --resume. \
             Nothing half-written was left; the last checkpoint and the best model are kept."
        )
    )]
    Write { path: PathBuf, cause: std::io::Error },

    #[error("{} is not a folder of packed chats: {what}", path.display())]
    #[diagnostic(
        code(wisp_model::train::dataset),
        help("Make the folder with `wisp-model prepare`, and give the folder itself.")
    )]
    Dataset { path: PathBuf, what: String },

    #[error("{} is not a model that can be trained: {what}", path.display())]
    #[diagnostic(
        code(wisp_model::train::model),
        help(
            "Give a folder with config.json and model.safetensors of a Llama, as `wisp-model \
             train` and `wisp-model export hf` write it."
        )
    )]
    Model { path: PathBuf, what: String },

    #[error(
        "the model has {model_vocabulary} tokens and a context of {model_context}, the data \
         {vocabulary} and {context}"
    )]
    #[diagnostic(
        code(wisp_model::train::fit),
        help(
            "Prepare the data with this model's tokenizer (`wisp-model prepare --like FOLDER`), and \
             with no longer context."
        )
    )]
    DoesNotFit { model_vocabulary: usize, model_context: usize, vocabulary: usize, context: usize },

    #[error("the model in {} has another tokenizer than the data", path.display())]
    #[diagnostic(
        code(wisp_model::train::tokenizer),
        help("Prepare the data with its tokenizer: `wisp-model prepare --like FOLDER`.")
    )]
    OtherTokenizer { path: PathBuf },

    #[error("{} holds a model or an unfinished run already", path.display())]
    #[diagnostic(
        code(wisp_model::train::used),
        help("Go on with the run with --resume, or give another folder.")
    )]
    Used { path: PathBuf },

    #[error("{} has no unfinished run", path.display())]
    #[diagnostic(
        code(wisp_model::train::nothing_to_resume),
        help(
            "A run that came to its end has no checkpoint. Leave out --resume to begin a new one."
        )
    )]
    NothingToResume { path: PathBuf },

    #[error("{} is not a usable checkpoint: {what}", path.display())]
    #[diagnostic(
        code(wisp_model::train::checkpoint),
        help(
            "Give the folder and the data of the run it is from, with nothing in them changed. To begin \
             again, give another folder, or remove the checkpoint with the model beside it."
        )
    )]
    Checkpoint { path: PathBuf, what: String },

    #[error("the loss is not a number any more, in step {step}")]
    #[diagnostic(
        code(wisp_model::train::diverged),
        help(
            "The best model so far and the last checkpoint are kept. Begin again in another folder \
             with a lower --lr. In a folder of `make-persona`: remove its model/, give the \
             `wisp-model train` that it printed with a lower --lr, then `make-persona` again."
        )
    )]
    Diverged { step: u64 },

    #[error("this cannot be trained: {what}")]
    #[diagnostic(code(wisp_model::train::options), help("`wisp-model train --help` says more."))]
    Options { what: String },
}

impl From<WriteError> for Error {
    fn from(WriteError { path, cause }: WriteError) -> Self {
        Error::Write { path, cause }
    }
}

impl Error {
    /// For `map_err` on reading a file.
    pub(crate) fn read(path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        move |cause| Error::Read { path: path.to_owned(), cause }
    }
}
