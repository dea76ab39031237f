//! What is brought to the board: a firmware nobody runs, and small personas that really speak.

use std::iter;
use std::sync::Arc;

use link::message::Digest;
use model_format::{AlignedBytes, ArchitectureSpec, Style, WeightFormat, synthetic};
use sha2::{Digest as _, Sha256};
use tokenizer::{Kind, TableBuilder};

use crate::Random;

/// The style of the tiny personas.
pub const STYLE: Style = Style::Chat { begin: 1, you: 2, wisp: 3, end: 4, gaps: [5, 6, 7, 8, 9] };

/// Everything a host brings to a board.
#[derive(Clone, Debug)]
pub struct Images {
    /// The firmware: any bytes, because the virtual board brings its own.
    pub firmware: Arc<[u8]>,
    /// The persona's file. It is never freed: programs of the board that borrow it come and go,
    /// and there are few different ones.
    pub persona: &'static AlignedBytes,
}

impl Images {
    /// A firmware of this size, and this persona.
    pub fn new(firmware_bytes: usize, persona: AlignedBytes) -> Self {
        Self { firmware: noise(firmware_bytes, 0x11).into(), persona: Box::leak(Box::new(persona)) }
    }

    /// A persona of random bytes, only good for being uploaded.
    pub fn bulk(persona_bytes: usize) -> Self {
        Self::new(300, AlignedBytes::copy_of(&noise(persona_bytes, 0x22)))
    }

    /// The smallest persona that chats: some 2 KiB. Its weights are random, its tokens are single
    /// letters; whether it answers, how much and how often in a row is left to its dice, so every
    /// path of a conversation comes up.
    #[expect(clippy::expect_used, reason = "fixed numbers, within every limit")]
    pub fn tiny(seed: u64) -> Self {
        let (table, vocabulary) = letters();
        let architecture = ArchitectureSpec {
            dim: 8,
            heads: 2,
            kv_heads: 1,
            vocabulary,
            context: 256,
            rope_theta: 10_000.0,
            norm_epsilon: 1e-5,
            tied: true,
            hidden: vec![12],
        };
        let mut persona = synthetic::persona();
        persona.name = "Tiny";
        persona.style = STYLE;
        persona.sampler.max_reply_tokens = 10;
        let persona = synthetic::model(&architecture, persona, &table, WeightFormat::Fp8E4M3, seed)
            .expect("a persona within all limits");
        Self::new(300, persona)
    }

    /// SHA-256 of the persona.
    pub fn persona_digest(&self) -> Digest {
        Sha256::digest(self.persona.as_slice()).into()
    }
}

/// Bytes without a pattern.
fn noise(count: usize, seed: u64) -> Vec<u8> {
    let mut random = Random::new(seed);
    (0..count).map(|_| random.bits() as u8).collect()
}

/// A tokenizer of marks, the blank and the letters, and how many that are.
#[expect(clippy::expect_used, reason = "a fixed table")]
fn letters() -> (Vec<u8>, u32) {
    let marks = ["?", "<s>", "<you>", "<wisp>", "</s>", "<0>", "<1>", "<2>", "<3>", "<4>"];
    let mut builder = TableBuilder::new().markers(Some(1), Some(4), Some(0));
    for mark in marks {
        builder = builder.token(mark, 0.0, Kind::Control);
    }
    for letter in iter::once(b' ').chain(b'a'..=b'z') {
        builder = builder.token([letter], 0.0, Kind::Text);
    }
    (builder.build().expect("a valid table"), marks.len() as u32 + 27)
}
