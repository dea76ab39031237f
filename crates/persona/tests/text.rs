//! The text filter against its description, for any text and any way to cut it.

use persona::TextFilter;
use proptest::prelude::*;

fn filtered<'a>(pieces: impl IntoIterator<Item = &'a str>) -> String {
    let mut filter = TextFilter::new();
    let mut shown = String::new();
    for piece in pieces {
        filter.push(piece, |character| shown.push(character));
        assert!(!shown.ends_with(char::is_whitespace));
    }
    shown
}

#[test]
fn blanks_at_both_ends_and_control_characters_are_not_shown() {
    assert_eq!(filtered([" \n Hello\t", "you.\x07\x1b[31m", " \n\n "]), "Hello you.[31m");
    assert_eq!(filtered(["a\u{202E}b\u{2028}c\u{7f}\r\nd"]), "abc\nd");
    assert_eq!(filtered([" ", "\u{1}", ""]), "");
}

#[test]
fn a_flood_of_blanks_is_cut() {
    assert_eq!(filtered(["a", &"\n".repeat(1000), "b"]), format!("a{}b", "\n".repeat(8)));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn the_cuts_do_not_matter(pieces in proptest::collection::vec(any::<String>(), 0..6)) {
        let whole = pieces.concat();
        prop_assert_eq!(
            filtered(pieces.iter().map(String::as_str)),
            filtered([whole.as_str()])
        );
    }

    #[test]
    fn nothing_visible_is_lost(text in any::<String>()) {
        let shown = filtered([text.as_str()]);
        prop_assert!(!shown.chars().any(|c| c.is_control() && c != '\n'));
        let visible = |text: &str| text.chars()
            .filter(|c| !c.is_whitespace() && !c.is_control())
            .filter(|c| !matches!(c, '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}'))
            .collect::<String>();
        prop_assert_eq!(visible(&shown), visible(&text));
    }
}
