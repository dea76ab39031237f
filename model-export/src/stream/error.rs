//! What can be wrong with the input of `prepare`. No message text ever stands in an error.

use std::path::PathBuf;

use miette::Diagnostic;
use thiserror::Error;

/// What can be wrong with the input of `prepare`. The codes are stable.
#[derive(Debug, Error, Diagnostic)]
#[non_exhaustive]
#[allow(missing_docs)] // The fields are named in each message.
pub enum PrepareError {
    #[error("nobody called {name} writes in these chats")]
    #[diagnostic(code(wisp_model::prepare::persona), help("Give --persona one of these: {found}."))]
    NoPersona { name: String, found: String },

    #[error("in these chats only {name} writes")]
    #[diagnostic(
        code(wisp_model::prepare::one_sided),
        help(
            "A persona learns to answer from both sides. Export the whole conversation and run \
             `wisp-model ingest` again."
        )
    )]
    OneSided { name: String },

    #[error("no chat has two conversations or more, so nothing can be held back for validation")]
    #[diagnostic(
        code(wisp_model::prepare::short),
        help(
            "A new conversation begins after an hour of silence. Give more chats; check that the \
             times in them are right."
        )
    )]
    TooShort,

    #[error("none of the messages in {} is in these chats", path.display())]
    #[diagnostic(
        code(wisp_model::prepare::nothing_left_out),
        help(
            "Give --without the remember.jsonl that `wisp-model memory-report` made from the same \
             chats. After a new `ingest`, make it again."
        )
    )]
    NothingLeftOut { path: PathBuf },

    #[error("there is no chat called {name}")]
    #[diagnostic(code(wisp_model::prepare::apart), help("Give --apart one of these: {found}."))]
    NoChat { name: String, found: String },

    #[error("with {what} nothing is left of the chats for the source `chats`")]
    #[diagnostic(
        code(wisp_model::prepare::all_apart),
        help("Leave out --apart for the chat that the persona is to be measured on.")
    )]
    AllApart { what: String },

    #[error("two sources would be called {name}")]
    #[diagnostic(
        code(wisp_model::prepare::source_name),
        help("Rename one of the files: a source is called like its file, without the ending.")
    )]
    SourceName { name: String },

    #[error("{} cannot be a source: its name is kept for the persona's chats", path.display())]
    #[diagnostic(
        code(wisp_model::prepare::reserved_name),
        help("Rename the file: `chats` and names that begin with `chats_` are taken.")
    )]
    ReservedName { path: PathBuf },

    #[error("{} is not a corpus: wrong in line {line}", path.display())]
    #[diagnostic(
        code(wisp_model::prepare::corpus),
        help(
            "A corpus is JSON Lines, plain or as .gz, with lines like \
             {{\"source\":\"x\",\"text\":\"...\"}} or \
             {{\"source\":\"x\",\"messages\":[{{\"from\":\"a\",\"text\":\"...\"}}]}}."
        )
    )]
    Corpus { path: PathBuf, line: usize },

    #[error("{} ends in the middle: its compressed data is cut off or damaged", path.display())]
    #[diagnostic(
        code(wisp_model::prepare::compressed),
        help("Fetch or make the file again, or leave it out.")
    )]
    Compressed { path: PathBuf, cause: std::io::Error },

    #[error("{} has no text", path.display())]
    #[diagnostic(
        code(wisp_model::prepare::empty),
        help("Give a file with conversations or texts, or leave it out.")
    )]
    Empty { path: PathBuf },

    #[error("a vocabulary of {wanted} cannot be made: {cause}")]
    #[diagnostic(
        code(wisp_model::prepare::vocabulary),
        help("Give a smaller --vocabulary, or more text with --corpus.")
    )]
    Vocabulary { wanted: usize, cause: crate::bpe::TrainError },

    #[error("the vocabulary does not become a table: {cause}")]
    #[diagnostic(
        code(wisp_model::prepare::table),
        help("This should not happen. Please report it, with the size of the vocabulary.")
    )]
    Table { cause: tokenizer::BuildError },

    #[error("{} is there already and is not empty", path.display())]
    #[diagnostic(
        code(wisp_model::prepare::output),
        help("Give another folder with -o, or remove this one first.")
    )]
    OutputExists { path: PathBuf },

    #[error("{} has no tokenizer with the marks of Wisp's chats", path.display())]
    #[diagnostic(
        code(wisp_model::prepare::foreign),
        help(
            "--like takes a folder that `wisp-model train` or `wisp-model export hf` wrote. Other \
             models have no tokens for speakers and silences: `wisp-model adopt` gives them some."
        )
    )]
    Foreign { path: PathBuf },

    #[error("{} is damaged: {cause}", path.display())]
    #[diagnostic(
        code(wisp_model::prepare::model),
        help("Give --like a folder that `wisp-model train` or `wisp-model export hf` wrote.")
    )]
    Model { path: PathBuf, cause: serde_json::Error },

    #[error("the licences have {bytes} bytes together, and a persona's file has room for 60,000")]
    #[diagnostic(
        code(wisp_model::prepare::licences),
        help("Shorten the file of --licences: names of licences and addresses are enough.")
    )]
    Licences { bytes: usize },

    #[error("the tokens cannot be stored: {cause}")]
    #[diagnostic(
        code(wisp_model::prepare::store),
        help("Give fewer or smaller corpora, or a smaller --context.")
    )]
    Store { cause: safetensors::SafeTensorError },
}
