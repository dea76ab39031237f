//! The verb `adopt`: its arguments, and the page it prints.

use std::ffi::OsStr;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use clap::Args;
use model_format::AlignedBytes;

use super::error::AdoptError;
use super::graft::adopt;
use crate::chats::canonical;
use crate::hugging_face::{FloatType, WISP_JSON, export};
use crate::import::Destination;
use crate::report::grouped;
use crate::stream::command::SIZES;
use crate::stream::prepare::{CONTEXTS, USUAL_CONTEXT};
use crate::terminal::shell_path;
use crate::weight_format::FormatName;
use crate::{Result, cli, gguf, hugging_face, persona_file};

/// Tokens that stay, unless it is said otherwise: those of everyday English, and the chats' own.
const USUAL_VOCABULARY: &str = "16384";

/// Make a model that others trained ready to become a persona.
///
/// It gets marks for speakers and silences, and keeps the tokens that the chats use and the commonest
/// others: the fewer, the smaller and faster. Writes a folder for `prepare --like` and `train --from`.
#[derive(Debug, Args)]
pub struct Adopt {
    /// A Llama with byte-level BPE, such as SmolLM2: a GGUF file, a folder of Hugging Face's
    /// transformers, or what `import` made of one.
    model: PathBuf,
    /// The chats it will learn: the folder that `wisp-model ingest` wrote, or a JSON Lines file.
    #[arg(long)]
    chats: PathBuf,
    /// Most tokens that stay, marks and bytes included.
    #[arg(long, default_value = USUAL_VOCABULARY,
          value_parser = clap::value_parser!(u32).range(SIZES))]
    vocabulary: u32,
    /// Longest stretch of tokens that the persona will see: 256, or fewer where the model sees fewer.
    #[arg(long, value_parser = clap::value_parser!(u16).range(CONTEXTS.0 as i64..=CONTEXTS.1 as i64))]
    context: Option<u16>,
    /// A text file with the licence of the weights; goes into the persona.
    #[arg(long)]
    licence: Option<PathBuf>,
    /// The folder to make.
    #[arg(short, long)]
    output: PathBuf,
}

impl Adopt {
    /// Does it, and prints to `out`.
    ///
    /// # Errors
    /// Whatever is wrong with the model or the chats; then nothing is written.
    pub fn run(self, out: &mut impl Write) -> Result<()> {
        let chats = canonical::read(&self.chats)?;
        if chats.is_empty() {
            return Err(AdoptError::NoChats { path: self.chats }.into());
        }
        let file = open(&self.model, self.licence)?;
        let (model, table) = persona_file::open(&self.model, &file)?;
        let usual = USUAL_CONTEXT.min(model.architecture().context);
        let context = self.context.map_or(usual, usize::from);
        let most = self.vocabulary as usize;
        let adopted = adopt(&self.model, (&model, &table), &chats, most, context)?;
        let (ready, words) = persona_file::open(&self.output, &adopted.file)?;
        export(&ready, &words, &self.output, FloatType::F32)?;
        let kept = &adopted.kept;
        let count = |number: usize| grouped(number as u64);
        let stay = match kept.left_out {
            0 => format!("the {} that the chats use among them", count(kept.used)),
            some => format!(
                "but not {} of the {} that the chats use: give a larger --vocabulary",
                count(some),
                count(kept.used)
            ),
        };
        let output = shell_path(&self.output);
        cli::print(
            out,
            format!(
                "{} of {} tokens stay, {stay}\nwrote {} (context {context})\n\
                 next: wisp-model prepare --chats {} --persona NAME --like {output} -o DATASET\n\
                 then: wisp-model train DATASET --from {output} -o MODEL\n",
                count(kept.before.iter().flatten().count()),
                count(table.vocabulary()),
                self.output.display(),
                shell_path(&self.chats),
            ),
        )
    }
}

/// Whether a model is one of others, which has to be adopted before it can learn chats.
pub(crate) fn is_foreign(path: &Path) -> bool {
    match path.is_dir() {
        true => !path.join(WISP_JSON).exists(),
        false => is_gguf(path) || path.extension() == Some(OsStr::new("gguf")),
    }
}

/// The model as a persona file with f32 weights.
fn open(path: &Path, licence: Option<PathBuf>) -> Result<AlignedBytes> {
    let whole = Destination {
        output: PathBuf::new(),
        format: FormatName(model_format::WeightFormat::F32),
        name: None,
        source: None,
        licence,
    };
    if path.is_dir() {
        hugging_face::import(path, &whole)
    } else if is_gguf(path) {
        gguf::import(path, &whole)
    } else {
        persona_file::read(path)
    }
}

/// Whether a file begins as GGUF files do; one that cannot be read is none.
fn is_gguf(path: &Path) -> bool {
    let mut magic = [0; 4];
    let read = std::fs::File::open(path).and_then(|mut file| file.read_exact(&mut magic));
    read.is_ok() && &magic == b"GGUF"
}
