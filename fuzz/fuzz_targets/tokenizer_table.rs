//! Any bytes as a tokenizer table: refused, or a tokenizer that encodes and decodes any text.
//!
//! Input: the table, then a text, then the length of the text as the last byte.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tokenizer::{Encoder, Kind, Tokenizer, Utf8Stream};

const MAX_TEXT: usize = 255;

fuzz_target!(|data: &[u8]| {
    let Some((&length, data)) = data.split_last() else { return };
    let Some(split) = data.len().checked_sub(usize::from(length)) else { return };
    let (table, text) = data.split_at(split);
    use_table(table, text);
});

fn use_table(table: &[u8], text: &[u8]) {
    let Ok(tokenizer) = Tokenizer::open(table) else { return };
    let vocabulary = u32::try_from(tokenizer.vocabulary()).expect("ids are u32");
    let inside = |bytes: &[u8]| {
        let (part, all) = (bytes.as_ptr_range(), table.as_ptr_range());
        assert!(bytes.is_empty() || part.start >= all.start && part.end <= all.end);
    };
    for token in (0..vocabulary).chain([vocabulary, u32::MAX]) {
        inside(tokenizer.bytes(token));
        assert!(!tokenizer.score(token).is_nan());
        if tokenizer.kind(token) == Some(Kind::Text) {
            assert!(tokenizer.bytes(token).len() <= tokenizer.longest());
        }
    }
    for marker in [tokenizer.begin(), tokenizer.end(), tokenizer.unknown()].into_iter().flatten() {
        assert!(marker < vocabulary);
    }

    let text = String::from_utf8_lossy(text.get(..MAX_TEXT / 3).unwrap_or(text));
    let mut encoder = Encoder::new(MAX_TEXT);
    let tokens = encoder.encode(&tokenizer, &text).expect("the text is short enough").to_vec();
    assert!(tokens.len() <= text.len() + 1);

    let mut shown = String::new();
    let mut stream = Utf8Stream::new();
    let mut previous = tokenizer.begin().unwrap_or(u32::MAX);
    for token in tokens {
        assert!(token < vocabulary);
        stream.push(tokenizer.decode(previous, token), |piece| shown.push_str(piece));
        previous = token;
    }
    stream.finish(|piece| shown.push_str(piece));
    // With byte tokens nothing is left out. The dummy prefix is taken away again after the begin
    // token, if it is text: as a byte token it stays, as in llama2.c.
    let complete = (0..=255).all(|byte| tokenizer.byte_token(byte).is_some());
    let is_text = tokenizer.splitter().is_some() || tokenizer.lookup(b" ").is_some();
    if complete && tokenizer.begin().is_some() && is_text {
        assert_eq!(shown, text);
    }
}
