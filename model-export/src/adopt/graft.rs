//! The model with its new tokens: rows of the embedding move, everything else stays.

use std::path::Path;

use model_format::{
    AlignedBytes, ArchitectureSpec, Model, Persona, Provenance, SamplerDefaults, Style, TensorRole,
    WeightFormat,
};
use tokenizer::Tokenizer;

use super::error::AdoptError;
use super::words::{Kept, keep};
use crate::Result;
use crate::bpe::MARKS;
use crate::chats::Message;
use crate::export::f32_weights;
use crate::import::assemble;
use crate::stream::dice::Dice;
use crate::stream::words::STYLE;

/// How far the row of a mark lies from the row it is made of, as a part of how far rows lie from
/// zero. Marks with the same row would be told apart late.
const APART: f32 = 0.1;

/// An adopted model.
pub struct Adopted {
    /// A persona file with f32 weights that has yet to learn the chats.
    pub file: AlignedBytes,
    /// Its tokens.
    pub kept: Kept,
}

/// Makes `model` ready to be trained on `chats`: at most `vocabulary` tokens, and a context of `context`.
/// `path` is for messages.
///
/// # Errors
/// When it is a persona already, its tokenizer is of another kind, or it sees less than `context`.
pub fn adopt(
    path: &Path,
    (model, table): (&Model<'_>, &Tokenizer<'_>),
    chats: &[Message],
    vocabulary: usize,
    context: usize,
) -> Result<Adopted> {
    let persona = model.persona();
    if matches!(persona.style, Style::Chat { .. }) {
        return Err(AdoptError::Persona { path: path.to_owned() }.into());
    }
    if table.splitter().is_none() {
        return Err(AdoptError::Tokenizer { path: path.to_owned() }.into());
    }
    let most = model.architecture().context;
    if context > most {
        return Err(AdoptError::Context { wanted: context, most }.into());
    }
    let failed = |cause| AdoptError::Table { cause };
    let kept = keep(table, chats, vocabulary).map_err(failed)?;
    let words = kept.vocabulary.table().map_err(failed)?;
    let spec = ArchitectureSpec {
        // Both are smaller than what they were, which the file counts in 32 bits.
        vocabulary: kept.before.len() as u32,
        context: context as u32,
        ..ArchitectureSpec::from(model.architecture())
    };
    let training = format!(
        "{}; {} of its {} tokens kept",
        persona.provenance.training,
        kept.before.iter().flatten().count(),
        table.vocabulary()
    );
    let about = Persona {
        name: persona.name,
        style: STYLE,
        sampler: SamplerDefaults::default(),
        rhythm: None,
        provenance: Provenance { training: &training, ..persona.provenance },
    };
    let file = assemble(spec, about, &words, WeightFormat::F32, |role, layer, (_, cols)| {
        let weights = f32_weights(model, role, layer);
        Ok(match role {
            TensorRole::TokenEmbedding | TensorRole::Classifier => {
                moved(&weights, cols, &kept.before, persona.style)
            }
            _ => weights,
        })
    })?;
    Ok(Adopted { file, kept })
}

/// The rows of the tokens that stayed, at their new places. A text begins and ends as it did; the other
/// marks begin close to the end of a text, bytes that the model had no token for in the middle of all.
fn moved(weights: &[f32], cols: usize, before: &[Option<u32>], style: Style) -> Vec<f32> {
    let count = (weights.len() / cols.max(1)).max(1) as f32;
    let mut middle = vec![0.0; cols];
    for row in weights.chunks_exact(cols.max(1)) {
        middle.iter_mut().zip(row).for_each(|(sum, weight)| *sum += weight / count);
    }
    let size = (weights.iter().map(|it| it * it).sum::<f32>() / weights.len().max(1) as f32).sqrt();
    let row = |id: u32| {
        let begin = (id as usize).saturating_mul(cols);
        weights.get(begin..begin.saturating_add(cols)).unwrap_or(&middle)
    };
    let mut dice = Dice::new(1);
    let mut rows = Vec::with_capacity(before.len() * cols);
    for (place, before) in before.iter().enumerate() {
        match before {
            Some(id) => rows.extend(row(*id)),
            None if place < MARKS.len() => {
                let near = row(if place == 0 { style.begin() } else { style.end() });
                rows.extend(near.iter().map(|weight| weight + APART * size * even(&mut dice)));
            }
            None => rows.extend(&middle),
        }
    }
    rows
}

/// A number between -√3 and √3: the mean of its square is 1.
fn even(dice: &mut Dice) -> f32 {
    let steps = 1 << 20;
    (dice.below(steps) as f32 / steps as f32 * 2.0 - 1.0) * 3f32.sqrt()
}
