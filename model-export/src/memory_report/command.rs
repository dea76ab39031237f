//! The verb `memory-report`: its arguments, progress, and the folder it writes.

use std::io::Write;
use std::path::{Path, PathBuf};

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use whole_files::{Content, Readers};

use super::plan::Amounts;
use super::report::Report;
use super::run::{Request, report};
use super::{html, terminal};
use crate::chats::canonical;
use crate::{Result, cli, interrupt};

/// Show what a persona can be led to repeat of the chats it was trained on.
///
/// Do it before a persona leaves your hands. Writes memory.html and memory.json, with the texts that
/// were found, and remember.jsonl, what to leave out of the next training (`prepare --without`) or,
/// unless the persona repeats more than others guess, to choose that from, into a folder: only you
/// may read them. Ctrl-C ends the measuring early and still gives a report.
#[derive(Debug, Args)]
pub struct MemoryReport {
    /// The .wisp file.
    model: PathBuf,
    /// The chats it was trained on: the folder that `wisp-model ingest` wrote, or its chats.jsonl.
    #[arg(long)]
    chats: PathBuf,
    /// Who the persona is, as written in the chats.
    #[arg(long)]
    persona: String,
    /// What was left out of the training: the file that was given to `prepare --without`. May be
    /// given again.
    #[arg(long, value_name = "FILE")]
    without: Vec<PathBuf>,
    /// The folder to write to.
    #[arg(short, long)]
    output: PathBuf,
    /// How many training messages to try, drawn by chance, and of those held back.
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..))]
    messages: u32,
    /// How many rare words to search besides, numbers and names first.
    #[arg(long, default_value_t = 300)]
    words: u32,
    /// How many replies to draw.
    #[arg(long, default_value_t = 300)]
    replies: u32,
    /// What chance draws: the same seed gives the same report.
    #[arg(long, default_value_t = 1)]
    seed: u32,
    /// Print the figures as JSON.
    #[arg(long)]
    json: bool,
}

impl MemoryReport {
    /// Does it, and prints figures and advice to `out`.
    ///
    /// # Errors
    /// Whatever is wrong with the persona or the chats; then nothing is written.
    pub fn run(self, out: &mut impl Write) -> Result<()> {
        let request = Request {
            model: self.model,
            chats: self.chats,
            persona: self.persona,
            without: self.without,
            amounts: Amounts {
                messages: self.messages as usize,
                words: self.words as usize,
                replies: self.replies as usize,
                seed: u64::from(self.seed),
            },
        };
        let bar = progress_bar();
        let stop = interrupt::listen("stopping after this prompt; once more to stop at once");
        let progress = |_: usize, all: usize| {
            bar.set_length(all as u64);
            bar.inc(1);
        };
        let report = report(&request, stop, &progress);
        bar.finish_and_clear();
        let report = report?;
        write(&self.output, &report)?;
        let page = match self.json {
            true => cli::to_json(&report.summary),
            false => format!(
                "{}\nwrote {}: {}\n",
                terminal::page(&report.summary)
                    .replace("FOLDER", &self.output.display().to_string()),
                self.output.display(),
                FILES.join(", ")
            ),
        };
        cli::print(out, page)
    }
}

/// What is in the folder.
pub const FILES: [&str; 3] = ["memory.html", "memory.json", "remember.jsonl"];

/// Writes the folder, for its owner only.
///
/// # Errors
/// When the disk refuses.
pub fn write(folder: &Path, report: &Report) -> Result<()> {
    let (html, json) = (html::page(report), report.json());
    let [page, figures, left_out] = FILES;
    let files: [(&str, Content<'_>); 3] = [
        (page, &|file| file.write_all(html.as_bytes())),
        (figures, &|file| file.write_all(json.as_bytes())),
        (left_out, &|file| canonical::write(file, &report.to_leave_out)),
    ];
    Ok(whole_files::write_together(folder, Readers::Owner, &files)?)
}

/// Shown on a terminal only. A piece of work is a conversation or some replies.
fn progress_bar() -> ProgressBar {
    let style = ProgressStyle::with_template(
        "{bar:30} {percent} %, {pos}/{len} prompts, {per_sec}, {eta} left",
    );
    ProgressBar::new(0).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}
