//! The command line: verbs, their arguments, and what they print.

use std::io::Write;
use std::path::{Path, PathBuf};

use clap::{Parser, Subcommand};

use crate::export::Target;
use crate::gguf::ImportGguf;
use crate::hugging_face::ImportHf;
use crate::import::ImportLlama2c;
use crate::{Error, Result, eval, inspect};

/// Makes, checks and compares persona files (.wisp) for Wisp.
#[derive(Debug, Parser)]
#[command(name = "wisp-model", version)]
pub struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    #[cfg(feature = "training")]
    MakePersona(crate::make::MakePersona),
    Ingest(crate::chats::command::Ingest),
    Prepare(crate::stream::command::Prepare),
    #[cfg(feature = "synthesise")]
    Synthesise(Box<crate::synthesise::command::Synthesise>),
    MemoryReport(crate::memory_report::command::MemoryReport),
    #[cfg(feature = "training")]
    Train(Box<crate::train::Train>),
    Base(crate::base::Base),
    Adopt(crate::adopt::command::Adopt),
    /// Make a persona file from a checkpoint of another program.
    Import {
        #[command(subcommand)]
        from: Source,
    },
    /// Write a persona as a file of another program.
    Export {
        #[command(subcommand)]
        to: Target,
    },
    /// Show what is in a persona file, after checking all of it.
    Inspect {
        /// The .wisp file.
        file: PathBuf,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    Eval(eval::command::Eval),
    Sample(crate::sample::command::Sample),
    Quantise(crate::compress::command::Quantise),
    Prune(crate::compress::command::Prune),
}

#[derive(Debug, Subcommand)]
enum Source {
    /// A .bin checkpoint of karpathy/llama2.c, version 0, 1 or 2.
    Llama2c(ImportLlama2c),
    /// A folder of Hugging Face's transformers: config.json, tokenizer.json, safetensors.
    Hf(ImportHf),
    /// A GGUF file, as llama.cpp reads them.
    Gguf(ImportGguf),
}

impl Arguments {
    /// Does what was asked, and prints to `out`.
    pub fn run(self, out: &mut impl Write) -> Result<()> {
        match self.verb {
            #[cfg(feature = "training")]
            Verb::MakePersona(make) => make.run(out),
            Verb::Ingest(ingest) => ingest.run(out),
            Verb::Prepare(prepare) => prepare.run(out),
            #[cfg(feature = "synthesise")]
            Verb::Synthesise(synthesise) => synthesise.run(out),
            Verb::MemoryReport(report) => report.run(out),
            #[cfg(feature = "training")]
            Verb::Train(train) => train.run(out),
            Verb::Base(base) => print(out, base.run()?),
            Verb::Adopt(adopt) => adopt.run(out),
            Verb::Import { from } => from.import(out),
            Verb::Export { to } => print(out, to.run()?),
            Verb::Inspect { file, json } => {
                let report = inspect::inspect(&file)?;
                print(out, if json { to_json(&report) } else { report.page() })
            }
            Verb::Eval(eval) => {
                let json = eval.json;
                let report = eval.run()?;
                print(out, if json { to_json(&report) } else { report.page() })
            }
            Verb::Sample(sample) => sample.run(out),
            Verb::Quantise(quantise) => quantise.run(out),
            Verb::Prune(prune) => prune.run(out),
        }
    }
}

impl Source {
    fn import(self, out: &mut impl Write) -> Result<()> {
        let said = match self {
            Source::Llama2c(import) => import.run()?,
            Source::Hf(import) => import.run()?,
            Source::Gguf(import) => import.run()?,
        };
        print(out, said)
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

/// Prints what a verb has to say.
pub(crate) fn print(out: &mut impl Write, text: impl AsRef<[u8]>) -> Result<()> {
    let written = out.write_all(text.as_ref()).and_then(|()| out.flush());
    written.map_err(Error::write(Path::new("the standard output")))
}

/// A page of JSON. What is told so has only names, numbers and texts: this cannot fail.
pub(crate) fn to_json(report: &impl serde::Serialize) -> String {
    serde_json::to_string_pretty(report).unwrap_or_default() + "\n"
}
