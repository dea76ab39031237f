//! A full disk in the middle of a training, of `make-persona` and of `synthesise`: all can be gone on with.
#![cfg(all(unix, feature = "training", feature = "synthesise"))]
#![allow(clippy::unwrap_used, clippy::panic)]

#[path = "common/full_disk.rs"]
mod full_disk;
#[path = "common/prepared.rs"]
mod prepared;
#[path = "common/small.rs"]
mod small;
#[path = "common/teacher.rs"]
mod teacher;

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use full_disk::{assert_refused, everything, is_temporary, limited, limits, said};
use prepared::{chat, lines};
use teacher::{Teacher, conversation, good, sentence};

/// More blocks than any file here has.
const ENOUGH: u64 = 1 << 20;

fn fixture() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates/training/tests/fixture");
    path.display().to_string()
}

#[test]
fn a_training_begins_whole_or_not_at_all_and_goes_on_where_the_last_checkpoint_was() {
    let place = tempfile::tempdir().unwrap();
    let place = place.path();
    let fixture = fixture();
    let options = ["--from", &fixture, "--batch", "4", "--tokens", "0.02", "--evaluations", "3"];
    let train = |output: &'static str| [&["train", &fixture, "-o", output][..], &options].concat();
    // The checkpoint comes first and is the largest.
    let mut failed = 0;
    for blocks in limits() {
        let output = limited(place, blocks, &train("new/whole")).output().unwrap();
        if output.status.success() {
            break;
        }
        assert_refused(&output, "wisp_model::train::write");
        assert!(everything(place).is_empty(), "{:?}", everything(place).keys());
        failed += 1;
    }
    assert!(failed > 1);

    let mut child = limited(place, ENOUGH, &train("parts"))
        .stderr(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let mut told = BufReader::new(child.stderr.take().unwrap()).lines();
    assert!(told.any(|line| line.unwrap().starts_with("step 1 of ")), "no progress is told");
    let pid = child.id().to_string();
    assert!(Command::new("kill").args(["-INT", &pid]).status().unwrap().success());
    told.for_each(drop);
    assert!(child.wait().unwrap().success());
    let stopped = everything(place);
    assert_eq!(stopped.keys().filter(|name| name.starts_with("parts/")).count(), 2);

    // The model that is measured finds no room; the run goes on from the same checkpoint.
    let resume = ["train", &fixture, "-o", "parts", "--resume"];
    let largest = stopped["parts/checkpoint.safetensors"].len() as u64 / 512;
    for blocks in [0, 1, largest / 4] {
        let output = limited(place, blocks, &resume).output().unwrap();
        assert_refused(&output, "wisp_model::train::write");
        assert!(said(&output).contains("--resume"), "{}", said(&output));
        assert!(everything(place) == stopped, "{blocks}: {:?}", everything(place).keys());
    }
    let output = limited(place, ENOUGH, &resume).output().unwrap();
    assert!(output.status.success(), "{}", said(&output));
    let made = everything(place);
    assert!(made["parts/model.safetensors"] == made["new/whole/model.safetensors"]);
}

#[test]
fn make_persona_keeps_what_is_whole_and_goes_on() {
    let place = tempfile::tempdir().unwrap();
    let place = place.path();
    std::fs::write(place.join("chats.jsonl"), lines(&chat("moor", 40))).unwrap();
    let make = [
        &["make-persona", "chats.jsonl", "--name", "Moth", "-o", "moth", "--preset", "tiny"][..],
        &["--tokens", "0.005", "--vocabulary", "290", "--conversations", "1"],
    ];
    let mut before = everything(place);
    let mut reached = BTreeSet::new();
    let mut is_made = false;
    for blocks in limits() {
        let output = limited(place, blocks, &make.concat()).output().unwrap();
        let after = everything(place);
        assert!(!after.keys().any(|name| is_temporary(name)), "{:?}", after.keys());
        for (name, bytes) in &before {
            let is_over = name.ends_with("checkpoint.safetensors");
            assert!(is_over || after.get(name) == Some(bytes), "{name} changed");
        }
        is_made = output.status.success();
        if is_made {
            break;
        }
        let said = said(&output);
        assert!(said.contains("cannot write ") && said.contains("help: "), "{said}");
        assert_eq!(output.status.code(), Some(1));
        let told = String::from_utf8_lossy(&output.stdout).into_owned();
        let begun = told.lines().rfind(|line| line.starts_with("== ")).map_or("nothing", |line| {
            let (_, step) = line.split_once('/').unwrap();
            step.split_once(' ').unwrap().1
        });
        reached.insert(begun.to_owned());
        before = after;
    }
    assert!(is_made, "it never had enough room");
    // Nothing begun, chats, training: a dataset is smaller than its chats, and what comes after the
    // training is smaller than its checkpoint.
    let expected = ["nothing", "clean chats of the exports", "train the model"];
    assert!(expected.iter().all(|it| reached.contains(*it)), "{reached:?}");
}

#[test]
fn synthetic_conversations_are_there_whole_and_gone_on_with() {
    let place = tempfile::tempdir().unwrap();
    let place = place.path();
    let mut records = Vec::new();
    for number in 0..240u64 {
        let time = 1_700_000_000_000 + number / 6 * 30_000_000 + number % 6 * 9000;
        let sender = if number % 2 == 0 { "Ada" } else { "Moth" };
        records.push(serde_json::json!(
            {"time": time, "sender": sender, "text": sentence(number), "chat": "ada"}));
    }
    std::fs::write(place.join("chats.jsonl"), lines(&records)).unwrap();
    let teacher = Teacher::new(|number, _| good(&conversation(number as u64)));
    let url = teacher.url();
    let synthesise = [
        &["synthesise", "--chats", "chats.jsonl", "--persona", "Moth", "--teacher", &url][..],
        &["--model", "small", "--conversations", "6", "--yes", "-o", "out.jsonl"],
    ];
    let mut grown = Vec::new();
    let mut failed = 0;
    for blocks in limits() {
        let output = limited(place, blocks, &synthesise.concat()).output().unwrap();
        let text = std::fs::read(place.join("out.jsonl")).unwrap_or_default();
        assert!(text.starts_with(&grown), "what was there is there still");
        let records = text.split_inclusive(|byte| *byte == b'\n');
        // Conversations of eight messages.
        let whole = records.map(|it| serde_json::from_slice::<serde_json::Value>(it).unwrap());
        assert_eq!(whole.count() % 8, 0, "a conversation is torn");
        if output.status.success() {
            assert!(failed > 1 && text.len() > grown.len());
            return;
        }
        assert_refused(&output, "wisp_model::file::write");
        let names: Vec<String> = everything(place).into_keys().collect();
        assert!(!names.iter().any(|name| is_temporary(name)), "{names:?}");
        assert_eq!(names.contains(&"out.jsonl".to_owned()), !text.is_empty(), "{names:?}");
        (grown, failed) = (text, failed + 1);
    }
    panic!("it never had enough room");
}
