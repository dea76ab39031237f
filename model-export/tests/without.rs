//! What was left out of the training is left out of everything else that reads the chats.
#![allow(clippy::unwrap_used, clippy::panic)]

#[path = "common/prepared.rs"]
mod prepared;
#[path = "common/small.rs"]
mod small;

use std::path::Path;
use std::process::Command;

use prepared::{Place, chat, lines};
use serde_json::Value;

/// Runs a verb on chats of this name; gives what it prints.
fn run(folder: &Path, arguments: &[&str], chats: &[&str]) -> Vec<u8> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_wisp-model"));
    command.current_dir(folder).args(arguments).args(["--persona", "Moth", "--chats"]).args(chats);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

#[test]
fn what_is_left_out_is_neither_measured_nor_calibrated_with() {
    let messages = chat("moor", 60);
    let place = Place::new(&messages, &[], 64);
    let folder = place.folder.path();
    let is_unwanted = |it: &Value| it["text"].as_str().unwrap().ends_with("by 2");
    let (unwanted, kept): (Vec<Value>, Vec<Value>) = messages.into_iter().partition(is_unwanted);
    std::fs::write(folder.join("kept.jsonl"), lines(&kept)).unwrap();
    // Two lists, as two reports in a row give them.
    let (one, other) = unwanted.split_at(unwanted.len() / 2);
    std::fs::write(folder.join("one.jsonl"), lines(one)).unwrap();
    std::fs::write(folder.join("other.jsonl"), lines(other)).unwrap();

    let less = ["chats.jsonl", "--without", "one.jsonl", "--without", "other.jsonl"];
    for (name, arguments) in [
        ("eval", &["eval", "p.wisp", "--json"][..]),
        ("quantise", &["quantise", "p.wisp", "--format", "int4", "--tokens", "2000", "-o", "made"]),
        (
            "prune",
            &[
                "prune",
                "p.wisp",
                "--keep",
                "70%",
                "--multiple",
                "4",
                "-o",
                "made",
                "--tokens",
                "2000",
            ],
        ),
    ] {
        let found = |chats: &[&str]| {
            let said = run(folder, arguments, chats);
            match std::fs::read(folder.join("made")) {
                Ok(file) => file,
                Err(_) => {
                    let report: Value = serde_json::from_slice(&said).unwrap();
                    report["models"].to_string().into_bytes()
                }
            }
        };
        let (all, left_out, wanted) =
            (found(&["chats.jsonl"]), found(&less), found(&["kept.jsonl"]));
        assert!(left_out == wanted, "{name} knows what was left out");
        assert!(left_out != all, "{name} did not look at the chats");
    }
}
