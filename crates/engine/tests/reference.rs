//! The engine against a naive f64 transformer that shares no code with it.
#![allow(clippy::unwrap_used)]

mod common;

use common::{PATHS, Path};
use engine::CacheFormat;
use model_format::synthetic::tiny_architecture;
use model_format::{ArchitectureSpec, Model, Tensor, TensorRole};

/// Logits after the last of `tokens`: all positions at once, layer by layer, without a cache.
fn naive_logits(model: &Model<'_>, tokens: &[u32]) -> Vec<f64> {
    let a = *model.architecture();
    let get = |role, layer| model.tensor(role, layer).unwrap();
    let head_size = a.dim / a.heads;
    let mut stream: Vec<Vec<f64>> =
        tokens.iter().map(|&t| row(&get(TensorRole::TokenEmbedding, 0), t as usize)).collect();
    for layer in 0..a.layers {
        let each = |role, inputs: &[Vec<f64>]| -> Vec<Vec<f64>> {
            inputs.iter().map(|x| times(&get(role, layer), x)).collect()
        };
        let normed = norm(&stream, &get(TensorRole::AttentionNorm, layer), a.norm_epsilon);
        let mut queries = each(TensorRole::Query, &normed);
        let mut keys = each(TensorRole::Key, &normed);
        let values = each(TensorRole::Value, &normed);
        for (position, (query, key)) in queries.iter_mut().zip(&mut keys).enumerate() {
            turn(query, head_size, position, a.rope_theta);
            turn(key, head_size, position, a.rope_theta);
        }
        let mut attended = vec![vec![0.0; a.dim]; tokens.len()];
        for (position, out) in attended.iter_mut().enumerate() {
            for head in 0..a.heads {
                let shared = head * a.kv_heads / a.heads;
                let score = |t: usize| -> f64 {
                    let product = |i| {
                        queries[position][head * head_size + i] * keys[t][shared * head_size + i]
                    };
                    (0..head_size).map(product).sum::<f64>() / (head_size as f64).sqrt()
                };
                let exponentials: Vec<f64> = (0..=position).map(|t| score(t).exp()).collect();
                let sum: f64 = exponentials.iter().sum();
                for (t, e) in exponentials.iter().enumerate() {
                    for i in 0..head_size {
                        out[head * head_size + i] += e / sum * values[t][shared * head_size + i];
                    }
                }
            }
        }
        add(&mut stream, &each(TensorRole::AttentionOutput, &attended));
        let normed = norm(&stream, &get(TensorRole::FeedForwardNorm, layer), a.norm_epsilon);
        let gates = each(TensorRole::Gate, &normed);
        let ups = each(TensorRole::Up, &normed);
        let activated: Vec<Vec<f64>> = gates
            .iter()
            .zip(&ups)
            .map(|(g, u)| g.iter().zip(u).map(|(g, u)| g / (1.0 + (-g).exp()) * u).collect())
            .collect();
        add(&mut stream, &each(TensorRole::Down, &activated));
    }
    let last = norm(&stream, &get(TensorRole::FinalNorm, 0), a.norm_epsilon).pop().unwrap();
    let classifier = if a.tied { TensorRole::TokenEmbedding } else { TensorRole::Classifier };
    times(&get(classifier, 0), &last)
}

fn row(matrix: &Tensor<'_>, row: usize) -> Vec<f64> {
    (0..matrix.cols).map(|col| f64::from(matrix.weight(row, col).unwrap())).collect()
}

fn times(matrix: &Tensor<'_>, x: &[f64]) -> Vec<f64> {
    let dot = |r| row(matrix, r).iter().zip(x).map(|(w, x)| w * x).sum();
    (0..matrix.rows).map(dot).collect()
}

fn norm(inputs: &[Vec<f64>], gains: &Tensor<'_>, epsilon: f32) -> Vec<Vec<f64>> {
    let gains = row(gains, 0);
    let one = |x: &Vec<f64>| -> Vec<f64> {
        let mean = x.iter().map(|v| v * v).sum::<f64>() / x.len() as f64;
        x.iter().zip(&gains).map(|(v, g)| v * g / (mean + f64::from(epsilon)).sqrt()).collect()
    };
    inputs.iter().map(one).collect()
}

fn turn(heads: &mut [f64], head_size: usize, position: usize, theta: f32) {
    for head in heads.chunks_mut(head_size) {
        for i in (0..head_size).step_by(2) {
            let frequency = f64::from(theta).powf(-(i as f64) / head_size as f64);
            let (sin, cos) = (position as f64 * frequency).sin_cos();
            (head[i], head[i + 1]) =
                (head[i] * cos - head[i + 1] * sin, head[i] * sin + head[i + 1] * cos);
        }
    }
}

fn add(stream: &mut [Vec<f64>], branch: &[Vec<f64>]) {
    for (x, y) in stream.iter_mut().flatten().zip(branch.iter().flatten()) {
        *x += y;
    }
}

/// Root mean square of the difference, relative to that of the reference.
fn relative_error(logits: &[f32], reference: &[f64]) -> f64 {
    let square = |x: f64| x * x;
    let error: f64 = logits.iter().zip(reference).map(|(a, b)| square(f64::from(*a) - b)).sum();
    (error / reference.iter().copied().map(square).sum::<f64>()).sqrt()
}

fn shapes() -> Vec<ArchitectureSpec> {
    let base = tiny_architecture(true);
    vec![
        base.clone(),
        tiny_architecture(false),
        // One key-value head for all, another base and epsilon, narrowing layers.
        ArchitectureSpec {
            kv_heads: 1,
            rope_theta: 500_000.0,
            norm_epsilon: 1e-6,
            hidden: vec![96, 8, 130],
            ..base.clone()
        },
        // Every head its own, head size 2, width no multiple of 4.
        ArchitectureSpec { dim: 30, heads: 15, kv_heads: 15, hidden: vec![7], ..base.clone() },
        // More columns than a block of the fp8 kernel.
        ArchitectureSpec { dim: 160, heads: 4, kv_heads: 2, hidden: vec![200; 2], ..base },
    ]
}

/// Mean and largest error over shapes and positions.
fn errors(path: &Path) -> (f64, f64) {
    let tokens = [1, 5, 9, 2, 66, 0, 33, 33, 33, 12, 50, 7];
    let mut all = Vec::new();
    for (seed, spec) in shapes().iter().enumerate() {
        let file = common::random(spec, path.format, seed as u64);
        let model = Model::open(&file).unwrap();
        if path.cache == CacheFormat::Int8 && !model.architecture().head_size().is_multiple_of(4) {
            continue;
        }
        let mut engine = path.engine(&model, 64);
        for (position, &token) in tokens.iter().enumerate() {
            let logits = engine.run(token).unwrap();
            all.push(relative_error(logits, &naive_logits(&model, &tokens[..=position])));
        }
    }
    (all.iter().sum::<f64>() / all.len() as f64, all.iter().copied().fold(0.0, f64::max))
}

#[test]
fn every_path_is_exact_but_for_its_rounding() {
    for path in &PATHS {
        let (mean, worst) = errors(path);
        println!("{}: mean {mean:e}, worst {worst:e}", path.name);
    }
}
