//! The loss over rows that are held back.

use crate::dataset::{Dataset, Source};
use crate::learner::{Learner, Learnt};
use crate::model::Batch;

/// A loss over text.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Loss {
    /// Sum over all targets.
    pub nats: f64,
    /// Targets.
    pub tokens: u64,
    /// Bytes of text in the targets; speaker and gap tokens have none.
    pub bytes: u64,
}

impl Loss {
    /// Mean over targets.
    pub fn nats_per_token(&self) -> f64 {
        self.nats / self.tokens.max(1) as f64
    }

    /// Bits for each byte of text, special tokens counted in.
    pub fn bits_per_byte(&self) -> f64 {
        self.nats / std::f64::consts::LN_2 / self.bytes.max(1) as f64
    }
}

/// Measures at most so many rows of a source, spread over all of it.
pub fn measure(
    learner: &Learner,
    learnt: Learnt<'_>,
    source: &Source,
    data: &Dataset,
    micro: usize,
    most: usize,
) -> Loss {
    let count = source.rows().min(most);
    let rows: Vec<&[u16]> =
        (0..count).map(|i| source.row(i * source.rows() / count.max(1))).collect();
    let pairs = || rows.iter().flat_map(|row| row.windows(2));
    let tokens = pairs().count() as u64;
    let bytes = pairs().map(|pair| u64::from(data.text_bytes(pair))).sum();
    Loss { nats: learner.loss(learnt, &Batch::of_similar_length(rows, micro)), tokens, bytes }
}
