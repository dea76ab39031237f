//! The forward pass as a state machine: some tokens in, many small steps, logits out.

mod stages;
mod workspace;

pub(crate) use workspace::Workspace;

use crate::cache::Cache;
use crate::kernels::Kernels;
use crate::memory::{self, MemoryPlan};
use crate::options::Options;
use crate::positions::{Positions, Slide};
use crate::weights::Weights;
use crate::{EngineError, Portable, Sampler};
use model_format::Model;
use stages::Stage;

/// What [`Engine::step`] left behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Step {
    /// The tokens need more steps.
    Working,
    /// Nothing is left to do: the tokens are in the cache, and the logits, if wanted, are ready.
    Done,
}

/// A model at work: weights in the file, memory of its own for the rest.
///
/// ```text
/// begin(tokens, want_logits)    the tokens take the next positions
/// step(budget) … step(budget)   until Done; between steps the caller serves its cable
/// logits()                      how likely each token is to come next
/// rollback(position)            forgets everything from there on, at no cost
/// begin_shift(keep, drop)       forgets the oldest, without computing the rest again; step() too
/// ```
/// Positions are checkpoints: to answer again, to drop an interrupted reply or to try something
/// unheard, remember [`Engine::position`] and roll back to it later.
pub struct Engine<'m, K = Portable> {
    kernels: K,
    weights: Weights<'m>,
    shape: Shape,
    cache: Cache,
    work: Workspace,
    positions: Positions,
    /// How the cache's slots move, in the stage that moves them.
    slide: Slide,
    plan: MemoryPlan,
    stage: Stage,
    layer: usize,
    /// Units of this stage that are finished.
    finished: usize,
    /// Tokens at work.
    tokens: usize,
    /// The first of them that is still of interest: at the end only the last one is.
    first: usize,
    want_logits: bool,
}

/// The numbers of the architecture that the work itself needs.
struct Shape {
    dim: usize,
    kv_dim: usize,
    heads: usize,
    heads_per_kv_head: usize,
    head_size: usize,
    vocabulary: usize,
    norm_epsilon: f32,
    /// 1 / √head_size
    score_factor: f32,
}

impl<'m, K: Kernels> Engine<'m, K> {
    /// Allocates everything; nothing else in the engine does.
    ///
    /// # Errors
    /// When memory does not suffice ([`Engine::memory_plan`] of a like engine says for what), or the
    /// model cannot run with these options.
    pub fn new(model: &Model<'m>, kernels: K, options: Options) -> Result<Self, EngineError> {
        Self::new_telling(model, kernels, options, &mut |_, _| {})
    }

    /// As [`Engine::new`], which takes seconds when many weights have to be packed: `tell` is called
    /// again and again meanwhile, with how many blocks of 256 weights are packed, of how many.
    ///
    /// # Errors
    /// As [`Engine::new`].
    pub fn new_telling(
        model: &Model<'m>,
        kernels: K,
        options: Options,
        tell: &mut dyn FnMut(usize, usize),
    ) -> Result<Self, EngineError> {
        let architecture = model.architecture();
        let sizes = memory::sizes_of(model, &options)?;
        let head_size = architecture.head_size();
        Ok(Self {
            kernels,
            cache: Cache::new(architecture, &sizes)?,
            work: Workspace::new(architecture, &sizes)?,
            weights: Weights::new(model, sizes.packed_blocks, &mut |done| {
                tell(done, sizes.packed_blocks);
            })?,
            shape: Shape {
                dim: architecture.dim,
                kv_dim: architecture.kv_dim(),
                heads: architecture.heads,
                heads_per_kv_head: architecture.heads / architecture.kv_heads.max(1),
                head_size,
                vocabulary: architecture.vocabulary,
                norm_epsilon: architecture.norm_epsilon,
                score_factor: 1.0 / libm::sqrtf(head_size as f32),
            },
            positions: Positions::EMPTY,
            slide: Slide::NONE,
            plan: MemoryPlan::new(architecture, &sizes),
            stage: Stage::Idle,
            layer: 0,
            finished: 0,
            tokens: 0,
            first: 0,
            want_logits: false,
        })
    }

    /// What was allocated.
    pub fn memory_plan(&self) -> MemoryPlan {
        self.plan
    }

    /// How many tokens the cache can hold.
    pub fn context(&self) -> usize {
        self.plan.context
    }

    /// Most tokens that [`Engine::begin`] takes.
    pub fn batch(&self) -> usize {
        self.plan.batch
    }

    /// How many tokens are in the cache, not counting those at work. Also a checkpoint for
    /// [`Engine::rollback`].
    pub fn position(&self) -> usize {
        self.positions.count()
    }

    /// Whether tokens or a shift are at work.
    pub fn is_busy(&self) -> bool {
        self.stage != Stage::Idle
    }

    /// Puts up to a batch of tokens to work at the next positions, in one pass over the weights.
    /// The result is the same as one by one.
    ///
    /// The logits are those after the last of them. Without `want_logits` the tokens only enter
    /// the cache, which spares most of the last layer and the classifier.
    ///
    /// # Errors
    /// Nothing changes then.
    pub fn begin(&mut self, tokens: &[u32], want_logits: bool) -> Result<(), EngineError> {
        if self.is_busy() {
            return Err(EngineError::Busy);
        }
        if tokens.is_empty() || tokens.len() > self.batch() {
            return Err(EngineError::BadBatch);
        }
        let rows = self.weights.embedding.rows;
        let row = |token: u32| usize::try_from(token).ok().filter(|row| *row < rows);
        if tokens.iter().any(|token| row(*token).is_none()) {
            return Err(EngineError::BadToken);
        }
        if tokens.len() > self.context().saturating_sub(self.position()) {
            return Err(EngineError::ContextFull);
        }
        for (index, row) in tokens.iter().filter_map(|token| row(*token)).enumerate() {
            let residual = self.work.residual.token_mut(index, self.shape.dim);
            self.weights.embedding.copy_row(row, residual);
            let rotation = self.positions.rotation(self.position() + index);
            self.work.rotations.set(index, rotation);
        }
        self.tokens = tokens.len();
        self.first = 0;
        self.want_logits = want_logits;
        self.layer = 0;
        self.go_to(Stage::AttentionNorm);
        Ok(())
    }

    /// Works for about `budget` multiply-adds of one byte's weights (f32 ones count nine, those of
    /// a batch less): at least a few rows times the tokens at work, one head, one token's activations,
    /// or a few slots of a shift, then as many as fit.
    ///
    /// The budget decides only where the work pauses; the results are the same for all budgets.
    pub fn step(&mut self, budget: u32) -> Step {
        let mut left = usize::try_from(budget).unwrap_or(usize::MAX);
        while self.is_busy() {
            let cost = self.advance(left);
            if cost >= left {
                break;
            }
            left -= cost;
        }
        self.kernels.turn_to(crate::Part::Other);
        if self.is_busy() { Step::Working } else { Step::Done }
    }

    /// Runs a token to its end and returns the logits.
    ///
    /// # Errors
    /// As [`Engine::begin`].
    pub fn run(&mut self, token: u32) -> Result<&[f32], EngineError> {
        self.begin(&[token], true)?;
        while self.step(u32::MAX) == Step::Working {}
        Ok(self.logits())
    }

    /// A logit for each token of the vocabulary: those of the last tokens that were run with
    /// `want_logits`, whatever was rolled back since; zeros before the first.
    pub fn logits(&self) -> &[f32] {
        &self.work.logits[..self.shape.vocabulary]
    }

    /// The logits, for a sampler to work in.
    pub fn logits_mut(&mut self) -> &mut [f32] {
        &mut self.work.logits[..self.shape.vocabulary]
    }

    /// Chooses the next token by the logits, which are penalised by it; see
    /// [`Sampler::sample`](crate::Sampler::sample).
    pub fn sample(&mut self, sampler: &mut Sampler, recent: &[u32]) -> u32 {
        let logits = &mut self.work.logits[..self.shape.vocabulary];
        sampler.sample_with(&self.kernels, logits, recent)
    }

    /// Forgets the tokens from `position` on, and those at work. Nothing to do for a position
    /// that is not reached yet, except to drop the tokens at work. A shift at work goes on, unless
    /// nothing is left to move.
    pub fn rollback(&mut self, position: usize) {
        self.positions.truncate(position);
        if self.stage != Stage::Slide || self.position() == 0 {
            self.stage = Stage::Idle;
        }
    }

    /// Drops the tokens at positions `keep..keep + drop` and moves the rest down, without computing
    /// anything again: the position decreases by `drop`. `keep` is 1 to keep the opening (the token
    /// at position 0 that marks the beginning of a text and that all attention leans on; Xiao et
    /// al., "Efficient Streaming Language Models with Attention Sinks", 2023), else 0.
    ///
    /// What the kept tokens know of the dropped ones stays in their keys and values. It is as much
    /// work as copying the cache, done by [`Engine::step`] as if it were tokens.
    ///
    /// # Errors
    /// [`EngineError::BadShift`] if there are not so many tokens or the opening was dropped earlier,
    /// [`EngineError::Busy`], and after some 65,000 tokens without a rollback to 0
    /// [`EngineError::PositionsExhausted`]. Nothing changes then.
    pub fn begin_shift(&mut self, keep: usize, drop: usize) -> Result<(), EngineError> {
        if self.is_busy() {
            return Err(EngineError::Busy);
        }
        self.slide = self.positions.shift(keep, drop, self.context(), self.cache.rules())?;
        if self.slide.keep {
            self.work.rotations.set(0, self.positions.rotation(0));
        }
        if self.slide.keep || self.slide.by > 0 {
            self.go_to(Stage::Slide);
        }
        Ok(())
    }

    /// [`Engine::begin_shift`], and all its work.
    ///
    /// # Errors
    /// The same.
    pub fn shift(&mut self, keep: usize, drop: usize) -> Result<(), EngineError> {
        self.begin_shift(keep, drop)?;
        while self.step(u32::MAX) == Step::Working {}
        Ok(())
    }
}
