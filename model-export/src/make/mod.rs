//! The verb `make-persona`: from exported chats to a persona file, one step after the other.
//!
//! Each step is another verb of this program with its arguments, as a person would type them. A step
//! whose result is there, and no older than what it is made of, is not done again: so the same command
//! goes on where it was interrupted.

mod beginning;
mod command;
mod error;
mod notes;
mod steps;
#[cfg(test)]
mod tests;
mod workshop;

use std::io::Write;
use std::path::PathBuf;

use clap::Args;
use model_format::WeightFormat;

use crate::stream::command::{SIZES, weighed};
use crate::train::Size;
use crate::weight_format::FormatName;
use crate::{Result, cli, interrupt};
pub use error::MakeError;
use notes::Notes;
use steps::Step;
use workshop::Workshop;

/// Make a persona of exported chats: ingest, base, prepare, train, import, quantise, eval, memory, sample.
///
/// Shows each step as the command that does it alone. Ctrl-C stops it, and the same command goes on.
#[derive(Clone, Debug, Args)]
pub struct MakePersona {
    /// Folders, files and zip archives with exports.
    #[arg(required = true)]
    exports: Vec<PathBuf>,
    /// Who the persona is, as written in the chats. Asked if missing.
    #[arg(long)]
    name: Option<String>,
    /// The folder for everything that comes out.
    #[arg(short, long, default_value = "persona")]
    output: PathBuf,
    /// The size of a model that begins with nothing.
    #[arg(long, value_enum, conflicts_with = "from")]
    preset: Option<Size>,
    /// Minutes to train; otherwise two hours for a small model or one that is gone on with, ten for
    /// a new one of 15M.
    #[arg(long, value_parser = above_zero)]
    minutes: Option<f64>,
    /// Millions of tokens to see, instead: the same again gives the same model.
    #[arg(long, conflicts_with = "minutes", value_parser = above_zero)]
    tokens: Option<f64>,
    /// A general corpus to learn the language from, and its weight. May be given again.
    #[arg(long, value_name = "FILE[=WEIGHT]", value_parser = corpus)]
    corpus: Vec<String>,
    /// Leave out the messages in this file: remember.jsonl of an earlier one. May be given again.
    #[arg(long, value_name = "FILE")]
    without: Vec<PathBuf>,
    /// Number of tokens in the vocabulary of a model that begins with nothing; otherwise 2048, or fewer
    /// where the chats give no more.
    #[arg(long, conflicts_with = "from", value_parser = clap::value_parser!(u32).range(SIZES))]
    vocabulary: Option<u32>,
    /// A file with licences and attributions of chats, corpora and the model that is gone on with.
    #[arg(long, value_name = "FILE")]
    licences: Option<PathBuf>,
    /// Go on from this model instead of the base that this program brings: a persona file, a folder
    /// that `wisp-model train` or `wisp-model export hf` wrote, or a model of others that can be adopted
    /// (GGUF, or a folder of Hugging Face's transformers).
    #[arg(long, value_name = "MODEL")]
    from: Option<PathBuf>,
    /// Begin with nothing, although the chats are in English, as the base is.
    #[arg(long, conflicts_with = "from")]
    from_nothing: bool,
    /// Conversations to let it write in the end.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    conversations: u32,
    /// How weights are stored: fp8, int8 or int4.
    #[arg(long, default_value = "fp8")]
    format: FormatName,
}

fn above_zero(argument: &str) -> std::result::Result<f64, String> {
    match argument.parse::<f64>() {
        Ok(number) if number > 0.0 && number.is_finite() => Ok(number),
        _ => Err("give a number above 0".to_owned()),
    }
}

/// A corpus as `prepare` takes it: looked at now, not after the chats were cleaned.
fn corpus(argument: &str) -> std::result::Result<String, String> {
    weighed(argument).map(|_| argument.to_owned())
}

impl MakePersona {
    /// Does what is still to be done, and prints what comes next.
    ///
    /// # Errors
    /// Those of the steps; what the steps before made stays.
    pub fn run(self, out: &mut impl Write) -> Result<()> {
        if self.format.0 == WeightFormat::F32 {
            return Err(MakeError::Format.into());
        }
        let notes = Notes::of(&self)?;
        let workshop = Workshop::new(self);
        workshop.look_for_beginning()?;
        notes.agree(&workshop)?;
        let count = Step::ALL.len();
        for (number, step) in (1..).zip(Step::ALL) {
            interrupt::listen("stopping after this step; once more to stop at once");
            if step == Step::Base
                && let Some(why) = workshop.why_no_base()?
            {
                cli::print(out, format!("== {number}/{count} {step}: not wanted, {why}\n"))?;
                continue;
            }
            if workshop.is_done(step)? {
                cli::print(out, format!("== {number}/{count} {step}: done before\n"))?;
                continue;
            }
            let command = workshop.command(step)?;
            cli::print(out, format!("== {number}/{count} {step}\n{}\n", command.shown()))?;
            command.run(out)?;
            let is_last = number == count;
            if !workshop.is_done(step)? || (interrupt::is_asked() && !is_last) {
                return Err(MakeError::Stopped.into());
            }
        }
        let page = workshop.end()?;
        cli::print(out, page)
    }
}
