//! How much each matrix suffers from each format: measured, one matrix at a time.

use std::borrow::Cow;

use model_format::{TensorRole, WeightFormat};

use super::calibration;
use super::forward::{self, Station};
use super::moments::Moments;
use super::network::Network;
use super::quantise::{matrix, progress};
use crate::Result;

/// A matrix, and what it would take and cost in each format.
#[derive(Clone, Debug, PartialEq)]
pub struct Candidate {
    /// What it is for.
    pub role: TensorRole,
    /// Its layer.
    pub layer: usize,
    /// In the order in which the formats were given.
    pub options: Vec<Choice>,
}

/// A matrix in a format.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Choice {
    /// The format.
    pub format: WeightFormat,
    /// Bytes in the file, with scales and padding.
    pub bytes: usize,
    /// Mean Kullback-Leibler divergence, in nats, of the f32 model's predictions from those with
    /// only this matrix rounded.
    pub divergence: f64,
}

/// Tokens on which predictions are compared.
const WATCHED: usize = 1024;

/// Measures every matrix in every format. Roundings are compensated for the inputs that the f32 model
/// gives a matrix on all `pieces`; predictions are compared on the first 1024 tokens of them.
///
/// # Errors
/// When weights or inputs are not finite.
pub fn measure(
    network: &mut Network<'_>,
    pieces: &[Vec<u32>],
    formats: &[WeightFormat],
) -> Result<Vec<Candidate>> {
    let layers = network.architecture.layers;
    let dim = network.architecture.dim;
    let reference = Reference::new(network, &calibration::first(pieces, WATCHED))?;
    let per_layer = Station::ALL.iter().map(|station| station.roles().len()).sum::<usize>();
    let progress = progress("matrices", layers * per_layer + 1);
    let mut candidates = Vec::new();

    let mut stream = forward::embed(network, pieces);
    for layer in 0..layers {
        let mut seen: Vec<(Station, Moments)> = Vec::new();
        let mut visit = |_: &mut Network<'_>, station: Station, inputs: &[f32]| {
            let tokens: usize = pieces.iter().map(Vec::len).sum();
            seen.push((station, Moments::of(inputs, inputs.len() / tokens.max(1))));
            Ok(())
        };
        forward::layer(network, layer, pieces, &mut stream, &mut visit)?;
        for (station, moments) in &seen {
            for &role in station.roles() {
                candidates.push(reference.try_all(network, (role, layer), formats, moments)?);
                progress.inc(1);
            }
        }
    }
    let seen = Moments::of(&forward::last_norm(network, &stream), dim);
    let unknown = Moments::new(dim);
    if network.architecture.tied {
        let embedding = (TensorRole::TokenEmbedding, 0);
        candidates.push(reference.try_all(network, embedding, formats, &seen)?);
    } else {
        let embedding = (TensorRole::TokenEmbedding, 0);
        candidates.push(reference.try_all(network, embedding, formats, &unknown)?);
        let classifier = (TensorRole::Classifier, 0);
        candidates.push(reference.try_all(network, classifier, formats, &seen)?);
    }
    progress.finish_and_clear();
    Ok(candidates)
}

/// What the f32 model predicts, and its residual stream at the beginning of each layer, so that only
/// what comes after a change has to be computed again.
struct Reference {
    pieces: Vec<Vec<u32>>,
    streams: Vec<Vec<f32>>,
    /// Logarithms of probabilities, `vocabulary` for each token.
    predictions: Vec<f32>,
}

impl Reference {
    fn new(network: &mut Network<'_>, pieces: &[Vec<u32>]) -> Result<Self> {
        let mut stream = forward::embed(network, pieces);
        let mut streams = Vec::new();
        for layer in 0..network.architecture.layers {
            streams.push(stream.clone());
            forward::layer(network, layer, pieces, &mut stream, &mut |_, _, _| Ok(()))?;
        }
        let mut predictions = forward::logits(network, &forward::last_norm(network, &stream));
        let vocabulary = network.architecture.vocabulary.max(1);
        predictions.chunks_exact_mut(vocabulary).for_each(to_log_probabilities);
        Ok(Self { pieces: pieces.to_vec(), streams, predictions })
    }

    fn try_all(
        &self,
        network: &mut Network<'_>,
        (role, layer): (TensorRole, usize),
        formats: &[WeightFormat],
        moments: &Moments,
    ) -> Result<Candidate> {
        let (rows, cols) = network.architecture.shape(role, layer).unwrap_or_default();
        let mut options = Vec::new();
        for &format in formats {
            let rounded = matrix(network, (role, layer), format, moments)?;
            let kept = network.replace(role, layer, Cow::Owned(rounded.values));
            let divergence = self.divergence(network, (role, layer));
            network.replace(role, layer, kept);
            let (bytes, divergence) = (stored_bytes(format, rows, cols), divergence?);
            options.push(Choice { format, bytes, divergence });
        }
        Ok(Candidate { role, layer, options })
    }

    /// How far the network's predictions are, which has another matrix here.
    fn divergence(
        &self,
        network: &mut Network<'_>,
        (role, layer): (TensorRole, usize),
    ) -> Result<f64> {
        let first = match role {
            TensorRole::Classifier => network.architecture.layers,
            _ => layer,
        };
        let mut stream = match (role, self.streams.get(first)) {
            (TensorRole::TokenEmbedding, _) | (_, None) => forward::embed(network, &self.pieces),
            (_, Some(stream)) => stream.clone(),
        };
        // Without a stream to begin with, as for the classifier, everything is computed.
        let first = if self.streams.get(first).is_some() { first } else { 0 };
        for layer in first..network.architecture.layers {
            forward::layer(network, layer, &self.pieces, &mut stream, &mut |_, _, _| Ok(()))?;
        }
        let mut predictions = forward::logits(network, &forward::last_norm(network, &stream));
        let vocabulary = network.architecture.vocabulary.max(1);
        let mut total = 0.0;
        let pairs = predictions.chunks_exact_mut(vocabulary);
        for (own, right) in pairs.zip(self.predictions.chunks_exact(vocabulary)) {
            to_log_probabilities(own);
            let terms = own.iter().zip(right).map(|(own, right)| {
                f64::from(*right).exp() * (f64::from(*right) - f64::from(*own))
            });
            total += terms.sum::<f64>();
        }
        Ok(total * vocabulary as f64 / self.predictions.len().max(1) as f64)
    }
}

fn to_log_probabilities(logits: &mut [f32]) {
    let largest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let total: f64 = logits.iter().map(|logit| f64::from(*logit - largest).exp()).sum();
    let shift = largest + total.ln() as f32;
    logits.iter_mut().for_each(|logit| *logit -= shift);
}

/// Bytes that a matrix takes in the file, with its scales and what fills its sections up.
pub fn stored_bytes(format: WeightFormat, rows: usize, cols: usize) -> usize {
    let data = format.data_bytes(rows, cols).unwrap_or(usize::MAX / 2);
    let scales = format.scale_count(rows) * size_of::<f32>();
    data.next_multiple_of(model_format::ALIGNMENT)
        + scales.next_multiple_of(model_format::ALIGNMENT)
}
