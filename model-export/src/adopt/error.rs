//! Why a model cannot be adopted.

use std::path::PathBuf;

use miette::Diagnostic;
use thiserror::Error;
use tokenizer::BuildError;

/// What can be wrong. The codes are stable.
#[derive(Debug, Error, Diagnostic)]
#[non_exhaustive]
#[allow(missing_docs)] // The fields are named in each message.
pub enum AdoptError {
    #[error("{} is a persona already", path.display())]
    #[diagnostic(
        code(wisp_model::adopt::persona),
        help(
            "Give it to `make-persona --from` or `export hf` as it is; a GGUF file first to `wisp-model \
             import gguf`."
        )
    )]
    Persona { path: PathBuf },

    #[error("the tokenizer of {} does not merge bytes", path.display())]
    #[diagnostic(
        code(wisp_model::adopt::tokenizer),
        help(
            "Take a model with byte-level BPE, such as SmolLM2. Models with a tokenizer like Llama 2's \
             can be imported and spoken with, but not made a persona."
        )
    )]
    Tokenizer { path: PathBuf },

    #[error("the model sees {most} tokens at most, not {wanted}")]
    #[diagnostic(code(wisp_model::adopt::context), help("Give a smaller --context."))]
    Context { wanted: usize, most: usize },

    #[error("no table can be made of the tokens that stay: {cause}")]
    #[diagnostic(
        code(wisp_model::adopt::table),
        help("The model's tokenizer is damaged: fetch the model again.")
    )]
    Table { cause: BuildError },
}
