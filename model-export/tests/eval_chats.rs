//! `eval --chats`: the rows, tokens and bytes that `prepare` holds back, the loss that an
//! independent sum over them gives, and the rhythm at the places where the conversation stands.
#![allow(clippy::unwrap_used, clippy::panic)]

#[path = "common/logits.rs"]
mod logits;
#[path = "common/prepared.rs"]
mod prepared;
#[path = "common/small.rs"]
mod small;

use model_format::Style;
use serde_json::Value;
use wisp_model::Error;
use wisp_model::chats::ChatError;
use wisp_model::chats::turn_taking::{Next, TurnTaking};
use wisp_model::conversation::ConversationError;
use wisp_model::eval::{EvalError, Request};
use wisp_model::stream::PrepareError;

use prepared::{Place, chat, lines};
use small::CHAT;

/// The nats of the rows, summed up without any part of `eval`.
fn nats(place: &Place, rows: &[Vec<u32>]) -> f64 {
    let mut nats = 0.0;
    for row in rows {
        let logits = logits::logits(&place.persona, &row[..row.len() - 1]);
        for (logits, right) in logits.iter().zip(&row[1..]) {
            let sum: f64 = logits.iter().map(|it| f64::from(*it).exp()).sum();
            nats += sum.ln() - f64::from(logits[*right as usize]);
        }
    }
    nats
}

/// The probability of `<wisp>` against `<you>` after these tokens.
/// The chances of these tokens among themselves.
fn weights(place: &Place, tokens: &[u32], among: std::ops::RangeInclusive<u32>) -> Vec<f64> {
    let logits = logits::logits(&place.persona, tokens);
    let last = logits.last().unwrap();
    let weights: Vec<f64> = among.map(|token| f64::from(last[token as usize]).exp()).collect();
    let sum: f64 = weights.iter().sum();
    weights.into_iter().map(|weight| weight / sum).collect()
}

fn speaks(place: &Place, tokens: &[u32]) -> f64 {
    let logits = logits::logits(&place.persona, tokens);
    let (wisp, you) = (f64::from(logits.last().unwrap()[3]), f64::from(logits.last().unwrap()[2]));
    wisp.exp() / (wisp.exp() + you.exp())
}

#[test]
fn it_is_what_a_trainer_measures() {
    let messages = [chat("home", 70), chat("work", 45)].concat();
    let place = Place::new(&messages, &["work"], 64);
    let mut seen = Vec::new();
    for (source, thread) in [("chats", "home"), ("chats_work", "work")] {
        let (rows, amount) = place.held_back(source);
        assert!(rows.len() > 2);
        let report = place.evaluate(&place.request(&[thread]));
        let score = &report.models[0];
        assert_eq!(report.bytes as u64, amount["bytes"].as_u64().unwrap());
        assert_eq!(score.tokens as u64, amount["targets"].as_u64().unwrap());
        let chats = report.chats.as_ref().unwrap();
        assert_eq!(chats.conversations as u64, amount["documents"].as_u64().unwrap());
        let nats = nats(&place, &rows);
        assert!((score.nats / nats - 1.0).abs() < 1e-9, "{} {nats}", score.nats);
        let bits = nats / 2f64.ln() / amount["bytes"].as_f64().unwrap();
        assert!((score.bits_per_byte / bits - 1.0).abs() < 1e-9);
        assert_eq!(score.size, place.persona.len());
        seen.push(score.tokens);
    }
    // All chats in one: the rows of a dataset in which none is apart.
    let together = Place::new(&messages, &[], 64);
    let (rows, amount) = together.held_back("chats");
    let score = &together.evaluate(&together.request(&[])).models[0];
    assert_eq!(score.tokens as u64, amount["targets"].as_u64().unwrap());
    assert!((score.nats / nats(&together, &rows) - 1.0).abs() < 1e-9);
    // Two chats by name are all chats.
    let both = &together.evaluate(&together.request(&["home", "work"])).models[0];
    assert_eq!((both.tokens, both.nats), (score.tokens, score.nats));
}

#[test]
fn exports_are_ingested_first() {
    let place = Place::new(&chat("home", 40), &[], 64);
    let expected = place.evaluate(&place.request(&[])).models[0].nats;
    let exports = place.folder.path().join("exports");
    std::fs::create_dir(&exports).unwrap();
    std::fs::write(exports.join("messages.jsonl"), lines(&chat("home", 40))).unwrap();
    let request = Request { path: exports, ..place.request(&[]) };
    assert_eq!(place.evaluate(&request).models[0].nats, expected);
    // The file alone is as good as its folder.
    let request = Request { path: place.folder.path().join("chats.jsonl"), ..request };
    assert_eq!(place.evaluate(&request).models[0].nats, expected);
}

#[test]
fn the_rhythm_is_that_of_the_places_where_messages_have_ended() {
    // One row holds all that is held back, so it is what the model has read.
    let place = Place::new(&chat("home", 60), &[], 1024);
    let (rows, _) = place.held_back("chats");
    assert_eq!(rows.len(), 1);
    let row = &rows[0];
    let (mut others, mut answered, mut own, mut continued) = (0.0, 0.0, 0.0, 0.0);
    let (mut silences, mut ended) = (0.0, 0.0);
    let mut expected = TurnTaking::default();
    let mut speaker = 0;
    for at in 0..row.len() {
        speaker = if [2, 3].contains(&row[at]) { row[at] } else { speaker };
        if row[at] != 1 {
            continue;
        }
        let gaps = 4..=8u32;
        let weights = weights(&place, &row[..=at], gaps.clone());
        let nexts = gaps.zip(weights).map(|(gap, weight)| {
            let persona = speaks(&place, &[&row[..=at], &[gap]].concat());
            (weight, Next { gap: gap as usize - 4, persona })
        });
        expected.add_weighed(speaker == 3, nexts);
        let next = row.get(at + 1).map(|gap| (*gap, speaks(&place, &row[..=at + 1])));
        *(if speaker == 3 { &mut own } else { &mut others }) += 1.0;
        match next {
            Some((4..=6, speaks)) if speaker == 3 => continued += speaks,
            Some((4..=6, speaks)) => answered += speaks,
            Some((_, speaks)) => {
                silences += 1.0;
                ended += speaks;
            }
            None => {}
        }
    }
    let report = place.evaluate(&place.request(&[]));
    let rhythm = report.models[0].rhythm.unwrap();
    // The board's exponential function is good to a few thousandths.
    let close = |one: f64, other: f64| assert!((one - other).abs() < 3e-3, "{one} {other}");
    let told = rhythm.real_silences.rates;
    assert_eq!(
        (told.others as f64, told.own as f64, told.silences as f64),
        (others, own, silences)
    );
    assert!(silences == 2.0 && own > 5.0, "{silences} {own}");
    close(told.reply_rate, answered / others);
    close(told.burst_length, own / (own - continued));
    close(told.first_speech_rate, ended / silences);
    let by_itself = rhythm.own_silences.rates;
    close(by_itself.reply_rate, expected.rates().reply_rate);
    close(by_itself.burst_length, expected.rates().burst_length);
    close(by_itself.first_speech_rate, expected.rates().first_speech_rate);
    assert!(by_itself.reply_rate > 0.0 && by_itself.first_speech_rate > 0.0);
    // The data's, at the same places and in all: as dataset.json has it.
    let chats = report.chats.unwrap();
    assert_eq!((chats.held_back.others as f64, chats.held_back.own as f64), (others, own));
    let about = std::fs::read(place.dataset.join("dataset.json")).unwrap();
    let about: Value = serde_json::from_slice(&about).unwrap();
    let statistics = &about["statistics"];
    let said = |name: &str| statistics[name].as_f64().unwrap();
    close(chats.whole.reply_rate, said("reply_rate"));
    close(chats.whole.burst_length, said("burst_length"));
    close(chats.whole.first_speech_rate, said("first_speech_rate"));
    let above = 100.0 * (told.reply_rate / chats.held_back.reply_rate - 1.0);
    close(rhythm.real_silences.above_held_back.reply_rate.unwrap(), above);
}

#[test]
fn a_chat_longer_than_the_context_is_listened_to_to_its_end() {
    let place = Place::new(&chat("home", 90), &[], 48);
    let report = place.evaluate(&place.request(&[]));
    let (chats, rhythm) = (report.chats.unwrap(), report.models[0].rhythm.unwrap());
    let rates = rhythm.real_silences.rates;
    assert_eq!((rates.others + rates.own) as usize, chats.messages);
    assert_eq!(rates.silences, chats.held_back.silences);
    assert!(rates.reply_rate > 0.0 && rates.reply_rate < 1.0);
}

#[test]
fn what_cannot_be_measured_is_refused() {
    let messages = [chat("home", 30), chat("work", 20)].concat();
    let place = Place::new(&messages, &[], 64);
    match place.fails(|it| it.persona = "moth".into()) {
        Error::Prepare(error) => match *error {
            PrepareError::NoPersona { found, .. } => assert!(found.contains("Moth (")),
            other => panic!("{other:?}"),
        },
        other => panic!("{other:?}"),
    }
    match place.fails(|it| it.threads = vec!["away".into()]) {
        Error::Eval(EvalError::NoThread { name, found }) => {
            assert_eq!(name, "away");
            assert!(found.contains("home (") && found.contains("work ("), "{found}");
        }
        other => panic!("{other:?}"),
    }
    assert!(matches!(place.fails(|it| it.path = "/nowhere".into()), Error::Read { .. }));

    let chats = place.folder.path().join("chats.jsonl");
    std::fs::write(&chats, lines(&chat("home", 1))).unwrap();
    assert!(matches!(place.fails(|_| {}), Error::Eval(EvalError::TooShort)));
    std::fs::write(&chats, "\n").unwrap();
    assert!(matches!(place.fails(|_| {}), Error::Chats(ChatError::NoMessages { .. })));
    std::fs::write(&chats, "{\"time\":").unwrap();
    assert!(matches!(place.fails(|_| {}), Error::Chats(_)));

    let story = Style::Story { begin: 0, end: 1 };
    let table = small::chat_table(tokenizer::Splitter::Chat, 300);
    std::fs::write(&place.model, &small::persona(small::spec(300), story, &table)[..]).unwrap();
    assert!(matches!(place.fails(|_| {}), Error::Conversation(ConversationError::Story { .. })));
    let mut short = small::spec(300);
    short.context = 31;
    std::fs::write(&place.model, &small::persona(short, CHAT, &table)[..]).unwrap();
    std::fs::write(&chats, lines(&messages)).unwrap();
    assert!(matches!(
        place.fails(|_| {}),
        Error::Conversation(ConversationError::Context { context: 31, .. })
    ));
}

#[test]
fn the_command_wants_a_text_or_chats() {
    let place = Place::new(&chat("home", 30), &[], 64);
    let folder = place.folder.path();
    let run = |arguments: &[&str]| {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_wisp-model"));
        command.current_dir(folder).args([&["eval", "p.wisp"], arguments].concat());
        command.output().unwrap()
    };
    let chats = ["--chats", ".", "--persona", "Moth"];
    for wrong in [
        &[][..],
        &["--chats", "."],
        &["--persona", "Moth"],
        &["--text", "chats.jsonl", "--thread", "home"],
        &[&chats[..], &["--text", "chats.jsonl"]].concat(),
    ] {
        assert_eq!(run(wrong).status.code(), Some(2), "{wrong:?}");
    }
    let page = String::from_utf8(run(&chats).stdout).unwrap();
    for part in ["of Moth's chats (", "bits/byte", "speaks first", "told when", "by itself"] {
        assert!(page.contains(part), "{part} in {page}");
    }
    let output = run(&[&chats[..], &["--thread", "home", "--json"]].concat());
    let json: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(json["chats"]["threads"], serde_json::json!(["home"]));
    assert!(json["models"][0]["size"].as_u64().unwrap() > 30_000);
    let rhythm = &json["models"][0]["rhythm"]["real_silences"];
    assert!(rhythm["rates"]["reply_rate"].as_f64().unwrap() > 0.0);
    assert!(rhythm["above_whole"]["burst_length"].is_f64());
    // The other kind of report has nothing of it.
    let output = run(&["--text", "chats.jsonl", "--json"]);
    let json: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(json.get("chats").is_none() && json["models"][0].get("rhythm").is_none());
}
