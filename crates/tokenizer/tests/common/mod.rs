//! The tokenizer of stories260K as a table, read from llama2.c's file.

use tokenizer::{Kind, TableBuilder};

/// The tokens and scores in llama2.c's tokenizer.bin.
pub fn tokenizer_bin() -> Vec<(Vec<u8>, f32)> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../models/stories260K/tok512.bin");
    let file = std::fs::read(path).unwrap();
    let mut rest = &file[4..];
    let mut tokens = Vec::new();
    while !rest.is_empty() {
        let score = f32::from_le_bytes(rest[..4].try_into().unwrap());
        let length = u32::from_le_bytes(rest[4..8].try_into().unwrap()) as usize;
        tokens.push((rest[8..8 + length].to_vec(), score));
        rest = &rest[8 + length..];
    }
    tokens
}

/// The table that an import makes of it.
pub fn table() -> Vec<u8> {
    let mut builder = TableBuilder::new().markers(Some(1), Some(2), Some(0)).dummy_prefix(true);
    for (id, (bytes, score)) in tokenizer_bin().into_iter().enumerate() {
        builder = match id {
            0..3 => builder.token(bytes, score, Kind::Control),
            3..259 => builder.token([(id - 3) as u8], score, Kind::Byte),
            _ => builder.token(bytes, score, Kind::Text),
        };
    }
    builder.build().unwrap()
}
