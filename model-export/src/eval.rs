//! How well personas predict a text: the same arithmetic as on the board, without one.
//!
//! The text is cut at empty lines into documents; each begins with the persona's begin token and
//! an empty context. A document longer than the context is cut into pieces that each begin anew.

mod report;
mod ways;

use std::path::{Path, PathBuf};

use engine::{Engine, EngineError, Options, Portable};
use indicatif::{ProgressBar, ProgressStyle};
use model_format::{AlignedBytes, Model};
use tokenizer::{Encoder, Tokenizer};

use crate::{Error, Result, cli, persona_file};
pub use report::{Report, Score};
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
    let files: Vec<AlignedBytes> =
        models.iter().map(|path| persona_file::read(path)).collect::<Result<_>>()?;
    let mut runs = Vec::new();
    for (path, file) in models.iter().zip(&files) {
        let (model, tokenizer) = persona_file::open(path, file)?;
        for options in ways.of(&model) {
            runs.push(Run::new(path, model, tokenizer, options)?);
        }
    }
    // Pieces of one length for all, or the predictions could not be compared.
    let context = runs.iter().map(|run| run.engine.context()).min().unwrap_or(0);
    for run in &mut runs {
        run.split(&documents, context);
    }
    measure(&mut runs)?;
    let first = runs.first().map_or(f64::NAN, Run::perplexity);
    let models = runs.iter().map(|run| run.score(bytes, first)).collect();
    Ok(Report { text: text.display().to_string(), bytes, models })
}

/// The parts of a text between empty lines, without the line ends around them.
pub(crate) fn documents(text: &str) -> impl Iterator<Item = &str> {
    // Files from Windows: the empty line is "\r\n\r\n".
    text.split("\n\n")
        .flat_map(|part| part.split("\r\n\r\n"))
        .map(str::trim)
        .filter(|part| !part.is_empty())
}

/// One persona on its way through the text, computed in one way.
struct Run<'m> {
    path: &'m Path,
    weights: String,
    model: Model<'m>,
    tokenizer: Tokenizer<'m>,
    engine: Engine<'m, Portable>,
    /// The text in tokens, each piece with the begin token in front.
    pieces: Vec<Vec<u32>>,
    /// The logarithm of the probability of each token, at the place reached.
    predictions: Vec<f64>,
    tokens: usize,
    /// Sum of the negative logarithms of the right tokens' probabilities.
    nats: f64,
    comparison: Option<Comparison>,
}

/// Sums over all places.
#[derive(Default)]
struct Comparison {
    divergence: f64,
    agreements: usize,
}

impl<'m> Run<'m> {
    fn new(
        path: &'m Path,
        model: Model<'m>,
        tokenizer: Tokenizer<'m>,
        options: Options,
    ) -> Result<Self> {
        let engine = Engine::new(&model, Portable, options).map_err(engine_error(path))?;
        Ok(Run {
            path,
            weights: ways::weights(&model, options.placement),
            model,
            tokenizer,
            engine,
            pieces: Vec::new(),
            predictions: vec![0.0; model.architecture().vocabulary],
            tokens: 0,
            nats: 0.0,
            comparison: None,
        })
    }

    /// Puts the documents into tokens, in pieces that fit `context`.
    fn split(&mut self, documents: &[&str], context: usize) {
        let longest = documents.iter().map(|document| document.len()).max().unwrap_or(0);
        let mut encoder = Encoder::new(longest);
        let begin = self.model.persona().style.begin();
        for document in documents {
            // The encoder was made for the longest of them.
            let tokens = encoder.encode(&self.tokenizer, document).unwrap_or_default();
            // The last token of a piece is predicted but needs no place of its own.
            for piece in tokens.chunks(context.max(1)) {
                self.pieces.push(std::iter::once(begin).chain(piece.iter().copied()).collect());
            }
        }
    }

    /// Predicts the token after `place`. `false` if the piece ends there.
    fn predict(&mut self, piece: usize, place: usize) -> Result<bool> {
        let piece = self.pieces.get(piece).map(Vec::as_slice).unwrap_or_default();
        let Some([token, next]) = piece.get(place..).and_then(|rest| rest.first_chunk()) else {
            return Ok(false);
        };
        let logits = self.engine.run(*token).map_err(engine_error(self.path))?;
        let greatest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let shifted = |logit: f32| f64::from(logit) - f64::from(greatest);
        let total: f64 = logits.iter().map(|logit| shifted(*logit).exp()).sum();
        for (prediction, logit) in self.predictions.iter_mut().zip(logits) {
            *prediction = shifted(*logit) - total.ln();
        }
        let right = usize::try_from(*next).ok().and_then(|next| self.predictions.get(next));
        self.nats -= right.copied().unwrap_or(f64::NEG_INFINITY);
        self.tokens += 1;
        Ok(true)
    }

    /// Adds how the predictions at this place differ from those of the first run.
    fn compare(&mut self, first: &[f64]) {
        let pairs = first.iter().zip(&self.predictions);
        let divergence: f64 = pairs.map(|(first, own)| first.exp() * (first - own)).sum();
        let sums = self.comparison.get_or_insert_default();
        sums.divergence += divergence;
        sums.agreements += usize::from(likeliest(first) == likeliest(&self.predictions));
    }

    fn perplexity(&self) -> f64 {
        (self.nats / self.tokens.max(1) as f64).exp()
    }

    /// `first` is the perplexity to compare with.
    fn score(&self, bytes: usize, first: f64) -> Score {
        let tokens = self.tokens.max(1) as f64;
        let difference = 100.0 * (self.perplexity() / first - 1.0);
        Score {
            file: self.path.display().to_string(),
            name: self.model.persona().name.to_owned(),
            weights: self.weights.clone(),
            cache: ways::cache(self.engine.memory_plan().cache_format),
            tokens: self.tokens,
            perplexity: self.perplexity(),
            perplexity_difference: self.comparison.as_ref().map(|_| difference),
            bits_per_byte: self.nats / std::f64::consts::LN_2 / bytes.max(1) as f64,
            kl_to_first: self.comparison.as_ref().map(|sums| sums.divergence / tokens),
            top1_agreement: self.comparison.as_ref().map(|sums| sums.agreements as f64 / tokens),
        }
    }
}

/// Takes all personas through the text in step, so that no predictions need to be kept.
fn measure(runs: &mut [Run<'_>]) -> Result<()> {
    let total: usize = runs.iter().flat_map(|run| &run.pieces).map(|piece| piece.len() - 1).sum();
    let progress = progress(total);
    let pieces = runs.iter().map(|run| run.pieces.len()).max().unwrap_or(0);
    let Some((first, others)) = runs.split_first_mut() else { return Ok(()) };
    for piece in 0..pieces {
        first.engine.rollback(0);
        others.iter_mut().for_each(|run| run.engine.rollback(0));
        for place in 0.. {
            let mut predicted = u64::from(first.predict(piece, place)?);
            for run in &mut *others {
                if run.predict(piece, place)? {
                    predicted += 1;
                    // The same table gives the same tokens, so the first is at the same place.
                    if run.model.tokenizer() == first.model.tokenizer() {
                        run.compare(&first.predictions);
                    }
                }
            }
            if predicted == 0 {
                break;
            }
            progress.inc(predicted);
        }
    }
    progress.finish_and_clear();
    Ok(())
}

/// A bar with rate and time left; nothing where there is no terminal.
fn progress(tokens: usize) -> ProgressBar {
    let style = "{bar:30} {pos}/{len} tokens, {per_sec}, {eta} left";
    let bar = ProgressBar::new(tokens as u64);
    bar.with_style(ProgressStyle::with_template(style).unwrap_or(ProgressStyle::default_bar()))
}

fn likeliest(predictions: &[f64]) -> Option<usize> {
    let places = predictions.iter().enumerate();
    places.max_by(|left, right| left.1.total_cmp(right.1)).map(|(place, _)| place)
}

fn engine_error(path: &Path) -> impl Fn(EngineError) -> Error {
    move |cause| Error::Engine { path: path.to_owned(), cause }
}
