//! The Llama architecture on burn's tensors: RMSNorm, RoPE, grouped queries, SwiGLU.
//!
//! The same operations as `model-export/training/llama.py`; a test compares loss, logits and
//! gradients. Rotary embedding turns the pairs (i, i + head / 2), as Hugging Face's weights want.

use std::collections::BTreeMap;

use burn_tensor::activation::{log_softmax, silu};
use burn_tensor::module::{embedding, linear};
use burn_tensor::{Device, Int, Tensor, TensorData};

use crate::shape::{Shape, names};

/// Queries whose attention is computed at a time.
const BLOCK: usize = 64;

/// Weights on the device by name, `[rows, columns]`; norms are `[1, dim]`.
pub type Tensors = BTreeMap<String, Tensor<2>>;

/// What is done to the additions of the residual stream: dropout, or nothing.
pub trait Dropout {
    /// `[rows, length, dim]` to the same size.
    fn drop(&mut self, x: Tensor<3>) -> Tensor<3>;
}

/// No dropout: for measuring.
pub struct Keep;

impl Dropout for Keep {
    fn drop(&mut self, x: Tensor<3>) -> Tensor<3> {
        x
    }
}

/// Rows of tokens, padded to the longest, with the targets that count.
#[derive(Clone, Debug, Default)]
pub struct Batch {
    rows: usize,
    length: usize,
    inputs: Vec<i32>,
    targets: Vec<i32>,
    counts: Vec<f32>,
}

impl Batch {
    /// Packs rows of at least two tokens; each token but the first is a target.
    pub fn new(rows: &[&[u16]]) -> Self {
        let length = rows.iter().map(|row| row.len().saturating_sub(1)).max().unwrap_or(0);
        let mut batch = Self { rows: rows.len(), length, ..Self::default() };
        for row in rows {
            let targets = row.get(1..).unwrap_or_default();
            let padding = length - targets.len();
            let real = row.iter().take(targets.len()).map(|&token| i32::from(token));
            batch.inputs.extend(real.chain(std::iter::repeat_n(0, padding)));
            let real = targets.iter().map(|&token| i32::from(token));
            batch.targets.extend(real.chain(std::iter::repeat_n(0, padding)));
            let real = std::iter::repeat_n(1.0, targets.len());
            batch.counts.extend(real.chain(std::iter::repeat_n(0.0, padding)));
        }
        batch
    }

    /// Batches of at most so many rows, those of about one length together: fewer places are padded.
    pub fn of_similar_length(mut rows: Vec<&[u16]>, most: usize) -> Vec<Self> {
        rows.sort_by_key(|row| row.len());
        rows.chunks(most.max(1)).map(Self::new).collect()
    }

    /// Number of targets that count.
    pub fn targets(&self) -> usize {
        self.counts.iter().filter(|&&count| count > 0.0).count()
    }
}

/// A shape with the tables of its rotary embedding.
pub struct Model {
    shape: Shape,
    device: Device,
    cosines: Vec<f32>,
    sines: Vec<f32>,
}

impl Model {
    /// Computes the tables for all positions, in f32 as PyTorch and the engine do.
    pub fn new(shape: &Shape, device: &Device) -> Self {
        let head = shape.dim / shape.heads;
        let speed = |pair: usize| shape.theta.powf(-((2 * pair) as f32 / head as f32));
        let angles = |position: usize| {
            let half = (0..head / 2).map(move |pair| position as f32 * speed(pair));
            half.clone().chain(half)
        };
        let cosines = (0..shape.context).flat_map(angles).map(f32::cos).collect();
        let sines = (0..shape.context).flat_map(angles).map(f32::sin).collect();
        Self { shape: shape.clone(), device: device.clone(), cosines, sines }
    }

    /// Logits `[rows, length, vocabulary]`.
    pub fn logits(&self, weights: &Tensors, batch: &Batch, dropout: &mut dyn Dropout) -> Tensor<3> {
        let shape = &self.shape;
        let data = TensorData::new(batch.inputs.clone(), [batch.rows, batch.length]);
        let tokens = Tensor::<2, Int>::from_data(data, &self.device);
        let head = shape.dim / shape.heads;
        let table = |values: &[f32]| {
            let values = values[..batch.length * head].to_vec();
            Tensor::<4>::from_data(
                TensorData::new(values, [1, 1, batch.length, head]),
                &self.device,
            )
        };
        let (cosines, sines) = (table(&self.cosines), table(&self.sines));
        let classes = &weights[names::EMBEDDING];
        let mut x = dropout.drop(embedding(classes.clone(), tokens));
        for layer in 0..shape.layers {
            let weight = |part: &str| weights[&names::layer(layer, part)].clone();
            let normed = self.norm(x.clone(), weight(names::ATTENTION_NORM));
            let heads = |part: &str, heads: usize| {
                let x = linear(normed.clone(), weight(part).transpose(), None);
                x.reshape([batch.rows, batch.length, heads, head]).swap_dims(1, 2)
            };
            let q = rotate(heads(names::QUERY, shape.heads), &cosines, &sines);
            let k = rotate(heads(names::KEY, shape.kv_heads), &cosines, &sines);
            let (k, v) = (self.repeat(k), self.repeat(heads(names::VALUE, shape.kv_heads)));
            let mixed = attend(q, &k, &v, BLOCK).swap_dims(1, 2);
            let mixed = mixed.reshape([batch.rows, batch.length, shape.dim]);
            x = x + dropout.drop(linear(mixed, weight(names::OUTPUT).transpose(), None));
            let normed = self.norm(x.clone(), weight(names::FEED_FORWARD_NORM));
            let gate = silu(linear(normed.clone(), weight(names::GATE).transpose(), None));
            let up = linear(normed, weight(names::UP).transpose(), None);
            x = x + dropout.drop(linear(gate * up, weight(names::DOWN).transpose(), None));
        }
        let classes = if shape.tied { classes } else { &weights[names::CLASSIFIER] };
        let normed = self.norm(x, weights[names::FINAL_NORM].clone());
        linear(normed, classes.clone().transpose(), None)
    }

    /// The sum of the negative log likelihoods of all targets that count, in nats.
    pub fn loss(&self, weights: &Tensors, batch: &Batch, dropout: &mut dyn Dropout) -> Tensor<1> {
        let places = batch.rows * batch.length;
        let logits = self.logits(weights, batch, dropout);
        let logits = logits.reshape([places, self.shape.vocabulary]);
        let targets = TensorData::new(batch.targets.clone(), [places, 1]);
        let targets = Tensor::<2, Int>::from_data(targets, &self.device);
        let counts = TensorData::new(batch.counts.clone(), [places, 1]);
        let counts = Tensor::<2>::from_data(counts, &self.device);
        (log_softmax(logits, 1).gather(1, targets) * counts).sum().neg()
    }

    /// RMSNorm.
    fn norm(&self, x: Tensor<3>, weight: Tensor<2>) -> Tensor<3> {
        let mean = x.clone().square().mean_dim(2) + self.shape.epsilon;
        x * mean.sqrt().recip() * weight.unsqueeze::<3>()
    }

    /// Key and value heads, once for each query head that reads them.
    fn repeat(&self, x: Tensor<4>) -> Tensor<4> {
        let times = self.shape.heads / self.shape.kv_heads;
        if times == 1 {
            return x;
        }
        let [rows, heads, length, head] = x.dims();
        let x = x.reshape([rows, heads, 1, length, head]).repeat_dim(2, times);
        x.reshape([rows, heads * times, length, head])
    }
}

/// Causal attention, a block of queries at a time, which leaves out most of what they may not see.
/// All are `[rows, heads, length, head]`. What is as large as the scores takes most of the time; so
/// the sums divide what was mixed, and no gradient goes through the largest score.
fn attend(q: Tensor<4>, k: &Tensor<4>, v: &Tensor<4>, block: usize) -> Tensor<4> {
    let [_, _, length, head] = q.dims();
    let q = q / (head as f32).sqrt();
    let mixed = (0..length).step_by(block).map(|begin| {
        let (queries, end) = (block.min(length - begin), length.min(begin + block));
        let keys = k.clone().narrow(2, 0, end).swap_dims(2, 3);
        let scores =
            q.clone().narrow(2, begin, queries).matmul(keys) + hidden(begin, end, &q.device());
        let largest = scores.clone().detach().max_dim(3);
        let shares = (scores - largest).exp();
        let sums = shares.clone().sum_dim(3);
        shares.matmul(v.clone().narrow(2, 0, end)) / sums
    });
    Tensor::cat(mixed.collect(), 2)
}

/// What hides from the queries of a block the keys that come after them: `[1, 1, queries, keys]`.
fn hidden(begin: usize, end: usize, device: &Device) -> Tensor<4> {
    let seen = |query: usize, key: usize| if key > query { f32::NEG_INFINITY } else { 0.0 };
    let values: Vec<f32> =
        (begin..end).flat_map(|query| (0..end).map(move |key| seen(query, key))).collect();
    Tensor::from_data(TensorData::new(values, [1, 1, end - begin, end]), device)
}

/// Rotary position embedding.
fn rotate(x: Tensor<4>, cosines: &Tensor<4>, sines: &Tensor<4>) -> Tensor<4> {
    let half = x.dims()[3] / 2;
    let (left, right) = (x.clone().narrow(3, 0, half), x.clone().narrow(3, half, half));
    x * cosines.clone() + Tensor::cat(vec![right.neg(), left], 3) * sines.clone()
}

#[cfg(test)]
mod tests {
    use burn_tensor::Distribution;

    use super::*;

    #[test]
    fn attention_in_blocks_is_attention_in_one() {
        let device = Device::default();
        let random = || Tensor::<4>::random([2, 3, 23, 4], Distribution::Default, &device);
        let (q, k, v) = (random() * 9.0, random(), random());
        let whole: Vec<f32> = attend(q.clone(), &k, &v, 64).into_data().iter().collect();
        for block in [1, 7, 22, 23] {
            let parts: Vec<f32> = attend(q.clone(), &k, &v, block).into_data().iter().collect();
            let furthest = whole.iter().zip(&parts).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            assert_eq!(whole.len(), parts.len());
            assert!(furthest < 1e-5, "blocks of {block}: {furthest}");
        }
        // The first query sees the first key alone.
        let first: Vec<f32> = v.narrow(2, 0, 1).into_data().iter().collect();
        assert!((whole[0] - first[0]).abs() < 1e-6);
    }
}
