//! Trains Llama-style models on packed tokens.
#![forbid(unsafe_code)]
