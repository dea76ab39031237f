//! Who the persona is, for the page.

use link::conversation::PersonaCard;
use link::message::{CardFigures, Digest};
use serde::Serialize;

use crate::bench::facts::hexadecimal;

/// What a persona says of itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Card {
    /// What it is called.
    pub name: String,
    /// The checkpoint or data it was made from.
    pub source: String,
    /// Licences and attributions of data and weights.
    pub licences: String,
    /// How most of the weights are stored.
    pub weights: String,
    /// SHA-256 of its file, in hexadecimal.
    pub digest: String,
    /// The numbers.
    #[serde(flatten)]
    pub figures: CardFigures,
}

impl Card {
    /// The card of the persona whose file has this digest.
    pub(super) fn new(card: PersonaCard, digest: Option<&Digest>) -> Self {
        let PersonaCard { name, source, licences, weights, figures } = card;
        let digest = digest.map(hexadecimal).unwrap_or_default();
        Self { name, source, licences, weights, digest, figures }
    }
}
