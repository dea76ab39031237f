//! One persona on its way through what is to be predicted, token by token.

use std::path::Path;

use engine::{Engine, EngineError, Options, Portable};
use indicatif::{ProgressBar, ProgressStyle};
use model_format::{AlignedBytes, Model};
use tokenizer::{Encoder, Tokenizer};

use super::error::EvalError;
use super::report::Score;
use super::ways::{self, Ways};
use crate::conversation::chat_style;
use crate::stream::encode::Writer;
use crate::stream::turn::Document;
use crate::stream::window::held_back;
use crate::{Error, Result, persona_file};

/// Largest vocabulary whose tokens go into rows.
const LARGEST_VOCABULARY: usize = 1 << 16;

/// One persona, computed in one way.
pub(super) struct Run<'m> {
    pub(super) path: &'m Path,
    /// Bytes of its file.
    size: usize,
    weights: String,
    pub(super) model: Model<'m>,
    pub(super) tokenizer: Tokenizer<'m>,
    engine: Engine<'m, Portable>,
    /// What is predicted, in tokens: of each piece all but the first, which begins it.
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

/// All personas in all ways.
pub(super) fn all<'m>(
    models: &'m [std::path::PathBuf],
    files: &'m [AlignedBytes],
    ways: &Ways,
) -> Result<Vec<Run<'m>>> {
    let mut runs = Vec::new();
    for (path, file) in models.iter().zip(files) {
        let (model, tokenizer) = persona_file::open(path, file)?;
        for options in ways.of(&model) {
            runs.push(Run::new(path, file.len(), model, tokenizer, options)?);
        }
    }
    Ok(runs)
}

/// Tokens in a piece: the same for all, or the predictions could not be compared.
pub(super) fn shared_context(runs: &[Run<'_>]) -> usize {
    runs.iter().map(|run| run.engine.context()).min().unwrap_or(0)
}

impl<'m> Run<'m> {
    fn new(
        path: &'m Path,
        size: usize,
        model: Model<'m>,
        tokenizer: Tokenizer<'m>,
        options: Options,
    ) -> Result<Self> {
        let engine = Engine::new(&model, Portable, options).map_err(engine_error(path))?;
        Ok(Run {
            path,
            size,
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

    /// Puts plain texts into tokens, in pieces that fit `context`.
    pub(super) fn take_texts(&mut self, documents: &[&str], context: usize) {
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

    /// Puts conversations into tokens, in the rows that a trainer measures by.
    pub(super) fn take_conversations(
        &mut self,
        documents: &[Document],
        context: usize,
    ) -> Result<()> {
        let style = chat_style(self.path, &self.model)?;
        let tokens = self.tokenizer.vocabulary();
        if tokens > LARGEST_VOCABULARY {
            return Err(EvalError::Vocabulary { path: self.path.to_owned(), tokens }.into());
        }
        let mut writer = Writer::new(style, self.tokenizer);
        let rows = held_back(documents, &mut writer, context, || {});
        let rows = rows.into_iter().map(|row| row.tokens.into_iter().map(u32::from).collect());
        self.pieces.extend(rows);
        Ok(())
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

    pub(super) fn perplexity(&self) -> f64 {
        (self.nats / self.tokens.max(1) as f64).exp()
    }

    /// What was found, and the engine for further use. `first` is the perplexity to compare with.
    pub(super) fn finish(self, bytes: usize, first: f64) -> (Score, Engine<'m, Portable>) {
        let tokens = self.tokens.max(1) as f64;
        let difference = 100.0 * (self.perplexity() / first - 1.0);
        let score = Score {
            file: self.path.display().to_string(),
            size: self.size,
            name: self.model.persona().name.to_owned(),
            cache: ways::cache(self.engine.memory_plan().cache_format),
            tokens: self.tokens,
            nats: self.nats,
            perplexity: self.perplexity(),
            perplexity_difference: self.comparison.as_ref().map(|_| difference),
            bits_per_byte: self.nats / std::f64::consts::LN_2 / bytes.max(1) as f64,
            kl_to_first: self.comparison.as_ref().map(|sums| sums.divergence / tokens),
            top1_agreement: self.comparison.as_ref().map(|sums| sums.agreements as f64 / tokens),
            weights: self.weights,
            rhythm: None,
        };
        (score, self.engine)
    }
}

/// Takes all personas through the pieces in step, so that no predictions need to be kept.
pub(super) fn measure(runs: &mut [Run<'_>]) -> Result<()> {
    let total: usize = runs.iter().flat_map(|run| &run.pieces).map(|piece| piece.len() - 1).sum();
    let progress = progress(total, "tokens");
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
pub(super) fn progress(length: usize, what: &str) -> ProgressBar {
    let style = "{bar:30} {pos}/{len} {msg}, {per_sec}, {eta} left";
    let bar = ProgressBar::new(length as u64).with_message(what.to_owned());
    bar.with_style(ProgressStyle::with_template(style).unwrap_or(ProgressStyle::default_bar()))
}

fn likeliest(predictions: &[f64]) -> Option<usize> {
    let places = predictions.iter().enumerate();
    places.max_by(|left, right| left.1.total_cmp(right.1)).map(|(place, _)| place)
}

fn engine_error(path: &Path) -> impl Fn(EngineError) -> Error {
    move |cause| Error::Engine { path: path.to_owned(), cause }
}
