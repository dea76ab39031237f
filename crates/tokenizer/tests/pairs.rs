//! Byte-level BPE: pieces by each splitter, merges by rank, and tables that are refused.
#![allow(clippy::unwrap_used)]

use proptest::prelude::*;
use tokenizer::{BuildError, Encoder, Kind, Splitter, TableBuilder, TableError, Tokenizer};

/// Control tokens of the small tables here: ids 0 and 1.
const MARKS: [&str; 2] = ["<begin>", "<end>"];

/// The id of a byte in them.
fn byte(byte: u8) -> u32 {
    MARKS.len() as u32 + u32::from(byte)
}

/// A table with merges given as texts, "left right", in order of rank.
fn builder(splitter: Splitter, merges: &[&str]) -> TableBuilder {
    let mut builder = TableBuilder::new().markers(Some(0), Some(1), None);
    let mut tokens: Vec<Vec<u8>> = Vec::new();
    for name in MARKS {
        builder = builder.token(name, 0.0, Kind::Control);
        tokens.push(name.into());
    }
    for byte in 0..=u8::MAX {
        builder = builder.token([byte], 0.0, Kind::Byte);
        tokens.push(vec![byte]);
    }
    let mut pairs = Vec::new();
    for merge in merges {
        let (left, right) = merge.split_once('|').unwrap();
        let both = [left, right].concat().into_bytes();
        let find = |tokens: &[Vec<u8>], text: &[u8]| {
            tokens.iter().position(|token| token == text).unwrap() as u32
        };
        if !tokens.contains(&both) {
            builder = builder.token(both.clone(), 0.0, Kind::Text);
            tokens.push(both);
        }
        pairs.push((find(&tokens, left.as_bytes()), find(&tokens, right.as_bytes())));
    }
    builder.merges(splitter, pairs)
}

fn encode(table: &[u8], text: &str) -> Vec<u32> {
    let tokenizer = Tokenizer::open(table).unwrap();
    Encoder::new(text.len()).encode(&tokenizer, text).unwrap().to_vec()
}

fn decode(table: &[u8], tokens: &[u32]) -> Vec<u8> {
    let tokenizer = Tokenizer::open(table).unwrap();
    let before = std::iter::once(&0).chain(tokens);
    before
        .zip(tokens)
        .flat_map(|(before, token)| tokenizer.decode(*before, *token).to_vec())
        .collect()
}

/// The texts of the tokens.
fn shown(table: &[u8], text: &str) -> Vec<String> {
    let tokenizer = Tokenizer::open(table).unwrap();
    let text_of = |token: u32| String::from_utf8_lossy(tokenizer.bytes(token)).into_owned();
    encode(table, text).into_iter().map(text_of).collect()
}

fn pieces(splitter: Splitter, text: &str) -> Vec<&str> {
    splitter.pieces(text).collect()
}

#[test]
fn chat_words_keep_blank_and_apostrophe() {
    let cut = |text| pieces(Splitter::Chat, text);
    assert_eq!(cut("i'm here, don't go"), ["i'm", " here", ",", " don't", " go"]);
    assert_eq!(cut("rock'n'roll' 'cause"), ["rock'n'roll", "'", " '", "cause"]);
    assert_eq!(cut("it\u{2019}s ok"), ["it\u{2019}s", " ok"]);
    assert_eq!(cut("ça va 😀😀"), ["ça", " va", " 😀😀"]);
}

#[test]
fn chat_digits_stand_alone_and_signs_together() {
    let cut = |text| pieces(Splitter::Chat, text);
    assert_eq!(cut("at 15:30..."), ["at", " 1", "5", ":", "3", "0", "..."]);
    assert_eq!(cut(":) <3 haha!!"), [":)", " <", "3", " haha", "!!"]);
}

#[test]
fn chat_blanks_leave_their_last_to_what_follows() {
    let cut = |text| pieces(Splitter::Chat, text);
    assert_eq!(cut("a   b"), ["a", "  ", " b"]);
    assert_eq!(cut("a  \n b  "), ["a", "  ", "\n", " b", "  "]);
    assert_eq!(cut("\r\n\tx\u{7f}"), ["\r\n\t", "x", "\u{7f}"]);
    assert_eq!(cut(""), [""; 0]);
}

#[test]
fn gpt2_pieces_are_those_of_its_expression() {
    let cut = |text| pieces(Splitter::Gpt2, text);
    assert_eq!(cut("I'm 42, aren't I?"), ["I", "'m", " 42", ",", " aren", "'t", " I", "?"]);
    assert_eq!(cut("a  b \n\n c"), ["a", " ", " b", " \n\n", " c"]);
    assert_eq!(cut("x\u{2009}y  "), ["x", "\u{2009}", "y", "  "]);
    assert_eq!(cut("Ünïc²½ 日本 ४"), ["Ünïc", "²½", " 日本", " ४"]);
    let digits = |text| pieces(Splitter::Gpt2Digits, text);
    assert_eq!(digits("a 42  7b"), ["a", " ", "4", "2", "  ", "7", "b"]);
}

#[test]
fn the_lowest_rank_merges_first_then_the_leftmost() {
    let table = builder(Splitter::Chat, &["b|c", "a|b", "a|bc"]).build().unwrap();
    assert_eq!(shown(&table, "abc"), ["abc"]);
    let table = builder(Splitter::Chat, &["a|b", "b|c", "ab|c"]).build().unwrap();
    assert_eq!(shown(&table, "abcbc"), ["abc", "bc"]);
    // "a" and "bc" are no pair here, although their text is a token.
    let table = builder(Splitter::Chat, &["b|c", "a|b", "ab|c"]).build().unwrap();
    assert_eq!(shown(&table, "abc"), ["a", "bc"]);
    let table = builder(Splitter::Chat, &["a|a"]).build().unwrap();
    assert_eq!(shown(&table, "aaaaa"), ["aa", "aa", "a"]);
}

#[test]
fn merges_stay_inside_a_piece() {
    let table = builder(Splitter::Chat, &["a|,", ",|,", "\u{20}|a", "1|1"]).build().unwrap();
    assert_eq!(shown(&table, "a,, a 11"), ["a", ",,", " a", " ", "1", "1"]);
}

#[test]
fn a_dummy_prefix_is_added_always_and_taken_away_after_a_mark() {
    let table = builder(Splitter::Chat, &["\u{20}|a"]).dummy_prefix(true).build().unwrap();
    assert_eq!(shown(&table, "a a"), [" a", " a"]);
    assert_eq!(shown(&table, " a"), [" ", " a"]);
    assert_eq!(shown(&table, ""), [""; 0]);
    for text in ["a a", " a", "  a", "\n", " ", ":)"] {
        assert_eq!(decode(&table, &encode(&table, text)), text.as_bytes(), "{text:?}");
    }
    let tokenizer = Tokenizer::open(&table).unwrap();
    assert_eq!(tokenizer.decode(1, 258), b"a");
    assert_eq!(tokenizer.decode(258, 258), b" a");
    assert_eq!(tokenizer.decode(0, byte(b' ')), b"");
}

#[test]
fn text_never_becomes_a_control_token() {
    // Every step towards "<end>" is a merge, but the last one would have to make the mark.
    let merges = ["<|e", "n|d", "<e|nd"];
    let table = builder(Splitter::Chat, &merges).build().unwrap();
    let tokens = encode(&table, "<begin><end>");
    assert!(tokens.iter().all(|token| *token >= 2), "{tokens:?}");
    assert_eq!(decode(&table, &tokens), b"<begin><end>");
    let made = TableBuilder::build(
        &builder(Splitter::Chat, &[]).merges(Splitter::Chat, vec![(byte(b'<'), 1)]),
    );
    assert_eq!(made, Err(BuildError::Merge(0)));
}

#[test]
fn what_does_not_fit_together_is_not_built() {
    let merge = builder(Splitter::Chat, &["a|b"]).merges(Splitter::Chat, vec![(byte(b'a'), 9999)]);
    assert_eq!(merge.build(), Err(BuildError::Merge(0)));
    let no_token = builder(Splitter::Chat, &["a|b"])
        .merges(Splitter::Chat, vec![(byte(b'a'), byte(b'b')), (byte(b'a'), byte(b'c'))]);
    assert_eq!(no_token.build(), Err(BuildError::Merge(1)));
    let no_bytes = TableBuilder::new().token([0], 0.0, Kind::Byte).merges(Splitter::Chat, vec![]);
    assert_eq!(no_bytes.build(), Err(BuildError::MissingByte(1)));
}

#[test]
fn bytes_without_a_token_are_left_out_where_that_is_allowed() {
    let letters = || {
        let builder = TableBuilder::new().token("<end>", 0.0, Kind::Control);
        let builder =
            b"abc".iter().fold(builder, |it, letter| it.token([*letter], 0.0, Kind::Byte));
        builder.token("ab", 0.0, Kind::Text).merges(Splitter::Gpt2, vec![(1, 2)])
    };
    assert_eq!(letters().build(), Err(BuildError::MissingByte(0)));
    let table = letters().lacks_bytes(true).build().unwrap();
    // As `tokenizers` does it, what stands beside a byte that is left out are neighbours.
    for (text, tokens) in
        [("abc", &[4, 3][..]), ("axb", &[4]), ("c x", &[3]), ("x", &[]), ("", &[])]
    {
        assert_eq!(encode(&table, text), tokens, "{text}");
    }
    let tokenizer = Tokenizer::open(&table).unwrap();
    assert_eq!((tokenizer.byte_token(b'b'), tokenizer.byte_token(b'x')), (Some(2), None));
    assert_eq!(tokenizer.pairs().collect::<Vec<_>>(), [(1, 2, 0)]);
}

#[test]
fn a_pair_given_twice_has_its_later_place() {
    let table = builder(Splitter::Chat, &["a|b", "b|c", "a|b"]).build().unwrap();
    assert_eq!(shown(&table, "abc"), ["a", "bc"]);
}

#[test]
fn each_fault_of_a_table_of_pairs_has_its_name() {
    let table = builder(Splitter::Gpt2, &["a|b", "a|c"]).build().unwrap();
    let vocabulary = Tokenizer::open(&table).unwrap().vocabulary();
    let pairs = 32 + 4 + 4 * (vocabulary + 1) + 4 * 256;
    let fault = |place: usize, value: u8| {
        let mut table = table.clone();
        table[place] = value;
        Tokenizer::open(&table).unwrap_err()
    };
    assert_eq!(fault(6, 3), TableError::Scheme(3));
    assert_eq!(fault(7, 0), TableError::Flags(0));
    assert_eq!(fault(32, 4), TableError::Splitter(4));
    assert_eq!(fault(36, 1), TableError::Offset(0));
    // A left part that is a mark, a merged token that is another text, and two pairs exchanged.
    assert_eq!(fault(pairs, 0), TableError::Id(0));
    assert_eq!(fault(pairs + 8, 3), TableError::Id(259));
    let mut order = table.clone();
    order[pairs..pairs + 32].rotate_left(16);
    assert_eq!(Tokenizer::open(&order).unwrap_err(), TableError::Order(1));
}

#[test]
fn every_truncation_and_changed_byte_is_refused_or_harmless() {
    let mut table =
        builder(Splitter::Gpt2Digits, &["a|b", "ab|c"]).dummy_prefix(true).build().unwrap();
    for length in 0..table.len() {
        assert!(Tokenizer::open(&table[..length]).is_err(), "{length}");
    }
    let text = "abc 12 <end> é";
    let mut refused = 0;
    for place in 0..table.len() {
        for change in [0x01, 0x80, 0xff] {
            table[place] ^= change;
            match Tokenizer::open(&table) {
                Ok(_) => assert_eq!(decode(&table, &encode(&table, text)), text.as_bytes()),
                Err(_) => refused += 1,
            }
            table[place] ^= change;
        }
    }
    assert!(refused > table.len(), "{refused} of {}", 3 * table.len());
}

/// Characters at which splitters decide something.
fn tricky() -> impl Strategy<Value = String> {
    let pieces = prop::sample::select(vec![
        "a",
        "Z",
        "é",
        "'",
        "'s",
        "'ll",
        "\u{2019}",
        "1",
        "²",
        "४",
        " ",
        "  ",
        "\n",
        "\r\n",
        "\t",
        "\u{a0}",
        "\u{2009}",
        "\u{3000}",
        ".",
        "...",
        ":)",
        "<3",
        "<end>",
        "日",
        "👩\u{200d}👧",
        "\u{301}",
        "\u{7f}",
        "\0",
        "_",
        "`",
        "@",
        "[",
        "{",
        "~",
        "\u{80}",
    ]);
    prop::collection::vec(pieces, 0..30).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn pieces_are_the_text(text in prop_oneof![any::<String>(), tricky()]) {
        for splitter in Splitter::ALL {
            let pieces: Vec<&str> = splitter.pieces(&text).collect();
            prop_assert!(pieces.iter().all(|piece| !piece.is_empty()));
            prop_assert_eq!(pieces.concat(), text.as_str());
        }
    }

    #[test]
    fn any_text_comes_back(text in prop_oneof![any::<String>(), tricky()], prefix: bool) {
        for splitter in Splitter::ALL {
            let merges = ["\u{20}|a", "a|a", "'|s", ".|.", "\n|\n", "<|e", "\u{20}|1"];
            let table = builder(splitter, &merges).dummy_prefix(prefix).build().unwrap();
            let tokens = encode(&table, &text);
            prop_assert!(tokens.len() <= text.len() + 1);
            prop_assert!(tokens.iter().all(|token| *token >= 2));
            prop_assert_eq!(decode(&table, &tokens), text.as_bytes());
        }
    }
}
