//! Who the persona is, for the page.

use link::conversation::PersonaCard;
use link::message::{CardFigures, Digest, MAX_CARD_TEXT};
use serde::Serialize;

use crate::text::hexadecimal;

/// Most bytes of a text that are shown. It is less than a card has room for, so a text that the
/// board has cut is cut here too, and seen to be.
const MOST_SHOWN: usize = 480;

/// What a persona says of itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Card {
    /// What it is called.
    pub name: String,
    /// The checkpoint or data it was made from.
    pub source: String,
    /// Licences and attributions of data and weights: the beginning, without Markdown.
    pub licences: String,
    /// Whether the file says more about its source or licences.
    pub is_shortened: bool,
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
        let [(source, is_source_shortened), (licences, is_shortened)] =
            [source, licences].map(|text| shown(&text));
        let is_shortened = is_shortened || is_source_shortened;
        Self { name, source, licences, is_shortened, weights, digest, figures }
    }
}

/// What is shown of a text, and whether there is more of it.
fn shown(text: &str) -> (String, bool) {
    // As much as a card takes, less the longest character that did not fit any more.
    let may_be_cut = text.len() > MAX_CARD_TEXT - char::MAX.len_utf8();
    let plain = without_markdown(text);
    if plain.len() <= MOST_SHOWN && !may_be_cut {
        return (plain, false);
    }
    let words = plain.char_indices().filter(|(_, letter)| letter.is_whitespace());
    let end = words.map(|(place, _)| place).take_while(|place| *place <= MOST_SHOWN).last();
    let end = end.unwrap_or(plain.floor_char_boundary(MOST_SHOWN));
    (format!("{}…", plain.get(..end).unwrap_or(&plain).trim_end()), true)
}

/// Paragraphs, one a line, without the signs of headings, emphasis and code.
fn without_markdown(text: &str) -> String {
    let mut plain = String::new();
    let mut is_open = false;
    for line in text.lines().map(str::trim) {
        let heading = line.trim_start_matches('#');
        let is_item = line.starts_with("- ") || line.starts_with("* ");
        let is_heading = heading.len() < line.len();
        if line.is_empty() {
            is_open = false;
            continue;
        }
        if !plain.is_empty() {
            plain.push(if is_open && !is_item && !is_heading { ' ' } else { '\n' });
        }
        plain.push_str(&heading.trim_start().replace("**", "").replace('`', ""));
        is_open = !is_heading;
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markdown_becomes_plain_text() {
        let text = "# Licences\n\nThe **weights** are\nours: `MIT`.\n\n- one,\n  by A\n- two\n";
        let plain = "Licences\nThe weights are ours: MIT.\n- one, by A\n- two";
        assert_eq!(shown(text), (plain.to_string(), false));
        assert_eq!(shown(""), (String::new(), false));
    }

    #[test]
    fn a_long_text_ends_at_a_word_and_says_so() {
        // As a board cuts it: anywhere.
        let text = &"twelve words ".repeat(100)[..MAX_CARD_TEXT];
        let (plain, is_shortened) = shown(text);
        assert!(plain.ends_with(" words…") || plain.ends_with(" twelve…"), "{plain}");
        assert!(is_shortened);
        assert!(plain.len() <= MOST_SHOWN + '…'.len_utf8());
        // A word that has no end.
        let (plain, _) = shown(&"ä".repeat(MAX_CARD_TEXT / 2));
        assert_eq!(plain, "ä".repeat(MOST_SHOWN / 2) + "…");
        // Little is left of what the board has cut.
        let (plain, is_shortened) = shown(&"`".repeat(MAX_CARD_TEXT - 1));
        assert_eq!((plain.as_str(), is_shortened), ("…", true));
    }
}
