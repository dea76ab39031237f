//! Tokens that llama2.c's C code gives, and those of a naive O(n²) copy of its algorithm.
#![allow(clippy::unwrap_used)]

mod common;

use common::{table, tokenizer_bin};
use proptest::prelude::*;
use tokenizer::{Encoder, Kind, TableBuilder, Tokenizer};

/// Texts and their tokens without the begin token, with the tokenizer of stories260K, tok512.bin:
/// printed by llama2.c's `encode` and `build_tokenizer`, transcribed from its source into a C
/// program of their own and compiled with gcc 12.2.
const GOLDEN: &[(&str, &[u32])] = &[
    (
        "Once upon a time, there was a little girl named Lily.",
        &[403, 407, 261, 378, 432, 383, 286, 261, 376, 298, 315, 421, 395, 317, 426],
    ),
    (
        "I believe the meaning of life is",
        &[359, 329, 421, 417, 411, 360, 265, 284, 411, 303, 299, 373, 397, 431, 411, 410, 293],
    ),
    (
        "Simply put, the theory of relativity states that ",
        &[
            301, 288, 427, 421, 422, 282, 323, 432, 265, 265, 304, 422, 373, 410, 276, 421, 294,
            417, 435, 275, 422, 349, 294, 406, 351, 410,
        ],
    ),
    (
        "A brief message:\n\n        Hi everyone,\n\n        I just ",
        &[
            410, 447, 268, 325, 411, 431, 284, 406, 419, 412, 428, 411, 467, 13, 13, 410, 410, 410,
            410, 410, 410, 410, 320, 417, 344, 363, 289, 411, 432, 13, 13, 410, 410, 410, 410, 410,
            410, 410, 359, 410, 449, 425, 356, 410,
        ],
    ),
    ("menthe poivrée", &[284, 377, 260, 282, 414, 417, 435, 420, 485, 411]),
    ("  two  spaces", &[410, 410, 259, 424, 414, 410, 262, 427, 412, 331, 419]),
    (
        "<s> </s> <0x41> <unk>",
        &[
            410, 504, 419, 505, 410, 504, 492, 419, 505, 410, 504, 477, 444, 484, 475, 505, 410,
            504, 379, 433, 505,
        ],
    ),
    (
        "café 🙂 naïve 中文",
        &[
            280, 412, 431, 485, 410, 243, 162, 156, 133, 297, 412, 198, 178, 360, 410, 231, 187,
            176, 233, 153, 138,
        ],
    ),
    ("ZQX#%~ 12345", &[410, 469, 473, 478, 38, 501, 510, 410, 475, 479, 472, 484, 480]),
    ("aaaaaaaaaaaa", &[261, 412, 412, 412, 412, 412, 412, 412, 412, 412, 412, 412]),
];

fn encode(table: &[u8], text: &str) -> Vec<u32> {
    let tokenizer = Tokenizer::open(table).unwrap();
    Encoder::new(text.len()).encode(&tokenizer, text).unwrap().to_vec()
}

fn decode(table: &[u8], tokens: &[u32]) -> Vec<u8> {
    let tokenizer = Tokenizer::open(table).unwrap();
    let mut previous = tokenizer.begin().unwrap();
    let mut bytes = Vec::new();
    for token in tokens {
        bytes.extend_from_slice(tokenizer.decode(previous, *token));
        previous = *token;
    }
    bytes
}

/// llama2.c's `encode`, line by line and as slow, over (bytes, score) in the order of ids.
fn naive(vocabulary: &[(Vec<u8>, f32)], text: &str) -> Vec<u32> {
    // The first 259 are unknown, begin, end and the byte tokens; no text equals their names here.
    let find = |bytes: &[u8]| (259..vocabulary.len()).find(|id| vocabulary[*id].0 == bytes);
    let mut tokens = Vec::new();
    if !text.is_empty() {
        tokens.push(find(b" ").unwrap());
    }
    for character in text.chars() {
        let bytes = character.to_string().into_bytes();
        match find(&bytes) {
            Some(id) => tokens.push(id),
            None => tokens.extend(bytes.iter().map(|byte| usize::from(*byte) + 3)),
        }
    }
    loop {
        let mut best: Option<(f32, usize, usize)> = None;
        for index in 0..tokens.len().saturating_sub(1) {
            let left = &vocabulary[tokens[index]].0;
            let both = [left.as_slice(), &vocabulary[tokens[index + 1]].0].concat();
            if let Some(id) = find(&both) {
                let score = vocabulary[id].1;
                if score > best.map_or(-1e10, |best| best.0) {
                    best = Some((score, id, index));
                }
            }
        }
        let Some((_, id, index)) = best else { break };
        tokens[index] = id;
        tokens.remove(index + 1);
    }
    tokens.into_iter().map(|id| id as u32).collect()
}

#[test]
fn tokens_are_those_of_llama2_c() {
    let table = table();
    for (text, tokens) in GOLDEN {
        assert_eq!(encode(&table, text), *tokens, "{text:?}");
        assert_eq!(naive(&tokenizer_bin(), text), *tokens, "the naive copy: {text:?}");
    }
}

#[test]
fn whole_stories_give_the_naive_tokens() {
    let stories =
        include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../models/stories260K/eval.txt"));
    let (table, vocabulary) = (table(), tokenizer_bin());
    for story in stories.split("\n\n") {
        assert_eq!(encode(&table, story), naive(&vocabulary, story), "{story:?}");
    }
}

#[test]
fn text_never_becomes_a_control_token() {
    let names = "<unk>\n<s>\n\n</s>\n<0x00><0x41>\u{0}";
    let table = table();
    let tokenizer = Tokenizer::open(&table).unwrap();
    let tokens = encode(&table, names);
    assert!(tokens.iter().all(|token| *token > 2), "{tokens:?}");
    assert_eq!(decode(&table, &tokens), names.as_bytes());

    // Even if every step of the merge were there, and the marker's name were the best merge.
    let mut builder = TableBuilder::new().markers(Some(0), Some(1), None);
    builder = builder.token(*b"<s>", 9.0, Kind::Control).token(*b"</s>", 9.0, Kind::Control);
    for piece in ["<", "/", "s", ">", "</", "</s", "<s"] {
        builder = builder.token(piece, 1.0, Kind::Text);
    }
    let table = builder.build().unwrap();
    assert_eq!(encode(&table, "<s></s>"), [8, 5, 7, 5]);
    assert_eq!(tokenizer.kind(1), Some(Kind::Control));
    assert_eq!(tokenizer.decode(5, 1), b"");
}

#[test]
fn equal_scores_merge_from_the_left() {
    let mut builder = TableBuilder::new();
    for (piece, score) in [("a", 0.0), ("aa", 1.0), ("aaa", 1.0), ("ab", 1.0), ("b", 0.0)] {
        builder = builder.token(piece, score, Kind::Text);
    }
    let table = builder.build().unwrap();
    assert_eq!(encode(&table, "aaaab"), [2, 3]);
    assert_eq!(encode(&table, "aaaaa"), [2, 1]);
}

#[test]
fn without_byte_tokens_an_unknown_character_is_left_out_and_not_bridged() {
    let mut builder = TableBuilder::new();
    for piece in ["a", "b", "ab"] {
        builder = builder.token(piece, 1.0, Kind::Text);
    }
    let table = builder.build().unwrap();
    assert_eq!(encode(&table, "abéab"), [2, 2]);
    assert_eq!(encode(&table, "aéb"), [0, 1]);
}

#[test]
fn a_text_longer_than_the_scratch_is_refused() {
    let table = table();
    let tokenizer = Tokenizer::open(&table).unwrap();
    let mut encoder = Encoder::new(4);
    assert!(encoder.encode(&tokenizer, "12345").is_err());
    assert_eq!(encoder.encode(&tokenizer, "1234").unwrap().len(), 5);
    assert_eq!(encoder.encode(&tokenizer, "").unwrap(), []);
}

/// Text of the letters and pieces that this vocabulary merges most.
fn english() -> impl Strategy<Value = String> {
    let words = prop::sample::select(vec![
        "Once",
        "upon",
        "a",
        "time",
        "there",
        "was",
        "little",
        "girl",
        "named",
        "Lily",
        "the",
        "playing",
        "happily",
        "mommy's",
        "said",
        "\"Hello!\"",
        "tree,",
        "and",
        "she",
        "\n",
        "  ",
    ]);
    prop::collection::vec(words, 0..40).prop_map(|words| words.join(" "))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn any_text_gives_the_naive_tokens_and_comes_back(
        text in prop_oneof![any::<String>(), english(), "[a-e t\u{e9}\u{4e2d}]{0,60}"]
    ) {
        let table = table();
        let tokens = encode(&table, &text);
        prop_assert!(tokens.len() <= text.len() + 1);
        prop_assert_eq!(&tokens, &naive(&tokenizer_bin(), &text));
        prop_assert_eq!(decode(&table, &tokens), text.as_bytes());
    }

    /// Small alphabets and few scores: many ties and overlapping merges.
    #[test]
    fn any_vocabulary_gives_the_naive_tokens(
        pieces in prop::collection::btree_set("[abc]{2,4}", 0..25),
        scores in prop::collection::vec(-2i8..2, 25),
        text in "[abcd]{0,40}",
    ) {
        let mut vocabulary: Vec<(Vec<u8>, f32)> =
            (0..259).map(|id| (format!("<{id}>").into_bytes(), 0.0)).collect();
        let singles = [" ", "a", "b", "c"].map(String::from);
        for (piece, score) in singles.into_iter().chain(pieces).zip(scores.iter().cycle()) {
            vocabulary.push((piece.into_bytes(), f32::from(*score)));
        }
        let mut builder = TableBuilder::new().dummy_prefix(true);
        for (id, (bytes, score)) in vocabulary.iter().enumerate() {
            builder = match id {
                0..3 => builder.token(bytes.clone(), *score, Kind::Control),
                3..259 => builder.token([(id - 3) as u8], *score, Kind::Byte),
                _ => builder.token(bytes.clone(), *score, Kind::Text),
            };
        }
        prop_assert_eq!(encode(&builder.build().unwrap(), &text), naive(&vocabulary, &text));
    }
}
