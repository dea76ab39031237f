//! Whatever a teacher answers: nothing panics, and only good conversations get into the file.
#![cfg(feature = "synthesise")]
#![allow(clippy::unwrap_used, clippy::panic)]

#[path = "common/teacher.rs"]
mod teacher;

use std::cell::Cell;
use std::path::Path;

use persona::Speaker;
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use teacher::{conversation, sentence};
use wisp_model::chats::{Message, canonical};
use wisp_model::stream::turn::Turn;
use wisp_model::synthesise::material::Material;
use wisp_model::synthesise::novelty::Novelty;
use wisp_model::synthesise::origin::Run;
use wisp_model::synthesise::protocol::Answer;
use wisp_model::synthesise::rules::check;
use wisp_model::synthesise::run::Judge;
use wisp_model::synthesise::store::{Record, Store, Times};

fn material() -> Material {
    let message = |place: u64| Message {
        time_ms: place as i64 * 5000 + place as i64 / 6 * 20_000_000,
        sender: if place.is_multiple_of(2) { "Ada" } else { "Moth" }.into(),
        text: format!("{} ☕", sentence(place)),
        chat: "ada".into(),
    };
    Material::of(&(0..120).map(message).collect::<Vec<_>>(), "Moth", &[]).unwrap()
}

/// A piece of an answer, good or bad.
fn piece() -> impl Strategy<Value = String> {
    let text = prop_oneof![
        4 => (0..10_000u64).prop_map(sentence),
        1 => any::<String>(),
        1 => "[ -~☕’\u{1b}\u{202e}\n\u{0}]{0,90}",
    ];
    let speaker =
        prop::sample::select(vec!["friend", "persona", "Friend", "**persona", "moth", ""]);
    let gap = prop_oneof![6 => (0..5000u64).prop_map(|it| it.to_string()), 1 => "[0-9]{0,22}", 1 => ".{0,4}"];
    prop_oneof![
        6 => (speaker, gap, text).prop_map(|(speaker, gap, text)| format!("{speaker} {gap}: {text}\n")),
        2 => (0..500u64).prop_map(conversation),
        1 => Just("\n=== something\n".to_owned()),
        1 => Just("\n".to_owned()),
        1 => any::<String>(),
    ]
}

fn judge<'a>(material: &'a Material, store: &Store) -> Judge<'a> {
    let mut novelty = Novelty::default();
    store.talks().for_each(|talk| novelty.know(&talk));
    let times = Times { seed: 1, silences: material.silences.clone() };
    Judge { material, novelty, times, model: "m\n=\u{1b}odel", goal: 20, run: Run::default() }
}

/// Reads the file by other means, and says how many conversations are in it.
fn assert_good(path: &Path, material: &Material) -> u64 {
    if !path.exists() {
        return 0;
    }
    let text = std::fs::read_to_string(path).unwrap();
    let records: Vec<Record> =
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let messages = canonical::read(path).unwrap();
    assert!(records.iter().map(|record| &record.message).eq(&messages));
    assert!(messages.is_sorted_by_key(|message| message.time_ms));
    let mut conversations = 0;
    for talk in records.chunk_by(|one, other| one.origin == other.origin) {
        conversations += 1;
        assert_eq!(talk[0].origin.conversation, conversations);
        assert_eq!(talk[0].origin.messages, talk.len());
        let turns: Vec<Turn> = talk
            .iter()
            .zip(std::iter::once(&talk[0]).chain(talk))
            .map(|(record, before)| {
                let gap = (record.message.time_ms - before.message.time_ms) / 1000;
                let own = record.message.sender == "Moth";
                assert!(own || record.message.sender == "friend");
                assert_eq!(record.message.chat, "synthetic/m___odel");
                Turn {
                    speaker: if own { Speaker::Wisp } else { Speaker::You },
                    gap_seconds: gap.try_into().unwrap(),
                    text: record.message.text.clone(),
                }
            })
            .collect();
        assert_eq!(check(&turns, material), Ok(()));
    }
    conversations
}

#[test]
fn only_good_conversations_are_written() {
    let material = material();
    let written = Cell::new(0);
    let strategy =
        (prop::collection::vec(prop::collection::vec(piece(), 0..30), 1..4), any::<bool>());
    let mut runner = TestRunner::new(ProptestConfig { cases: 50, ..ProptestConfig::default() });
    runner
        .run(&strategy, |(answers, cut)| {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("out.jsonl");
            // Each answer in a run of its own.
            for pieces in answers {
                let mut store = Store::read(&path, "Moth").unwrap();
                let before = store.conversations();
                let mut judge = judge(&material, &store);
                let answer = Answer { text: Some(pieces.concat()), cut, tokens: None };
                judge.answer(answer, &mut store).unwrap();
                prop_assert_eq!(store.conversations(), before + judge.run.conversations);
                prop_assert_eq!(assert_good(&path, &material), store.conversations());
            }
            written.set(written.get() + assert_good(&path, &material));
            Ok(())
        })
        .unwrap();
    assert!(written.get() > 50, "the test sees too few good ones: {}", written.get());
}

#[test]
fn a_file_torn_anywhere_is_gone_on_with() {
    let material = material();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("out.jsonl");
    let mut store = Store::read(&path, "Moth").unwrap();
    let mut first = judge(&material, &store);
    let text = Some(conversation(1) + &conversation(2));
    first.answer(Answer { text, ..Answer::default() }, &mut store).unwrap();
    drop(store);
    let whole = std::fs::read(&path).unwrap();
    let ends = whole.len();
    let border = ends
        - whole.rsplit(|byte| *byte == b'\n').skip(1).take(8).map(|it| it.len() + 1).sum::<usize>();
    for length in 0..=ends {
        std::fs::write(&path, &whole[..length]).unwrap();
        let mut store = Store::read(&path, "Moth").unwrap();
        let there = u64::from(length >= border) + u64::from(length == ends);
        assert_eq!(store.conversations(), there, "{length} of {ends}");
        if length % 97 == 0 {
            let text = Some(conversation(3));
            let mut judge = judge(&material, &store);
            judge.answer(Answer { text, ..Answer::default() }, &mut store).unwrap();
            assert_eq!(assert_good(&path, &material), there + 1);
        }
    }
}

#[test]
fn any_body_is_an_answer() {
    let mut runner = TestRunner::new(ProptestConfig { cases: 300, ..ProptestConfig::default() });
    let json = r#"[{}\[\]":,a-z0-9 ]{0,60}"#;
    let field =
        prop::sample::select(vec!["choices", "message", "content", "usage", "prompt_tokens"]);
    let nested = (field, json).prop_map(|(field, rest)| {
        format!(r#"{{"choices":[{{"message":{{"{field}":{rest}}}}}],"usage":{{"x":{rest}}}}}"#)
    });
    let body = prop_oneof![
        prop::collection::vec(any::<u8>(), 0..200),
        nested.prop_map(String::into_bytes)
    ];
    runner
        .run(&body, |body| {
            let answer = Answer::read(&body);
            let text = answer.text.unwrap_or_default();
            wisp_model::synthesise::reading::read(&text, answer.cut);
            wisp_model::synthesise::protocol::models(&body);
            let said = wisp_model::synthesise::protocol::complaint(&body).unwrap_or_default();
            prop_assert!(!said.chars().any(char::is_control));
            Ok(())
        })
        .unwrap();
}
