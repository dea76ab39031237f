//! Structured pruning: hidden units of the feed-forward blocks are taken out for good.
//!
//! A unit is a row of gate and up and a column of down. Removing it, with the columns that stay
//! adjusted so that they make up for it, adds ‖d‖² / (H⁻¹)ᵤᵤ to the squared error of the block's
//! outputs, d being its column and H the second moments of the units: the optimal brain surgeon's
//! rule (Hassibi and Stork, 1993; for columns, Frantar and Alistarh, 2022, arXiv 2208.11580). Units go
//! one after the other, the cheapest first. Layers are compared by how large the error is beside the
//! residual stream, so that one threshold gives every layer its own width.

use std::borrow::Cow;

use model_format::TensorRole;

use super::drift::{damped_factor, solve};
use super::error::CompressError;
use super::forward::{self, Station};
use super::moments::Moments;
use super::network::Network;
use super::product::{dot, in_parallel};
use super::quantise::progress;
use super::tensor_name::tensor_name;
use crate::Result;

/// The order in which a layer's units go, and what it costs.
#[derive(Clone, Debug, PartialEq)]
pub struct Removals {
    /// Units, the first to go first.
    pub order: Vec<usize>,
    /// The squared error that each adds, in parts of the residual stream's square.
    pub costs: Vec<f64>,
}

/// How many units stay.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Keep {
    /// This share of all (from 0 to 1), or as few more as whole blocks allow.
    Share(f64),
    /// No more than so many.
    AtMost(usize),
}

/// Removes units from all layers until only `keep` are left. Each layer's width becomes
/// a multiple of `multiple`, or stays. Returns the widths. `network` has the smaller matrices afterwards.
///
/// # Errors
/// When weights or inputs are not finite.
pub fn prune(
    network: &mut Network<'_>,
    pieces: &[Vec<u32>],
    keep: Keep,
    multiple: usize,
) -> Result<Vec<u32>> {
    let layers = network.architecture.layers;
    let progress = progress("layers", 2 * layers);
    let mut removals = Vec::new();
    let mut stream = forward::embed(network, pieces);
    for layer in 0..layers {
        let moments = units(network, layer, pieces, &mut stream)?;
        let size = stream.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>();
        let size = size / pieces.iter().map(Vec::len).sum::<usize>().max(1) as f64;
        removals.push(
            order(network.weights(TensorRole::Down, layer), &moments, size.max(f64::MIN_POSITIVE))
                .ok_or_else(|| not_finite(layer))?,
        );
        progress.inc(1);
    }
    let widths = widths(&removals, keep, multiple);

    let mut stream = forward::embed(network, pieces);
    for (layer, (removals, width)) in removals.iter().zip(&widths).enumerate() {
        if *width < removals.order.len() {
            // What comes in now has gone through the smaller layers before.
            let moments = units(network, layer, pieces, &mut stream.clone())?;
            let mut kept = removals.order[removals.order.len() - width..].to_vec();
            kept.sort_unstable();
            remove(network, layer, &kept, &moments).ok_or_else(|| not_finite(layer))?;
        }
        forward::layer(network, layer, pieces, &mut stream, &mut |_, _, _| Ok(()))?;
        progress.inc(1);
    }
    progress.finish_and_clear();
    Ok(widths.into_iter().map(|width| u32::try_from(width).unwrap_or(u32::MAX)).collect())
}

fn not_finite(layer: usize) -> CompressError {
    CompressError::NotFinite { tensor: tensor_name(TensorRole::Down, layer) }
}

/// Takes the stream through a layer, and returns the moments of its hidden units.
fn units(
    network: &mut Network<'_>,
    layer: usize,
    pieces: &[Vec<u32>],
    stream: &mut [f32],
) -> Result<Moments> {
    let mut moments = Moments::new(0);
    let tokens: usize = pieces.iter().map(Vec::len).sum();
    let mut visit = |_: &mut Network<'_>, station: Station, inputs: &[f32]| {
        if station == Station::Down {
            moments = Moments::of(inputs, inputs.len() / tokens.max(1));
        }
        Ok(())
    };
    forward::layer(network, layer, pieces, stream, &mut visit)?;
    Ok(moments)
}

/// The order in which units go. `down` has a column for each, `size` is the mean square of the stream.
pub fn order(down: &[f32], moments: &Moments, size: f64) -> Option<Removals> {
    let units = moments.size();
    let rows = down.len() / units.max(1);
    let mut inverse = damped_inverse(moments)?;
    // A unit's column as a row of its own.
    let mut columns: Vec<f64> = (0..units)
        .flat_map(|unit| (0..rows).map(move |row| f64::from(down[row * units + unit])))
        .collect();
    let mut left: Vec<usize> = (0..units).collect();
    let (mut order, mut costs) = (Vec::new(), Vec::new());
    while !left.is_empty() {
        let cost = |unit: usize| {
            let column = &columns[unit * rows..][..rows];
            dot(column, column) / inverse[unit * units + unit]
        };
        let costs_left: Vec<f64> = left.iter().map(|unit| cost(*unit)).collect();
        let cheapest = costs_left.iter().enumerate().min_by(|one, other| one.1.total_cmp(other.1));
        let (place, cost) = cheapest.map(|(place, cost)| (place, *cost))?;
        if !cost.is_finite() {
            return None;
        }
        let unit = left.remove(place);
        order.push(unit);
        costs.push(cost / size);
        // The others make up for it, and it is no part of the moments any more.
        let gone = inverse[unit * units..][..units].to_vec();
        let column = columns[unit * rows..][..rows].to_vec();
        for &other in &left {
            let share = gone[other] / gone[unit];
            let columns = &mut columns[other * rows..][..rows];
            columns.iter_mut().zip(&column).for_each(|(to, from)| *to -= share * from);
            let row = &mut inverse[other * units..][..units];
            row.iter_mut().zip(&gone).for_each(|(to, from)| *to -= share * from);
        }
    }
    Some(Removals { order, costs })
}

/// How wide each layer stays: whole blocks of units go, the cheapest first, until only `keep` of all are
/// left. A layer keeps at least one block.
pub fn widths(removals: &[Removals], keep: Keep, multiple: usize) -> Vec<usize> {
    let multiple = multiple.max(1);
    let mut widths: Vec<usize> = removals.iter().map(|removals| removals.order.len()).collect();
    let all = widths.iter().sum::<usize>();
    let (wanted, may_go_below) = match keep {
        Keep::Share(share) => ((all as f64 * share.clamp(0.0, 1.0)).round() as usize, false),
        Keep::AtMost(units) => (units, true),
    };
    loop {
        let total: usize = widths.iter().sum();
        if total <= wanted {
            return widths;
        }
        let next = |width: usize| (width.saturating_sub(1)) / multiple * multiple;
        let cost = |layer: usize| {
            let (costs, width) = (&removals[layer].costs, widths[layer]);
            let (from, to) = (costs.len() - width, costs.len() - next(width));
            costs[from..to].iter().sum::<f64>() / (to - from).max(1) as f64
        };
        let can_go = |layer: &usize| {
            let then = next(widths[*layer]);
            then > 0 && (may_go_below || total - (widths[*layer] - then) >= wanted)
        };
        let layers = (0..widths.len()).filter(can_go);
        let Some(layer) = layers.min_by(|one, other| cost(*one).total_cmp(&cost(*other))) else {
            return widths;
        };
        widths[layer] = next(widths[layer]);
    }
}

/// Leaves only these units, in ascending order, in a layer, and makes up for the others: the columns of
/// down become those with the smallest squared error of the outputs.
fn remove(
    network: &mut Network<'_>,
    layer: usize,
    kept: &[usize],
    moments: &Moments,
) -> Option<()> {
    let units = moments.size();
    let dim = network.architecture.dim;
    for role in [TensorRole::Gate, TensorRole::Up] {
        let weights = network.weights(role, layer);
        let rows = kept.iter().flat_map(|unit| weights[unit * dim..][..dim].iter().copied());
        let rows = rows.collect();
        network.replace(role, layer, Cow::Owned(rows));
    }
    let down = network.weights(TensorRole::Down, layer);
    let down = rebuilt(down, units, kept, moments)?;
    network.replace(TensorRole::Down, layer, Cow::Owned(down));
    Some(())
}

/// The columns that are kept, plus what best replaces the others: d H / (H + damping), each row by
/// itself.
fn rebuilt(down: &[f32], units: usize, kept: &[usize], moments: &Moments) -> Option<Vec<f32>> {
    let size = kept.len();
    let gone: Vec<usize> = (0..units).filter(|unit| kept.binary_search(unit).is_err()).collect();
    let factor = damped_factor(&moments.of_elements(kept))?;
    let mut out = vec![0.0f32; down.len() / units.max(1) * size];
    in_parallel((down, units), (&mut out, size), |_, down, out| {
        for (row, out) in down.chunks_exact(units).zip(out.chunks_exact_mut(size)) {
            let lost = |to: &usize| -> f64 {
                gone.iter().map(|from| f64::from(row[*from]) * moments.at(*from, *to)).sum()
            };
            let mut share: Vec<f64> = kept.iter().map(lost).collect();
            solve(&factor, &mut share);
            for ((out, unit), share) in out.iter_mut().zip(kept).zip(share) {
                *out = (f64::from(row[*unit]) + share) as f32;
            }
        }
    });
    Some(out)
}

/// The inverse of the damped moments, all of it.
fn damped_inverse(moments: &Moments) -> Option<Vec<f64>> {
    let size = moments.size();
    let factor = damped_factor(moments)?;
    let mut inverse = vec![0.0; size * size];
    let places: Vec<usize> = (0..size).collect();
    in_parallel((&places, 1), (&mut inverse, size), |_, places, rows| {
        for (&place, row) in places.iter().zip(rows.chunks_exact_mut(size.max(1))) {
            row[place] = 1.0;
            solve(&factor, row);
        }
    });
    Some(inverse)
}
