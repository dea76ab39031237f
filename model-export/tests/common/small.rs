//! Small made-up personas of every kind: chats, byte-level tokens, untied, pruned.
#![allow(dead_code, clippy::unwrap_used)] // Each test program uses a part.

use std::path::PathBuf;

use model_format::{
    AlignedBytes, ArchitectureSpec, Persona, Provenance, SamplerDefaults, Style, WeightFormat,
    WispBuilder,
};
use tokenizer::{Kind, Splitter, TableBuilder};
use wisp_model::import::Destination;

/// Where an import writes to when nothing is asked for: nowhere, in f32.
pub fn destination() -> Destination {
    Destination {
        output: PathBuf::new(),
        format: "f32".parse().unwrap(),
        name: None,
        source: None,
        licence: None,
    }
}

/// Numbers that look random and are the same everywhere (PCG's multiplier, upper bits).
pub struct Dice(pub u64);

impl Dice {
    /// The next number, below 2³¹.
    pub fn next(&mut self) -> u64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        self.0 >> 33
    }

    /// A weight within ±`most`.
    pub fn weight(&mut self, most: f32) -> f32 {
        (self.next() as f32 / (1u64 << 30) as f32 - 1.0) * most
    }
}

/// The style of the personas that we train.
pub const CHAT: Style = Style::Chat { begin: 0, end: 1, you: 2, wisp: 3, gaps: [4, 5, 6, 7, 8] };

/// Names of its tokens.
const MARKS: [&str; 9] =
    ["<begin>", "<end>", "<you>", "<wisp>", "<gap:0>", "<gap:1>", "<gap:2>", "<gap:3>", "<gap:4>"];

/// A byte-level table as our trainer makes it: nine marks, the bytes, merges of English letters.
pub fn chat_table(splitter: Splitter, vocabulary: usize) -> Vec<u8> {
    let mut builder = TableBuilder::new().markers(Some(0), Some(1), None);
    for name in MARKS {
        builder = builder.token(name, 0.0, Kind::Control);
    }
    for byte in 0..=u8::MAX {
        builder = builder.token([byte], 0.0, Kind::Byte);
    }
    let id = |byte: u8| u32::from(byte) + 9;
    let mut tokens: Vec<Vec<u8>> = vec![Vec::new(); 9];
    tokens.extend((0..=u8::MAX).map(|byte| vec![byte]));
    let mut pairs = Vec::new();
    let mut dice = Dice(1);
    while tokens.len() < vocabulary {
        // A token, or a common letter, before a common letter; spaces only in front, so that the
        // splitters let them meet.
        let letters = b"etaoinshrdlu";
        let right = letters[dice.next() as usize % letters.len()];
        let left = match dice.next() % 3 {
            0 => id(b' '),
            1 => id(letters[dice.next() as usize % letters.len()]),
            _ if tokens.len() > 265 => {
                265 + u32::try_from(dice.next() as usize % (tokens.len() - 265)).unwrap()
            }
            _ => continue,
        };
        let both = [&tokens[left as usize][..], &[right]].concat();
        if !tokens.contains(&both) {
            builder = builder.token(both.clone(), 0.0, Kind::Text);
            tokens.push(both);
            pairs.push((left, id(right)));
        }
    }
    // Our own trainer puts a space in front of every text.
    let builder = builder.dummy_prefix(splitter == Splitter::Chat);
    builder.merges(splitter, pairs).build().unwrap()
}

/// Two layers with grouped queries, and constants that are not llama2.c's.
pub fn spec(vocabulary: u32) -> ArchitectureSpec {
    ArchitectureSpec {
        dim: 16,
        heads: 4,
        kv_heads: 2,
        vocabulary,
        context: 64,
        rope_theta: 50_000.0,
        norm_epsilon: 1e-6,
        tied: true,
        hidden: vec![24, 24],
    }
}

/// A persona of this shape with made-up f32 weights.
pub fn persona(spec: ArchitectureSpec, style: Style, table: &[u8]) -> AlignedBytes {
    let about = Persona {
        name: "Robin \"the\" Bird",
        style,
        sampler: SamplerDefaults { temperature_milli: 700, ..SamplerDefaults::default() },
        rhythm: None,
        provenance: Provenance {
            source: "made up",
            training: "none at all",
            licences: "MIT\nor not",
        },
    };
    let mut builder = WispBuilder::new(spec, about).unwrap();
    builder.tokenizer(table);
    let mut dice = Dice(7);
    for (role, layer, (rows, cols)) in builder.needed() {
        let middle = if role.is_norm() { 1.0 } else { 0.0 };
        let weights: Vec<f32> = (0..rows * cols).map(|_| middle + dice.weight(0.5)).collect();
        builder.tensor(role, layer, WeightFormat::F32, &weights).unwrap();
    }
    builder.build().unwrap()
}
