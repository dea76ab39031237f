//! Personas with which no conversation is possible.

use std::path::PathBuf;

use miette::Diagnostic;
use thiserror::Error;

/// Why there is no conversation with a persona. The codes are stable.
#[derive(Debug, Error, Diagnostic)]
#[non_exhaustive]
#[allow(missing_docs)] // The fields are named in each message.
pub enum ConversationError {
    #[error("{} tells stories: it has no speakers and no silences", path.display())]
    #[diagnostic(
        code(wisp_model::conversation::story),
        help(
            "Measure it on a plain text with `wisp-model eval --text FILE`. A persona that chats \
             comes from `wisp-model prepare` and `train`, or from a Hugging Face folder with a \
             wisp.json."
        )
    )]
    Story { path: PathBuf },

    #[error("{} remembers {context} tokens, too few for a conversation", path.display())]
    #[diagnostic(
        code(wisp_model::conversation::context),
        help("Train it with a context of 32 tokens at the very least; 256 is usual.")
    )]
    Context { path: PathBuf, context: usize },
}
