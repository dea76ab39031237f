//! The f32 path writes what llama2.c writes, token for token.
#![allow(clippy::unwrap_used)]

mod common;

use engine::argmax;
use model_format::{Model, WeightFormat};

/// What llama2.c's test_all.py expects of `run stories260K.bin -t 0.0 -n 200`.
const LLAMA2_C_TEXT: &str = "Once upon a time, there was a little girl named Lily. She loved to \
play outside in the park. One day, she saw a big, red ball. She wanted to play with it, but it was \
too high.\nLily's mom said, \"Lily, let's go to the park.\" Lily was sad and didn't know what to do. \
She said, \"I want to play with your ball, but I can't find it.\"\nLily was sad and didn't know what \
to do. She said, \"I'm sorry, Lily. I didn't know what to do.\"\nLily didn't want to help her mom, \
so she";

fn golden() -> Vec<u32> {
    let lines = include_str!("fixtures/stories260K-greedy.txt").lines();
    lines.filter(|line| !line.starts_with('#')).map(|line| line.parse().unwrap()).collect()
}

/// The token's text in llama2.c's tokenizer file: max length, then per token score, length, bytes.
fn piece(token: u32) -> Vec<u8> {
    let file = std::fs::read(common::stories_folder().join("tok512.bin")).unwrap();
    let length = |at: usize| u32::from_le_bytes(file[at..at + 4].try_into().unwrap()) as usize;
    let mut at = 4;
    for _ in 0..token {
        at += 8 + length(at + 4);
    }
    file[at + 8..at + 8 + length(at + 4)].to_vec()
}

#[test]
fn the_fixture_spells_the_published_text() {
    let tokens = golden();
    assert_eq!(tokens.len(), 255);
    let bytes: Vec<u8> = tokens[..200].iter().flat_map(|&token| piece(token)).collect();
    let text = String::from_utf8(bytes).unwrap().replace("<0x0A>", "\n");
    // After BOS, run.c drops the first token's space.
    assert_eq!(text.strip_prefix(' '), Some(LLAMA2_C_TEXT));
}

#[test]
fn greedy_f32_equals_llama2_c_token_for_token() {
    let file = common::stories(WeightFormat::F32);
    let model = Model::open(&file).unwrap();
    let mut engine = common::exact(&model, 512);
    let mut token = 1;
    for (position, expected) in golden().into_iter().enumerate() {
        token = argmax(engine.run(token).unwrap());
        assert_eq!(token, expected, "position {position}");
    }
    println!("wisp: engine_tokens_equal_llama2c 255 tokens");
}

/// What run.c made of a prompt: its tokens, then the tokens it chose, each with its logit.
struct Continuation {
    prompt: &'static str,
    tokens: Vec<u32>,
    chosen: Vec<(u32, f64)>,
}

fn continuations() -> Vec<Continuation> {
    let mut all: Vec<Continuation> = Vec::new();
    let lines = include_str!("fixtures/stories260K-prompts.txt").lines();
    for line in lines.filter(|line| !line.starts_with('#')) {
        if let Some(prompt) = line.strip_prefix("prompt ") {
            all.push(Continuation { prompt, tokens: Vec::new(), chosen: Vec::new() });
        } else if let Some(tokens) = line.strip_prefix("tokens ") {
            let tokens = tokens.split(' ').map(|token| token.parse().unwrap()).collect();
            all.last_mut().unwrap().tokens = tokens;
        } else {
            let (token, logit) = line.split_once(' ').unwrap();
            let chosen = (token.parse().unwrap(), logit.parse().unwrap());
            all.last_mut().unwrap().chosen.push(chosen);
        }
    }
    all
}

#[test]
fn prompts_go_on_as_in_llama2_c_token_for_token() {
    let file = common::stories(WeightFormat::F32);
    let model = Model::open(&file).unwrap();
    let (mut compared, mut farthest) = (0, 0.0f64);
    for Continuation { prompt, tokens, chosen } in continuations() {
        let (bos, encoded) = tokens.split_first().unwrap();
        assert_eq!((*bos, encoded), (1, common::encode_lines(prompt)[0].as_slice()), "{prompt}");
        // 200 steps: each takes a token, of the prompt or chosen before.
        assert_eq!(encoded.len() + chosen.len(), 200, "{prompt}");
        let mut engine = common::exact(&model, 512);
        let mut token = *bos;
        for &next in encoded {
            engine.run(token).unwrap();
            token = next;
        }
        for (position, (expected, logit)) in chosen.into_iter().enumerate() {
            let logits = engine.run(token).unwrap();
            token = argmax(logits);
            assert_eq!(token, expected, "{prompt}, token {position} of the answer");
            farthest = farthest.max((f64::from(logits[token as usize]) - logit).abs());
            compared += 1;
        }
    }
    // Sums in another order, another exp and another cosine: the last bits of an f32.
    assert!(farthest < 5e-5, "{farthest}");
    println!("wisp: engine_prompts_equal_llama2c {compared} tokens");
}

#[test]
fn logits_are_close_to_llama2_c() {
    // The largest logits at the first positions, as run.c computed them.
    let expected = [17.023_516, 18.459_986, 17.136_963, 18.874_399, 17.799_398];
    let file = common::stories(WeightFormat::F32);
    let model = Model::open(&file).unwrap();
    let mut engine = common::exact(&model, 512);
    let mut token = 1;
    for value in expected {
        let logits = engine.run(token).unwrap();
        token = argmax(logits);
        let logit = f64::from(logits[token as usize]);
        assert!((logit - value).abs() < 2e-5, "{logit} {value}");
    }
}
