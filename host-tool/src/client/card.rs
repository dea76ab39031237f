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
    /// Version of the file's format.
    pub format_version: u16,
    /// Bytes of the file.
    pub bytes: u32,
    /// Weights.
    pub parameters: u32,
    /// Layers of the transformer.
    pub layers: u32,
    /// Width of its residual stream.
    pub dim: u32,
    /// Tokens that it knows.
    pub vocabulary: u32,
    /// Tokens of conversation that the board remembers.
    pub context: u32,
    /// Its own temperature, in thousandths.
    pub temperature_milli: u16,
    /// How many messages in a row it writes by itself, at most.
    pub most_unanswered: u8,
}

impl Card {
    /// The card of the persona whose file has this digest.
    pub(super) fn new(card: PersonaCard, digest: Option<&Digest>) -> Self {
        let PersonaCard { name, source, licences, weights, figures } = card;
        let CardFigures { format_version, bytes, parameters, layers, dim, .. } = figures;
        let CardFigures { vocabulary, context, settings, most_unanswered, .. } = figures;
        Self {
            name,
            source,
            licences,
            weights,
            digest: digest.map(hexadecimal).unwrap_or_default(),
            format_version,
            bytes,
            parameters,
            layers,
            dim,
            vocabulary,
            context,
            temperature_milli: settings.temperature_milli,
            most_unanswered,
        }
    }
}
