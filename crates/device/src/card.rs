//! Who the persona is, for the host: what its file says.

use link::message::{Card, CardFigures, Settings};
use model_format::{FORMAT_VERSION, Model, TensorRole, WeightFormat};

use crate::settings;

/// The card of a persona on a board that remembers so many tokens.
pub(crate) fn of<'m>(model: &Model<'m>, context: usize, settings: Settings) -> Card<'m> {
    let architecture = model.architecture();
    let persona = model.persona();
    let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
    let figures = CardFigures {
        format_version: FORMAT_VERSION,
        bytes: count(model.bytes()),
        parameters: u32::try_from(model.parameters()).unwrap_or(u32::MAX),
        layers: count(architecture.layers),
        dim: count(architecture.dim),
        vocabulary: count(architecture.vocabulary),
        context: count(context),
        settings,
        most_unanswered: settings::own_manners(persona.rhythm.as_ref()).most_unanswered,
    };
    Card {
        name: persona.name,
        source: Card::cut(persona.provenance.source),
        licences: Card::cut(persona.provenance.licences),
        weights: weights(model),
        figures,
    }
}

/// How the attention's matrices are stored: nearly always all of the large ones.
fn weights(model: &Model<'_>) -> &'static str {
    match model.tensor(TensorRole::Query, 0).map(|tensor| tensor.format) {
        Some(WeightFormat::F32) => "f32",
        Some(WeightFormat::Fp8E4M3) => "fp8",
        Some(WeightFormat::Int8) => "int8",
        Some(WeightFormat::Int4) => "int4",
        None => "",
    }
}
