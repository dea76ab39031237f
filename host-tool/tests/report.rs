//! `wisp report` as a program: what is in its file, and above all what is not.
#![allow(clippy::unwrap_used, clippy::panic)] // Helpers of tests are tests to us, not to clippy.

#[path = "common/board.rs"]
mod board;

use std::path::Path;
use std::process::{Command, Output, Stdio};

use board::{Board, Quirks, Script};
use link::conversation::{Conversation, Saved};
use link::message::Role;
use model_format::{Persona, WeightFormat, synthetic};
use wisp::history::History;

const SECRET: &str = "the lighthouse keeper owes me 400 crowns";

fn wisp(home: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_wisp"))
        .args(arguments)
        .current_dir(home)
        .env("HOME", home)
        .env("USER", "annabel")
        .env_remove("XDG_DATA_HOME")
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

/// A history in which the secret is written down.
fn plant(path: &Path, times: u32) {
    let mut history = History::open(path).unwrap();
    history.take_up(Some(&[7; 32]), "Ophelia").unwrap();
    let mut conversation = Conversation::resume(Saved::default());
    for _ in 0..times {
        conversation.say(SECRET, 1_700_000_000).unwrap();
    }
    history.store(&conversation.unsaved().unwrap(), 1).unwrap();
}

#[test]
fn it_helps_with_a_bug_and_keeps_every_secret() {
    let folder = tempfile::tempdir().unwrap();
    let home = folder.path().join("annabel");
    std::fs::create_dir(&home).unwrap();
    let history = home.join("with-ophelia.sqlite3");
    plant(&history, 1);
    let persona = home.join("ophelia.wisp");
    let architecture = synthetic::tiny_architecture(true);
    let who = Persona { name: "Ophelia", ..synthetic::persona() };
    let bytes = synthetic::model(&architecture, who, &[0; 64], WeightFormat::F32, 1).unwrap();
    std::fs::write(&persona, &bytes[..]).unwrap();

    // The board has heard the secret, and its answer was taken by nobody.
    let line = home.join("line");
    let quirks = Quirks { runs_on: true, ..Quirks::default() };
    let script =
        Script { role: Role::Firmware, persona: [7; 32], is_loaded: true, can_start: true };
    let _board = Board::start_with(&line, script, quirks);
    let port = format!("unix:{}", line.display());
    let chat = Command::new(env!("CARGO_BIN_EXE_wisp"))
        .args(["chat", "--no-history", "--port", &port])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .and_then(|mut process| {
            std::io::Write::write_all(process.stdin.as_mut().unwrap(), SECRET.as_bytes())?;
            process.wait_with_output()
        })
        .unwrap();
    assert!(String::from_utf8_lossy(&chat.stdout).contains(SECRET));

    let (history, persona) = (history.to_str().unwrap(), persona.to_str().unwrap());
    let patient = ["--port", &port, "--history", history, "--persona", persona];
    for (file, more) in [("report.md", &[][..]), ("report.json", &["--json"][..])] {
        let output = wisp(&home, &[&["report", file], &patient[..], more].concat());
        let printed = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        assert!(printed.contains(&format!("wrote {file}. It holds")), "{printed}");
        let text = std::fs::read_to_string(home.join(file)).unwrap();
        for code in ["wisp::port::ok", "wisp::history::ok", "wisp::persona::ok", "wisp::qemu::"] {
            assert!(text.contains(code), "no {code} in {text}");
        }
        assert!(text.contains("no chat text"), "{text}");
        assert!(text.contains("1 conversations, 1 messages"), "{text}");
        let lower = text.to_lowercase();
        for secret in ["lighthouse", "keeper owes", "crowns", "annabel", "ophelia"] {
            assert!(!lower.contains(secret), "{secret} is in {text}");
        }
        assert!(!text.contains(folder.path().to_str().unwrap()), "{text}");
        // What is there is not overwritten.
        let again = wisp(&home, &[&["report", file], &patient[..], more].concat());
        assert!(String::from_utf8_lossy(&again.stderr).contains("wisp::file::exists"));
    }
}

#[test]
fn what_is_said_about_a_damaged_history_is_not_what_was_said_in_it() {
    let folder = tempfile::tempdir().unwrap();
    let home = folder.path();
    let history = home.join("history");
    plant(&history, 2000);
    let mut bytes = std::fs::read(&history).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle..middle + 6000].fill(0xa5);
    std::fs::write(&history, bytes).unwrap();
    let history = history.to_str().unwrap();
    let output = wisp(home, &["report", "-", "--port", "unix:/nowhere", "--history", history]);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(text.contains("wisp::history::damaged"), "{text}");
    assert!(!text.contains("lighthouse") && !text.contains("crowns"), "{text}");
}
