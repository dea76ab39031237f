//! The commands that the steps become, from what was asked for and what is in the folder.

use std::path::Path;

use clap::{Args, Command, FromArgMatches};

use super::MakePersona;
use super::steps::Step;
use super::workshop::Workshop;

/// A folder in which chats and dataset are done, without the base: the dataset has so many tokens.
fn folder(tokens: u64) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, json: serde_json::Value| {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, json.to_string()).unwrap();
    };
    write("chats/report.json", serde_json::json!({"persona": "Anna Berg"}));
    let sources = [tokens / 4, tokens - tokens / 4];
    let sources = sources.map(|tokens| serde_json::json!({"train": {"tokens": tokens}}));
    write("dataset/dataset.json", serde_json::json!({ "sources": sources }));
    write("dataset/tokenizer.json", serde_json::json!({}));
    folder
}

/// The command of a step, without the folder's name.
fn shown(folder: &Path, step: Step, options: &[&str]) -> String {
    let command = MakePersona::augment_args(Command::new("make-persona"));
    let place = folder.to_str().unwrap();
    let words = [&["make-persona", "exports", "-o", place][..], options].concat();
    let found = command.try_get_matches_from(words).unwrap();
    let make = MakePersona::from_arg_matches(&found).unwrap();
    Workshop::new(make).command(step).unwrap().shown().replace(&format!("{place}/"), "")
}

/// The folder of a model that was trained here, as far as is looked at.
fn older(folder: &Path) -> std::path::PathBuf {
    let older = folder.join("older");
    std::fs::create_dir(&older).unwrap();
    let marks = crate::hugging_face::SpecialTokens::from(crate::stream::words::STYLE);
    let about = serde_json::json!({"name": "Anna", "special_tokens": marks});
    std::fs::write(older.join("wisp.json"), about.to_string()).unwrap();
    older
}

#[test]
fn the_size_is_what_the_tokens_are_enough_for_unless_it_is_given() {
    let (few, many) = (folder(4_999_999), folder(5_000_000));
    let train = |folder: &tempfile::TempDir, options: &[&str]| {
        let shown = shown(folder.path(), Step::Train, options);
        shown.strip_prefix("wisp-model train dataset -o model ").unwrap().to_owned()
    };
    assert_eq!(train(&few, &[]), "--preset 3M --minutes 120");
    assert_eq!(train(&many, &[]), "--preset 15M --minutes 600");
    assert_eq!(train(&many, &["--preset", "tiny"]), "--preset tiny --minutes 20");
    assert_eq!(train(&few, &["--preset", "42M"]), "--preset 42M --minutes 1500");
    assert_eq!(train(&few, &["--minutes", "7.5"]), "--preset 3M --minutes 7.5");
    assert_eq!(train(&few, &["--tokens", "0.5"]), "--preset 3M --tokens 0.5");
    let older = older(many.path());
    let from = ["--from", older.to_str().unwrap()];
    assert_eq!(train(&many, &from), "--from older --minutes 120");
    let longer = [&from[..], &["--tokens", "9"]].concat();
    assert_eq!(train(&many, &longer), "--from older --tokens 9");
    // With a checkpoint, the options are those it was begun with.
    std::fs::create_dir(many.path().join("model")).unwrap();
    std::fs::write(many.path().join("model/checkpoint.safetensors"), "").unwrap();
    assert_eq!(train(&many, &["--minutes", "9"]), "--resume");
}

#[test]
fn a_base_that_was_taken_is_begun_with_unless_something_else_is_asked_for() {
    let folder = folder(9);
    let write = |name: &str, bytes: &[u8]| std::fs::write(folder.path().join(name), bytes);
    let commands = |options: &[&str]| {
        [Step::Prepare, Step::Train].map(|step| shown(folder.path(), step, options))
    };
    let without = commands(&[]);
    assert!(without.iter().all(|shown| !shown.contains("base")), "{without:?}");
    write("dataset/tokenizer.json", crate::base::tokenizer().unwrap().to_string().as_bytes())
        .unwrap();
    let [prepare, train] = commands(&[]);
    assert!(prepare.contains("--like base"), "{prepare}");
    assert!(train.ends_with("--from base --minutes 120"), "{train}");
    let older = older(folder.path());
    let from_folder = ["--from", older.to_str().unwrap()];
    for other in [&["--from-nothing"][..], &["--preset", "3M"], &["--vocabulary", "512"]] {
        let [prepare, train] = commands(other);
        assert!(!prepare.contains("--like") && !train.contains("--from"), "{other:?}");
    }
    let [_, train] = commands(&from_folder);
    assert!(train.ends_with("--from older --minutes 120"), "{train}");

    // A persona file is made a base; the base of the program is not.
    write("older.wisp", b"").unwrap();
    let file = folder.path().join("older.wisp");
    let from = ["--from", file.to_str().unwrap()];
    let begin = shown(folder.path(), Step::Base, &from);
    assert_eq!(begin, "wisp-model export hf older.wisp -o base");
    assert_eq!(shown(folder.path(), Step::Base, &[]), "wisp-model base -o base");
    let [prepare, train] = commands(&from);
    assert!(prepare.contains("--like base"), "{prepare}");
    assert!(train.ends_with("--from base --minutes 120"), "{train}");

    // A model of others is adopted, as a file or as a folder, and is a base then.
    std::fs::create_dir(folder.path().join("strange")).unwrap();
    write("strange.gguf", b"GGUF").unwrap();
    for name in ["strange", "strange.gguf"] {
        let path = folder.path().join(name);
        let from = ["--from", path.to_str().unwrap()];
        let begin = shown(folder.path(), Step::Base, &from);
        assert_eq!(begin, format!("wisp-model adopt {name} --chats chats -o base"));
        let [prepare, train] = commands(&from);
        assert!(prepare.contains("--like base"), "{prepare}");
        assert!(train.ends_with("--from base --minutes 120"), "{train}");
    }

    // Before tokens were packed, the chats decide, whatever is left of another try.
    std::fs::remove_file(folder.path().join("dataset/dataset.json")).unwrap();
    std::fs::create_dir(folder.path().join("base")).unwrap();
    write("base/model.safetensors", b"").unwrap();
    for (text, is_english) in [
        ("did you see what the cat did to my shoes today?", true),
        ("ich hab heute keine Lust mehr auf Kartoffeln", false),
    ] {
        let line = serde_json::json!({"time": 1, "sender": "a", "text": text, "chat": "a"});
        write("chats/chats.jsonl", format!("{line}\n").as_bytes()).unwrap();
        let prepare = shown(folder.path(), Step::Prepare, &[]);
        assert_eq!(prepare.contains("--like base"), is_english, "{prepare}");
    }
}

#[test]
fn what_is_given_reaches_the_step_it_is_for() {
    let folder = folder(9);
    let older = older(folder.path());
    let prepare = |options: &[&str]| shown(folder.path(), Step::Prepare, options);
    let begin = "wisp-model prepare --chats chats '--persona=Anna Berg'";
    assert_eq!(prepare(&[]), format!("{begin} -o dataset"));
    assert_eq!(
        prepare(&["--corpus", "a.jsonl=0.5", "--corpus", "b.jsonl.gz", "--vocabulary", "512"]),
        format!("{begin} --corpus a.jsonl=0.5 --corpus b.jsonl.gz --vocabulary 512 -o dataset")
    );
    assert_eq!(
        prepare(&["--from", older.to_str().unwrap(), "--licences", "who wrote.txt"]),
        format!("{begin} --like older --licences 'who wrote.txt' -o dataset")
    );
    let command = |step, options: &[&str]| shown(folder.path(), step, options);
    let ingest = command(Step::Ingest, &["--name=-anna's"]);
    assert_eq!(ingest, r"wisp-model ingest exports '--persona=-anna'\''s' -o chats");
    assert_eq!(command(Step::Ingest, &[]), "wisp-model ingest exports -o chats");
    assert!(command(Step::Sample, &[]).contains("--conversations 50"));
    assert!(command(Step::Quantise, &[]).contains("--format fp8"));
}

#[test]
fn what_is_left_out_is_left_out_by_every_step_that_reads_the_chats() {
    let folder = folder(9);
    let lists = ["--without", "one/remember.jsonl", "--without", "two.jsonl"];
    let strange = folder.path().join("strange.gguf");
    std::fs::write(&strange, b"GGUF").unwrap();
    let lists = [&lists[..], &["--from", strange.to_str().unwrap()]].concat();
    let adopt = shown(folder.path(), Step::Base, &lists);
    assert!(adopt.starts_with("wisp-model adopt strange.gguf --chats chats --without "), "{adopt}");
    for step in Step::ALL {
        let shown = shown(folder.path(), step, &lists);
        let leaves_out = shown.contains("--without one/remember.jsonl --without two.jsonl");
        assert_eq!(leaves_out, shown.contains("--chats chats"), "{shown}");
    }
}
