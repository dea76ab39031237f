//! `sample`: what a persona writes is the same every time, keeps the board's rules, and ends.
#![allow(clippy::unwrap_used)]

#[path = "common/small.rs"]
mod small;

use std::path::Path;
use std::process::{Command, Output};

use model_format::{AlignedBytes, Model, Style};
use persona::Speaker;
use small::CHAT;
use tokenizer::{Splitter, Tokenizer};
use wisp_model::sample::{MAX_BURST, Talk, Voice, alone, answers};

fn chatty(context: u32) -> AlignedBytes {
    let table = small::chat_table(Splitter::Chat, 300);
    let mut spec = small::spec(300);
    spec.context = context;
    small::persona(spec, CHAT, &table)
}

/// Does something with a persona that has a voice.
fn with_voice<R>(file: &AlignedBytes, work: impl FnOnce(&mut Voice<'_>) -> R) -> R {
    let model = Model::open(file).unwrap();
    let tokenizer = Tokenizer::open(model.tokenizer()).unwrap();
    work(&mut Voice::new(Path::new("p.wisp"), &model, tokenizer).unwrap())
}

fn talks(file: &AlignedBytes, seeds: std::ops::Range<u64>, messages: usize) -> Vec<Talk> {
    with_voice(file, |voice| seeds.map(|seed| alone(voice, seed, messages).unwrap()).collect())
}

#[test]
fn conversations_depend_on_the_seed_and_on_nothing_else() {
    let file = chatty(512);
    let all = talks(&file, 0..6, 10);
    assert_eq!(all, talks(&file, 0..6, 10));
    // Not on what was said before, nor on how long they go on.
    assert_eq!(all[3..], talks(&file, 3..6, 10)[..]);
    let longer = talks(&file, 3..4, 14);
    assert_eq!(longer[0][..10], all[3]);
    assert!(all.iter().enumerate().all(|(place, talk)| !all[..place].contains(talk)));
}

#[test]
fn a_voice_keeps_the_rules_of_the_board() {
    let all = talks(&chatty(256), 0..30, 12);
    assert!(all.iter().all(|talk| talk.len() == 12));
    for talk in &all {
        assert_eq!(talk[0].gap, 0);
        let runs = talk.chunk_by(|one, other| one.speaker == other.speaker);
        let bursts = runs.filter(|run| run[0].speaker == Speaker::Wisp).map(<[_]>::len);
        assert!(bursts.max().unwrap_or(0) <= MAX_BURST as usize);
        for line in talk {
            assert!(!line.text.is_empty() && line.text.trim() == line.text, "{:?}", line.text);
            assert!(!line.text.chars().any(|it| it.is_control() && it != '\n'));
        }
    }
    let lines = || all.iter().flatten();
    for gap in 0..5 {
        assert!(lines().any(|line| line.gap == gap), "no silence of {gap}");
    }
    assert!(lines().any(|line| line.speaker == Speaker::Wisp));
    assert!(lines().any(|line| line.speaker == Speaker::You));
}

#[test]
fn a_conversation_outgrows_the_context() {
    // The shortest there is: a message fills it.
    let talk = &talks(&chatty(32), 4..5, 200)[0];
    assert_eq!(talk.len(), 200);
    assert!(talk.iter().any(|line| line.is_cut) && talk.iter().any(|line| !line.is_cut));
}

#[test]
fn given_messages_stay_as_they_are_and_are_answered_or_not() {
    // Random weights rarely think that the shortest of five gaps comes.
    let said: Vec<String> = (0..200).map(|number| format!("are you there, {number}")).collect();
    let file = chatty(128);
    let talk = with_voice(&file, |voice| answers(voice, 9, &said, usize::MAX).unwrap());
    let given = talk.iter().filter(|line| line.speaker == Speaker::You);
    assert!(given.map(|line| &line.text).eq(&said));
    for pair in talk.windows(2) {
        let unanswered = pair[0].speaker == Speaker::You && pair[1].speaker == Speaker::You;
        assert_eq!(pair[0].is_unanswered, unanswered);
    }
    assert!(talk.iter().any(|line| line.is_unanswered));
    assert!(talk.iter().any(|line| line.speaker == Speaker::Wisp));
    let short = with_voice(&file, |voice| answers(voice, 9, &said, 7).unwrap());
    // Its last line is not asked about any more.
    assert_eq!((short.len(), &short[..6]), (7, &talk[..6]));
}

fn wisp_model(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_wisp-model"));
    command.current_dir(folder).args(arguments).output().unwrap()
}

#[test]
fn the_page_can_be_written_again() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    std::fs::write(folder.join("p.wisp"), &chatty(128)[..]).unwrap();
    std::fs::write(folder.join("hi.txt"), "hello there\nare you awake\n\nbye\n").unwrap();
    let page = |name: &str, more: &[&str]| {
        let usual = ["sample", "p.wisp", "-o", name, "--messages", "6"];
        let output = wisp_model(folder, &[&usual, more].concat());
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        (std::fs::read_to_string(folder.join(name)).unwrap(), output.stdout)
    };
    let (one, said) = page("one.md", &["--conversations", "3", "--seed", "5"]);
    assert_eq!(page("again.md", &["--conversations", "3", "--seed", "5"]).0, one);
    assert_ne!(page("other.md", &["--conversations", "3", "--seed", "6"]).0, one);
    assert!(String::from_utf8(said).unwrap().ends_with("wrote one.md\n"));
    for part in ["# Conversations with Robin", "| seed | 5 |", "temperature 0.7", "\n## 3\n"] {
        assert!(one.contains(part), "{part} in {one}");
    }
    assert!(one.contains("18 messages in 3 conversations"), "{one}");
    let (answered, _) = page("answers.md", &["--opening", "hi.txt"]);
    for part in ["**you:** hello there", "**you:** are you awake", "\n## 2\n", "**you:** bye"] {
        assert!(answered.contains(part), "{part} in {answered}");
    }
}

#[test]
fn what_cannot_be_sampled_is_refused_and_nothing_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let table = small::chat_table(Splitter::Chat, 300);
    let story = small::persona(small::spec(300), Style::Story { begin: 0, end: 1 }, &table);
    std::fs::write(folder.join("story.wisp"), &story[..]).unwrap();
    std::fs::write(folder.join("p.wisp"), &chatty(64)[..]).unwrap();
    std::fs::write(folder.join("empty.txt"), "\n \n").unwrap();
    let fails = |arguments: &[&str]| {
        let output = wisp_model(folder, &[&["sample"], arguments, &["-o", "x/x.md"]].concat());
        assert!(!output.status.success());
        assert!(!folder.join("x").exists());
        String::from_utf8(output.stderr).unwrap()
    };
    assert!(fails(&["story.wisp"]).contains("wisp_model::conversation::story"));
    assert!(fails(&["p.wisp", "--opening", "empty.txt"]).contains("wisp_model::sample::opening"));
    assert!(fails(&["p.wisp", "--opening", "no.txt"]).contains("wisp_model::file::read"));
    assert!(fails(&["p.wisp", "--conversations", "0"]).contains("conversations"));
    assert!(fails(&["p.wisp", "--messages", "1", "--conversations", "1"]).contains("file::write"));
}
