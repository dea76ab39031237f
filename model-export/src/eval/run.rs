//! One persona on its way through what is to be predicted, token by token.

use std::path::Path;

use desktop::Desktop;
use engine::{Engine, EngineError, MemoryPlan, Options};
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
    pub(super) model: Model<'m>,
    pub(super) tokenizer: Tokenizer<'m>,
    options: Options,
    pub(super) plan: MemoryPlan,
    /// What is predicted, in tokens: of each piece all but the first, which begins it.
    pub(super) pieces: Vec<Vec<u32>>,
    pub(super) sums: Sums,
}

/// What is summed up on the way.
#[derive(Clone, Copy, Default)]
pub(super) struct Sums {
    /// Tokens predicted.
    tokens: usize,
    /// Negative logarithms of the right tokens' probabilities.
    nats: f64,
    /// Where the predictions can be compared with the first run's.
    comparison: Option<Comparison>,
}

/// Sums over all places.
#[derive(Clone, Copy, Default)]
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
    runs.iter().map(|run| run.plan.context).min().unwrap_or(0)
}

impl<'m> Run<'m> {
    fn new(
        path: &'m Path,
        size: usize,
        model: Model<'m>,
        tokenizer: Tokenizer<'m>,
        options: Options,
    ) -> Result<Self> {
        let plan = MemoryPlan::of(&model, &options).map_err(engine_error(path))?;
        let (pieces, sums) = (Vec::new(), Sums::default());
        Ok(Run { path, size, model, tokenizer, options, plan, pieces, sums })
    }

    /// An engine of its own, which takes [`Self::plan`]'s memory.
    pub(super) fn engine(&self) -> Result<Engine<'m, Desktop>> {
        Engine::new(&self.model, Desktop::default(), self.options).map_err(engine_error(self.path))
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

    pub(super) fn perplexity(&self) -> f64 {
        (self.sums.nats / self.sums.tokens.max(1) as f64).exp()
    }

    /// What was found. `first` is the perplexity to compare with.
    pub(super) fn score(&self, bytes: usize, first: f64) -> Score {
        let Sums { tokens, nats, comparison } = self.sums;
        let places = tokens.max(1) as f64;
        let difference = 100.0 * (self.perplexity() / first - 1.0);
        Score {
            file: self.path.display().to_string(),
            size: self.size,
            name: self.model.persona().name.to_owned(),
            weights: ways::weights(&self.model, self.options.placement),
            cache: ways::cache(self.plan.cache_format),
            tokens,
            nats,
            perplexity: self.perplexity(),
            perplexity_difference: comparison.map(|_| difference),
            bits_per_byte: nats / std::f64::consts::LN_2 / bytes.max(1) as f64,
            kl_to_first: comparison.map(|sums| sums.divergence / places),
            top1_agreement: comparison.map(|sums| sums.agreements as f64 / places),
            rhythm: None,
        }
    }
}

/// A run's engine at work on a piece.
pub(super) struct Reader<'r, 'm> {
    run: &'r Run<'m>,
    engine: Engine<'m, Desktop>,
    /// The logarithm of the probability of each token, at the place reached.
    predictions: Vec<f64>,
    sums: Sums,
}

impl<'r, 'm> Reader<'r, 'm> {
    pub(super) fn new(run: &'r Run<'m>) -> Result<Self> {
        let predictions = vec![0.0; run.model.architecture().vocabulary];
        Ok(Reader { run, engine: run.engine()?, predictions, sums: Sums::default() })
    }

    /// Predicts the token after `place`. `false` if the piece ends there.
    fn predict(&mut self, piece: usize, place: usize) -> Result<bool> {
        let piece = self.run.pieces.get(piece).map(Vec::as_slice).unwrap_or_default();
        let Some([token, next]) = piece.get(place..).and_then(|rest| rest.first_chunk()) else {
            return Ok(false);
        };
        let logits = self.engine.run(*token).map_err(engine_error(self.run.path))?;
        let greatest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let shifted = |logit: f32| f64::from(logit) - f64::from(greatest);
        let total: f64 = logits.iter().map(|logit| shifted(*logit).exp()).sum();
        for (prediction, logit) in self.predictions.iter_mut().zip(logits) {
            *prediction = shifted(*logit) - total.ln();
        }
        let right = usize::try_from(*next).ok().and_then(|next| self.predictions.get(next));
        self.sums.nats -= right.copied().unwrap_or(f64::NEG_INFINITY);
        self.sums.tokens += 1;
        Ok(true)
    }

    /// Adds how the predictions at this place differ from those of the first run.
    fn compare(&mut self, first: &[f64]) {
        let pairs = first.iter().zip(&self.predictions);
        let divergence: f64 = pairs.map(|(first, own)| first.exp() * (first - own)).sum();
        let sums = self.sums.comparison.get_or_insert_default();
        sums.divergence += divergence;
        sums.agreements += usize::from(likeliest(first) == likeliest(&self.predictions));
    }
}

/// Takes all runs through a piece in step, so that no predictions need to be kept, and says what
/// each adds to its sums. `each` is told how many tokens were predicted.
pub(super) fn read_piece(
    readers: &mut [Reader<'_, '_>],
    piece: usize,
    each: impl Fn(u64),
) -> Result<Vec<Sums>> {
    for reader in &mut *readers {
        reader.engine.rollback(0);
        reader.sums = Sums::default();
    }
    if let Some((first, others)) = readers.split_first_mut() {
        for place in 0.. {
            let mut predicted = u64::from(first.predict(piece, place)?);
            for reader in &mut *others {
                if reader.predict(piece, place)? {
                    predicted += 1;
                    // The same table gives the same tokens, so the first is at the same place.
                    if reader.run.model.tokenizer() == first.run.model.tokenizer() {
                        reader.compare(&first.predictions);
                    }
                }
            }
            if predicted == 0 {
                break;
            }
            each(predicted);
        }
    }
    Ok(readers.iter().map(|reader| reader.sums).collect())
}

impl std::ops::AddAssign for Sums {
    fn add_assign(&mut self, other: Self) {
        self.tokens += other.tokens;
        self.nats += other.nats;
        if let Some(other) = other.comparison {
            let comparison = self.comparison.get_or_insert_default();
            comparison.divergence += other.divergence;
            comparison.agreements += other.agreements;
        }
    }
}

fn likeliest(predictions: &[f64]) -> Option<usize> {
    let places = predictions.iter().enumerate();
    places.max_by(|left, right| left.1.total_cmp(right.1)).map(|(place, _)| place)
}

fn engine_error(path: &Path) -> impl Fn(EngineError) -> Error {
    move |cause| Error::Engine { path: path.to_owned(), cause }
}
