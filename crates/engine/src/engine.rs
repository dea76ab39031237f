//! The forward pass as a state machine: one token in, many small steps, logits out.

use crate::cache::Cache;
use crate::kernels::Kernels;
use crate::memory;
use crate::ops;
use crate::rope::RotaryTable;
use crate::weights::{Input, Matrix, Weights};
use crate::{EngineError, Portable};
use alloc::vec::Vec;
use model_format::Model;

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

/// What is being computed for the current token. A stage is one matrix, or attention.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Idle,
    Key,
    Value,
    Query,
    Attention,
    Output,
    Gate,
    Up,
    Down,
    Classifier,
}

/// What the small operations cost, in multiply-adds of a matrix kernel: about 10 cycles per
/// element for norm, quantising and residual, and 100 for an exponential and a division, at 3
/// cycles per multiply-add (the fp8 kernel of the ARM1176).
const COST_OF_ELEMENT: usize = 4;
const COST_OF_EXPONENTIAL: usize = 32;

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

    fn go_to(&mut self, stage: Stage) {
        self.stage = stage;
        self.finished = 0;
    }

    /// Does some of this stage and returns what it cost.
    fn advance(&mut self, budget: usize) -> usize {
        let mut cost = 0;
        if self.finished == 0 {
            cost += self.enter();
        }
        let units;
        if self.stage == Stage::Attention {
            units = self.shape.heads;
            cost += self.attend(budget.saturating_sub(cost));
        } else if let Some(matrix) = self.matrix() {
            units = matrix.rows;
            cost += self.multiply(matrix, budget.saturating_sub(cost));
        } else {
            units = 0;
        }
        if self.finished >= units {
            cost += self.leave();
        }
        cost
    }

    /// The matrix of this stage; none when idle or in attention.
    fn matrix(&self) -> Option<Matrix<'m>> {
        if self.stage == Stage::Classifier {
            return Some(self.weights.classifier);
        }
        let layer = self.weights.layers.get(self.layer)?;
        Some(match self.stage {
            Stage::Key => layer.key,
            Stage::Value => layer.value,
            Stage::Query => layer.query,
            Stage::Output => layer.output,
            Stage::Gate => layer.gate,
            Stage::Up => layer.up,
            Stage::Down => layer.down,
            Stage::Idle | Stage::Attention | Stage::Classifier => return None,
        })
    }

    /// Prepares the input of a stage that does not share its predecessor's.
    fn enter(&mut self) -> usize {
        let Workspace { residual, input, attended, gate, .. } = &mut self.work;
        let (kernels, epsilon) = (&self.kernels, self.shape.norm_epsilon);
        let layer = self.weights.layers.get(self.layer);
        let gains = match self.stage {
            Stage::Key => layer.map(|layer| layer.attention_norm),
            Stage::Gate => layer.map(|layer| layer.feed_forward_norm),
            Stage::Classifier => Some(self.weights.final_norm),
            _ => None,
        };
        let copied: &[f32] = match (self.stage, layer) {
            (Stage::Output, _) => attended,
            (Stage::Down, Some(layer)) => &gate[..layer.down.cols],
            _ => &[],
        };
        if let Some(gains) = gains {
            input.set(kernels, residual.len(), |x| ops::rms_norm(residual, gains, epsilon, x));
            residual.len() * COST_OF_ELEMENT
        } else if !copied.is_empty() {
            input.set(kernels, copied.len(), |x| x.copy_from_slice(copied));
            copied.len() * COST_OF_ELEMENT
        } else {
            0
        }
    }

    /// Multiplies as many rows as the budget allows, at least one.
    fn multiply(&mut self, matrix: Matrix<'m>, budget: usize) -> usize {
        let rows = (budget / matrix.cols.max(1)).clamp(1, matrix.rows - self.finished);
        let rows = self.finished..self.finished + rows;
        let out: &mut [f32] = match self.stage {
            Stage::Key => self.cache.key_mut(self.layer, self.position),
            Stage::Value => self.cache.value_mut(self.layer, self.position),
            Stage::Query => &mut self.work.query,
            Stage::Gate => &mut self.work.gate,
            Stage::Up => &mut self.work.up,
            Stage::Classifier => &mut self.work.logits,
            _ => &mut self.work.branch,
        };
        matrix.multiply(&self.kernels, rows.clone(), &self.work.input, &mut out[rows.clone()]);
        self.finished = rows.end;
        rows.len() * matrix.cols
    }

    /// Attends with as many heads as the budget allows, at least one.
    fn attend(&mut self, budget: usize) -> usize {
        let Shape { heads, heads_per_kv_head, head_size, score_factor, .. } = self.shape;
        let Workspace { query, scores, attended, .. } = &mut self.work;
        let positions = self.position + 1;
        let head_cost = positions * (2 * head_size + COST_OF_EXPONENTIAL);
        let count = (budget / head_cost).clamp(1, heads - self.finished);
        let scores = &mut scores[..positions];
        for head in self.finished..self.finished + count {
            // Grouped-query attention: neighbouring heads share keys and values.
            let offset = head / heads_per_kv_head * head_size;
            let keys = self.cache.keys(self.layer, offset, self.position);
            let values = self.cache.values(self.layer, offset, self.position);
            let place = head * head_size..(head + 1) * head_size;
            let stride = self.cache.stride();
            let query = &query[place.clone()];
            self.kernels.attention_scores(query, keys, stride, score_factor, scores);
            ops::softmax(scores);
            self.kernels.attention_mix(scores, values, stride, &mut attended[place]);
        }
        self.finished += count;
        count * head_cost
    }

    /// Completes a stage and chooses the next.
    fn leave(&mut self) -> usize {
        let Workspace { residual, query, branch, gate, up, .. } = &mut self.work;
        let (dim, last_layer) = (self.shape.dim, self.layer + 1 >= self.weights.layers.len());
        match self.stage {
            Stage::Idle => 0,
            Stage::Key => {
                self.rotary.rotate(self.position, self.cache.key_mut(self.layer, self.position));
                self.go_to(Stage::Value);
                dim
            }
            // The cache of the last layer is complete, and nothing else of it is wanted.
            Stage::Value if last_layer && !self.want_logits => self.complete(),
            Stage::Value => {
                self.go_to(Stage::Query);
                0
            }
            Stage::Query => {
                self.rotary.rotate(self.position, query);
                self.go_to(Stage::Attention);
                dim
            }
            Stage::Attention => {
                self.go_to(Stage::Output);
                0
            }
            Stage::Output => {
                ops::add(residual, branch);
                self.go_to(Stage::Gate);
                dim
            }
            Stage::Gate => {
                self.go_to(Stage::Up);
                0
            }
            Stage::Up => {
                let hidden = self.weights.layers.get(self.layer).map_or(0, |l| l.gate.rows);
                ops::swiglu(&mut gate[..hidden], &up[..hidden]);
                self.go_to(Stage::Down);
                hidden * COST_OF_EXPONENTIAL
            }
            Stage::Down => {
                ops::add(residual, branch);
                if last_layer {
                    self.go_to(Stage::Classifier);
                } else {
                    self.layer += 1;
                    self.go_to(Stage::Key);
                }
                dim
            }
            Stage::Classifier => self.complete(),
        }
    }

    fn complete(&mut self) -> usize {
        self.position += 1;
        self.go_to(Stage::Idle);
        0
    }
}
