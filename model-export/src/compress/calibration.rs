//! The text on which a persona is watched while its weights are made smaller.

use std::path::PathBuf;

use clap::Args;
use model_format::{Model, Style};
use tokenizer::{Encoder, Tokenizer};

use super::error::CompressError;
use crate::stream::chosen::two_sided_chats;
use crate::stream::encode::{Unit, Writer};
use crate::stream::turn::Split;
use crate::stream::window::{Packing, pack};
use crate::{Result, bpe, cli, eval};

/// Longest piece: what is farther away matters little to the moments, and attention would take long.
const LONGEST: usize = 512;

/// What to watch a persona on.
#[derive(Clone, Debug, Default, Args)]
pub struct Calibration {
    /// Text to watch the persona on, UTF-8; an empty line begins a new one. May be given again.
    #[arg(long, value_name = "TEXT")]
    pub calibrate: Vec<PathBuf>,
    /// Chats to watch it on: the folder that `ingest` wrote. What `prepare` holds back is left out.
    #[arg(long, requires = "persona")]
    pub chats: Option<PathBuf>,
    /// Who the persona is in these chats.
    #[arg(long, requires = "chats")]
    pub persona: Option<String>,
    /// What was left out of the training: the file that was given to `prepare --without`. May be
    /// given again.
    #[arg(long, value_name = "FILE", requires = "chats")]
    pub without: Vec<PathBuf>,
    /// At most so many tokens, spread evenly over what was given.
    #[arg(long, default_value_t = 16_384)]
    pub tokens: usize,
}

impl Calibration {
    /// Whether there is any.
    pub fn is_given(&self) -> bool {
        !self.calibrate.is_empty() || self.chats.is_some()
    }

    /// The texts as pieces of tokens, each with the begin token in front.
    ///
    /// # Errors
    /// Texts that cannot be read, chats that the persona is not in or does not understand, too little
    /// text.
    pub fn pieces(&self, model: &Model<'_>, tokenizer: Tokenizer<'_>) -> Result<Vec<Vec<u32>>> {
        let longest = model.architecture().context.clamp(1, LONGEST);
        let mut pieces = Vec::new();
        for path in &self.calibrate {
            let text = cli::read_text(path)?;
            let begin = model.persona().style.begin();
            pieces.extend(text_pieces(&text, begin, tokenizer, longest));
        }
        if let (Some(_), Some(name)) = (&self.chats, &self.persona) {
            pieces.extend(self.chat_pieces(name, model, tokenizer, longest)?);
        }
        let pieces = thin_out(pieces, self.tokens);
        let count: usize = pieces.iter().map(Vec::len).sum();
        match count {
            0..SMALLEST => Err(CompressError::TooLittleText { count, least: SMALLEST }.into()),
            _ => Ok(pieces),
        }
    }

    fn chat_pieces(
        &self,
        name: &str,
        model: &Model<'_>,
        tokenizer: Tokenizer<'_>,
        longest: usize,
    ) -> Result<Vec<Vec<u32>>> {
        let ours = matches!(bpe::STYLE, persona::Style::Chat { begin, you, wisp, end, gaps }
            if model.persona().style == Style::Chat { begin, you, wisp, end, gaps });
        if !ours {
            return Err(CompressError::NoChatPersona.into());
        }
        let path = self.chats.as_deref().unwrap_or(std::path::Path::new(""));
        let messages = two_sided_chats(path, name, &self.without)?.0;
        let mut split = Split::default();
        for chat in messages.chunk_by(|one, other| one.chat == other.chat) {
            split.add_chat(chat, name);
        }
        let mut writer = Writer::new(bpe::STYLE, tokenizer);
        let units: Vec<Unit> = split.train.iter().map(|document| writer.write(document)).collect();
        let rows = pack(units, bpe::STYLE, longest.max(2) - 1, Packing::InOrder, false);
        Ok(rows.into_iter().map(|row| row.tokens.into_iter().map(u32::from).collect()).collect())
    }
}

/// Fewer tokens tell nothing about a matrix.
const SMALLEST: usize = 64;

/// As `eval --text` cuts a text.
fn text_pieces(text: &str, begin: u32, tokenizer: Tokenizer<'_>, longest: usize) -> Vec<Vec<u32>> {
    let mut encoder = Encoder::new(text.len());
    let mut pieces = Vec::new();
    for document in eval::documents(text) {
        // The encoder was made for all of them.
        let tokens = encoder.encode(&tokenizer, document).unwrap_or_default();
        for piece in tokens.chunks(longest.max(2) - 1) {
            pieces.push(std::iter::once(begin).chain(piece.iter().copied()).collect());
        }
    }
    pieces
}

/// As many pieces, evenly spread, as have `most` tokens together; the last may be cut.
fn thin_out(pieces: Vec<Vec<u32>>, most: usize) -> Vec<Vec<u32>> {
    let total: usize = pieces.iter().map(Vec::len).sum();
    let (mut seen, mut taken) = (0usize, 0usize);
    let mut kept = Vec::new();
    for mut piece in pieces {
        // Taken as soon as the share of what is taken lags behind that of what was seen.
        let due = seen.saturating_mul(most) / total.max(1);
        seen += piece.len();
        if total <= most || taken <= due {
            piece.truncate(most - taken);
            taken += piece.len();
            kept.push(piece);
        }
    }
    kept.retain(|piece| !piece.is_empty());
    kept
}

/// The first pieces, with at most `most` tokens together and at least one.
pub fn first(pieces: &[Vec<u32>], most: usize) -> Vec<Vec<u32>> {
    let mut left = most.max(1);
    let mut kept = Vec::new();
    for piece in pieces {
        let piece: Vec<u32> = piece.iter().take(left).copied().collect();
        left -= piece.len();
        if !piece.is_empty() {
            kept.push(piece);
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_are_thinned_out_evenly() {
        let pieces: Vec<Vec<u32>> = (0..100).map(|place| vec![place; 10]).collect();
        assert_eq!(thin_out(pieces.clone(), 1000), pieces);
        assert_eq!(thin_out(pieces.clone(), 5000), pieces);
        let some = thin_out(pieces.clone(), 205);
        assert_eq!(some.iter().map(Vec::len).sum::<usize>(), 205);
        let places: Vec<u32> = some.iter().map(|piece| piece[0]).collect();
        let gaps: Vec<u32> = places.windows(2).map(|two| two[1] - two[0]).collect();
        assert!(gaps.iter().all(|gap| (4..=6).contains(gap)), "{places:?}");
        assert!(thin_out(pieces.clone(), 0).is_empty() && thin_out(Vec::new(), 9).is_empty());
        assert_eq!(first(&pieces, 25).iter().map(Vec::len).collect::<Vec<_>>(), [10, 10, 5]);
    }
}
