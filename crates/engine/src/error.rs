//! What can go wrong in the engine.

use core::fmt;

/// Why the engine refuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum EngineError {
    /// The heap has no room for the buffers; see [`crate::memory_needed`].
    OutOfMemory,
    /// The model lacks a tensor, or one has not the shape that the architecture gives it.
    UnusableTensor,
    /// The key-value cache holds as many tokens as it can.
    ContextFull,
    /// No such token in the vocabulary.
    BadToken,
    /// The last token is not finished yet: call [`crate::Engine::step`] or roll back.
    Busy,
}

impl fmt::Display for EngineError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::OutOfMemory => "not enough memory for the model's working buffers",
            Self::UnusableTensor => "a tensor is missing or has the wrong shape",
            Self::ContextFull => "the context is full",
            Self::BadToken => "the token is not in the vocabulary",
            Self::Busy => "the last token is not finished",
        })
    }
}

impl core::error::Error for EngineError {}
