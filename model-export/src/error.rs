//! Everything that can go wrong: what, where, a stable code, and what to do next.

use std::path::{Path, PathBuf};

use miette::Diagnostic;
use model_format::{BuildError, FormatError};
use thiserror::Error;
use tokenizer::TableError;
use whole_files::WriteError;

use crate::llama2c::ParseError;
use crate::weight_format::FormatName;

/// Result of everything in this crate that can fail.
pub type Result<T> = std::result::Result<T, Error>;

/// Everything that can go wrong. The codes are stable.
#[derive(Debug, Error, Diagnostic)]
#[non_exhaustive]
#[allow(missing_docs)] // The fields are named in each message.
pub enum Error {
    #[error(transparent)]
    #[diagnostic(transparent)]
    Chats(#[from] crate::chats::ChatError),

    #[error(transparent)]
    #[diagnostic(transparent)]
    Prepare(Box<crate::stream::PrepareError>),

    #[error(transparent)]
    #[diagnostic(transparent)]
    Memory(#[from] crate::memory_report::MemoryError),

    #[error(transparent)]
    #[diagnostic(transparent)]
    HuggingFace(#[from] crate::hugging_face::HuggingFaceError),

    #[error(transparent)]
    #[diagnostic(transparent)]
    Gguf(#[from] crate::gguf::GgufError),

    #[error(transparent)]
    #[diagnostic(transparent)]
    Export(#[from] crate::export::ExportError),

    #[error(transparent)]
    #[diagnostic(transparent)]
    Adopt(#[from] crate::adopt::AdoptError),

    #[error(transparent)]
    #[diagnostic(transparent)]
    Conversation(#[from] crate::conversation::ConversationError),

    #[error(transparent)]
    #[diagnostic(transparent)]
    Eval(#[from] crate::eval::EvalError),

    #[error(transparent)]
    #[diagnostic(transparent)]
    Sample(#[from] crate::sample::SampleError),

    #[cfg(feature = "training")]
    #[error(transparent)]
    #[diagnostic(transparent)]
    Make(#[from] crate::make::MakeError),

    #[cfg(feature = "synthesise")]
    #[error(transparent)]
    #[diagnostic(transparent)]
    Synthesise(#[from] crate::synthesise::SynthesiseError),

    #[error(transparent)]
    #[diagnostic(transparent)]
    Compress(#[from] crate::compress::CompressError),

    #[cfg(feature = "training")]
    #[error(transparent)]
    #[diagnostic(transparent)]
    Train(#[from] training::Error),

    #[error("cannot read {}: {cause}", path.display())]
    #[diagnostic(
        code(wisp_model::file::read),
        help("Check the path and that you may read the file.")
    )]
    Read { path: PathBuf, cause: std::io::Error },

    #[error("cannot write {}: {cause}", path.display())]
    #[diagnostic(
        code(wisp_model::file::write),
        help("Check that the folder exists, that you may write there, and that there is space.")
    )]
    Write { path: PathBuf, cause: std::io::Error },

    #[error("{} is not a usable llama2.c checkpoint: {cause}", path.display())]
    #[diagnostic(
        code(wisp_model::llama2c::checkpoint),
        help(
            "Give a .bin file as llama2.c's export.py writes it (versions 0, 1 and 2). A PyTorch \
             .pt file must be exported first; a file cut off in a download must be fetched again."
        )
    )]
    Checkpoint { path: PathBuf, cause: ParseError },

    #[error("{} is not the tokenizer of this checkpoint: {cause}", path.display())]
    #[diagnostic(
        code(wisp_model::llama2c::tokenizer),
        help(
            "Give the tokenizer.bin that belongs to the checkpoint, as llama2.c's tokenizer.py \
             writes it: with as many tokens as the checkpoint's vocabulary."
        )
    )]
    Vocabulary { path: PathBuf, cause: ParseError },

    #[error("{} makes no tokenizer: {cause}", path.display())]
    #[diagnostic(
        code(wisp_model::llama2c::table),
        help("Give the tokenizer.bin that belongs to the checkpoint.")
    )]
    BuildTable { path: PathBuf, cause: tokenizer::BuildError },

    #[error("{} is not a usable .wisp file: {cause}", path.display())]
    #[diagnostic(
        code(wisp_model::wisp::format),
        help("The file is damaged or something else. Make it again with `wisp-model import`.")
    )]
    Format { path: PathBuf, cause: FormatError },

    #[error("{} cannot be used: {cause}", path.display())]
    #[diagnostic(
        code(wisp_model::wisp::version),
        help(
            "Make it again from its checkpoint with `wisp-model import`; for a file of a newer \
             version, build a newer `wisp-model`."
        )
    )]
    Version { path: PathBuf, cause: FormatError },

    #[error("the tokenizer in {} is not usable: {cause}", path.display())]
    #[diagnostic(
        code(wisp_model::wisp::tokenizer),
        help("The file is damaged. Make it again with `wisp-model import`.")
    )]
    Table { path: PathBuf, cause: TableError },

    #[error(
        "the tokenizer in {} has {tokenizer} tokens, its model {model}",
        path.display()
    )]
    #[diagnostic(
        code(wisp_model::wisp::vocabulary),
        help("The file was put together wrongly. Make it again with `wisp-model import`.")
    )]
    VocabularySize { path: PathBuf, tokenizer: usize, model: usize },

    #[error("cannot make a persona of this: {cause}")]
    #[diagnostic(
        code(wisp_model::wisp::build),
        help("A persona needs a name of 1 to 64 bytes and a llama2 architecture.")
    )]
    Build { cause: BuildError },

    #[error(
        "{} holds {found} weights, and quantising again would lose quality twice",
        path.display()
    )]
    #[diagnostic(
        code(wisp_model::quantise::source),
        help(
            "Quantise from the f32 file: `wisp-model import ... --format f32` makes one from the \
             checkpoint."
        )
    )]
    AlreadyQuantised { path: PathBuf, found: FormatName },

    #[error("{} is not UTF-8 text: wrong at offset {offset}", path.display())]
    #[diagnostic(
        code(wisp_model::eval::text),
        help("Save the text as UTF-8, or give another file.")
    )]
    NotText { path: PathBuf, offset: usize },

    #[error("{} has no text to predict", path.display())]
    #[diagnostic(
        code(wisp_model::eval::empty),
        help("Give a text of a few hundred words; an empty line begins a new one.")
    )]
    EmptyText { path: PathBuf },

    #[error("{} does not run: {cause}", path.display())]
    #[diagnostic(
        code(wisp_model::eval::engine),
        help("`wisp-model inspect` shows what is in the file.")
    )]
    Engine { path: PathBuf, cause: engine::EngineError },
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

    /// For `map_err` on writing a file.
    pub(crate) fn write(path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        move |cause| Error::Write { path: path.to_owned(), cause }
    }
}
