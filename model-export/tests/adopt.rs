//! A model of others gets marks and keeps the tokens that are used, and knows what it knew.
#![allow(clippy::unwrap_used)]

#[path = "common/logits.rs"]
mod logits;
#[path = "common/small.rs"]
mod small;

use std::path::{Path, PathBuf};
use std::process::Command;

use logits::logits;
use miette::Diagnostic;
use model_format::{AlignedBytes, Architecture, Model, Style, TensorRole};
use proptest::prelude::*;
use tokenizer::{Encoder, Kind, Splitter, Tokenizer};
use wisp_model::adopt::{Adopted, adopt, keep};
use wisp_model::chats::Message;
use wisp_model::export::f32_weights;

const STORY: Style = Style::Story { begin: 0, end: 1 };

/// A made-up model of others: 700 tokens, its own way of cutting texts.
fn foreign() -> AlignedBytes {
    small::persona(small::spec(700), STORY, &small::chat_table(Splitter::Gpt2Digits, 700))
}

fn chats(texts: &[&str]) -> Vec<Message> {
    let message = |(time, text): (i64, &&str)| Message {
        time_ms: time * 60_000,
        sender: if time % 2 == 0 { "Ada" } else { "Moth" }.to_owned(),
        text: (*text).to_owned(),
        chat: "hut".to_owned(),
    };
    (0..).zip(texts).map(message).collect()
}

fn adopted(file: &AlignedBytes, chats: &[Message], most: usize, context: usize) -> Adopted {
    try_adopt(file, chats, most, context).unwrap()
}

fn try_adopt(
    file: &AlignedBytes,
    chats: &[Message],
    most: usize,
    context: usize,
) -> wisp_model::Result<Adopted> {
    let model = Model::open(file).unwrap();
    let table = Tokenizer::open(model.tokenizer()).unwrap();
    adopt(Path::new("strange.gguf"), (&model, &table), chats, "MIT\nor not", (most, context))
}

/// Same layers, same rows, same answers: only the numbers of the tokens are others.
#[test]
fn it_says_the_same_as_before_of_every_token_that_stayed() {
    let file = foreign();
    let said = chats(&["the tea and the tin", "is it in the tent, or 12 tents?", "no"]);
    let Adopted { file: ready, kept } = adopted(&file, &said, 400, 32);
    let (old, new) = (Model::open(&file).unwrap(), Model::open(&ready).unwrap());
    assert_eq!(kept.before.len(), 400);
    assert_eq!((new.architecture().vocabulary, new.architecture().context), (400, 32));
    assert_eq!(new.persona().style, small::CHAT);
    let licences = new.persona().provenance.licences;
    assert!(
        licences.contains(old.persona().name) && licences.ends_with("MIT\nor not"),
        "{licences}"
    );
    let training = new.persona().provenance.training;
    assert_eq!(training, "none at all; 391 of its 700 tokens kept");
    for (role, layer, _) in old.tensors() {
        if role != TensorRole::TokenEmbedding {
            assert_eq!(f32_weights(&old, role, layer), f32_weights(&new, role, layer), "{role:?}");
        }
    }

    // Every third token, as many as both see.
    let tokens: Vec<(u32, u32)> = (0u32..)
        .zip(&kept.before)
        .filter_map(|(now, before)| Some((now, (*before)?)))
        .step_by(13)
        .take(30)
        .collect();
    let (now, before): (Vec<u32>, Vec<u32>) = tokens.into_iter().unzip();
    let (ours, theirs) = (logits(&ready, &now), logits(&file, &before));
    for (ours, theirs) in ours.iter().zip(&theirs) {
        for (now, before) in (0..).zip(&kept.before) {
            if let Some(before) = before {
                let (ours, theirs): (f32, f32) = (ours[now], theirs[*before as usize]);
                assert_eq!(ours.to_bits(), theirs.to_bits(), "token {now}, once {before}");
            }
        }
    }

    // Texts begin and end as before; the other marks lie close to the end, no two at the same place.
    let rows = |model: &Model<'_>| f32_weights(model, TensorRole::TokenEmbedding, 0);
    let (ours, theirs) = (rows(&new), rows(&old));
    let ours: Vec<&[f32]> = ours.chunks(16).take(9).collect();
    assert_eq!(ours[..2].concat(), theirs[..32]);
    for (place, row) in ours.iter().enumerate().skip(2) {
        let far = row.iter().zip(&theirs[16..32]).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(far > 0.0 && far < 0.1, "mark {place}: {far}");
        assert!(ours.iter().skip(place + 1).all(|other| other != row), "mark {place}");
    }
}

/// The pieces that a text is cut into, without the blank in front of all.
fn pieces(table: &Tokenizer<'_>, text: &str) -> Vec<Vec<u8>> {
    let mut encoder = Encoder::new(text.len() + 1);
    let tokens = encoder.encode(table, text).unwrap();
    tokens.iter().map(|token| table.bytes(*token).to_vec()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn chats_become_the_same_tokens_as_with_all_of_them(
        texts in proptest::collection::vec("[etaoinshrdlu ,.0-9é😀]{0,40}", 1..12),
        room in 0usize..300,
    ) {
        let table = small::chat_table(Splitter::Gpt2Digits, 700);
        let table = Tokenizer::open(&table).unwrap();
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        let said = chats(&texts);
        let all = keep(&table, &said, 700).unwrap().vocabulary.table().unwrap();
        let all = Tokenizer::open(&all).unwrap();
        prop_assert_eq!(all.vocabulary(), 700);

        let kept = keep(&table, &said, 265 + room).unwrap();
        let few = kept.vocabulary.table().unwrap();
        let few = Tokenizer::open(&few).unwrap();
        prop_assert_eq!(few.vocabulary(), 265 + room);
        prop_assert_eq!(few.vocabulary(), kept.before.len());
        for text in texts {
            let (all, few) = (pieces(&all, text), pieces(&few, text));
            prop_assert_eq!(all.concat(), few.concat());
            if kept.left_out == 0 {
                prop_assert_eq!(all, few, "{}", text);
            }
        }
        // What a token was, it is.
        for (now, before) in (0..).zip(&kept.before) {
            if let Some(before) = before {
                prop_assert_eq!(few.bytes(now), table.bytes(*before));
                prop_assert_eq!(few.kind(now), table.kind(*before));
            } else {
                prop_assert_eq!(few.kind(now), Some(Kind::Control));
            }
        }
    }
}

#[test]
fn where_there_is_no_room_the_rarest_go_first() {
    let table = small::chat_table(Splitter::Gpt2Digits, 700);
    let table = Tokenizer::open(&table).unwrap();
    let often = ["tea"; 20];
    let said =
        chats(&[&often[..], &["shudder, then nothing: a sailor and a hound stood there"]].concat());
    let whole = keep(&table, &said, 700).unwrap();
    assert_eq!(whole.left_out, 0);
    let few = keep(&table, &said, 265 + 4).unwrap();
    assert!(few.left_out > 0 && few.used == whole.used, "{few:?}");
    let (all, few) = (whole.vocabulary.table().unwrap(), few.vocabulary.table().unwrap());
    let (all, few) = (Tokenizer::open(&all).unwrap(), Tokenizer::open(&few).unwrap());
    assert_eq!(pieces(&all, "tea"), pieces(&few, "tea"));
    let rare = said.last().map(|message| message.text.clone()).unwrap();
    assert!(pieces(&all, &rare).len() < pieces(&few, &rare).len());
}

#[test]
fn what_cannot_be_adopted_is_named() {
    let said = chats(&["tea?"]);
    let code = |file: &AlignedBytes, context| {
        let error = try_adopt(file, &said, 400, context).err().unwrap();
        assert!(error.help().is_some());
        error.code().unwrap().to_string()
    };
    let persona =
        small::persona(small::spec(300), small::CHAT, &small::chat_table(Splitter::Chat, 300));
    assert_eq!(code(&persona, 32), "wisp_model::adopt::persona");
    let spaces = tokenizer::synthetic::chat_table(300).unwrap();
    let spaces = small::persona(small::spec(300), Style::Story { begin: 1, end: 2 }, &spaces);
    assert_eq!(code(&spaces, 32), "wisp_model::adopt::tokenizer");
    assert_eq!(code(&foreign(), 65), "wisp_model::adopt::context");
}

/// A folder with chats and, as a GGUF file, as a Hugging Face folder and imported, a model of others.
fn place() -> (tempfile::TempDir, [PathBuf; 3]) {
    let place = tempfile::tempdir().unwrap();
    let path = |name: &str| place.path().join(name);
    let mut lines = String::new();
    for (number, message) in chats(&["a tin of tea", "is it hot?", "it is", "then hand it to us"])
        .iter()
        .cycle()
        .take(400)
        .enumerate()
    {
        let (minutes, text) = (number as i64 * if number % 7 == 0 { 90 } else { 1 }, &message.text);
        let sender = &message.sender;
        let time = 1_600_000_000_000 + minutes * 60_000 + number as i64 * 6_000_000;
        let record = serde_json::json!({"time": time, "sender": sender, "chat": "hut",
                                        "text": format!("{text} {}", number * 31 % 97)});
        lines += &format!("{record}\n");
    }
    std::fs::create_dir(path("chats")).unwrap();
    std::fs::write(path("chats/chats.jsonl"), lines).unwrap();
    std::fs::write(path("story.wisp"), &foreign()[..]).unwrap();
    for [format, output] in [["gguf", "story.gguf"], ["hf", "story"]] {
        run(&place, &["export", format, "story.wisp", "--type", "f32", "-o", output]);
    }
    // Nobody else writes these: without, nothing says what the model is.
    std::fs::remove_file(path("story/wisp.json")).unwrap();
    let gguf = std::fs::read(path("story.gguf")).unwrap();
    let mut renamed = gguf;
    for key in [&b"wisp.persona"[..], b"wisp.splitter"] {
        let at = renamed.windows(key.len()).position(|part| part == key).unwrap();
        renamed[at..at + 4].copy_from_slice(b"some");
    }
    std::fs::write(path("story.gguf"), renamed).unwrap();
    let models = [path("story.gguf"), path("story"), path("story.wisp")];
    (place, models)
}

fn run(place: &tempfile::TempDir, words: &[&str]) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_wisp-model"));
    let output = command.current_dir(place.path()).args(words).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{words:?}: {said}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn from_files_of_others_to_a_model_that_learned_the_chats() {
    let (place, models) = place();
    for (model, folder) in models.iter().zip(["one", "other", "third"]) {
        let words = [model.to_str().unwrap(), "--chats", "chats", "--vocabulary", "350"];
        let page =
            run(&place, &[&["adopt"], &words[..], &["--context", "64", "-o", folder]].concat());
        assert!(page.contains("341 of 700 tokens stay, the "), "{page}");
        assert!(page.contains(&format!("--like {folder}")), "{page}");
        assert_eq!(page.contains("no text: --licence"), folder == "other", "{page}");
    }
    let read = |name: &str| std::fs::read(place.path().join(name)).unwrap();
    assert!(read("one/tokenizer.json") == read("other/tokenizer.json"));
    assert!(read("one/model.safetensors") == read("other/model.safetensors"));
    assert!(read("one/model.safetensors") == read("third/model.safetensors"));

    let chats = ["--chats", "chats", "--persona", "Moth"];
    run(&place, &[&["prepare"], &chats[..], &["--like", "one", "-o", "dataset"]].concat());
    let recipe = ["--tokens", "0.05", "--batch", "4", "--finetune-lr", "1e-3", "--warmup", "5"];
    run(&place, &[&["train", "dataset", "--from", "one", "-o", "model"], &recipe[..]].concat());
    for (folder, file) in [("one", "before.wisp"), ("model", "after.wisp")] {
        run(&place, &["import", "hf", folder, "--format", "f32", "-o", file]);
    }
    let words = [&["eval", "before.wisp", "after.wisp", "--json"], &chats[..]].concat();
    let report: serde_json::Value = serde_json::from_str(&run(&place, &words)).unwrap();
    let bits = |place: &str| report.pointer(place).and_then(serde_json::Value::as_f64).unwrap();
    let (before, after) = (bits("/models/0/bits_per_byte"), bits("/models/1/bits_per_byte"));
    assert!(after < 0.8 * before, "{before} to {after} bits per byte");
}

#[test]
fn make_persona_adopts_what_it_is_given() {
    let (place, models) = place();
    for (model, output) in models.iter().zip(["moth", "moss", "moor"]) {
        let model = model.to_str().unwrap();
        let words = ["make-persona", "chats/chats.jsonl", "--name", "Moth", "-o", output];
        let more = ["--from", model, "--tokens", "0.01", "--conversations", "1"];
        let page = run(&place, &[&words[..], &more].concat());
        assert!(page.contains("wisp-model adopt "), "{page}");
        let line = |verb: &str| page.lines().find(|line| line.starts_with(verb)).unwrap();
        assert!(line("wisp-model prepare ").contains(&format!("--like {output}/base ")), "{page}");
        assert!(line("wisp-model train ").contains(&format!("--from {output}/base ")), "{page}");
        let file = std::fs::read(place.path().join(output).join("persona.wisp")).unwrap();
        let file = AlignedBytes::copy_of(&file);
        let model = Model::open(&file).unwrap();
        let Architecture { dim, layers, .. } = *model.architecture();
        assert_eq!((dim, layers, model.persona().name), (16, 2, "Moth"));
        let licences = model.persona().provenance.licences;
        assert!(licences.contains("The weights go on from those of "), "{licences}");
    }
    let model = models[0].to_str().unwrap();
    let words = ["make-persona", "chats/chats.jsonl", "--name", "Moth", "-o", "moth"];
    let more = ["--from", model, "--tokens", "0.01", "--conversations", "1"];
    let page = run(&place, &[&words[..], &more].concat());
    assert_eq!(page.matches("done before").count(), 9, "{page}");
}
