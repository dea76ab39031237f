//! A vocabulary trained here gives the tokens that Hugging Face's own library gives for its
//! `tokenizer.json`, for every text, and every text comes back.
#![allow(clippy::unwrap_used)]

use std::path::Path;
use std::sync::LazyLock;

use model_format::Style;
use proptest::prelude::*;
use tokenizer::{Encoder, Kind, Splitter, Tokenizer};
use tokenizers::utils::SysRegex;
use wisp_model::bpe::{self, MARKS, PieceCounts, TrainError, Vocabulary};
use wisp_model::hugging_face;

const STYLE: Style = Style::Chat { begin: 0, you: 2, wisp: 3, end: 1, gaps: [4, 5, 6, 7, 8] };

/// Lines of a chat, repeated so that their words become tokens.
const CHAT: &str = "hey are you awake\ni'm here, don't worry :)\nhaha okay... see you at 10:30\n\
    don't forget the soup\nit's raining <3\nwhere's the cat?\ni'm so tired :( :( :(\n\
    <you> is what they wrote\ngood night 😀\nça va? 日本\n";

fn train(size: usize) -> Result<Vocabulary, TrainError> {
    let stories = include_str!("../../models/stories260K/eval.txt");
    let (mut general, mut chat) = (PieceCounts::default(), PieceCounts::default());
    stories.split("\n\n").for_each(|text| general.add(text));
    CHAT.lines().for_each(|line| chat.add(line));
    bpe::train(&[(&general, 0.5), (&chat, 0.5)], size)
}

static TABLE: LazyLock<Vec<u8>> = LazyLock::new(|| train(600).unwrap().table().unwrap());

static JSON: LazyLock<String> = LazyLock::new(|| {
    let tokenizer = Tokenizer::open(&TABLE).unwrap();
    hugging_face::tokenizer_json(&tokenizer).unwrap().to_string()
});

/// The library, told to leave the names of marks in text as text.
static LIBRARY: LazyLock<tokenizers::Tokenizer> = LazyLock::new(|| {
    let mut library = tokenizers::Tokenizer::from_bytes(JSON.as_bytes()).unwrap();
    library.set_encode_special_tokens(true);
    library
});

fn encode(text: &str) -> Vec<u32> {
    let tokenizer = Tokenizer::open(&TABLE).unwrap();
    Encoder::new(text.len()).encode(&tokenizer, text).unwrap().to_vec()
}

fn decode(tokens: &[u32]) -> Vec<u8> {
    let tokenizer = Tokenizer::open(&TABLE).unwrap();
    let before = std::iter::once(&2).chain(tokens);
    let pieces = before.zip(tokens).map(|(before, token)| tokenizer.decode(*before, *token));
    pieces.collect::<Vec<_>>().concat()
}

fn compare(text: &str) {
    let ours = encode(text);
    let theirs = LIBRARY.encode(text, false).unwrap();
    assert_eq!(ours, theirs.get_ids(), "{text:?}");
    assert!(ours.iter().all(|token| *token as usize >= MARKS.len()), "{text:?}");
    assert_eq!(decode(&ours), text.as_bytes());
    assert_eq!(LIBRARY.decode(&ours, true).unwrap(), text);
}

#[test]
fn words_of_the_chat_are_tokens_wherever_they_stand() {
    let tokenizer = Tokenizer::open(&TABLE).unwrap();
    let shown = |text: &str| -> Vec<String> {
        let text_of = |token: &u32| String::from_utf8_lossy(tokenizer.bytes(*token)).into_owned();
        encode(text).iter().map(text_of).collect()
    };
    assert_eq!(shown("i'm okay... don't"), [" i'm", " okay", "...", " don't"]);
    assert_eq!(shown(":( :("), [" :(", " :("]);
    assert_eq!(shown("11"), [" 1", "1"]);
}

#[test]
fn ids_are_those_of_the_format() {
    let tokenizer = Tokenizer::open(&TABLE).unwrap();
    assert_eq!(tokenizer.vocabulary(), 600);
    for (id, name) in (0..).zip(MARKS) {
        assert_eq!(
            (tokenizer.kind(id), tokenizer.bytes(id)),
            (Some(Kind::Control), name.as_bytes())
        );
        assert_eq!(LIBRARY.token_to_id(name), Some(id));
    }
    for byte in 0..=255u8 {
        assert_eq!(tokenizer.byte_token(byte), Some(9 + u32::from(byte)));
    }
    assert_eq!((tokenizer.begin(), tokenizer.end()), (Some(0), Some(1)));
    assert_eq!(tokenizer.splitter(), Some(Splitter::Chat));
}

#[test]
fn the_file_gives_the_same_table_again() {
    let read = hugging_face::table(Path::new("x"), JSON.as_bytes(), 600, &STYLE).unwrap();
    assert!(read == *TABLE);
}

#[test]
fn names_of_marks_stay_text() {
    for text in ["<begin><end>", "<you> hi <end><gap:0>", "x<wisp>y", " <gap:4> ", "<end"] {
        compare(text);
    }
    // Told nothing, the library finds them: why the board has an encoder of its own.
    let library = tokenizers::Tokenizer::from_bytes(JSON.as_bytes()).unwrap();
    assert!(library.encode("a<end>", false).unwrap().get_ids().contains(&1));
}

#[test]
fn hard_texts_are_the_same() {
    let texts = [
        "",
        " ",
        "  ",
        "   a",
        "a   ",
        "\n",
        "\r\n",
        "a\tb",
        "\u{0}",
        "\u{7f}x",
        "'",
        "'s",
        "a'",
        "a''b",
        "rock'n'roll",
        "it\u{2019}s",
        "👩\u{200d}👩\u{200d}👧\u{200d}👦",
        "🇮🇸🏳\u{fe0f}",
        "日本語のテキスト",
        "e\u{301}",
        "\u{feff}x",
        "\u{a0}\u{2009}\u{3000}",
        "\u{80}\u{10ffff}",
        "١٢٣ ²½",
        "a_b-c@d.e",
        "!?...,;:)",
        "<3 <333",
        "[{(`~^|\\\"$%&*+/=#)}]",
        "12:30 3.14 1,000",
    ];
    texts.into_iter().for_each(compare);
    compare(&"a".repeat(5000));
    compare(&" '".repeat(2000));
    include_str!("../../models/stories260K/eval.txt").split("\n\n").for_each(compare);
}

#[test]
fn the_same_texts_give_the_same_vocabulary() {
    assert_eq!(train(600).unwrap(), train(600).unwrap());
    assert_eq!(train(300).unwrap().size(), 300);
    assert!(matches!(train(60_000), Err(TrainError::TooFewTexts { wanted: 60_000, .. })));
}

/// Every character beside a letter, a digit and a sign: GPT-2's classes are in the table right.
#[test]
fn gpt2_s_classes_are_right_for_every_character() {
    let pattern = SysRegex::new(Splitter::Gpt2.pattern()).unwrap();
    for character in '\0'..=char::MAX {
        let text = format!("a{character}1{character}.");
        let ours = Splitter::Gpt2.pieces(&text).map(str::len);
        assert!(ours.eq(pattern.find_iter(&text).map(|(start, end)| end - start)), "{text:?}");
    }
}

/// What is common in chats, what splitters decide on, and the whole of Unicode.
fn texts() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        4 => prop::sample::select(CHAT.split(' ').collect::<Vec<_>>()).prop_map(String::from),
        3 => "[a-z' ]{1,8}",
        2 => "[ -~\n\t\r]{1,6}",
        1 => any::<char>().prop_map(String::from),
        1 => prop::sample::select(vec![" ", "  ", "'", "\u{200d}", "😀", "日", "\u{301}", "<end>"])
            .prop_map(String::from),
    ];
    prop::collection::vec(piece, 0..20).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn any_text_gives_the_library_s_tokens(text in prop_oneof![texts(), any::<String>()]) {
        compare(&text);
    }

    #[test]
    fn every_splitter_finds_what_its_expression_finds(text in prop_oneof![texts(), any::<String>()]) {
        for splitter in [Splitter::Chat, Splitter::Gpt2] {
            let pattern = SysRegex::new(splitter.pattern()).unwrap();
            let found: Vec<_> = pattern.find_iter(&text).map(|(start, end)| &text[start..end]).collect();
            prop_assert_eq!(splitter.pieces(&text).collect::<Vec<_>>(), found);
        }
    }
}
