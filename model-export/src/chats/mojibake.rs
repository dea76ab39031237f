//! Meta writes the bytes of UTF-8 as if each were a character: taking that back.

/// The text that was meant. A text that was not mangled comes back as it is: one with a character
/// above U+00FF, or whose characters are not the bytes of UTF-8.
pub fn repair(text: &str) -> String {
    if text.is_ascii() {
        return text.to_owned();
    }
    let bytes: Option<Vec<u8>> = text.chars().map(|it| u8::try_from(u32::from(it)).ok()).collect();
    bytes.and_then(|bytes| String::from_utf8(bytes).ok()).unwrap_or_else(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::repair;
    use proptest::prelude::*;

    fn mangle(text: &str) -> String {
        text.bytes().map(char::from).collect()
    }

    #[test]
    fn what_was_not_mangled_stays() {
        for text in ["", "plain", "café", "é", "日本", "naïve ❤", "Ã", "¿qué?"] {
            assert_eq!(repair(text), text);
        }
        assert_eq!(repair("Ã©"), "é");
        assert_eq!(repair("\u{e2}\u{9d}\u{a4}"), "❤");
    }

    proptest! {
        #[test]
        fn every_mangled_text_comes_back(text in "\\PC{0,20}") {
            prop_assert_eq!(repair(&mangle(&text)), text);
        }
    }
}
