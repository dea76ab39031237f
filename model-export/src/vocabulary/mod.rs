//! BPE vocabularies of other programs as tables for the board.
//!
//! Hugging Face and GGUF write the same two kinds in two ways: sentencepiece-style BPE with byte
//! fallback ([`scored`]) and byte-level BPE ([`byte_level`]).

pub(crate) mod byte_level;
pub(crate) mod scored;

use std::collections::HashSet;

use model_format::Style;
use tokenizer::{Kind, Tokenizer};

/// A BPE vocabulary as it is in the file of another program, in that program's alphabet.
#[derive(Clone, Debug, Default)]
pub(crate) struct BpeTokens {
    /// The text of each id below the model's vocabulary; `None` for ids that are not used.
    pub(crate) tokens: Vec<Option<String>>,
    /// Pairs, the most urgent first.
    pub(crate) merges: Vec<(String, String)>,
    /// Ids that no text may become, such as `<s>`.
    pub(crate) control: HashSet<u32>,
    /// Ids that print as they are written here, and that no merge makes.
    pub(crate) literal: HashSet<u32>,
    /// The token for characters that were unknown in training.
    pub(crate) unknown: Option<u32>,
    /// The tokens that begin and end a text.
    pub(crate) markers: (u32, u32),
}

impl BpeTokens {
    /// Makes control tokens of all tokens of a style, whatever the file says of them.
    pub(crate) fn with_style(mut self, style: &Style) -> Self {
        self.markers = (style.begin(), style.end());
        self.control.extend([style.begin(), style.end()]);
        if let Style::Chat { you, wisp, gaps, .. } = *style {
            self.control.extend([you, wisp].into_iter().chain(gaps));
        }
        self.control.extend(self.unknown);
        self
    }

    /// The name of an id that is not used.
    fn unused(id: u32) -> String {
        format!("<unused:{id}>")
    }

    /// Begin, end and unknown token, where there are such.
    pub(crate) fn marker_ids(&self) -> [Option<u32>; 3] {
        let known = |id: u32| ((id as usize) < self.tokens.len()).then_some(id);
        [known(self.markers.0), known(self.markers.1), self.unknown.and_then(known)]
    }
}

/// The text of every token in the alphabet of its kind; `None` where one is no UTF-8.
///
/// Control tokens have their names, without the line ends that llama2.c puts around; one whose name
/// another token has too gets one that no other has.
pub(crate) fn pieces(table: &Tokenizer<'_>) -> Option<Vec<String>> {
    let is_byte_level = table.splitter().is_some();
    let mut pieces = Vec::with_capacity(table.vocabulary());
    for id in (0u32..).take(table.vocabulary()) {
        let bytes = table.bytes(id);
        pieces.push(match table.kind(id)? {
            Kind::Control => String::new(),
            Kind::Byte | Kind::Text if is_byte_level => byte_level::text_of(bytes),
            Kind::Byte => format!("<0x{:02X}>", bytes.first()?),
            Kind::Text => str::from_utf8(bytes).ok()?.replace(' ', &scored::SPACE.to_string()),
        });
    }
    let mut taken: HashSet<String> = pieces.iter().cloned().collect();
    for (id, piece) in (0u32..).zip(&mut pieces) {
        if table.kind(id) == Some(Kind::Control) {
            let name = String::from_utf8_lossy(table.bytes(id)).trim().to_owned();
            let is_free = !name.is_empty() && taken.insert(name.clone());
            *piece = if is_free { name } else { format!("<control:{id}>") };
        }
    }
    Some(pieces)
}

/// The pairs of a table in the order in which they merge.
pub(crate) fn merges(table: &Tokenizer<'_>) -> Vec<(u32, u32)> {
    let mut pairs: Vec<(u32, u32, u32)> = table.pairs().collect();
    pairs.sort_by_key(|(.., rank)| *rank);
    pairs.into_iter().map(|(left, right, _)| (left, right)).collect()
}
