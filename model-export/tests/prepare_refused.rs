//! `prepare` refuses chats, corpora, folders and models that it can do nothing with, and writes nothing.
#![allow(clippy::unwrap_used, clippy::panic)]

#[path = "common/datasets.rs"]
mod datasets;

use std::io::Write;

use datasets::{Place, long_chat, model_with};
use serde_json::Value;
use wisp_model::Error;
use wisp_model::stream::PrepareError;
use wisp_model::stream::prepare::{Request, prepare};

#[test]
fn bad_chats_are_refused() {
    let is = |error: Error, matches: fn(&PrepareError) -> bool| match error {
        Error::Prepare(error) => assert!(matches(&error), "{error:?}"),
        other => panic!("{other:?}"),
    };
    let chat = long_chat("home", 30);
    let with = |change: &dyn Fn(&mut Request)| {
        let mut place = Place::new(&chat);
        change(&mut place.request);
        place.fails()
    };
    is(
        with(&|it| it.persona = "moth".into()),
        |it| matches!(it, PrepareError::NoPersona { found, .. } if found.contains("Moth (") && found.contains("Ada (")),
    );
    is(with(&|it| it.apart = vec![("away".into(), 1.0)]), |it| {
        matches!(it, PrepareError::NoChat { .. })
    });
    is(with(&|it| it.apart = vec![("home".into(), 1.0)]), |it| {
        matches!(it, PrepareError::AllApart { .. })
    });
    is(with(&|it| it.vocabulary = Some(60_000)), |it| {
        matches!(it, PrepareError::Vocabulary { .. })
    });
    is(with(&|it| it.licences = "x".repeat(60_001)), |it| {
        matches!(it, PrepareError::Licences { bytes: 60_001 })
    });
    assert!(matches!(with(&|it| it.chats = "/nowhere".into()), Error::Read { .. }));
    let only_moth = chat.iter().filter(|it| it["sender"] == "Moth").cloned().collect::<Vec<_>>();
    is(Place::new(&only_moth).fails(), |it| matches!(it, PrepareError::OneSided { .. }));
    is(Place::new(&long_chat("home", 1)).fails(), |it| matches!(it, PrepareError::TooShort));
    assert!(matches!(Place::new(&[]).fails(), Error::Chats(_)));
    assert!(matches!(Place::new(&["{".into()]).fails(), Error::Chats(_)));
}

#[test]
fn bad_corpora_are_refused_with_their_line() {
    let fails = |name: &str, bytes: &[u8]| match Place::new(&long_chat("home", 30))
        .corpus(name, bytes)
        .fails()
    {
        Error::Prepare(error) => *error,
        other => panic!("{other:?}"),
    };
    let good = "{\"text\":\"A tale.\"}\n";
    for bad in
        ["{\"text\":\"A ta", "{\"words\":3}", "[1]", "{\"messages\":[{\"text\":\"x\"}]}", "tale"]
    {
        let error = fails("x.jsonl", format!("{good}\n{bad}\n").as_bytes());
        assert!(matches!(error, PrepareError::Corpus { line: 3, .. }), "{error:?}");
        // Nothing of a text is in a message.
        assert!(!format!("{error:?}").contains("tale"), "{error:?}");
    }
    assert!(matches!(
        fails("x.jsonl", b"{\"text\":\"\xff\"}"),
        PrepareError::Corpus { line: 1, .. }
    ));
    assert!(matches!(fails("x.jsonl", b"\n{\"text\":\" \"}"), PrepareError::Empty { .. }));
    let mut compressed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    compressed.write_all(good.repeat(100).as_bytes()).unwrap();
    let compressed = compressed.finish().unwrap();
    assert!(matches!(
        fails("x.jsonl.gz", &compressed[..compressed.len() - 9]),
        PrepareError::Compressed { .. }
    ));
    assert!(matches!(fails("x.jsonl.gz", good.as_bytes()), PrepareError::Compressed { .. }));
    assert!(matches!(fails("chats_old.jsonl", good.as_bytes()), PrepareError::ReservedName { .. }));
    let place = Place::new(&long_chat("home", 30))
        .corpus("a.jsonl", good.as_bytes())
        .corpus("A.txt", good.as_bytes());
    assert!(
        matches!(place.fails(), Error::Prepare(it) if matches!(*it, PrepareError::SourceName { .. }))
    );
}

#[test]
fn a_folder_that_is_there_stays_as_it_is() {
    let place = Place::new(&long_chat("home", 30));
    std::fs::create_dir(&place.request.output).unwrap();
    let kept = place.request.output.join("mine");
    std::fs::write(&kept, "mine").unwrap();
    let error = prepare(&place.request, &mut |_| {}).unwrap_err();
    assert!(
        matches!(error, Error::Prepare(it) if matches!(*it, PrepareError::OutputExists { .. }))
    );
    assert_eq!(std::fs::read(kept).unwrap(), b"mine");
    assert_eq!(std::fs::read_dir(&place.request.output).unwrap().count(), 1);
}

#[test]
fn only_a_model_with_our_marks_lends_its_tokenizer() {
    let place = Place::new(&long_chat("hut", 30));
    let dataset = place.run();
    let mut other = dataset.about["special_tokens"].clone();
    other["you"] = 3.into();
    other["wisp"] = 2.into();
    for marks in [other, Value::Null] {
        let model = model_with(&place.request.output, marks);
        let mut second = Place::new(&long_chat("hut", 30));
        second.request.like = Some(model.path().to_owned());
        let error = second.fails();
        assert!(error.to_string().contains("marks of Wisp's chats"), "{error}");
        std::fs::write(model.path().join("wisp.json"), "{").unwrap();
        assert!(second.fails().to_string().contains("is damaged"));
        std::fs::remove_file(model.path().join("wisp.json")).unwrap();
        assert!(second.fails().to_string().contains("cannot read"));
    }
}
