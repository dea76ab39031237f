//! How well personas predict a text or chats, and whether they behave as the chats do: the same
//! arithmetic as on the board, without one.
//!
//! A text is cut at empty lines into documents; each begins with the persona's begin token and an
//! empty context. A document longer than the context is cut into pieces that each begin anew.
//! Of chats, what `prepare` holds back is predicted, in the rows that trainers measure by.

mod chats;
pub mod command;
mod error;
mod report;
mod rhythm;
mod run;
mod ways;
mod workers;

use std::path::{Path, PathBuf};

use model_format::AlignedBytes;

use crate::conversation::chat_style;
use crate::{Error, Result, cli, persona_file};
pub use chats::Request;
pub use error::EvalError;
pub use report::{ChatsReport, Compared, ModelRhythm, Report, Score};
pub use ways::{CacheChoice, PlacementChoice, Ways};

/// Evaluates personas on a text file, each in all the ways asked for, with a progress bar if there
/// is a terminal.
pub fn evaluate(models: &[PathBuf], ways: &Ways, text: &Path) -> Result<Report> {
    let words = cli::read_text(text)?;
    let documents: Vec<&str> = documents(&words).collect();
    let bytes = documents.iter().map(|document| document.len()).sum();
    if bytes == 0 {
        return Err(Error::EmptyText { path: text.to_owned() });
    }
    let files = read(models)?;
    let mut runs = run::all(models, &files, ways)?;
    let context = run::shared_context(&runs);
    runs.iter_mut().for_each(|run| run.take_texts(&documents, context));
    let models = scores(&mut runs, bytes)?;
    Ok(Report { text: text.display().to_string(), bytes, chats: None, models })
}

/// Evaluates personas on the part of chats that `prepare` holds back, and measures their rhythm
/// there; with progress bars if there is a terminal.
///
/// # Errors
/// Whatever is wrong with the chats; personas that tell stories.
pub fn evaluate_chats(models: &[PathBuf], ways: &Ways, request: &Request) -> Result<Report> {
    let files = read(models)?;
    // Said before the chats are read, which may take a while.
    for (path, file) in models.iter().zip(&files) {
        chat_style(path, &persona_file::open(path, file)?.0)?;
    }
    let held = chats::HeldBack::read(request)?;
    let mut runs = run::all(models, &files, ways)?;
    let context = run::shared_context(&runs);
    for run in &mut runs {
        run.take_conversations(&held.documents, context)?;
    }
    let mut models = scores(&mut runs, held.bytes)?;
    for (score, rhythm) in models.iter_mut().zip(rhythm::measure(&runs, &held)?) {
        score.rhythm = Some(rhythm);
    }
    let chats = held.report(&request.persona, context);
    let text = request.path.display().to_string();
    Ok(Report { text, bytes: held.bytes, chats: Some(chats), models })
}

/// Predicts everything, and says how well.
fn scores(runs: &mut [run::Run<'_>], bytes: usize) -> Result<Vec<Score>> {
    workers::measure(runs)?;
    let first = runs.first().map_or(f64::NAN, run::Run::perplexity);
    Ok(runs.iter().map(|run| run.score(bytes, first)).collect())
}

fn read(models: &[PathBuf]) -> Result<Vec<AlignedBytes>> {
    models.iter().map(|path| persona_file::read(path)).collect()
}

/// The parts of a text between empty lines, without the line ends around them.
pub(crate) fn documents(text: &str) -> impl Iterator<Item = &str> {
    // Files from Windows: the empty line is "\r\n\r\n".
    text.split("\n\n")
        .flat_map(|part| part.split("\r\n\r\n"))
        .map(str::trim)
        .filter(|part| !part.is_empty())
}
