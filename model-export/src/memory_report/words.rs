//! Words of a message: where they stand, and which of them may tell something about somebody.

use std::ops::Range;

use serde::Serialize;

/// What a word looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Look {
    /// It has a digit.
    Number,
    /// It has a capital letter where no sentence begins.
    Name,
    /// Any other: where people write small letters only, names are among these.
    Word,
}

/// One word of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Word {
    /// As it is compared: small letters, without the signs around it.
    pub key: String,
    /// Its bytes in the text, without the signs around it.
    pub bytes: Range<usize>,
    /// What it looks like.
    pub look: Look,
}

impl Word {
    /// Whether to look at it where it is rare: single letters and digits tell nothing.
    pub fn may_tell(&self) -> bool {
        let least = if self.look == Look::Number { 2 } else { 3 };
        self.key.chars().count() >= least
    }
}

/// The words of a text.
pub fn words(text: &str) -> impl Iterator<Item = Word> {
    let mut begins = true;
    let mut rest = text;
    let mut offset = 0;
    std::iter::from_fn(move || {
        loop {
            let blank = rest.len() - rest.trim_start().len();
            let (before, after) = rest.split_at_checked(blank)?;
            begins |= before.contains('\n');
            let end = after.find(char::is_whitespace).unwrap_or(after.len());
            let (raw, left) = after.split_at_checked(end)?;
            if raw.is_empty() {
                return None;
            }
            let start = offset + blank;
            (rest, offset) = (left, start + end);
            let signs = |it: char| !it.is_alphanumeric();
            let core = raw.trim_matches(signs);
            let skipped = raw.len() - raw.trim_start_matches(signs).len();
            let first = std::mem::replace(&mut begins, raw.ends_with(['.', '!', '?', '…', ':']));
            if core.is_empty() {
                continue;
            }
            let is_capital = core.chars().next().is_some_and(char::is_uppercase);
            let look = match () {
                () if core.chars().any(char::is_numeric) => Look::Number,
                () if is_capital && !first => Look::Name,
                () => Look::Word,
            };
            let bytes = start + skipped..start + skipped + core.len();
            return Some(Word { key: core.to_lowercase(), bytes, look });
        }
    })
}

/// The words of a text as they are compared.
pub fn plain(text: &str) -> Vec<String> {
    words(text).map(|word| word.key).collect()
}

#[cfg(test)]
mod tests {
    use super::{Look, words};
    use proptest::prelude::*;

    #[test]
    fn words_have_their_place_and_look() {
        let text = "Ask Odalys: the code's 7391!\nThen \"go\" … I'm out";
        let found: Vec<_> = words(text).map(|it| (&text[it.bytes], it.look)).collect();
        use Look::{Name, Number, Word};
        let expected = [
            ("Ask", Word),
            ("Odalys", Name),
            ("the", Word),
            ("code's", Word),
            ("7391", Number),
            ("Then", Word),
            ("go", Word),
            ("I'm", Word),
            ("out", Word),
        ];
        assert_eq!(found, expected);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(300))]

        #[test]
        fn words_are_parts_of_any_text_in_their_order(text in "\\PC{0,40}|[ a-zA-Z0-9.!\\n\u{a0}ßİ'-]{0,40}") {
            let mut end = 0;
            for word in words(&text) {
                prop_assert!(word.bytes.start >= end && word.bytes.end > word.bytes.start);
                end = word.bytes.end;
                let core = text.get(word.bytes);
                prop_assert_eq!(core.map(str::to_lowercase), Some(word.key));
            }
        }
    }
}
