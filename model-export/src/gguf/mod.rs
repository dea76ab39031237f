//! GGUF, the file format of llama.cpp, versions 2 and 3: read for import, written for export.
//!
//! The layout: magic, version, counts, metadata as typed key-value pairs, a record for each tensor,
//! then the weights (ggml, `docs/gguf.md`). Files come from strangers: nothing is believed before it
//! was compared with the length of the file, and no more is set aside than the file has.

mod blocks;
mod error;
mod export;
mod import;
mod metadata;
mod names;
mod reader;
mod tensors;
mod tokens;
mod types;
mod value;
mod writer;

pub use error::{Cause, GgufError, ParseError};
pub use export::{ExportGguf, GgufType, export};
pub use import::{ImportGguf, import, import_from};
pub use tensors::{Gguf, Stored};
pub use types::TensorType;
pub use value::{Array, Value};
