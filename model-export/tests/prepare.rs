//! `prepare`: a small dataset written out, every message in it once and whole.
#![allow(clippy::unwrap_used, clippy::panic)]

#[path = "common/datasets.rs"]
mod datasets;

use std::collections::BTreeSet;
use std::io::Write;
use std::path::Path;

use datasets::{Place, long_chat, model_with, record};
use tokenizer::{Kind, Tokenizer};
use wisp_model::Error;
use wisp_model::stream::PrepareError;

/// Seconds before, sender, text. Our own writing.
const MORNING: [(i64, &str, &str); 5] = [
    (0, "Ada", "hey are you awake"),
    (20, "Moth", "always"),
    (70, "Moth", "well. when you plug me in"),
    (5, "Ada", "fair 😀"),
    (4000, "Moth", "i counted my numbers again"),
];

#[test]
fn the_vocabulary_is_as_large_as_the_texts_allow_unless_it_is_given() {
    let mut place = Place::new(&long_chat("home", 30));
    place.request.vocabulary = None;
    let found = place.run().about["vocabulary"].as_u64().unwrap() as usize;
    assert!((281..2048).contains(&found), "{found}");
    // One more is one too many.
    place.request.output = place.folder.path().join("larger");
    place.request.vocabulary = Some(found + 1);
    place.fails();
    place.request.vocabulary = Some(found);
    assert_eq!(place.run().about["vocabulary"], found);
}

#[test]
fn a_small_dataset_is_this() {
    let mut time = 1_700_000_000_000;
    let messages = MORNING.map(|(after, sender, text)| {
        time += after * 1000;
        record(time, sender, text, "c")
    });
    let dataset = Place::new(&messages)
        .corpus("tales.jsonl", "{\"text\":\"The moon was out.\\nNobody saw it.\"}\n".as_bytes())
        .run();
    let shown =
        |name| -> Vec<String> { dataset.rows(name).iter().map(|row| dataset.shown(row)).collect() };
    assert_eq!(
        shown("train.chats"),
        ["<begin><gap:0><you>hey are you awake<end><gap:0><wisp>always<end>\
          <gap:1><wisp>well. when you plug me in<end><gap:0><you>fair 😀<end>"]
    );
    assert_eq!(shown("valid.chats"), ["<begin><gap:3><wisp>i counted my numbers again<end>"]);
    assert_eq!(shown("train.tales"), ["<begin>The moon was out.\nNobody saw it.<end>"]);
    assert!(shown("valid.tales").is_empty());
    assert_eq!(dataset.about["persona"], "Moth");
    assert_eq!(dataset.about["vocabulary"], 280);
    let marks = &dataset.about["special_tokens"];
    assert_eq!((&marks["begin"], &marks["end"]), (&0.into(), &1.into()));
    let statistics = &dataset.about["statistics"];
    assert_eq!(statistics["reply_rate"], 0.5);
    assert_eq!(statistics["first_speech_rate"], 1.0);
    assert_eq!(statistics["longest_unanswered"], 2);
    assert!((statistics["reply_delay"]["mean"].as_f64().unwrap() - 20f64.ln()).abs() < 1e-9);
    let train = &dataset.source("chats")["train"];
    let bytes: usize = MORNING[..4].iter().map(|(_, _, text)| text.len()).sum();
    assert_eq!(train["bytes"], bytes);
    assert_eq!(train["targets"].as_u64().unwrap() + 1, train["tokens"].as_u64().unwrap());
}

#[test]
fn every_message_is_there_whole_and_never_in_both_splits() {
    let chat = [long_chat("home", 90), long_chat("work", 12)].concat();
    let dataset = Place::new(&chat).run();
    let all: BTreeSet<&str> = chat.iter().map(|it| it["text"].as_str().unwrap()).collect();
    assert_eq!(all.len(), chat.len());
    let train = dataset.messages("train.chats");
    let valid = dataset.messages("valid.chats");
    let texts = |messages: &[(u32, u32, String)]| -> BTreeSet<String> {
        messages.iter().map(|(.., text)| text.clone()).collect()
    };
    assert!(texts(&train).is_disjoint(&texts(&valid)));
    let both: BTreeSet<String> = texts(&train).into_iter().chain(texts(&valid)).collect();
    assert!(both.iter().eq(all.iter()));
    // Held back: the last 4 conversations of 90 and the last of 12, each message once.
    assert_eq!(texts(&valid).len(), valid.len());
    let held = chat.iter().filter(|it| {
        let text = it["text"].as_str().unwrap();
        let number = text.split_whitespace().nth(4).unwrap().parse::<usize>().unwrap();
        number >= if text.contains("home") { 86 } else { 11 }
    });
    assert_eq!(texts(&valid), held.map(|it| it["text"].as_str().unwrap().to_owned()).collect());
    let bytes: usize = valid.iter().map(|(.., text)| text.len()).sum();
    assert_eq!(dataset.source("chats")["valid"]["bytes"], bytes);
    // Speakers and gaps are those of the chat.
    for (gap, speaker, text) in &train {
        let at = chat.iter().position(|it| it["text"] == text.as_str()).unwrap();
        assert_eq!(*speaker == 3, chat[at]["sender"] == "Moth");
        let before =
            at.checked_sub(1).filter(|at_before| chat[*at_before]["chat"] == chat[at]["chat"]);
        let seconds = before.map_or(0, |before| {
            (chat[at]["time"].as_i64().unwrap() - chat[before]["time"].as_i64().unwrap()) / 1000
        });
        let bucket = persona::gap_bucket(seconds as u32) as u32;
        // Only the first of a row may be written without its silence.
        assert!(*gap == 4 + bucket || bucket > 2 && *gap == 4, "{text}");
    }
}

#[test]
fn rows_begin_where_a_conversation_begins_or_was_cut() {
    let chat = long_chat("home", 60);
    let mut place = Place::new(&chat);
    place.request.context = Some(160);
    let dataset = place.run();
    let rows = dataset.rows("train.chats");
    let (mut begun, mut cut, mut silent) = (0, 0, 0);
    for row in &rows {
        assert_eq!(row[0], 0);
        assert!((2..=161).contains(&row.len()));
        assert!(row[1..].iter().all(|token| *token != 0), "one chat, one begin in a row");
        let shown = dataset.shown(row);
        if shown.contains("line 0,") && shown.find("line 0,") < shown.find("<end>") {
            begun += 1;
            silent += usize::from(row[1] == 4);
        } else {
            cut += 1;
        }
    }
    assert!(begun > 10 && cut > 10, "{begun} {cut}");
    // About every second begins as the board writes the first message ever.
    assert!(silent * 4 > begun && silent * 4 < begun * 3, "{silent} of {begun}");
    // The row before shows after what the silence came, and who ended it.
    let mut silences = 0;
    for pair in rows.windows(2) {
        let next = dataset.shown(&pair[1]);
        if next.contains("line 0,") && next.find("line 0,") < next.find("<end>") {
            let [.., 1, gap @ 7..=8, speaker @ 2..=3] = pair[0][..] else {
                assert!(pair[0].len() > 159 && pair[0].ends_with(&[1]), "{:?}", pair[0]);
                continue;
            };
            assert!(speaker == pair[1][2] && [4, gap].contains(&pair[1][1]));
            silences += 1;
        }
    }
    assert!(silences > 10, "{silences}");
    for row in dataset.rows("valid.chats") {
        assert!(row.ends_with(&[1]), "what is held back is measured once");
    }
    // What is cut is repeated in part, so that it has something before it.
    let held = dataset.messages("valid.chats").len();
    assert!(dataset.messages("train.chats").len() >= chat.len() - held + cut / 2);
}

#[test]
fn corpora_are_read_plain_and_compressed_and_their_silences_are_short() {
    let line = |number: usize| {
        format!(
            "{{\"source\":\"x\",\"messages\":[{{\"from\":\"a\",\"text\":\"did you see number \
             {number}\"}},{{\"from\":\"b\",\"text\":\"no, but it saw me\"}}]}}\n"
        )
    };
    let plain: String = (0..40).map(line).collect();
    let mut compressed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    compressed.write_all(plain.as_bytes()).unwrap();
    let dataset = Place::new(&long_chat("home", 30))
        .corpus("One talk.jsonl", plain.as_bytes())
        .corpus("other.v2.jsonl.gz", &compressed.finish().unwrap())
        .run();
    let one = dataset.messages("train.one_talk");
    assert_eq!(one, dataset.messages("train.other"));
    assert_eq!(one.len(), 76);
    assert_eq!(dataset.messages("valid.one_talk").len(), 4);
    assert!(one.iter().all(|(gap, ..)| *gap <= 5));
    // Either side becomes the persona, and about as often.
    let firsts = one.iter().filter(|(_, speaker, text)| *speaker == 3 && text.contains("number"));
    assert!((10..=28).contains(&firsts.count()));
    assert_eq!(dataset.source("one_talk")["made_up_gaps"], true);
    assert_eq!(dataset.source("one_talk")["train"]["documents"], 38);
}

#[test]
fn a_chat_can_be_a_source_of_its_own() {
    let mut place = Place::new(&[long_chat("home", 30), long_chat("Quick one", 30)].concat());
    place.request.apart = vec![("Quick one".into(), 0.5)];
    let dataset = place.run();
    assert!(dataset.messages("valid.chats").iter().all(|(.., text)| text.contains("home")));
    let quick = dataset.messages("train.chats_quick_one");
    assert!(!quick.is_empty() && quick.iter().all(|(.., text)| text.contains("Quick")));
    assert_eq!(dataset.source("chats_quick_one")["weight"], 0.5);
}

#[test]
fn a_message_longer_than_a_row_is_cut_and_loses_nothing() {
    let long: String = (0..60).map(|number| format!("word{number} ")).collect();
    let mut chat = long_chat("home", 30);
    chat.push(record(1_900_000_000_000, "Ada", long.trim(), "home"));
    let dataset = Place::new(&chat).run();
    let tokens = dataset.rows("valid.chats").concat();
    let tokens: Vec<u32> = tokens.into_iter().filter(|token| *token != 0).collect();
    let text = dataset.shown(&tokens);
    assert!(text.contains(&format!("<you>{}<end>", long.trim())), "{text}");
}

#[test]
fn the_same_input_gives_the_same_bytes() {
    let chat = long_chat("home", 30);
    let corpus = b"{\"text\":\"A tale. Of two. Sentences.\"}\n{\"text\":\"Another one.\"}\n";
    let (one, other) =
        (Place::new(&chat).corpus("a.jsonl", corpus), Place::new(&chat).corpus("a.jsonl", corpus));
    for place in [&one, &other] {
        place.run();
    }
    for name in ["dataset.json", "dataset.safetensors", "tokenizer.json"] {
        let file = |place: &Place| std::fs::read(place.request.output.join(name)).unwrap();
        assert!(file(&one) == file(&other), "{name}");
    }
}

#[test]
fn the_tokenizer_becomes_a_table_for_the_board() {
    let place = Place::new(&long_chat("home", 30));
    place.run();
    let json = std::fs::read(place.request.output.join("tokenizer.json")).unwrap();
    let style =
        model_format::Style::Chat { begin: 0, you: 2, wisp: 3, end: 1, gaps: [4, 5, 6, 7, 8] };
    let table = wisp_model::hugging_face::table(Path::new("x"), &json, 280, &style).unwrap();
    let tokenizer = Tokenizer::open(&table).unwrap();
    assert!((0..9).all(|mark| tokenizer.kind(mark) == Some(Kind::Control)));
    assert!(tokenizer.has_dummy_prefix());
}

#[test]
fn a_models_tokenizer_is_taken_as_it_is() {
    let first = Place::new(&long_chat("hut", 30));
    let dataset = first.run();
    assert_eq!(dataset.about["sampler"]["temperature_milli"], 600);
    let model = model_with(&first.request.output, dataset.about["special_tokens"].clone());
    let about = model.path().join("wisp.json");
    let mut said: serde_json::Value =
        serde_json::from_slice(&std::fs::read(&about).unwrap()).unwrap();
    said["sampler"] = dataset.about["sampler"].clone();
    said["sampler"]["temperature_milli"] = 750.into();
    std::fs::write(&about, said.to_string()).unwrap();
    let mut second = Place::new(&long_chat("another one with other words", 30));
    second.request.like = Some(model.path().to_owned());
    second.request.licences = "All of it is ours.".into();
    let again = second.run();
    let tokenizer =
        |place: &Place| std::fs::read(place.request.output.join("tokenizer.json")).unwrap();
    assert_eq!(tokenizer(&first), tokenizer(&second));
    assert_eq!(again.about["vocabulary"], 280);
    assert_eq!(again.about["licences"], "All of it is ours.");
    assert_eq!(again.about["sampler"], said["sampler"]);
    let tokens = &again.about["sources"][0]["train"]["tokens"];
    assert_eq!(again.about["source"], format!("chats ({tokens} tokens)"));
    let shown = again.messages("train.chats");
    assert!(shown.iter().any(|(.., text)| text.contains("another one with other words")));
}

#[test]
fn rows_are_as_long_as_the_model_sees_and_licences_are_whole_paragraphs() {
    let first = Place::new(&long_chat("hut", 30));
    let dataset = first.run();
    let model = model_with(&first.request.output, dataset.about["special_tokens"].clone());
    let path = model.path();
    std::fs::write(path.join("config.json"), r#"{"max_position_embeddings": 48}"#).unwrap();
    let about = std::fs::read(path.join("wisp.json")).unwrap();
    let mut about: serde_json::Value = serde_json::from_slice(&about).unwrap();
    about["licences"] = "All of it is MIT.\n\nOr not.".into();
    std::fs::write(path.join("wisp.json"), about.to_string()).unwrap();
    let like = |context, licences: &str| {
        let mut place = Place::new(&long_chat("hut", 30));
        place.request.like = Some(path.to_owned());
        (place.request.context, place.request.licences) = (context, licences.into());
        let about = place.run().about;
        (about["context"].as_u64().unwrap(), about["licences"].as_str().unwrap().to_owned())
    };
    // `MIT` stands in the other text, but says something else there.
    let (context, licences) = like(None, "MIT");
    assert_eq!((context, &licences[..]), (48, "MIT\n\nAll of it is MIT.\n\nOr not."));
    let (context, licences) = like(Some(32), "Or not.");
    assert_eq!((context, &licences[..]), (32, "All of it is MIT.\n\nOr not."));
}

#[test]
fn listed_messages_are_left_out() {
    let messages = long_chat("sea", 30);
    let mut place = Place::new(&messages);
    let listed: String = messages[3..6].iter().map(|message| format!("{message}\n")).collect();
    let list = place.file("remember.jsonl", listed.as_bytes());
    // Twice is no more than once.
    place.request.without = vec![list.clone(), list];
    assert_eq!(place.run().about["left_out"], 3);

    let mut place = Place::new(&messages);
    let other = record(1, "Ada", "not in these chats", "sea").to_string();
    place.request.without = vec![place.file("other.jsonl", other.as_bytes())];
    let Error::Prepare(error) = place.fails() else { panic!("another kind of error") };
    assert!(matches!(*error, PrepareError::NothingLeftOut { .. }), "{error}");
}
