//! The verb `eval`: its arguments.

use std::path::PathBuf;

use clap::Args;

use super::{CacheChoice, PlacementChoice, Report, Request, Ways, evaluate, evaluate_chats};
use crate::Result;

/// Measure how well personas predict a text or chats: no board needed, and the same numbers as on
/// it.
///
/// Of chats, the part that `wisp-model prepare` holds back is predicted, and the persona's rhythm is
/// compared with theirs: how often it answers, how much it writes in a row, whether it speaks first.
#[derive(Debug, Args)]
pub struct Eval {
    /// The .wisp files; the others are compared with the first.
    #[arg(required = true)]
    models: Vec<PathBuf>,
    /// The text, UTF-8; an empty line begins a new one.
    #[arg(long, required_unless_present = "chats", conflicts_with = "chats")]
    text: Option<PathBuf>,
    /// The chats: the folder that `wisp-model ingest` wrote, its chats.jsonl, or exports, which are
    /// then read as `ingest` reads them unless told otherwise.
    #[arg(long, requires = "persona")]
    chats: Option<PathBuf>,
    /// Who the persona is, as written in the chats.
    #[arg(long, value_name = "NAME", requires = "chats")]
    persona: Option<String>,
    /// Only this chat. May be given again.
    #[arg(long, value_name = "CHAT", requires = "chats")]
    thread: Vec<String>,
    /// What was left out of the training: the file that was given to `prepare --without`. May be
    /// given again.
    #[arg(long, value_name = "FILE", requires = "chats")]
    without: Vec<PathBuf>,
    /// Where fp8 weights are multiplied; give it twice to compare. Otherwise as on the board.
    #[arg(long, value_enum)]
    placement: Vec<PlacementChoice>,
    /// How keys and values are kept; give it twice to compare. Otherwise as on the board.
    #[arg(long, value_enum)]
    cache: Vec<CacheChoice>,
    /// Print JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

impl Eval {
    /// Does it.
    ///
    /// # Errors
    /// Whatever is wrong with the personas or with what they are measured on.
    pub fn run(self) -> Result<Report> {
        let ways = Ways { placements: self.placement, caches: self.cache };
        match (self.chats, self.persona) {
            (Some(path), Some(persona)) => {
                let request =
                    Request { path, persona, threads: self.thread, without: self.without };
                evaluate_chats(&self.models, &ways, &request)
            }
            // Without chats there is a text.
            _ => evaluate(&self.models, &ways, &self.text.unwrap_or_default()),
        }
    }
}
