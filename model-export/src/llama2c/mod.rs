//! Files of karpathy/llama2.c: checkpoints of versions 0, 1 and 2, and tokenizer.bin.
//!
//! The layouts are those that export.py and tokenizer.py write and run.c and runq.c read.

mod checkpoint;
mod export;
mod reader;
mod vocabulary;

pub use checkpoint::{Checkpoint, Config, NORM_EPSILON, ROPE_THETA};
pub use export::{ExportLlama2c, checkpoint, tokenizer};
pub use reader::{Cause, ParseError};
pub use vocabulary::{BEGIN, END, vocabulary};
