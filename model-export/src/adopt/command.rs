//! The verb `adopt`: its arguments, and the page it prints.

use std::io::Write;
use std::path::{Path, PathBuf};

use clap::Args;
use model_format::persona::MAX_NAME;
use model_format::{AlignedBytes, WeightFormat};

use super::graft::adopt;
use super::kind::Kind;
use crate::chats::canonical;
use crate::export::refuse_folder_in_use;
use crate::hugging_face::{self, FloatType, export};
use crate::import::Destination;
use crate::report::grouped;
use crate::stream::chosen::leave_out;
use crate::stream::command::SIZES;
use crate::stream::prepare::{CONTEXTS, USUAL_CONTEXT};
use crate::terminal::shell_path;
use crate::weight_format::FormatName;
use crate::{Result, cli, gguf, persona_file};

/// Tokens that stay, unless it is said otherwise: those of everyday English, and the chats' own.
const USUAL_VOCABULARY: u32 = 16_384;

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
    /// Leave out the messages in this file: remember.jsonl, which `memory-report` writes. May be
    /// given again.
    #[arg(long, value_name = "FILE")]
    without: Vec<PathBuf>,
    /// Most tokens that stay, marks and bytes included.
    #[arg(long, default_value_t = USUAL_VOCABULARY,
          value_parser = clap::value_parser!(u32).range(SIZES))]
    vocabulary: u32,
    /// Longest stretch of tokens that the persona will see: 256, or fewer where the model sees fewer.
    #[arg(long, value_parser = clap::value_parser!(u16).range(CONTEXTS.0 as i64..=CONTEXTS.1 as i64))]
    context: Option<u16>,
    /// A text file with the licence of the weights, instead of what the model says: it travels with all
    /// that is made of it.
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
        refuse_folder_in_use(&self.output)?;
        let licence = self.licence.as_deref().map(cli::read_text).transpose()?;
        let mut chats = canonical::read(&self.chats)?;
        leave_out(&mut chats, &self.without)?;
        let file = open(&self.model)?;
        let (model, table) = persona_file::open(&self.model, &file)?;
        let usual = USUAL_CONTEXT.min(model.architecture().context);
        let context = self.context.map_or(usual, usize::from);
        let licence = licence.as_deref().unwrap_or(model.persona().provenance.licences);
        let sizes = (self.vocabulary as usize, context);
        let adopted = adopt(&self.model, (&model, &table), &chats, licence, sizes)?;
        let all = table.vocabulary();
        let is_named_only = !licence.trim().contains('\n');
        drop(file);
        let (ready, words) = persona_file::open(&self.output, &adopted.file)?;
        export(&ready, &words, &self.output, FloatType::F32)?;

        let kept = &adopted.kept;
        let count = |number: usize| grouped(number as u64);
        let mut page = format!(
            "{} of {} tokens stay, ",
            count(kept.before.iter().flatten().count()),
            count(all)
        );
        page += &match kept.left_out {
            0 => format!("the {} that the chats use among them\n", count(kept.used)),
            some => format!(
                "but not {} of the {} that the chats use: give `wisp-model adopt` a larger --vocabulary\n",
                count(some),
                count(kept.used)
            ),
        };
        if is_named_only {
            page +=
                "of the licence of the weights there is no text: --licence FILE takes it along\n";
        }
        let output = shell_path(&self.output);
        page += &format!(
            "wrote {} (context {context})\n\
             next: wisp-model prepare --chats {} --persona NAME --like {output} -o DATASET\n\
             then: wisp-model train DATASET --from {output} -o MODEL --minutes 120\n",
            self.output.display(),
            shell_path(&self.chats),
        );
        cli::print(out, page)
    }
}

/// The model as a persona file with f32 weights.
fn open(path: &Path) -> Result<AlignedBytes> {
    // A file of others may be called anything; the persona gets its own name when it has learned.
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    let mut name: String = stem.chars().filter(|it| !it.is_control()).collect();
    name.truncate(name.floor_char_boundary(MAX_NAME));
    let whole = |licence| Destination {
        output: PathBuf::new(),
        format: FormatName(WeightFormat::F32),
        name: Some(if name.is_empty() { "a model".to_owned() } else { name.clone() }),
        source: None,
        licence,
    };
    match Kind::of(path) {
        Kind::Folder => {
            let files = ["LICENSE", "LICENSE.txt", "LICENSE.md"].map(|name| path.join(name));
            hugging_face::import(path, &whole(files.into_iter().find(|file| file.is_file())))
        }
        Kind::Gguf => gguf::import(path, &whole(None)),
        Kind::Wisp => persona_file::read(path),
    }
}
