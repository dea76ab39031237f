//! The verb `sample`: its arguments, progress, and the page it writes.

use std::io::Write;
use std::path::PathBuf;

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use model_format::AlignedBytes;
use sha2::{Digest, Sha256};

use super::{About, Opening, Talk, Voice, alone, answers, page, read_openings, summary};
use crate::{Result, cli, persona_file};

/// Messages in a conversation that the persona writes alone, unless told otherwise.
const MESSAGES: usize = 16;

/// Let a persona write conversations, unedited, to read whether it makes sense.
///
/// It writes both sides, silences too, with the sampler of its file and the rules of the board. The
/// same file and seed give the same page.
#[derive(Debug, Args)]
pub struct Sample {
    /// The .wisp file of a persona that chats.
    file: PathBuf,
    /// The Markdown file to write.
    #[arg(short, long)]
    output: PathBuf,
    /// Conversations; with --opening, how often each is held: once, unless told otherwise.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    conversations: Option<u32>,
    /// Decides everything that is drawn.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Most messages in a conversation: 16; with --opening, as many as it takes.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    messages: Option<u32>,
    /// The friend's messages, one a line, for the persona to answer; an empty line begins a new
    /// conversation.
    #[arg(long, value_name = "FILE")]
    opening: Option<PathBuf>,
}

impl Sample {
    /// Does it, and prints to `out`.
    ///
    /// # Errors
    /// Personas that tell stories or do not run, and files that cannot be read or written.
    pub fn run(self, out: &mut impl Write) -> Result<()> {
        let openings = self.opening.as_deref().map(read_openings).transpose()?;
        let file = persona_file::read(&self.file)?;
        let (about, talks) = self.talk(&file, openings.as_deref())?;
        whole_files::write(&self.output, page(&about, &talks).as_bytes())?;
        let said = format!("{}\nwrote {}\n", summary(&about.name, &talks), self.output.display());
        cli::print(out, said)
    }

    fn talk(
        &self,
        file: &AlignedBytes,
        openings: Option<&[Opening]>,
    ) -> Result<(About, Vec<Talk>)> {
        let (model, tokenizer) = persona_file::open(&self.file, file)?;
        let mut voice = Voice::new(&self.file, &model, tokenizer)?;
        let usual = if openings.is_some() { 1 } else { 50 };
        // Numbers of 32 bits.
        let times = self.conversations.unwrap_or(usual) as usize;
        let messages = self.messages.map(|most| most as usize);
        let total = times * openings.map_or(1, <[Opening]>::len);
        let bar = progress(total);
        let mut talks = Vec::with_capacity(total);
        for number in 0..total {
            // The dice mix what they are seeded with: neighbours have nothing in common.
            let seed = self.seed.wrapping_mul(0x1_0000).wrapping_add(number as u64);
            let opening = openings.and_then(|openings| openings.get(number / times.max(1)));
            talks.push(match opening {
                Some(opening) => {
                    answers(&mut voice, seed, opening, messages.unwrap_or(usize::MAX))?
                }
                None => alone(&mut voice, seed, messages.unwrap_or(MESSAGES))?,
            });
            let rate = voice.computed() as f64 / bar.elapsed().as_secs_f64().max(1e-3);
            bar.set_message(format!("{rate:.0} tokens/s"));
            bar.inc(1);
        }
        bar.finish_and_clear();
        let name = self.file.file_name().unwrap_or_default();
        let about = About {
            name: model.persona().name.to_owned(),
            file: name.to_string_lossy().into_owned(),
            sha256: Sha256::digest(&file[..]).iter().map(|byte| format!("{byte:02x}")).collect(),
            seed: self.seed,
            sampler: model.persona().sampler,
            context: voice.context(),
            is_answering: openings.is_some(),
        };
        Ok((about, talks))
    }
}

/// A bar with rate and time left; nothing where there is no terminal.
fn progress(conversations: usize) -> ProgressBar {
    let style = "{bar:30} {pos}/{len} conversations, {msg}, {eta} left";
    let bar = ProgressBar::new(conversations as u64).with_message("reading");
    bar.with_style(ProgressStyle::with_template(style).unwrap_or(ProgressStyle::default_bar()))
}
