//! What of the model's text is shown: no control characters, no blanks at either end.

use heapless::Deque;

/// Blanks in a row that are kept between words; more are not shown.
const MAX_BLANKS: usize = 8;

/// Cleans the text of one reply, piece by piece.
///
/// Blanks are held back until something follows them, so what has been shown never ends in one.
#[derive(Clone, Debug, Default)]
pub struct TextFilter {
    begun: bool,
    blanks: Deque<char, MAX_BLANKS>,
}

impl TextFilter {
    /// For a new reply.
    pub const fn new() -> Self {
        Self { begun: false, blanks: Deque::new() }
    }

    /// Takes a piece of text and gives out, character by character, what is to be shown now.
    pub fn push(&mut self, piece: &str, mut show: impl FnMut(char)) {
        for character in piece.chars() {
            let character = if character == '\t' { ' ' } else { character };
            if is_hidden(character) {
                continue;
            }
            if character.is_whitespace() {
                if self.begun {
                    // Beyond the limit blanks are dropped.
                    let _ = self.blanks.push_back(character);
                }
                continue;
            }
            self.begun = true;
            while let Some(blank) = self.blanks.pop_front() {
                show(blank);
            }
            show(character);
        }
    }
}

/// Control characters, and the marks that reorder the text around them.
fn is_hidden(character: char) -> bool {
    let reorders = matches!(character, '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}');
    // Unicode counts the line and paragraph separators as blanks; terminals break lines at them.
    let separates = matches!(character, '\u{85}' | '\u{2028}' | '\u{2029}');
    (character.is_control() && character != '\n') || reorders || separates
}
