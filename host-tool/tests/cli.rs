//! The program itself: what it prints and how it ends.
#![allow(clippy::unwrap_used)] // Helpers of tests are tests to us, not to clippy.

#[path = "common/board.rs"]
mod board;

use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use board::{Board, Script};
use link::message::Role;

fn wisp(arguments: &[&str], input: &str) -> Output {
    let mut process = Command::new(env!("CARGO_BIN_EXE_wisp"))
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    process.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    process.wait_with_output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

fn firmware(folder: &Path) -> Board {
    let script =
        Script { role: Role::Firmware, persona: [7; 32], is_loaded: true, can_start: true };
    Board::start(&folder.join("line"), script)
}

#[test]
fn help_names_every_verb() {
    let output = wisp(&["--help"], "");
    let help = text(&output.stdout);
    for verb in [
        "ports",
        "qemu",
        "load",
        "chat",
        "serve",
        "monitor",
        "bench",
        "demo",
        "history",
        "doctor",
        "report",
        "completions",
        "sdcard",
    ] {
        assert!(help.contains(&format!("\n  {verb}")), "{verb} is missing from\n{help}");
    }
}

#[test]
fn an_error_shows_its_code_and_the_next_step_and_fails() {
    for (arguments, code, help) in [
        (&["load", "--persona", "/nowhere/x.wisp"][..], "wisp::file::", ""),
        (
            &["chat", "--no-history", "--port", "tcp:nowhere"],
            "wisp::port::address",
            "tcp:HOST:PORT",
        ),
        (
            &["chat", "--no-history", "--port", "/dev/null"],
            "wisp::port::not_serial",
            "/dev/ttyUSB0",
        ),
        (
            &["chat", "--no-history", "--persona", "/dev/null"],
            "wisp::file::persona",
            "wisp-model inspect",
        ),
        (
            &["chat", "--no-history", "--firmware", "/dev/null"],
            "wisp::file::firmware",
            "make bootloader firmware",
        ),
        (&["chat", "--history", "/dev/null"], "wisp::history::", "--history FILE"),
        (
            &["history", "list", "--history", "/nowhere/at/all"],
            "wisp::history::missing",
            "wisp serve",
        ),
        (&["qemu", "--bare", "--bootloader", "/nowhere"], "wisp::file::read", "path"),
        (&["monitor", "--firmware", "/dev/null"], "wisp::file::log_table", "--firmware"),
    ] {
        let output = wisp(arguments, "");
        let told = text(&output.stderr);
        // Long lines are wrapped.
        let told = told.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(!output.status.success(), "{arguments:?} did not fail");
        assert!(told.contains(code), "{arguments:?} told {told}");
        assert!(told.contains(help), "{arguments:?} told {told}");
        assert!(!told.contains("panicked"), "{told}");
    }
}

#[test]
fn ports_always_answers() {
    let output = wisp(&["ports"], "");
    assert!(output.status.success());
    assert!(!output.stdout.is_empty());
}

#[test]
fn a_chat_from_a_file_ends_when_everything_is_answered() {
    let folder = tempfile::tempdir().unwrap();
    let _board = firmware(folder.path());
    let port = format!("unix:{}", folder.path().join("line").display());
    let output = wisp(&["chat", "--no-history", "--port", &port], "hello\x1b[2J\nand\n/nonsense\n");
    assert!(output.status.success(), "{}", text(&output.stderr));
    let told = text(&output.stdout);
    assert!(told.contains("Wisp: You said hello\u{fffd}[2J\n"), "{told}");
    assert!(told.contains("Wisp: You said and\n"), "{told}");
    assert!(told.contains("no such order"), "{told}");
    assert!(!told.chars().any(|c| c.is_control() && c != '\n'), "{told:?}");
}

#[test]
fn a_chat_over_a_bad_cable_is_complete_and_says_what_was_damaged() {
    let folder = tempfile::tempdir().unwrap();
    let _board = firmware(folder.path());
    let port = format!("unix:{}", folder.path().join("line").display());
    let said: Vec<_> =
        (0..40).map(|number| format!("message {number} {}", "x".repeat(200))).collect();
    let input = said.join("\n");
    let arguments = ["chat", "--no-history", "--cable-noise", "1e-3", "--port", &port];
    let output = wisp(&arguments, &input);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let told = text(&output.stdout);
    // A tick in the middle of an answer has a line of its own, and the answer goes on behind it.
    let mut answers: Vec<String> = Vec::new();
    for line in told.lines().filter(|line| !line.starts_with("  · ")) {
        match line.strip_prefix("Wisp: You said ") {
            Some(text) => answers.push(text.into()),
            None => answers.last_mut().map_or((), |answer| answer.push_str(line)),
        }
    }
    assert!(answers == said, "{told}");
    let noise = text(&output.stderr);
    let (_, damaged) = noise.split_once("cable noise: ").unwrap();
    let damaged: u32 = damaged.split(' ').next().unwrap().parse().unwrap();
    assert!(damaged >= 10, "{noise}");
    println!("wisp: noisy_chat_bytes_damaged {damaged} bytes");

    let output = wisp(&["chat", "--cable-noise", "0.5"], "");
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn manners_out_of_range_are_refused() {
    for (option, value) in [
        ("--talkativeness", "11"),
        ("--talkativeness", "nan"),
        ("--most-unanswered", "0"),
        ("--quiet", "22:00-22:00"),
    ] {
        let output = wisp(&["chat", "--port", "unix:/nowhere", option, value], "");
        assert_eq!(output.status.code(), Some(2), "{option} {value}");
        assert!(text(&output.stderr).contains(option));
    }
}
