//! From f32 to smaller formats with compensation, layer after layer.
//!
//! The inputs of each layer are computed with the layers before it already rounded, so that a later
//! matrix also makes up for what the earlier ones have done. The token embedding comes first; where
//! it is the classifier too, it is rounded for that, with the inputs that the f32 model gives it.

use std::borrow::Cow;

use indicatif::{ProgressBar, ProgressStyle};
use model_format::quantise::EncodedTensor;
use model_format::{TensorRole, WeightFormat};

use super::error::CompressError;
use super::forward::{self, Station};
use super::moments::Moments;
use super::network::Network;
use super::rounding::{self, Rounded, round};
use super::tensor_name::tensor_name;
use crate::Result;

/// How to round.
#[derive(Clone, Copy, Debug)]
pub struct Method {
    /// Whether the layers before are rounded already when a layer's inputs are computed.
    pub sequential: bool,
    /// Whether scales are searched for.
    pub searches_scales: bool,
}

impl Default for Method {
    fn default() -> Self {
        Self { sequential: true, searches_scales: true }
    }
}

/// Rounds a matrix for these inputs.
///
/// # Errors
/// When weights or inputs are not finite.
pub fn matrix(
    network: &Network<'_>,
    (role, layer): (TensorRole, usize),
    format: WeightFormat,
    moments: &Moments,
    method: Method,
) -> Result<Rounded> {
    let factors = match method.searches_scales {
        true => rounding::scales_to_try(format),
        false => rounding::PLAIN_SCALES,
    };
    let rounded = round(network.weights(role, layer), format, moments, factors);
    let tensor = || tensor_name(role, layer);
    Ok(rounded.ok_or_else(|| CompressError::NotFinite { tensor: tensor() })?)
}

/// All matrices in the formats that `format` names for them, in the order they were made; norms and
/// what stays f32 are left out. `network` has the rounded weights afterwards.
///
/// # Errors
/// When weights or inputs are not finite.
pub fn compensated(
    network: &mut Network<'_>,
    pieces: &[Vec<u32>],
    format: &dyn Fn(TensorRole, usize) -> WeightFormat,
    method: Method,
) -> Result<Vec<(TensorRole, usize, EncodedTensor)>> {
    let layers = network.architecture.layers;
    let progress = progress("layers", 2 * layers);
    let mut done = Vec::new();

    // What the classifier will see, of the f32 model.
    let mut stream = forward::embed(network, pieces);
    for layer in 0..layers {
        forward::layer(network, layer, pieces, &mut stream, &mut |_, _, _| Ok(()))?;
        progress.inc(1);
    }
    let dim = network.architecture.dim;
    let seen = Moments::of(&forward::last_norm(network, &stream), dim);
    let outer = match network.architecture.tied {
        true => vec![(TensorRole::TokenEmbedding, seen)],
        // Rows that are looked up are inputs of nothing: they are rounded plainly.
        false => {
            vec![(TensorRole::TokenEmbedding, Moments::new(dim)), (TensorRole::Classifier, seen)]
        }
    };
    for (role, moments) in outer {
        let format = format(role, 0);
        if format != WeightFormat::F32 {
            let Rounded { tensor, values, .. } =
                matrix(network, (role, 0), format, &moments, method)?;
            network.replace(role, 0, Cow::Owned(values));
            done.push((role, 0, tensor));
        }
    }

    let mut stream = forward::embed(network, pieces);
    for layer in 0..layers {
        let mut rounded = Vec::new();
        let mut visit = |network: &mut Network<'_>, station: Station, inputs: &[f32]| {
            let width = match station {
                Station::Down => inputs.len() / (stream_tokens(pieces)).max(1),
                _ => dim,
            };
            let moments = Moments::of(inputs, width);
            for &role in station.roles() {
                let format = format(role, layer);
                if format == WeightFormat::F32 {
                    continue;
                }
                let Rounded { tensor, values, .. } =
                    matrix(network, (role, layer), format, &moments, method)?;
                done.push((role, layer, tensor));
                match method.sequential {
                    true => drop(network.replace(role, layer, Cow::Owned(values))),
                    false => rounded.push((role, values)),
                }
            }
            Ok(())
        };
        forward::layer(network, layer, pieces, &mut stream, &mut visit)?;
        for (role, values) in rounded {
            network.replace(role, layer, Cow::Owned(values));
        }
        progress.inc(1);
    }
    progress.finish_and_clear();
    Ok(done)
}

fn stream_tokens(pieces: &[Vec<u32>]) -> usize {
    pieces.iter().map(Vec::len).sum()
}

/// A bar with rate and time left; nothing where there is no terminal.
pub fn progress(what: &str, count: usize) -> ProgressBar {
    let style = format!("{{bar:30}} {{pos}}/{{len}} {what}, {{per_sec}}, {{eta}} left");
    let bar = ProgressBar::new(count as u64);
    bar.with_style(ProgressStyle::with_template(&style).unwrap_or(ProgressStyle::default_bar()))
}
