//! The base: a small model that has read much English small talk, to begin a persona with.
//!
//! It is in this program, so that a person's chats need not teach the language too. How it was made is
//! told in models/README.md.

use std::path::{Path, PathBuf};

use clap::Args;
use model_format::AlignedBytes;
use serde_json::Value;
use tokenizer::Encoder;

use crate::chats::Message;
use crate::hugging_face::{FloatType, export, tokenizer_json};
use crate::{Result, persona_file};

/// The file, as `import hf` and `quantise` made it.
const FILE: &[u8] = include_bytes!("../../models/base-3m.wisp");

/// What an error calls it.
const NAME: &str = "the base model of this program";

/// A token of the base holds about 3.8 bytes of plain English messages, 1.8 to 2 of German, French,
/// Spanish and Dutch ones, and 1 of Russian.
const FEWEST_BYTES: f64 = 2.4;

/// Messages that tell a language.
const MESSAGES: usize = 2_000;

/// Write the base model that this program brings: `make-persona` begins with it.
///
/// A folder for `train --from` and `prepare --like`. It knows English only.
#[derive(Debug, Args)]
pub struct Base {
    /// The folder to make.
    #[arg(short, long)]
    output: PathBuf,
}

impl Base {
    /// Writes the folder; gives the sentence to print.
    ///
    /// # Errors
    /// When the folder is in use, or writing fails.
    pub fn run(self) -> Result<String> {
        let file = AlignedBytes::copy_of(FILE);
        let (model, table) = persona_file::open(Path::new(NAME), &file)?;
        export(&model, &table, &self.output, FloatType::F32)?;
        Ok(format!("wrote {} ({})\n", self.output.display(), model.persona().provenance.training))
    }
}

/// Its tokenizer.json.
///
/// # Errors
/// None that a user can cause.
pub fn tokenizer() -> Result<Value> {
    let file = AlignedBytes::copy_of(FILE);
    let (_, table) = persona_file::open(Path::new(NAME), &file)?;
    tokenizer_json(&table)
}

/// Whether the base knows the language of these chats: told by how many bytes its tokens hold.
///
/// # Errors
/// None that chats can cause.
pub fn knows_language_of(chats: &[Message]) -> Result<bool> {
    let file = AlignedBytes::copy_of(FILE);
    let (_, table) = persona_file::open(Path::new(NAME), &file)?;
    let (mut bytes, mut tokens) = (0, 0);
    // From all over the chats: people change.
    for message in chats.iter().step_by(chats.len() / MESSAGES + 1) {
        let mut encoder = Encoder::new(message.text.len());
        bytes += message.text.len();
        tokens += encoder.encode(&table, &message.text).map_or(0, <[u32]>::len);
    }
    Ok(bytes as f64 >= FEWEST_BYTES * tokens as f64)
}
