//! Why a persona cannot be brought to life.

use core::fmt;
use engine::EngineError;
use link::message::Refusal;
use tokenizer::TableError;

/// Why [`crate::Device::new`] failed.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum DeviceError {
    /// The tokenizer's table is damaged.
    Tokenizer(TableError),
    /// The tokenizer has another vocabulary than the model.
    Vocabulary {
        /// Tokens of the tokenizer.
        tokenizer: usize,
        /// Tokens of the model.
        model: usize,
    },
    /// A token of the persona's style is not in the vocabulary.
    Style,
    /// The engine cannot run the model, or memory does not suffice.
    Engine(EngineError),
    /// The context is too small for any conversation.
    ContextTooSmall,
    /// There is not even the memory for the smallest context.
    TooLittleMemory {
        /// Bytes of heap that would do.
        needed: u64,
        /// Bytes of heap there are.
        available: u64,
    },
}

impl DeviceError {
    /// What the host is told.
    pub fn refusal(&self) -> Refusal {
        match self {
            Self::TooLittleMemory { .. } | Self::Engine(EngineError::OutOfMemory) => {
                Refusal::OutOfMemory
            }
            _ => Refusal::BadPersona,
        }
    }
}

impl fmt::Display for DeviceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tokenizer(error) => write!(f, "the tokenizer's table is damaged: {error:?}"),
            Self::Vocabulary { tokenizer, model } => {
                write!(f, "the tokenizer has {tokenizer} tokens, but the model {model}")
            }
            Self::Style => f.write_str("a special token is not in the vocabulary"),
            Self::Engine(error) => write!(f, "the model cannot run: {error}"),
            Self::ContextTooSmall => f.write_str("the context is too small for a conversation"),
            Self::TooLittleMemory { needed, available } => {
                write!(f, "it needs {needed} bytes of memory, but there are {available}")
            }
        }
    }
}

impl core::error::Error for DeviceError {}

impl From<EngineError> for DeviceError {
    fn from(error: EngineError) -> Self {
        Self::Engine(error)
    }
}

impl From<TableError> for DeviceError {
    fn from(error: TableError) -> Self {
        Self::Tokenizer(error)
    }
}
