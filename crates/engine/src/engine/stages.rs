//! The stages of a token: which matrix follows which, and the small operations between them.
//!
//! A stage is a number of *units* that are done one after the other, in any number of steps: a
//! stripe of a matrix for all tokens, one head of one token, one token's vector, or a few slots that
//! move.

use super::{Engine, Shape, Workspace};
use crate::cache::Head;
use crate::float::settle_all;
use crate::kernels::{Kernels, Part};
use crate::matrix::Matrix;
use crate::ops;
use crate::positions::Slide;
use core::ops::Range;

/// What is being computed for the tokens at work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    Idle,
    /// Moves the cache's slots, layer by layer and piece by piece; no tokens are at work.
    Slide,
    /// Adds the last layer's branch and prepares the input of keys, values and queries.
    AttentionNorm,
    Key,
    Value,
    /// Rotates the key and stores both.
    Store,
    Query,
    Attention,
    /// Prepares what attention found as an input.
    Attended,
    Output,
    /// Adds attention's branch and prepares the input of the feed-forward block.
    FeedForwardNorm,
    Gate,
    Up,
    /// Combines gate and up and prepares them as an input.
    Activation,
    Down,
    /// Adds the last branch and prepares the classifier's input.
    FinalNorm,
    Classifier,
}

/// What the small operations cost, in multiply-adds of a matrix kernel: about 10 cycles per element
/// for norm, quantising and residual, and 33 for an exponential, at 1 to 3 cycles per multiply-add
/// (the int8 and fp8 kernels of the ARM1176).
const COST_OF_ELEMENT: usize = 8;
const COST_OF_EXPONENTIAL: usize = 32;

/// What it costs to copy a byte in memory, likewise: it is fetched and written.
const COST_OF_COPY: usize = 2;

impl<'m, K: Kernels> Engine<'m, K> {
    pub(super) fn go_to(&mut self, stage: Stage) {
        self.stage = stage;
        self.finished = 0;
    }

    /// Does some units of this stage, at least one, and returns what they cost.
    pub(super) fn advance(&mut self, budget: usize) -> usize {
        let (units, cost) = self.extent();
        let count = (budget / cost.max(1)).clamp(1, (units - self.finished).max(1));
        let work = self.finished..units.min(self.finished + count);
        match (self.stage, self.matrix()) {
            (_, Some(matrix)) => self.multiply(matrix, work),
            (Stage::Attention, _) => self.attend(work),
            (Stage::Slide, _) => work.for_each(|unit| self.slide(unit)),
            _ => {
                for token in work {
                    self.prepare(self.first + token);
                }
            }
        }
        self.finished += count;
        if self.finished >= units {
            self.leave();
        }
        count * cost
    }

    /// How many units this stage has, and what one costs.
    fn extent(&self) -> (usize, usize) {
        let Shape { dim, kv_dim, heads, head_size, .. } = self.shape;
        let tokens = self.tokens - self.first;
        if let Some(matrix) = self.matrix() {
            return (matrix.stripes(), matrix.cost(matrix.stripe(), tokens));
        }
        let hidden = self.weights.layers.get(self.layer).map_or(0, |layer| layer.down.cols);
        match self.stage {
            Stage::Attention => {
                let positions = self.position() + self.tokens;
                let product = self.cache.cost_of_product();
                let cost = positions * (2 * head_size * product + COST_OF_EXPONENTIAL);
                (tokens * heads, cost)
            }
            Stage::Slide => {
                let cost = self.cache.layer_bytes(Slide::PIECE) * COST_OF_COPY;
                (self.weights.layers.len() * self.slide.pieces(), cost)
            }
            Stage::Store => (tokens, kv_dim * 4 * COST_OF_ELEMENT),
            Stage::Activation => (tokens, hidden * (COST_OF_EXPONENTIAL + COST_OF_ELEMENT)),
            _ => (tokens, dim * 2 * COST_OF_ELEMENT),
        }
    }

    /// The matrix of this stage; none in the others.
    fn matrix(&self) -> Option<Matrix<'m>> {
        if self.stage == Stage::Classifier {
            return Some(self.weights.classifier);
        }
        let layer = self.weights.layers.get(self.layer)?;
        match self.stage {
            Stage::Key => Some(layer.key),
            Stage::Value => Some(layer.value),
            Stage::Query => Some(layer.query),
            Stage::Output => Some(layer.output),
            Stage::Gate => Some(layer.gate),
            Stage::Up => Some(layer.up),
            Stage::Down => Some(layer.down),
            _ => None,
        }
    }

    /// Multiplies some stripes of this stage's matrix with the inputs of all tokens.
    fn multiply(&mut self, matrix: Matrix<'m>, stripes: Range<usize>) {
        let tokens = self.first..self.tokens;
        let Self { kernels, weights, work, .. } = self;
        let Workspace { input, key, value, query, branch, gate, up, logits, .. } = work;
        let (part, vectors) = match self.stage {
            Stage::Key => (Part::Projection, key),
            Stage::Value => (Part::Projection, value),
            Stage::Query => (Part::Projection, query),
            Stage::Gate => (Part::FeedForward, gate),
            Stage::Up => (Part::FeedForward, up),
            Stage::Down => (Part::FeedForward, branch),
            Stage::Classifier => (Part::Classifier, branch),
            _ => (Part::Projection, branch),
        };
        let out = match self.stage {
            // Only one token has logits.
            Stage::Classifier => {
                let length = logits.len();
                (&mut logits[..], length)
            }
            _ => vectors.results(tokens.start),
        };
        kernels.turn_to(part);
        matrix.multiply(kernels, &weights.packed, stripes, input, tokens, out);
    }

    /// Attends with some heads of some tokens: head by head, so that a head's keys and values stay
    /// close for all tokens.
    fn attend(&mut self, units: Range<usize>) {
        let Shape { heads_per_kv_head, head_size, score_factor, .. } = self.shape;
        let Workspace { rotations, input, query, scratch, .. } = &mut self.work;
        let tokens = self.tokens - self.first;
        for unit in units {
            let (head, token) = (unit / tokens, self.first + unit % tokens);
            let place = head * head_size..(head + 1) * head_size;
            if token + 1 < self.tokens {
                self.kernels.fetch(&query.token(token + 1, place.end)[place.clone()]);
                self.kernels.fetch(rotations.turns(token + 1));
            }
            let query = &mut query.token_mut(token, place.end)[place.clone()];
            self.kernels.turn_to(Part::Rotation);
            rotations.rotate(token, query);
            self.kernels.turn_to(Part::Attention);
            let position = self.positions.count() + token;
            let head = Head {
                layer: self.layer,
                kv_head: head / heads_per_kv_head,
                score_factor,
                end: self.positions.slot(position) + 1,
                dead: self.positions.dead_slots(),
            };
            let out = &mut input.token(token)[place];
            self.cache.attend(&self.kernels, &head, query, scratch, out);
        }
    }

    /// What one token needs before the next matrices.
    fn prepare(&mut self, token: usize) {
        let Shape { dim, kv_dim, norm_epsilon, .. } = self.shape;
        let position = self.positions.count() + token;
        let tokens = self.first..self.tokens;
        let Self { kernels, weights, work, cache, .. } = self;
        let Workspace {
            rotations, residual, input, key, value, branch, gate, up, openings, ..
        } = work;
        let Some(layer) = weights.layers.get(self.layer) else { return };
        let (gains, forms) = match self.stage {
            Stage::AttentionNorm => (layer.attention_norm, layer.attention_forms()),
            Stage::FeedForwardNorm => (layer.feed_forward_norm, layer.feed_forward_forms()),
            Stage::FinalNorm => (weights.final_norm, weights.classifier.forms()),
            Stage::Store => {
                if token + 1 < tokens.end {
                    kernels.fetch(key.token(token + 1, kv_dim));
                    kernels.fetch(value.token(token + 1, kv_dim));
                }
                let key = key.token_mut(token, kv_dim);
                kernels.turn_to(Part::Rotation);
                rotations.rotate(token, key);
                kernels.turn_to(Part::Attention);
                let slot = self.positions.slot(position);
                cache.store(self.layer, slot, key, value.token(token, kv_dim));
                if self.positions.is_first(position) {
                    openings[self.layer * kv_dim..][..kv_dim].copy_from_slice(key);
                }
                return;
            }
            Stage::Attended => {
                kernels.turn_to(Part::Attention);
                settle_all(&mut input.token(token)[..dim]);
                return input.prepare(kernels, token, tokens, dim, layer.output.forms());
            }
            Stage::Activation => {
                let hidden = layer.down.cols;
                kernels.turn_to(Part::Activation);
                let out = &mut input.token(token)[..hidden];
                activate(kernels, gate.token(token, hidden), up.token(token, hidden), out);
                return input.prepare(kernels, token, tokens, hidden, layer.down.forms());
            }
            _ => return,
        };
        kernels.turn_to(Part::Other);
        // What was stored is not in the cache of a processor that allocates lines on reads only. The
        // first token waits for its own; meanwhile the next one's are on their way.
        let is_first = token == tokens.start;
        if is_first {
            kernels.fetch(gains);
        }
        for soon in if is_first { token } else { token + 1 }..tokens.end.min(token + 2) {
            fetch_together(kernels, [residual.token(soon, dim), branch.token(soon, dim)]);
        }
        kernels.fetch(&input.token(token)[..dim]);
        let residual = residual.token_mut(token, dim);
        if self.stage != Stage::AttentionNorm || self.layer > 0 {
            ops::add(residual, branch.token(token, dim));
        }
        kernels.turn_to(Part::Norm);
        ops::rms_norm(residual, gains, norm_epsilon, &mut input.token(token)[..dim]);
        input.prepare(kernels, token, tokens, dim, forms);
    }

    /// Moves a piece of a layer's slots; after the first, gives the opening's key its new rotation.
    fn slide(&mut self, unit: usize) {
        let (layer, piece) = (unit / self.slide.pieces(), unit % self.slide.pieces());
        self.cache.slide(layer, &self.slide, piece);
        if self.slide.keep && piece == 0 {
            let Workspace { rotations, openings, key, .. } = &mut self.work;
            let kv_dim = self.shape.kv_dim;
            let key = key.token_mut(0, kv_dim);
            key.copy_from_slice(&openings[layer * kv_dim..][..kv_dim]);
            rotations.rotate(0, key);
            self.cache.store_key(layer, 0, key);
        }
    }

    /// Chooses the next stage.
    fn leave(&mut self) {
        let is_last_layer = self.layer + 1 >= self.weights.layers.len();
        let next = match self.stage {
            Stage::Idle | Stage::Slide => Stage::Idle,
            Stage::AttentionNorm => Stage::Key,
            Stage::Key => Stage::Value,
            Stage::Value => Stage::Store,
            // The cache is complete, and of the last layer nothing else is wanted.
            Stage::Store if is_last_layer && !self.want_logits => return self.complete(),
            Stage::Store if is_last_layer => {
                self.go_on_with_the_last();
                Stage::Query
            }
            Stage::Store => Stage::Query,
            Stage::Query => Stage::Attention,
            Stage::Attention => Stage::Attended,
            Stage::Attended => Stage::Output,
            Stage::Output => Stage::FeedForwardNorm,
            Stage::FeedForwardNorm => Stage::Gate,
            Stage::Gate => Stage::Up,
            Stage::Up => Stage::Activation,
            Stage::Activation => Stage::Down,
            Stage::Down if is_last_layer => Stage::FinalNorm,
            Stage::Down => {
                self.layer += 1;
                Stage::AttentionNorm
            }
            Stage::FinalNorm => Stage::Classifier,
            Stage::Classifier => {
                settle_all(&mut self.work.logits);
                return self.complete();
            }
        };
        self.go_to(next);
    }

    /// From here on only the last token is of interest: its input, which lay among others', is
    /// prepared alone.
    fn go_on_with_the_last(&mut self) {
        let last = self.tokens.saturating_sub(1);
        if self.first == last {
            return;
        }
        self.first = last;
        let Self { kernels, weights, work, layer, shape, .. } = self;
        if let Some(layer) = weights.layers.get(*layer) {
            work.input.prepare(kernels, last, last..last + 1, shape.dim, layer.query.forms());
        }
    }

    fn complete(&mut self) {
        self.positions.extend(self.tokens);
        self.go_to(Stage::Idle);
    }
}

/// Elements that are fetched or worked on at a time, where vectors are read side by side: 13 lines of
/// 32 bytes. The ARM1176 fills its four ways in turn (DDI 0301H, 7.2.1): with a multiple of four lines
/// the same elements of the next vector, if it lies a multiple of 4 KiB further, would get the same way.
const PIECE: usize = 13 * 8;

/// Fetches vectors of the same length, piece by piece.
fn fetch_together<const N: usize>(kernels: &impl Kernels, vectors: [&[f32]; N]) {
    let length = vectors.first().map_or(0, |vector| vector.len());
    for start in (0..length).step_by(PIECE) {
        for vector in vectors {
            kernels.fetch(&vector[start..length.min(start + PIECE)]);
        }
    }
}

/// SwiGLU, piece by piece: while one is worked on, the next is on its way from memory.
fn activate(kernels: &impl Kernels, gate: &[f32], up: &[f32], out: &mut [f32]) {
    let length = out.len();
    let piece = |start: usize| start.min(length)..length.min(start + PIECE);
    fetch_together(kernels, [&gate[piece(0)], &up[piece(0)], &out[piece(0)]]);
    for start in (0..length).step_by(PIECE) {
        let next = piece(start + PIECE);
        fetch_together(kernels, [&gate[next.clone()], &up[next.clone()], &out[next]]);
        let (gate, up, out) = (&gate[piece(start)], &up[piece(start)], &mut out[piece(start)]);
        ops::minus_magnitudes(gate, out);
        kernels.exponentials(out, 0.0);
        ops::swiglu(gate, up, out);
    }
}
