//! The command line: verbs, their arguments, and what they print.

use std::io::Write;
use std::path::{Path, PathBuf};

use clap::{Parser, Subcommand};

use crate::eval::{CacheChoice, PlacementChoice, Ways};
use crate::import::{self, About};
use crate::weight_format::FormatName;
use crate::{Error, Result, eval, inspect, output, quantise};

/// Makes, checks and compares persona files (.wisp) for Wisp.
#[derive(Debug, Parser)]
#[command(name = "wisp-model", version)]
pub struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Make a persona file from a checkpoint of another program.
    Import {
        #[command(subcommand)]
        from: Source,
    },
    /// Show what is in a persona file, after checking all of it.
    Inspect {
        /// The .wisp file.
        file: PathBuf,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Measure how well personas predict a text: no board needed, and the same numbers as on it.
    Eval {
        /// The .wisp files; the others are compared with the first.
        #[arg(required = true)]
        models: Vec<PathBuf>,
        /// The text, UTF-8; an empty line begins a new one.
        #[arg(long)]
        text: PathBuf,
        /// Where fp8 weights are multiplied; give it twice to compare. Otherwise as on the board.
        #[arg(long, value_enum)]
        placement: Vec<PlacementChoice>,
        /// How keys and values are kept; give it twice to compare. Otherwise as on the board.
        #[arg(long, value_enum)]
        cache: Vec<CacheChoice>,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Store the weights of an f32 persona in a smaller format.
    Quantise {
        /// The .wisp file with f32 weights.
        file: PathBuf,
        /// Where to write.
        #[arg(short, long)]
        output: PathBuf,
        /// How to store weights: fp8, int8 or int4.
        #[arg(long)]
        format: FormatName,
    },
}

#[derive(Debug, Subcommand)]
enum Source {
    /// A .bin checkpoint of karpathy/llama2.c, version 0, 1 or 2.
    Llama2c {
        /// The checkpoint.
        checkpoint: PathBuf,
        /// The tokenizer.bin that belongs to it.
        #[arg(long)]
        tokenizer: PathBuf,
        /// Where to write.
        #[arg(short, long)]
        output: PathBuf,
        /// How to store weights: f32, fp8, int8 or int4.
        #[arg(long, default_value = "fp8")]
        format: FormatName,
        /// What the persona is called; otherwise the checkpoint's file name.
        #[arg(long)]
        name: Option<String>,
        /// Where the checkpoint is from, in words.
        #[arg(long, default_value = "")]
        source: String,
        /// A text file with the licence of the weights; goes into the persona.
        #[arg(long)]
        licence: Option<PathBuf>,
    },
}

impl Arguments {
    /// Does what was asked, and prints to `out`.
    pub fn run(self, out: &mut impl Write) -> Result<()> {
        match self.verb {
            Verb::Import { from } => from.import(out),
            Verb::Inspect { file, json } => {
                let report = inspect::inspect(&file)?;
                print(out, if json { to_json(&report) } else { report.page() })
            }
            Verb::Eval { models, text, placement, cache, json } => {
                let ways = Ways { placements: placement, caches: cache };
                let report = eval::evaluate(&models, &ways, &text)?;
                print(out, if json { to_json(&report) } else { report.page() })
            }
            Verb::Quantise { file, output, format } => {
                let bytes = quantise::quantise(&file, format.0)?;
                finish(out, &output, &bytes, format)
            }
        }
    }
}

impl Source {
    fn import(self, out: &mut impl Write) -> Result<()> {
        let Source::Llama2c { checkpoint, tokenizer, output, format, name, source, licence } = self;
        let stem = || checkpoint.file_stem().map(|stem| stem.to_string_lossy().into_owned());
        let licences = match &licence {
            Some(path) => read_text(path)?,
            None => String::new(),
        };
        let about = About { name: name.or_else(stem).unwrap_or_default(), source, licences };
        let bytes = import::llama2c(&checkpoint, &tokenizer, &about, format.0)?;
        finish(out, &output, &bytes, format)
    }
}

/// Reads a text file, which must be UTF-8.
pub(crate) fn read_text(path: &Path) -> Result<String> {
    let bytes = std::fs::read(path).map_err(Error::read(path))?;
    String::from_utf8(bytes).map_err(|error| Error::NotText {
        path: path.to_owned(),
        offset: error.utf8_error().valid_up_to(),
    })
}

fn finish(out: &mut impl Write, path: &Path, bytes: &[u8], format: FormatName) -> Result<()> {
    output::write_whole(path, bytes)?;
    print(out, format!("wrote {} ({} bytes, {format} weights)\n", path.display(), bytes.len()))
}

fn print(out: &mut impl Write, text: String) -> Result<()> {
    out.write_all(text.as_bytes()).map_err(Error::write(Path::new("the standard output")))
}

/// The reports have only names, numbers and texts, so this cannot fail.
fn to_json(report: &impl serde::Serialize) -> String {
    serde_json::to_string_pretty(report).unwrap_or_default() + "\n"
}
