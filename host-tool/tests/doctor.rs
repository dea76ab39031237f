//! `wisp doctor` as a program: with ports that have everything wrong with them, and with a board.
#![allow(clippy::unwrap_used, clippy::panic)] // Helpers of tests are tests to us, not to clippy.

#[path = "common/board.rs"]
mod board;

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use board::{Board, Quirks, Script};
use link::message::{Refusal, Role};
use serialport::{SerialPort, TTYPort};

/// A doctor at work; from a folder that is not the source tree.
fn doctor(folder: &Path, arguments: &[&str]) -> Child {
    Command::new(env!("CARGO_BIN_EXE_wisp"))
        .args(["doctor", "--json"])
        .args(arguments)
        .current_dir(folder)
        .env("HOME", folder)
        .env_remove("XDG_DATA_HOME")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Its findings, as level and code, after a look at whether its status is right.
fn findings(output: &Output) -> Vec<(String, String)> {
    let text = String::from_utf8_lossy(&output.stdout);
    let json: serde_json::Value = serde_json::from_str(&text).unwrap();
    let wrong = json["wrong"].as_u64().unwrap();
    assert_eq!(output.status.code(), Some(i32::from(wrong > 0)), "{text}");
    let word = |finding: &serde_json::Value, key: &str| finding[key].as_str().unwrap().to_string();
    let findings = json["findings"].as_array().unwrap().iter();
    let found: Vec<_> = findings
        .inspect(|finding| assert!(!word(finding, "message").is_empty()))
        .inspect(|it| assert!(word(it, "level") == "fine" || !word(it, "help").is_empty(), "{it}"))
        .map(|finding| (word(finding, "level"), word(finding, "code")))
        // Of this machine, and right whether it runs or not.
        .filter(|(_, code)| code != "wisp::port::modem_manager")
        .collect();
    assert!(!text.chars().any(|c| c.is_control() && c != '\n'), "{text:?}");
    found
}

fn one(level: &str, code: &str) -> Vec<(String, String)> {
    vec![(level.to_string(), code.to_string())]
}

/// A pseudo-terminal: what stands for the adapter, and the port's path. The port's own end stays
/// closed.
fn adapter() -> (TTYPort, String) {
    let (master, slave) = TTYPort::pair().unwrap();
    let path = slave.name().unwrap();
    (master, path)
}

#[test]
fn each_bad_port_is_told_from_the_others() {
    let folder = tempfile::tempdir().unwrap();
    let look = |port: &str| doctor(folder.path(), &["port", "--port", port]);

    // All at once, because each takes two seconds.
    let (_silent, silent_path) = adapter();
    let silent = look(&silent_path);

    let ended = Arc::new(AtomicBool::new(false));
    let send = |bytes: &'static [u8]| {
        let (mut master, path) = adapter();
        let ended = ended.clone();
        let thread = std::thread::spawn(move || {
            while !ended.load(Ordering::SeqCst) {
                // Full when nobody reads: no matter.
                let _ = master.write(bytes);
                std::thread::sleep(std::time::Duration::from_millis(5));
            }
        });
        (path, thread)
    };
    let (garbage_path, garbage_thread) = send(b"\xf8\x80\x1b[2J\xfe\x00\xf8\xff\x9b");
    let garbage = look(&garbage_path);
    let (text_path, text_thread) = send(b"raspberrypi login: \r\n");
    let text = look(&text_path);

    // Another program has it open without any lock.
    let (_held, held_path) = adapter();
    let open = OpenOptions::new().read(true).write(true).open(&held_path).unwrap();
    let mut holder = Command::new("sleep").arg("60").stdin(open).spawn().unwrap();
    let held = look(&held_path).wait_with_output().unwrap();
    holder.kill().unwrap();
    holder.wait().unwrap();
    assert_eq!(findings(&held), one("wrong", "wisp::port::busy"));
    let words = String::from_utf8_lossy(&held.stdout).into_owned();
    assert!(words.contains(&format!("by sleep (process {})", holder.id())), "{words}");

    let nowhere = look("/dev/ttyNoSuchThing").wait_with_output().unwrap();
    assert_eq!(findings(&nowhere), one("wrong", "wisp::port::not_found"));
    let null = look("/dev/null").wait_with_output().unwrap();
    assert_eq!(findings(&null), one("wrong", "wisp::port::not_serial"));

    for (process, code) in [
        (silent, "wisp::board::silent"),
        (garbage, "wisp::port::garbage"),
        (text, "wisp::port::other_device"),
    ] {
        assert_eq!(findings(&process.wait_with_output().unwrap()), one("wrong", code));
    }
    ended.store(true, Ordering::SeqCst);
    garbage_thread.join().unwrap();
    text_thread.join().unwrap();
}

#[test]
fn a_board_that_answers_is_fine_and_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("line");
    let port = format!("unix:{}", path.display());
    let script =
        Script { role: Role::Firmware, persona: [7; 32], is_loaded: true, can_start: true };
    let board = Board::start(&path, script);
    let output = doctor(folder.path(), &["port", "--port", &port]).wait_with_output().unwrap();
    assert_eq!(findings(&output), one("fine", "wisp::port::ok"));
    let words = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(words.contains("a Raspberry Pi Zero, the firmware 0.1.0 answers"), "{words}");
    let heard: Vec<_> = board.heard.try_iter().collect();
    assert_eq!(heard, ["DetailsRequest"], "it only asks");
    drop(board);

    let quirks = Quirks { refusal: Some(Refusal::OutOfMemory), ..Quirks::default() };
    let _board = Board::start_with(&path, script, quirks);
    let output = doctor(folder.path(), &["port", "--port", &port]).wait_with_output().unwrap();
    let found = findings(&output);
    assert_eq!(found[0].1, "wisp::port::ok");
    assert_eq!(found[1..], one("wrong", "wisp::refused::out_of_memory"));
}

#[test]
fn files_are_looked_into() {
    let folder = tempfile::tempdir().unwrap();
    let bad = folder.path().join("bad.wisp");
    File::create(&bad).unwrap().write_all(b"no persona").unwrap();
    let bad = bad.to_str().unwrap();
    let look = |arguments: &[&str]| {
        findings(&doctor(folder.path(), arguments).wait_with_output().unwrap())
    };
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let shipped = root.join("models/wisp-3m.wisp");
    let shipped = shipped.to_str().unwrap();
    assert_eq!(look(&["persona", "--persona", bad]), one("wrong", "wisp::file::persona"));
    assert_eq!(look(&["persona", "--persona", shipped]), one("fine", "wisp::persona::ok"));
    assert_eq!(look(&["history", "--history", bad]), one("wrong", "wisp::history::foreign"));
    assert_eq!(look(&["history"]), one("note", "wisp::history::missing"));
    assert_eq!(look(&["toolchain"]), one("fine", "wisp::toolchain::ok"));

    let path = folder.path().join("history");
    let history = wisp::history::History::open(&path).unwrap();
    let path = path.to_str().unwrap();
    assert_eq!(look(&["history", "--history", path]), one("note", "wisp::history::busy"));
    drop(history);
    assert_eq!(look(&["history", "--history", path]), one("fine", "wisp::history::ok"));
}

#[test]
fn people_get_lines_and_a_summary() {
    let folder = tempfile::tempdir().unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_wisp"))
        .args(["doctor", "persona", "--persona", "/nowhere/x.wisp"])
        .current_dir(folder.path())
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.starts_with("WRONG  persona: cannot read /nowhere/x.wisp"), "{text}");
    assert!(text.contains("wisp::file::read\n"), "{text}");
    assert!(text.ends_with("1 thing is wrong (0 fine, 0 to know).\n"), "{text}");
    assert!(output.stderr.is_empty());
}
