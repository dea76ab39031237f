//! From f32 to smaller formats with compensation, layer after layer.
//!
//! The inputs of each matrix are computed with what comes before it already rounded. They are compared
//! with those of the f32 model, which is computed beside it: so a later matrix also makes up for what
//! the earlier ones have done. The token embedding comes first; where it is the classifier too, it is
//! rounded for that, with the inputs that the f32 model gives it.

use std::borrow::Cow;

use indicatif::{ProgressBar, ProgressStyle};
use model_format::quantise::EncodedTensor;
use model_format::{TensorRole, WeightFormat};

use super::drift::Drift;
use super::error::CompressError;
use super::forward::{self, Station};
use super::moments::Moments;
use super::network::Network;
use super::rounding::{Rounded, round, scales_to_try};
use super::tensor_name::tensor_name;
use crate::Result;

/// Rounds a matrix for these inputs.
///
/// # Errors
/// When weights or inputs are not finite.
pub fn matrix(
    network: &Network<'_>,
    (role, layer): (TensorRole, usize),
    format: WeightFormat,
    moments: &Moments,
) -> Result<Rounded> {
    let scales = scales_to_try(format);
    let rounded = round(network.weights(role, layer), format, moments, scales);
    Ok(rounded.ok_or_else(|| not_finite(role, layer))?)
}

fn not_finite(role: TensorRole, layer: usize) -> CompressError {
    CompressError::NotFinite { tensor: tensor_name(role, layer) }
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
) -> Result<Vec<(TensorRole, usize, EncodedTensor)>> {
    let layers = network.architecture.layers;
    let tokens: usize = pieces.iter().map(Vec::len).sum();
    let progress = progress("layers", 2 * layers);
    let mut done = Vec::new();

    let mut original = network.clone();
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
            let Rounded { tensor, values, .. } = matrix(network, (role, 0), format, &moments)?;
            network.replace(role, 0, Cow::Owned(values));
            done.push((role, 0, tensor));
        }
    }

    let mut original_stream = forward::embed(&original, pieces);
    let mut stream = forward::embed(network, pieces);
    for layer in 0..layers {
        let mut before: Vec<Vec<f32>> = Vec::new();
        let mut remember = |_: &mut Network<'_>, _: Station, inputs: &[f32]| {
            before.push(inputs.to_vec());
            Ok(())
        };
        forward::layer(&mut original, layer, pieces, &mut original_stream, &mut remember)?;
        let mut before = before.into_iter();
        let mut visit = |network: &mut Network<'_>, station: Station, inputs: &[f32]| {
            let moments = Moments::of(inputs, inputs.len() / tokens.max(1));
            // Both come to the same stations in the same order.
            let drift = Drift::new(&before.next().unwrap_or_default(), inputs, &moments);
            for &role in station.roles() {
                let format = format(role, layer);
                if format == WeightFormat::F32 {
                    continue;
                }
                let drift = drift.as_ref().ok_or_else(|| not_finite(role, layer))?;
                let weights = drift.undo(network.weights(role, layer));
                network.replace(role, layer, Cow::Owned(weights));
                let Rounded { tensor, values, .. } =
                    matrix(network, (role, layer), format, &moments)?;
                done.push((role, layer, tensor));
                network.replace(role, layer, Cow::Owned(values));
            }
            Ok(())
        };
        forward::layer(network, layer, pieces, &mut stream, &mut visit)?;
        progress.inc(1);
    }
    progress.finish_and_clear();
    Ok(done)
}

/// A bar with rate and time left; nothing where there is no terminal.
pub fn progress(what: &str, count: usize) -> ProgressBar {
    let style = format!("{{bar:30}} {{pos}}/{{len}} {what}, {{per_sec}}, {{eta}} left");
    let bar = ProgressBar::new(count as u64);
    bar.with_style(ProgressStyle::with_template(&style).unwrap_or(ProgressStyle::default_bar()))
}
