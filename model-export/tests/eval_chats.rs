//! `eval --chats`: the rows, tokens and bytes that `prepare` holds back, the loss that an
//! independent sum over them gives, and the rhythm at the places where the conversation stands.
#![allow(clippy::unwrap_used, clippy::panic)]

#[path = "common/logits.rs"]
mod logits;
#[path = "common/small.rs"]
mod small;

use std::path::{Path, PathBuf};

use model_format::{AlignedBytes, Style};
use safetensors::SafeTensors;
use serde_json::Value;
use wisp_model::chats::ChatError;
use wisp_model::conversation::ConversationError;
use wisp_model::eval::{EvalError, Report, Request, Ways, evaluate_chats};
use wisp_model::stream::{PrepareError, prepare};
use wisp_model::{Error, hugging_face};

use small::CHAT;

/// A chat of many conversations, in which every text is there once. Our own writing.
fn chat(name: &str, conversations: usize) -> Vec<Value> {
    let words = ["the lamp", "a moth", "my small house", "rain", "the moon 😀", "soup"];
    let mut time = 1_700_000_000_000i64;
    let mut messages = Vec::new();
    for conversation in 0..conversations {
        time += if conversation % 3 == 0 { 90_000_000 } else { 9_000_000 };
        for message in 0..3 + conversation * 7 % 11 {
            time += if (conversation + message) % 5 == 0 { 700_000 } else { 8_000 };
            let sender = if (message * message + conversation) % 3 == 0 { "Moth" } else { "Ada" };
            let (one, other) = (words[message % 6], words[conversation % 5]);
            let text = format!("{name} likes {one} and {other}, {conversation} by {message}");
            let record = serde_json::json!(
                {"time": time, "sender": sender, "text": text, "chat": name});
            messages.push(record);
        }
    }
    messages
}

fn lines(messages: &[Value]) -> String {
    messages.iter().map(|message| format!("{message}\n")).collect()
}

/// Chats, the dataset that `prepare` makes of them, and a made-up persona with its tokenizer.
struct Place {
    folder: tempfile::TempDir,
    dataset: PathBuf,
    persona: AlignedBytes,
    model: PathBuf,
}

impl Place {
    fn new(messages: &[Value], apart: &[&str], context: usize) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("chats.jsonl"), lines(messages)).unwrap();
        let dataset = folder.path().join("dataset");
        let request = prepare::Request {
            chats: folder.path().to_owned(),
            persona: "Moth".into(),
            corpora: Vec::new(),
            apart: apart.iter().map(|name| ((*name).to_owned(), 1.0)).collect(),
            context,
            vocabulary: 290,
            output: dataset.clone(),
        };
        prepare::prepare(&request, &mut |_| {}).unwrap();
        let json = std::fs::read(dataset.join("tokenizer.json")).unwrap();
        let table = hugging_face::table(Path::new("x"), &json, 290, &CHAT).unwrap();
        let mut spec = small::spec(290);
        spec.context = context as u32;
        let persona = small::persona(spec, CHAT, &table);
        let model = folder.path().join("p.wisp");
        std::fs::write(&model, &persona[..]).unwrap();
        Self { folder, dataset, persona, model }
    }

    fn request(&self, threads: &[&str]) -> Request {
        let threads = threads.iter().map(|name| (*name).to_owned()).collect();
        Request { path: self.folder.path().to_owned(), persona: "Moth".into(), threads }
    }

    fn evaluate(&self, request: &Request) -> Report {
        let report = evaluate_chats(&[self.model.clone()], &Ways::default(), request).unwrap();
        println!("{}", report.page());
        report
    }

    fn fails(&self, change: impl Fn(&mut Request)) -> Error {
        let mut request = self.request(&[]);
        change(&mut request);
        evaluate_chats(&[self.model.clone()], &Ways::default(), &request).unwrap_err()
    }

    /// What is held back of a source of the dataset: its rows, and what `dataset.json` says.
    fn held_back(&self, source: &str) -> (Vec<Vec<u32>>, Value) {
        let about = std::fs::read(self.dataset.join("dataset.json")).unwrap();
        let about: Value = serde_json::from_slice(&about).unwrap();
        let sources = about["sources"].as_array().unwrap();
        let amount = sources.iter().find(|it| it["name"] == source).unwrap()["valid"].clone();
        let packed = std::fs::read(self.dataset.join("dataset.safetensors")).unwrap();
        let tensors = SafeTensors::deserialize(&packed).unwrap();
        let numbers = |name: &str| -> Vec<u32> {
            let bytes = tensors.tensor(name).unwrap().data().to_vec();
            bytes.as_chunks().0.iter().map(|pair| u16::from_le_bytes(*pair).into()).collect()
        };
        let name = format!("valid.{source}");
        let width = about["context"].as_u64().unwrap() as usize + 1;
        let lengths = numbers(&format!("{name}.lengths"));
        let rows = numbers(&name);
        let rows = rows.chunks(width).zip(lengths);
        (rows.map(|(row, length)| row[..length as usize].to_vec()).collect(), amount)
    }

    /// The nats of the rows, summed up without any part of `eval`.
    fn nats(&self, rows: &[Vec<u32>]) -> f64 {
        let mut nats = 0.0;
        for row in rows {
            let logits = logits::logits(&self.persona, &row[..row.len() - 1]);
            for (logits, right) in logits.iter().zip(&row[1..]) {
                let sum: f64 = logits.iter().map(|it| f64::from(*it).exp()).sum();
                nats += sum.ln() - f64::from(logits[*right as usize]);
            }
        }
        nats
    }

    /// The probability of `<wisp>` against `<you>` after these tokens.
    fn speaks(&self, tokens: &[u32]) -> f64 {
        let logits = logits::logits(&self.persona, tokens);
        let (wisp, you) =
            (f64::from(logits.last().unwrap()[3]), f64::from(logits.last().unwrap()[2]));
        wisp.exp() / (wisp.exp() + you.exp())
    }
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
        let nats = place.nats(&rows);
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
    assert!((score.nats / together.nats(&rows) - 1.0).abs() < 1e-9);
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
    let (mut silences, mut ended, mut answered_at_once, mut continued_at_once) =
        (0.0, 0.0, 0.0, 0.0);
    let mut speaker = 0;
    for at in 0..row.len() {
        speaker = if [2, 3].contains(&row[at]) { row[at] } else { speaker };
        if row[at] != 1 {
            continue;
        }
        let at_once = place.speaks(&[&row[..=at], &[4]].concat());
        let next = row.get(at + 1).map(|gap| (*gap, place.speaks(&row[..=at + 1])));
        *(if speaker == 3 { &mut own } else { &mut others }) += 1.0;
        *(if speaker == 3 { &mut continued_at_once } else { &mut answered_at_once }) += at_once;
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
    let close = |one: f64, other: f64| assert!((one - other).abs() < 1e-5, "{one} {other}");
    let told = rhythm.real_silences.rates;
    assert_eq!(
        (told.others as f64, told.own as f64, told.silences as f64),
        (others, own, silences)
    );
    assert!(silences == 2.0 && own > 5.0, "{silences} {own}");
    close(told.reply_rate, answered / others);
    close(told.burst_length, own / (own - continued));
    close(told.first_speech_rate, ended / silences);
    let at_once = rhythm.asked_at_once.rates;
    close(at_once.reply_rate, answered_at_once / others);
    close(at_once.burst_length, own / (own - continued_at_once));
    assert_eq!(at_once.silences, 0);
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
