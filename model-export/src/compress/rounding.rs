//! Rounding a matrix so that its outputs, not its weights, change least.
//!
//! Every row is rounded by itself, column by column; each column makes up for the errors of those
//! before it: see [`Feedback`]. The scales are those of plain rounding of the original weights, and
//! a few larger and smaller ones are tried for each row, of which the one is kept that leaves the
//! smallest error of the row's output.

use model_format::WeightFormat;
use model_format::quantise::EncodedTensor;

use super::feedback::Feedback;
use super::grid::{RowCodes, assemble, word};
use super::moments::Moments;
use super::product::in_parallel;

/// A matrix in a smaller format.
#[derive(Clone, Debug)]
pub struct Rounded {
    /// As it lies in the file.
    pub tensor: EncodedTensor,
    /// What its weights are worth now, row after row.
    pub values: Vec<f32>,
    /// Mean squared error of the outputs over the inputs of the moments, damped, summed over rows.
    pub error: f64,
}

/// What plain rounding's scales are multiplied with; the scale itself comes first.
pub const PLAIN_SCALES: &[f32] = &[1.0];

/// The scales that are worth trying in a format.
pub fn scales_to_try(format: WeightFormat) -> &'static [f32] {
    match format {
        // From one power of two to the next, where the grid is the same again.
        WeightFormat::F32 | WeightFormat::Fp8E4M3 => {
            &[1.0, 1.09, 1.19, 1.3, 1.41, 1.54, 1.68, 1.83]
        }
        WeightFormat::Int8 => &[1.0, 0.98, 0.96, 0.94, 0.92, 0.9],
        WeightFormat::Int4 => &[1.0, 1.05, 1.1, 0.95, 0.9, 0.85, 0.8],
    }
}

/// Rounds a matrix of rows as long as the moments' inputs. `format` is not f32. `None` where weights
/// or moments are not finite.
pub fn round(
    weights: &[f32],
    format: WeightFormat,
    moments: &Moments,
    factors: &[f32],
) -> Option<Rounded> {
    let cols = moments.size().max(1);
    if weights.iter().any(|weight| !weight.is_finite()) {
        return None;
    }
    let feedback = Feedback::new(moments, word(format))?;
    let mut rows: Vec<Option<Row>> = Vec::new();
    rows.resize_with(weights.len() / cols, || None);
    in_parallel((weights, cols), (&mut rows, 1), |_, weights, rows| {
        for (weights, row) in weights.chunks_exact(cols).zip(rows) {
            let tries = factors.iter().map(|factor| {
                Row::round(weights, RowCodes::new(weights, format, *factor), &feedback)
            });
            *row = tries.min_by(|one, other| one.error.total_cmp(&other.error));
        }
    });
    let rows: Vec<Row> = rows.into_iter().collect::<Option<_>>()?;
    let error = rows.iter().map(|row| row.error).sum();
    let values = rows.iter().flat_map(|row| row.values.iter().copied()).collect();
    let codes: Vec<RowCodes> = rows.into_iter().map(|row| row.codes).collect();
    Some(Rounded { tensor: assemble(&codes, format), values, error })
}

struct Row {
    codes: RowCodes,
    values: Vec<f32>,
    error: f64,
}

impl Row {
    fn round(weights: &[f32], mut codes: RowCodes, feedback: &Feedback) -> Self {
        let mut values = vec![0.0; weights.len()];
        let mut errors = vec![0.0f64; weights.len()];
        let mut error = 0.0;
        for (place, &col) in feedback.order.iter().enumerate() {
            let weight = f64::from(weights[col]);
            let target = weight + feedback.carried(place, &errors);
            values[col] = codes.put(col, target);
            let value = f64::from(values[col]);
            errors[place] = weight - value;
            error += feedback.weights[place] * (target - value).powi(2);
        }
        Self { codes, values, error }
    }
}
