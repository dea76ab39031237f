//! The transformer in plain f32, layer by layer for many tokens at once: to see what goes into each
//! matrix, and what comes out of it when a matrix is changed.
//!
//! It computes what `engine` computes with f32 weights and an f32 cache, but in another order of
//! sums, and so agrees with it but for rounding. Llama2: Touvron et al., 2023.

use model_format::TensorRole;

use super::network::Network;
use super::product::{in_parallel, multiply};
use crate::Result;

/// Where vectors enter matrices.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Station {
    /// Queries, keys and values.
    Attention,
    /// The output projection of attention.
    Output,
    /// Gate and up.
    FeedForward,
    /// The down projection.
    Down,
}

impl Station {
    /// In the order in which a layer comes to them.
    pub const ALL: [Station; 4] =
        [Station::Attention, Station::Output, Station::FeedForward, Station::Down];

    /// The matrices that share these inputs.
    pub fn roles(self) -> &'static [TensorRole] {
        match self {
            Station::Attention => &[TensorRole::Query, TensorRole::Key, TensorRole::Value],
            Station::Output => &[TensorRole::AttentionOutput],
            Station::FeedForward => &[TensorRole::Gate, TensorRole::Up],
            Station::Down => &[TensorRole::Down],
        }
    }
}

/// Called with the inputs of matrices, side by side, before those are multiplied; it may change them.
pub type Visit<'v, 'm> = dyn FnMut(&mut Network<'m>, Station, &[f32]) -> Result<()> + 'v;

/// Tokens whose feed-forward vectors are in memory together.
const CHUNK: usize = 1024;

/// The residual stream of the tokens at its beginning: `dim` numbers for each.
pub fn embed(network: &Network<'_>, pieces: &[Vec<u32>]) -> Vec<f32> {
    let dim = network.architecture.dim;
    let embedding = network.weights(TensorRole::TokenEmbedding, 0);
    let row = |token: &u32| {
        let start = (*token as usize).saturating_mul(dim);
        embedding.get(start..start + dim).unwrap_or_default()
    };
    pieces.iter().flatten().flat_map(row).copied().collect()
}

/// Takes the residual stream through a layer. Every piece has a context of its own.
pub fn layer<'m>(
    network: &mut Network<'m>,
    layer: usize,
    pieces: &[Vec<u32>],
    stream: &mut [f32],
    visit: &mut Visit<'_, 'm>,
) -> Result<()> {
    let architecture = network.architecture;
    let (dim, kv_dim) = (architecture.dim, architecture.kv_dim());
    let hidden = network.weights(TensorRole::Gate, layer).len() / dim.max(1);

    let input = normed(network, TensorRole::AttentionNorm, layer, stream);
    visit(network, Station::Attention, &input)?;
    let query = product(network, TensorRole::Query, layer, &input, dim);
    let key = product(network, TensorRole::Key, layer, &input, dim);
    let value = product(network, TensorRole::Value, layer, &input, dim);
    drop(input);
    let mut attended = vec![0.0; stream.len()];
    let mut vectors = Attention { network, query, key, value, kv_dim };
    vectors.rotate(pieces);
    vectors.attend(pieces, &mut attended);
    visit(network, Station::Output, &attended)?;
    add(stream, &product(network, TensorRole::AttentionOutput, layer, &attended, dim));
    drop(attended);

    let input = normed(network, TensorRole::FeedForwardNorm, layer, stream);
    visit(network, Station::FeedForward, &input)?;
    let mut activated = Vec::with_capacity(input.len() / dim.max(1) * hidden);
    for input in input.chunks(CHUNK * dim.max(1)) {
        let mut gate = product(network, TensorRole::Gate, layer, input, dim);
        let up = product(network, TensorRole::Up, layer, input, dim);
        in_parallel((&up, hidden), (&mut gate, hidden), |_, up, gate| {
            for (gate, up) in gate.iter_mut().zip(up) {
                // SwiGLU (Shazeer, 2020).
                *gate = *gate / (1.0 + (-*gate).exp()) * up;
            }
        });
        activated.extend(gate);
    }
    drop(input);
    visit(network, Station::Down, &activated)?;
    add(stream, &product(network, TensorRole::Down, layer, &activated, hidden));
    Ok(())
}

/// What the classifier sees.
pub fn last_norm(network: &Network<'_>, stream: &[f32]) -> Vec<f32> {
    normed(network, TensorRole::FinalNorm, 0, stream)
}

/// The logits of what the classifier sees, `vocabulary` for each token.
pub fn logits(network: &Network<'_>, seen: &[f32]) -> Vec<f32> {
    product(network, network.classifier(), 0, seen, network.architecture.dim)
}

fn product(
    network: &Network<'_>,
    role: TensorRole,
    layer: usize,
    inputs: &[f32],
    cols: usize,
) -> Vec<f32> {
    let (weights, cols) = (network.weights(role, layer), cols.max(1));
    let mut out = vec![0.0; inputs.len() / cols * (weights.len() / cols)];
    multiply(weights, inputs, cols, &mut out);
    out
}

/// RMSNorm (Zhang and Sennrich, 2019) of each token's part of the stream.
fn normed(network: &Network<'_>, role: TensorRole, layer: usize, stream: &[f32]) -> Vec<f32> {
    let gains = network.weights(role, layer);
    let (dim, epsilon) = (network.architecture.dim.max(1), network.architecture.norm_epsilon);
    let mut out = vec![0.0; stream.len()];
    for (x, out) in stream.chunks_exact(dim).zip(out.chunks_exact_mut(dim)) {
        let mean = x.iter().map(|x| x * x).sum::<f32>() / dim as f32;
        let factor = 1.0 / (mean + epsilon).sqrt();
        for ((out, x), gain) in out.iter_mut().zip(x).zip(gains) {
            *out = gain * (factor * x);
        }
    }
    out
}

fn add(stream: &mut [f32], branch: &[f32]) {
    for (x, y) in stream.iter_mut().zip(branch) {
        *x += y;
    }
}

/// Queries, keys and values of all tokens in a layer.
struct Attention<'n, 'm> {
    network: &'n Network<'m>,
    query: Vec<f32>,
    key: Vec<f32>,
    value: Vec<f32>,
    kv_dim: usize,
}

impl Attention<'_, '_> {
    /// Rotary positions (Su et al., "RoFormer", 2021), neighbouring pairs as in llama2.c.
    fn rotate(&mut self, pieces: &[Vec<u32>]) {
        let architecture = self.network.architecture;
        let head = architecture.head_size();
        let frequency =
            |pair: usize| architecture.rope_theta.powf(-((2 * pair) as f32) / head as f32);
        let frequencies: Vec<f32> = (0..head / 2).map(frequency).collect();
        let positions = || pieces.iter().flat_map(|piece| 0..piece.len());
        let dim = architecture.dim;
        for (vectors, width) in [(&mut self.query, dim), (&mut self.key, self.kv_dim)] {
            for (position, vector) in positions().zip(vectors.chunks_exact_mut(width)) {
                let turns: Vec<(f32, f32)> =
                    frequencies.iter().map(|it| (position as f32 * it).sin_cos()).collect();
                for head in vector.chunks_exact_mut(head) {
                    let (pairs, _) = head.as_chunks_mut::<2>();
                    for ([a, b], (sin, cos)) in pairs.iter_mut().zip(&turns) {
                        (*a, *b) = (*a * cos - *b * sin, *a * sin + *b * cos);
                    }
                }
            }
        }
    }

    /// Causal attention within each piece; a key serves a group of queries.
    fn attend(&self, pieces: &[Vec<u32>], out: &mut [f32]) {
        let architecture = self.network.architecture;
        let (dim, kv_dim) = (architecture.dim, self.kv_dim);
        let head = architecture.head_size();
        let group = architecture.heads / architecture.kv_heads.max(1);
        let factor = 1.0 / (head as f32).sqrt();
        let mut first = 0;
        let starts = pieces.iter().flat_map(|piece| {
            let start = first;
            first += piece.len();
            std::iter::repeat_n(start, piece.len())
        });
        let starts: Vec<usize> = starts.collect();
        in_parallel((&starts, 1), (out, dim), |first, starts, out| {
            for (offset, (start, out)) in starts.iter().zip(out.chunks_exact_mut(dim)).enumerate() {
                let token = first + offset;
                for (index, out) in out.chunks_exact_mut(head).enumerate() {
                    let query = &self.query[token * dim + index * head..][..head];
                    let place = |at: usize| at * kv_dim + index / group * head;
                    let mut weights: Vec<f32> = (*start..=token)
                        .map(|at| {
                            let key = &self.key[place(at)..][..head];
                            query.iter().zip(key).map(|(q, k)| q * k).sum::<f32>() * factor
                        })
                        .collect();
                    softmax(&mut weights);
                    for (weight, at) in weights.iter().zip(*start..) {
                        for (out, value) in out.iter_mut().zip(&self.value[place(at)..][..head]) {
                            *out += weight * value;
                        }
                    }
                }
            }
        });
    }
}

fn softmax(scores: &mut [f32]) {
    let largest = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    scores.iter_mut().for_each(|score| *score = (*score - largest).exp());
    let total: f32 = scores.iter().sum();
    scores.iter_mut().for_each(|score| *score /= total);
}
