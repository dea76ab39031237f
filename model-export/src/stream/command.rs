//! The verb `prepare`: its arguments, progress, and the page it prints.

use std::fmt::Write as _;
use std::io::Write;
use std::ops::RangeInclusive;
use std::path::PathBuf;

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};

use super::dataset::About;
use super::prepare::{CONTEXTS, Request, Step, prepare};
use crate::bpe::SMALLEST;
use crate::terminal::shell_path;
use crate::{Result, cli};

/// How many tokens there can be.
pub(crate) const SIZES: RangeInclusive<i64> = SMALLEST as i64 + 1..=65536;

/// Pack chats and corpora as tokens to train on.
///
/// Trains a tokenizer on them, and writes tokenizer.json, dataset.json and dataset.safetensors into
/// a folder.
#[derive(Debug, Args)]
pub struct Prepare {
    /// The chats: the folder that `wisp-model ingest` wrote, or a JSON Lines file.
    #[arg(long)]
    chats: PathBuf,
    /// Who the persona is, as written in the chats.
    #[arg(long)]
    persona: String,
    /// A general corpus, .jsonl or .jsonl.gz, and how much its tokens count. May be given again.
    #[arg(long, value_name = "FILE[=WEIGHT]", value_parser = weighed)]
    corpus: Vec<(String, f64)>,
    /// Make a chat a source of its own, so that it can be weighed; or take another file of chats,
    /// as `wisp-model synthesise` writes them. May be given again.
    #[arg(long, value_name = "CHAT|FILE[=WEIGHT]", value_parser = weighed)]
    apart: Vec<(String, f64)>,
    /// Leave out the messages in this file: remember.jsonl, which `memory-report` writes. May be
    /// given again.
    #[arg(long, value_name = "FILE")]
    without: Vec<PathBuf>,
    /// Longest stretch of tokens that the model sees: that of the model in --like, or 256.
    #[arg(long, value_parser = clap::value_parser!(u16).range(CONTEXTS.0 as i64..=CONTEXTS.1 as i64))]
    context: Option<u16>,
    /// Number of tokens; otherwise 2048, or fewer where the texts give no more.
    #[arg(long, value_parser = clap::value_parser!(u32).range(SIZES))]
    vocabulary: Option<u32>,
    /// Take the tokenizer of this model, to go on training it: a folder that `wisp-model train`,
    /// `export hf` or `adopt` wrote.
    #[arg(long, value_name = "FOLDER", conflicts_with = "vocabulary")]
    like: Option<PathBuf>,
    /// A file with licences and attributions of chats and corpora: it travels with the persona.
    #[arg(long, value_name = "FILE")]
    licences: Option<PathBuf>,
    /// The folder to write.
    #[arg(short, long)]
    output: PathBuf,
    /// Print what came out as JSON.
    #[arg(long)]
    json: bool,
}

impl Prepare {
    /// Does it, and prints to `out`.
    ///
    /// # Errors
    /// Whatever is wrong with the input; then nothing is written.
    pub fn run(self, out: &mut impl Write) -> Result<()> {
        let corpora = self.corpus.into_iter().map(|(path, weight)| (path.into(), weight));
        let licences = self.licences.as_deref().map(crate::cli::read_text).transpose()?;
        let request = Request {
            chats: self.chats,
            persona: self.persona,
            corpora: corpora.collect(),
            without: self.without,
            apart: self.apart,
            context: self.context.map(usize::from),
            vocabulary: self.vocabulary.map(|size| size as usize),
            like: self.like,
            licences: licences.unwrap_or_default().trim().to_owned(),
            output: self.output,
        };
        let bar = ProgressBar::new_spinner();
        let about = prepare(&request, &mut |step| show(&bar, step));
        bar.finish_and_clear();
        let about = about?;
        let text = match self.json {
            true => cli::to_json(&about),
            false => page(&about, &request),
        };
        cli::print(out, text)
    }
}

/// `NAME` or `NAME=WEIGHT`.
pub(crate) fn weighed(argument: &str) -> std::result::Result<(String, f64), String> {
    let Some((name, weight)) = argument.rsplit_once('=') else {
        return Ok((argument.to_owned(), 1.0));
    };
    match weight.parse::<f64>() {
        Ok(weight) if weight > 0.0 && weight.is_finite() => Ok((name.to_owned(), weight)),
        _ => Err(format!("{weight} is not a weight: give a number above 0")),
    }
}

fn show(bar: &ProgressBar, step: Step) {
    match step {
        Step::Read | Step::Encoded => bar.inc(1),
        Step::Counted(documents) => {
            bar.set_message("training the vocabulary");
            bar.set_style(ProgressStyle::default_spinner());
            bar.set_length(documents as u64);
            bar.tick();
        }
        Step::Trained => {
            bar.reset();
            let style = ProgressStyle::with_template("{bar:30} {pos}/{len} texts, {eta} left");
            bar.set_style(style.unwrap_or(ProgressStyle::default_bar()));
        }
    }
}

/// What came out, as a page.
fn page(about: &About, request: &Request) -> String {
    let mut page = String::new();
    // Writing to a string cannot fail.
    let _ = write_page(&mut page, about, request);
    page
}

fn write_page(page: &mut String, about: &About, request: &Request) -> std::fmt::Result {
    let width = about.sources.iter().map(|source| source.name.chars().count()).max().unwrap_or(0);
    writeln!(
        page,
        "{:width$}  {:>6}  {:>9} {:>8} {:>11} {:>10} {:>6} {:>5}",
        "source", "weight", "documents", "rows", "tokens", "bytes/tok", "full", "held"
    )?;
    for source in &about.sources {
        let train = source.train;
        let full = train.tokens as f64 / (train.rows * (about.context + 1)).max(1) as f64;
        writeln!(
            page,
            "{:width$}  {:>6.2}  {:>9} {:>8} {:>11} {:>10.2} {:>4.0} % {:>5}",
            source.name,
            source.weight,
            train.documents,
            train.rows,
            train.tokens,
            train.bytes as f64 / train.tokens.max(1) as f64,
            100.0 * full,
            source.valid.documents,
        )?;
    }
    let statistics = &about.statistics;
    writeln!(
        page,
        "\n{} answers {:.0} % of the messages, writes {:.2} in a row,\n\
         and ends {:.0} % of the silences of more than an hour.",
        about.persona,
        100.0 * statistics.reply_rate,
        statistics.burst_length,
        100.0 * statistics.first_speech_rate,
    )?;
    if about.left_out > 0 {
        writeln!(page, "{} messages were left out, as the lists say.", about.left_out)?;
    }
    if about.sources.iter().any(|source| source.made_up_gaps) {
        writeln!(
            page,
            "The corpora have no times: the silences in them are made up, as a person would type."
        )?;
    }
    let tokens: u64 = about.sources.iter().map(|source| source.train.tokens).sum();
    writeln!(
        page,
        "wrote {} ({} tokens to train on, a vocabulary of {}, context {})\n\
         next: wisp-model train {}{} -o MODEL",
        request.output.display(),
        tokens,
        about.vocabulary,
        about.context,
        shell_path(&request.output),
        request
            .like
            .as_deref()
            .map(|model| format!(" --from {}", shell_path(model)))
            .unwrap_or_default(),
    )
}
