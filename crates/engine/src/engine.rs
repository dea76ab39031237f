//! The forward pass as a state machine: one token in, many small steps, logits out.

mod stages;

use crate::cache::Cache;
use crate::kernels::Kernels;
use crate::memory;
use crate::rope::RotaryTable;
use crate::weights::{Input, Weights};
use crate::{EngineError, Portable};
use alloc::vec::Vec;
use model_format::Model;
use stages::Stage;

/// What [`Engine::step`] left behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Step {
    /// The token needs more steps.
    Working,
    /// Nothing is left to do: the token is in the cache, and its logits, if wanted, are ready.
    Done,
}

/// A model at work: weights in the file, memory of its own for the rest.
///
/// ```text
/// begin(token, want_logits)     the token takes the next position
/// step(budget) … step(budget)   until Done; between steps the caller serves its cable
/// logits()                      how likely each token is to come next
/// rollback(position)            forgets everything from there on, at no cost
/// ```
/// Positions are checkpoints: to answer again, to drop an interrupted reply or to try something
/// unheard, remember [`Engine::position`] and roll back to it later.
pub struct Engine<'m, K = Portable> {
    kernels: K,
    weights: Weights<'m>,
    shape: Shape,
    rotary: RotaryTable,
    cache: Cache,
    work: Workspace,
    position: usize,
    stage: Stage,
    layer: usize,
    /// Rows or heads of this stage that are finished.
    finished: usize,
    want_logits: bool,
}

/// The numbers of the architecture that the work itself needs.
struct Shape {
    dim: usize,
    heads: usize,
    heads_per_kv_head: usize,
    head_size: usize,
    norm_epsilon: f32,
    /// 1 / sqrt(head_size)
    score_factor: f32,
}

/// The vectors of the token at work.
struct Workspace {
    /// The residual stream, which the layers add to: `dim`.
    residual: Vec<f32>,
    /// The input of the matrices of this stage.
    input: Input,
    query: Vec<f32>,
    /// Scores of one head over all positions.
    scores: Vec<f32>,
    /// What the heads gathered: `dim`.
    attended: Vec<f32>,
    /// What a block adds to the residual stream: `dim`.
    branch: Vec<f32>,
    gate: Vec<f32>,
    up: Vec<f32>,
    logits: Vec<f32>,
}

impl<'m, K: Kernels> Engine<'m, K> {
    /// Allocates everything; nothing else in the engine does.
    ///
    /// It remembers at most `context_limit` tokens, and no more than the model was trained for.
    pub fn new(model: &Model<'m>, kernels: K, context_limit: usize) -> Result<Self, EngineError> {
        let architecture = model.architecture();
        let weights = Weights::new(model)?;
        let context = context_limit.min(architecture.context);
        let (dim, hidden) = (architecture.dim, architecture.widest_hidden());
        let head_size = architecture.head_size();
        Ok(Self {
            kernels,
            weights,
            shape: Shape {
                dim,
                heads: architecture.heads,
                heads_per_kv_head: architecture.heads / architecture.kv_heads.max(1),
                head_size,
                norm_epsilon: architecture.norm_epsilon,
                score_factor: 1.0 / libm::sqrtf(head_size as f32),
            },
            rotary: RotaryTable::new(architecture, context)?,
            cache: Cache::new(architecture.layers, context, architecture.kv_dim())?,
            work: Workspace {
                residual: memory::zeros(dim)?,
                input: Input::new(dim.max(hidden))?,
                query: memory::zeros(dim)?,
                scores: memory::zeros(context)?,
                attended: memory::zeros(dim)?,
                branch: memory::zeros(dim)?,
                gate: memory::zeros(hidden)?,
                up: memory::zeros(hidden)?,
                logits: memory::zeros(architecture.vocabulary)?,
            },
            position: 0,
            stage: Stage::Idle,
            layer: 0,
            finished: 0,
            want_logits: false,
        })
    }

    /// How many tokens the cache can hold.
    pub fn context(&self) -> usize {
        self.cache.context()
    }

    /// How many tokens are in the cache, not counting one at work. Also a checkpoint for
    /// [`Engine::rollback`].
    pub fn position(&self) -> usize {
        self.position
    }

    /// Whether a token is at work.
    pub fn is_busy(&self) -> bool {
        self.stage != Stage::Idle
    }

    /// Puts a token to work at the next position. Without `want_logits` it only enters the cache,
    /// which spares most of the last layer and the classifier: for all tokens of a prompt but the
    /// last.
    pub fn begin(&mut self, token: u32, want_logits: bool) -> Result<(), EngineError> {
        if self.is_busy() {
            return Err(EngineError::Busy);
        }
        let token = usize::try_from(token).map_err(|_| EngineError::BadToken)?;
        if token >= self.weights.embedding.rows {
            return Err(EngineError::BadToken);
        }
        if self.position >= self.cache.context() {
            return Err(EngineError::ContextFull);
        }
        self.weights.embedding.copy_row(token, &mut self.work.residual);
        self.want_logits = want_logits;
        self.layer = 0;
        self.go_to(Stage::Key);
        Ok(())
    }

    /// Works for about `budget` multiply-adds: at least one row or head, then as many as fit.
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
        if self.is_busy() { Step::Working } else { Step::Done }
    }

    /// Runs a token to its end and returns the logits.
    pub fn run(&mut self, token: u32) -> Result<&[f32], EngineError> {
        self.begin(token, true)?;
        while self.step(u32::MAX) == Step::Working {}
        Ok(self.logits())
    }

    /// A logit for each token of the vocabulary: those of the last token that was run with
    /// `want_logits`, whatever was rolled back since; zeros before the first.
    pub fn logits(&self) -> &[f32] {
        &self.work.logits
    }

    /// The logits, for a sampler to work in.
    pub fn logits_mut(&mut self) -> &mut [f32] {
        &mut self.work.logits
    }

    /// Forgets the tokens from `position` on, and the one at work. Nothing to do for a position
    /// that is not reached yet, except to drop the token at work.
    pub fn rollback(&mut self, position: usize) {
        self.position = self.position.min(position);
        self.stage = Stage::Idle;
    }
}
