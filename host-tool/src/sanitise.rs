//! Makes text from the board harmless for a terminal.
//!
//! The board's text is untrusted: an escape sequence in it could rewrite the screen, set the
//! window title or, on some terminals, type into the shell (the class of CVE-2009-4487).

/// Whether a character could do anything but show itself.
///
/// Beside the C0 and C1 control characters these are the invisible ones that reorder or hide
/// text around them (bidirectional overrides and isolates, as in CVE-2021-42574), line and
/// paragraph separators and the byte-order mark.
fn is_unsafe(character: char) -> bool {
    character.is_control()
        || matches!(character,
            '\u{200e}' | '\u{200f}' | '\u{061c}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2066}'..='\u{2069}'
            | '\u{feff}'
            | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e007f}')
}

/// For chat text: line breaks stay, a tab becomes a space, anything else that is not plain text
/// becomes U+FFFD.
pub fn text(untrusted: &str) -> String {
    untrusted
        .chars()
        .map(|character| match character {
            '\n' => '\n',
            '\t' => ' ',
            other if is_unsafe(other) => char::REPLACEMENT_CHARACTER,
            other => other,
        })
        .collect()
}

/// For log lines and reports: as [`text`], and line breaks become spaces.
pub fn one_line(untrusted: &str) -> String {
    text(untrusted).replace('\n', " ")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn ordinary_text_stays_as_it_is() {
        let ordinary = "Hello,\nWörld! 👋🏽 ẞ 日本語 <b>&amp;</b>";
        assert_eq!(text(ordinary), ordinary);
    }

    #[test]
    fn escape_sequences_lose_their_escape() {
        assert_eq!(text("\x1b]0;title\x07a\rb\u{9b}31m"), "�]0;title�a�b�31m");
        assert_eq!(one_line("a\nb\tc"), "a b c");
    }

    #[test]
    fn text_cannot_be_reordered() {
        assert_eq!(text("a\u{202e}b\u{2066}c"), "a�b�c");
    }

    proptest! {
        #[test]
        fn no_control_character_ever_passes(untrusted in any::<String>()) {
            let safe = text(&untrusted);
            prop_assert!(safe.chars().all(|c| c == '\n' || !c.is_control()));
            prop_assert_eq!(safe.chars().count(), untrusted.chars().count());
        }
    }
}
