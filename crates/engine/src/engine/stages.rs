//! The stages of a token: which matrix follows which, and the small operations between them.

use super::{Engine, Shape, Workspace};
use crate::kernels::Kernels;
use crate::ops;
use crate::weights::Matrix;

/// What is being computed for the current token. A stage is one matrix, or attention.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
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
    pub(super) fn go_to(&mut self, stage: Stage) {
        self.stage = stage;
        self.finished = 0;
    }

    /// Does some of this stage and returns what it cost.
    pub(super) fn advance(&mut self, budget: usize) -> usize {
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
