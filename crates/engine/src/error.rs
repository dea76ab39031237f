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
    /// The model's heads do not fit the cache format that was asked for.
    UnsuitableCache,
    /// The key-value cache has no room for these tokens.
    ContextFull,
    /// No token, or more than a batch holds.
    BadBatch,
    /// No such token in the vocabulary.
    BadToken,
    /// The last tokens are not finished yet: call [`crate::Engine::step`] or roll back.
    Busy,
    /// There are not so many tokens to drop, or the opening is gone already.
    BadShift,
    /// The conversation has become so long that rotary positions lose their precision: roll back
    /// to 0 and read what is to be kept again.
    PositionsExhausted,
}

impl fmt::Display for EngineError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::OutOfMemory => "not enough memory for the model's working buffers",
            Self::UnusableTensor => "a tensor is missing or has the wrong shape",
            Self::UnsuitableCache => "the model's heads do not fit an int8 cache",
            Self::ContextFull => "the context is full",
            Self::BadBatch => "no token, or more than a batch holds",
            Self::BadToken => "the token is not in the vocabulary",
            Self::Busy => "the last tokens are not finished",
            Self::BadShift => "there are no such tokens to drop",
            Self::PositionsExhausted => "too many tokens were dropped to count on",
        })
    }
}

impl core::error::Error for EngineError {}
