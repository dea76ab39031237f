//! Tiny models with random weights, and what they should say, computed from scratch.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "for tests only")]

use engine::{Engine, Portable, Sampler, SamplerSettings};
use model_format::{
    AlignedBytes, ArchitectureSpec, Model, Persona, Rhythm, TensorRole, WeightFormat, WispBuilder,
    synthetic,
};
use persona::{
    Decision, Dice, Manners, Moment, Purpose, ReplyRule, Style, TextFilter, chance_of_gap,
    chance_of_wisp, decide, gap_bucket,
};
use std::string::String;
use std::vec;
use std::vec::Vec;
use tokenizer::{Kind, TableBuilder, Tokenizer, Utf8Stream};

/// Tokens of the chat style below.
pub const CHAT: Style = Style::Chat { begin: 1, you: 2, wisp: 3, end: 4, gaps: [5, 6, 7, 8, 9] };

/// Tokens of the story style below.
pub const STORY: Style = Style::Story { begin: 1, end: 4 };

/// A vocabulary of marks, letters, blanks, and two bytes that are half a character each.
fn table() -> Vec<u8> {
    let marks = ["<unk>", "<s>", "<you>", "<wisp>", "</s>", "<0>", "<1>", "<2>", "<3>", "<4>"];
    let mut builder = TableBuilder::new().markers(Some(1), Some(4), Some(0)).dummy_prefix(true);
    for mark in marks {
        builder = builder.token(mark, 0.0, Kind::Control);
    }
    for text in [" ", "\n", ".", "\u{1}", "th", "the", " the", "ing"] {
        builder = builder.token(text, text.len() as f32, Kind::Text);
    }
    for letter in b'a'..=b'z' {
        builder = builder.token([letter], 0.0, Kind::Text);
    }
    builder = builder.token([0xC3], 0.0, Kind::Byte).token([0xA9], 0.0, Kind::Byte);
    builder.build().unwrap()
}

/// A whole `.wisp` file with random weights in f32.
pub fn tiny(style: Style, context: usize, seed: u64) -> AlignedBytes {
    tiny_in(WeightFormat::F32, style, context, seed)
}

/// A whole `.wisp` file with random weights.
pub fn tiny_in(format: WeightFormat, style: Style, context: usize, seed: u64) -> AlignedBytes {
    let table = table();
    let spec = ArchitectureSpec {
        vocabulary: Tokenizer::open(&table).unwrap().vocabulary().try_into().unwrap(),
        context: context.try_into().unwrap(),
        ..synthetic::tiny_architecture(seed.is_multiple_of(2))
    };
    let mut persona = synthetic::persona();
    persona.style = in_file(style);
    persona.sampler.max_reply_tokens = 12;
    synthetic::model(&spec, persona, &table, format, seed).unwrap()
}

/// A model that knows only the token before: what comes next, and its share. Its layers do nothing,
/// so that the residual stream is the embedding of the token, one of many orthogonal vectors.
pub fn bigram(
    style: Style,
    context: usize,
    rhythm: Option<Rhythm>,
    shares: impl Fn(u32) -> Vec<(u32, f32)>,
) -> AlignedBytes {
    const DIM: usize = 64;
    // What RMSNorm makes of a vector that is 1 at one place.
    let normed = (DIM as f32).sqrt();
    let table = table();
    let vocabulary = Tokenizer::open(&table).unwrap().vocabulary();
    assert!(vocabulary <= DIM);
    let spec = ArchitectureSpec {
        dim: DIM as u32,
        vocabulary: vocabulary.try_into().unwrap(),
        context: context.try_into().unwrap(),
        hidden: vec![8],
        ..synthetic::tiny_architecture(false)
    };
    let persona = Persona { style: in_file(style), rhythm, ..synthetic::persona() };
    let mut builder = WispBuilder::new(spec, persona).unwrap();
    builder.tokenizer(&table);
    for (role, layer, (rows, cols)) in builder.needed() {
        let mut weights = vec![0.0; rows * cols];
        match role {
            _ if role.is_norm() => weights.fill(1.0),
            TensorRole::TokenEmbedding => {
                (0..rows).for_each(|token| weights[token * cols + token] = 1.0);
            }
            TensorRole::Classifier => {
                weights.fill(-100.0 / normed);
                for token in 0..vocabulary {
                    for (next, share) in shares(token as u32) {
                        weights[next as usize * cols + token] = share.ln() / normed;
                    }
                }
            }
            _ => {}
        }
        builder.tensor(role, layer, WeightFormat::F32, &weights).unwrap();
    }
    builder.build().unwrap()
}

fn in_file(style: Style) -> model_format::Style {
    match style {
        Style::Story { begin, end } => model_format::Style::Story { begin, end },
        Style::Chat { begin, you, wisp, end, gaps } => {
            model_format::Style::Chat { begin, you, wisp, end, gaps }
        }
    }
}

/// stories260K, a real model of children's stories.
pub fn stories260k(format: WeightFormat) -> AlignedBytes {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../models/stories260K");
    let folder = std::path::Path::new(folder);
    let about = wisp_model::import::About {
        name: "Stories".into(),
        source: String::new(),
        licences: String::new(),
    };
    let (checkpoint, tokens) = (folder.join("stories260K.bin"), folder.join("tok512.bin"));
    wisp_model::import::llama2c(&checkpoint, &tokens, &about, format).unwrap()
}

/// What a message of Wisp should be.
#[derive(Clone, Debug, PartialEq)]
pub struct Expected {
    /// Tokens of its text.
    pub tokens: Vec<u32>,
    /// What is shown of it.
    pub shown: String,
}

/// The plainest way to continue a conversation: every token is computed anew, one by one, with no
/// slices and nothing remembered. Only what was dropped on the way is dropped at the same places:
/// the tokens behind it have seen it.
pub struct Oracle<'m> {
    model: Model<'m>,
    style: Style,
    context: usize,
    settings: SamplerSettings,
    longest: u32,
    /// How it behaves.
    pub manners: Manners,
    /// What was dropped on the way.
    pub shifts: Vec<Shift>,
    /// Tokens of what was left by the last shift that were never taken back since.
    pub untouched: usize,
}

/// Tokens behind the opening are dropped.
#[derive(Clone, Debug)]
pub struct Shift {
    /// What had been read before.
    pub read: Vec<u32>,
    /// How much of it had been left by the shift before and was never taken back since.
    pub untouched: usize,
    /// How many tokens go.
    pub dropped: usize,
}

/// Makes the engine have read `tokens`, of which it keeps at most `untouched` in its cache.
fn go_on(engine: &mut Engine<'_, Portable>, untouched: usize, tokens: &[u32]) {
    let common = untouched.min(tokens.len());
    engine.rollback(common);
    for token in &tokens[common..] {
        engine.run(*token).unwrap();
    }
}

impl<'m> Oracle<'m> {
    pub fn new(
        file: &'m [u8],
        style: Style,
        context: usize,
        settings: SamplerSettings,
        longest: u32,
    ) -> Self {
        let model = Model::open(file).unwrap();
        let manners = Manners::default();
        let shifts = Vec::new();
        Self { model, style, context, settings, longest, manners, shifts, untouched: 0 }
    }

    fn read(&self, tokens: &[u32]) -> Engine<'m, Portable> {
        let options = engine::Options { context: self.context, ..engine::Options::default() };
        let mut engine = Engine::new(&self.model, Portable, options).unwrap();
        for shift in &self.shifts {
            go_on(&mut engine, shift.untouched, &shift.read);
            engine.shift(1, shift.dropped).unwrap();
        }
        // What is drawn from is always computed anew, if only the last token's.
        go_on(&mut engine, self.untouched.min(tokens.len().saturating_sub(1)), tokens);
        engine
    }

    /// Whether Wisp speaks after these tokens, at a moment of the silence.
    pub fn decides(&self, tokens: &[u32], moment: Moment, dice: Dice) -> Decision {
        let (Some(silence), Some(gaps), Some((wisp, you))) = (
            self.style.before_decision(moment.gap_seconds),
            self.style.gaps(),
            self.style.candidates(),
        ) else {
            return Decision::Speak;
        };
        let mut engine = self.read(tokens);
        let logits = gaps.map(|gap| engine.logits()[gap as usize]);
        let of_gap = chance_of_gap(&logits, gap_bucket(moment.gap_seconds));
        let logits = engine.run(silence).unwrap();
        let of_wisp = chance_of_wisp(logits[wisp as usize], logits[you as usize]);
        let dice = dice.at(moment.number);
        let draw = (self.settings.temperature > 0.0).then(|| dice.draw(Purpose::Decision));
        decide(self.manners.chance(of_gap * of_wisp), draw)
    }

    /// What Wisp says after these tokens, which end with the lead of its message; at most
    /// `most` tokens.
    pub fn says(&self, tokens: &[u32], dice: Dice, most: usize) -> Expected {
        let tokenizer = Tokenizer::open(self.model.tokenizer()).unwrap();
        let vocabulary = self.model.architecture().vocabulary;
        let seed = dice.seed_for(Purpose::Words);
        let mut sampler = Sampler::new(vocabulary, self.settings, seed).unwrap();
        let mut rule = ReplyRule::new(self.style, self.longest);
        let (mut utf8, mut filter) = (Utf8Stream::new(), TextFilter::new());
        let mut engine = self.read(tokens);
        let mut previous = *tokens.last().unwrap();
        let mut said = Expected { tokens: Vec::new(), shown: String::new() };
        while said.tokens.len() < most {
            let mut logits = engine.logits().to_vec();
            for mark in self.style.forbidden_in_text() {
                logits[mark as usize] = f32::NEG_INFINITY;
            }
            let recent = said.tokens.len().saturating_sub(64);
            let token = sampler.sample(&mut logits, &said.tokens[recent..]);
            if rule.before_token(token).is_some() {
                break;
            }
            let bytes = tokenizer.decode(previous, token);
            utf8.push(bytes, |piece| filter.push(piece, |character| said.shown.push(character)));
            said.tokens.push(token);
            previous = token;
            if rule.after_token(bytes).is_some() {
                break;
            }
            engine.run(token).unwrap();
        }
        said
    }
}
