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
use crate::bpe::{BEGIN, END, MARKS};
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
/// `path` is for messages; `licence`, that of its weights, goes with all that is made of it.
///
/// # Errors
/// When it is a persona already, its tokenizer is of another kind, or it sees less than `context`.
pub fn adopt(
    path: &Path,
    (model, table): (&Model<'_>, &Tokenizer<'_>),
    chats: &[Message],
    licence: &str,
    (vocabulary, context): (usize, usize),
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
        // Neither is more than 65,536: see the options.
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
    let name = persona.name;
    let licences = match licence.trim() {
        "" => format!("The weights go on from those of {name}. Their licence is not known here."),
        known => format!("The weights go on from those of {name}, whose licence is:\n\n{known}"),
    };
    let about = Persona {
        name: persona.name,
        style: STYLE,
        sampler: SamplerDefaults::of(STYLE),
        rhythm: None,
        provenance: Provenance { training: &training, licences: &licences, ..persona.provenance },
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

/// The rows of the tokens that stayed, at their new places. A conversation begins as texts did and a
/// message ends so, unless one token was for both; the other marks begin close to the end of a text, bytes
/// that the model had no token for in the middle of all.
fn moved(weights: &[f32], cols: usize, before: &[Option<u32>], style: Style) -> Vec<f32> {
    let count = (weights.len() / cols.max(1)).max(1) as f32;
    let mut middle = vec![0.0; cols];
    for row in weights.chunks_exact(cols.max(1)) {
        middle.iter_mut().zip(row).for_each(|(sum, weight)| *sum += weight / count);
    }
    let (begin, end) = (style.begin(), style.end());
    let squares: f64 = weights.iter().map(|it| f64::from(it * it)).sum();
    let size = (squares / weights.len().max(1) as f64).sqrt() as f32;
    let row = |id: u32| {
        let begin = (id as usize).saturating_mul(cols);
        weights.get(begin..begin.saturating_add(cols)).unwrap_or(&middle)
    };
    let mut dice = Dice::new(1);
    let mut rows = Vec::with_capacity(before.len() * cols);
    for (place, before) in before.iter().enumerate() {
        match before {
            Some(id) => rows.extend(row(*id)),
            None if place == BEGIN as usize => rows.extend(row(begin)),
            None if place == END as usize && begin != end => rows.extend(row(end)),
            None if place < MARKS.len() => {
                let apart = |weight: &f32| weight + APART * size * even(&mut dice);
                rows.extend(row(end).iter().map(apart));
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
