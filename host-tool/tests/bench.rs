//! `wisp bench` as a board's owner runs it: the real command, a real emulated board, the files.
#![allow(clippy::unwrap_used, clippy::panic)] // Helpers of tests are tests to us, not to clippy.

#[path = "common/board.rs"]
mod board;

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use board::{Board, Manner, Quirks, Script};
use link::message::Role;
use serde_json::Value;
use wisp::board::{Artefacts, QEMU};
use wisp::image::PERSONA_ADDRESS;

/// How long anything may take here: emulated, on a machine that does other things too.
const PATIENCE: Duration = Duration::from_secs(180);

const PROMPTS: &str = "{\"name\": \"secret\", \"text\": \"Once upon a xylophone\"}\n\
                       {\"name\": \"in a chat\", \"messages\": [\"Once there was\", \"One day\"]}\n";

fn wisp() -> Command {
    Command::new(env!("CARGO_BIN_EXE_wisp"))
}

/// What `wisp bench` says to this.
fn bench(folder: &Path, arguments: &[&str]) -> Output {
    wisp().arg("bench").args(arguments).current_dir(folder).output().unwrap()
}

fn told(output: &Output) -> String {
    let text = [&output.stdout[..], &output.stderr].concat();
    // Long lines are wrapped.
    String::from_utf8(text).unwrap().split_whitespace().collect::<Vec<_>>().join(" ")
}

fn json(path: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

fn lines(path: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(path).unwrap();
    assert!(text.is_empty() || text.ends_with('\n'), "{} ends in half a line", path.display());
    text.lines().map(String::from).collect()
}

/// A program that runs; Ctrl-C ends it with this value, so that it takes QEMU along.
struct Running(Child);

impl Running {
    fn interrupt(&self) {
        let _ = Command::new("kill")
            .args(["-INT", &self.0.id().to_string()])
            .stderr(Stdio::null())
            .status();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.interrupt();
        let _ = self.0.wait();
    }
}

/// A persona that answers every message.
fn persona() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/personas/stories260K-fp8.wisp")
}

/// Arguments of `wisp` for a board that has the persona in memory from the start, as the Pi's boot
/// stage can put it there; `None`, with a word, when something was not built or is not installed.
fn board_arguments() -> Option<Vec<String>> {
    let must_run = std::env::var_os("WISP_REQUIRE_ALL").is_some();
    let artefacts = Artefacts::discover();
    if let Err(missing) = artefacts.bootloader().and(artefacts.firmware()) {
        assert!(!must_run, "{missing}");
        println!("skipped: {missing}");
        return None;
    }
    let persona = persona();
    if !persona.is_file() {
        assert!(!must_run, "no {}", persona.display());
        println!("skipped: no {} (make personas)", persona.display());
        return None;
    }
    if Command::new(QEMU).arg("--version").stdout(Stdio::null()).status().is_err() {
        assert!(!must_run, "no {QEMU}");
        println!("skipped: no {QEMU} here (apt install qemu-system-arm)");
        return None;
    }
    let loader =
        format!("loader,file={},addr={PERSONA_ADDRESS:#x},force-raw=on", persona.display());
    Some(vec!["--qemu-arg=-device".into(), format!("--qemu-arg={loader}")])
}

fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < PATIENCE, "never {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// The columns of every row, by name.
fn csv(path: &Path) -> Vec<std::collections::BTreeMap<String, String>> {
    let lines = lines(path);
    let names: Vec<_> = lines[0].split(',').collect();
    let row = |line: &String| {
        let cells: Vec<_> = line.split(',').collect();
        assert_eq!(cells.len(), names.len(), "{line}");
        names.iter().zip(cells).map(|(name, cell)| ((*name).into(), cell.into())).collect()
    };
    lines[1..].iter().map(row).collect()
}

#[test]
fn an_emulated_board_is_measured_and_two_runs_are_compared() {
    let Some(board) = board_arguments() else { return };
    let place = tempfile::tempdir().unwrap();
    let folder = place.path();
    std::fs::write(folder.join("prompts.jsonl"), PROMPTS).unwrap();
    let socket = folder.join("line");
    let bare = wisp()
        .args(["qemu", "--bare", "--socket"])
        .arg(&socket)
        .args(&board)
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let _bare = Running(bare);
    wait_until("a board", || socket.exists());
    let port = format!("--port=unix:{}", socket.display());
    let common = ["--prompts=prompts.jsonl", "--repeats=2", "--warm-up=1", "--max-tokens=6"];

    // The first run loads what is to be measured, the second takes what the board has.
    let artefacts = Artefacts::discover();
    let named = |option: &str, path: PathBuf| format!("--{option}={}", path.display());
    let firmware = named("firmware", artefacts.firmware().unwrap());
    let persona = named("persona", persona());
    let first = [&port, &firmware, &persona, "--output=first", "--plot"];
    let output = bench(folder, &[&first, &common[..]].concat());
    assert!(output.status.success(), "{}", told(&output));
    assert!(told(&output).contains("emulated: these seconds are QEMU's"), "{}", told(&output));
    let second = [port.as_str(), "--output=second", "--include-text"];
    let output = bench(folder, &[&second, &common[..]].concat());
    assert!(output.status.success(), "{}", told(&output));

    for run in ["first", "second"] {
        let run = folder.join(run);
        let rows = csv(&run.join("cases.csv"));
        assert_eq!(rows.len(), 4);
        let order: Vec<_> = rows.iter().map(|row| (&row["case"][..], &row["repeat"][..])).collect();
        assert_eq!(
            order,
            [("secret", "1"), ("in a chat", "1"), ("secret", "2"), ("in a chat", "2")]
        );
        for row in &rows {
            assert_eq!(row["outcome"], "answered");
            for measure in [
                "prompt_tokens",
                "reply_tokens",
                "read_ms",
                "board_first_token_ms",
                "host_first_token_ms",
                "decode_tokens_per_second",
                "heap_used_bytes",
            ] {
                assert!(row[measure].parse::<f64>().unwrap() > 0.0, "{measure} of {row:?}");
            }
            assert!(row["reply_tokens"].parse::<u32>().unwrap() <= 6);
        }
        // No dice: a repeat reads and writes the same tokens.
        for (one, other) in [(0, 2), (1, 3)] {
            for same in ["prompt_tokens", "reply_tokens", "decode_tokens", "context_used_tokens"] {
                assert_eq!(rows[one][same], rows[other][same], "{same}");
            }
        }
        let json_rows: Vec<Value> = lines(&run.join("cases.jsonl"))
            .iter()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        assert_eq!(json_rows.len(), rows.len());
        for (row, json) in rows.iter().zip(&json_rows) {
            assert_eq!(row["case"], json["case"].as_str().unwrap());
            assert_eq!(row["read_ms"].parse::<f64>().unwrap(), json["read_ms"].as_f64().unwrap());
        }
        let summary = json(&run.join("summary.json"));
        assert_eq!((&summary["state"], &summary["rows"]), (&"complete".into(), &4.into()));
        assert_eq!(summary["cases"][0]["group"]["answered"], 2);
        let overall = &summary["overall"]["measures"]["decode_tokens_per_second"];
        assert!(overall["min"].as_f64() <= overall["median"].as_f64());
        assert_eq!(overall["count"], 4);
        let facts = json(&run.join("run.json"));
        assert_eq!(facts["board"]["is_emulated"], true);
        assert_eq!(facts["board"]["port"], "unix socket");
        assert_eq!(facts["persona"]["digest"].as_str().unwrap().len(), 64);
        assert_eq!(facts["options"]["prompts"], "prompts.jsonl");
    }

    // Only the first knew the persona's file and the firmware's ELF file.
    let facts = |run: &str| json(&folder.join(run).join("run.json"))["persona"].clone();
    assert_eq!(facts("first")["digest"], facts("second")["digest"]);
    assert!(facts("first")["file"]["parameters"].as_u64().unwrap() > 0);
    assert_eq!(facts("second")["file"], Value::Null);
    let log = std::fs::read_to_string(folder.join("first/device.log")).unwrap();
    assert!(log.contains("persona of "), "{log}");
    assert!(log.contains("(main.rs:"), "{log}");
    let log = std::fs::read_to_string(folder.join("second/device.log")).unwrap();
    assert!(log.contains("not decoded"), "{log}");
    assert!(
        std::fs::read_to_string(folder.join("first/plot.svg")).unwrap().contains(">secret</text>")
    );
    assert!(!folder.join("second/plot.svg").exists());

    // What was said is in no file but the one that was asked for, and no folder of this computer.
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().display().to_string();
    for entry in std::fs::read_dir(folder.join("first")).unwrap() {
        let text = std::fs::read_to_string(entry.unwrap().path()).unwrap();
        assert!(!text.contains("xylophone"), "{text}");
        assert!(!text.contains(&workspace), "{text}");
        assert!(!text.contains(place.path().to_str().unwrap()), "{text}");
    }
    let rows = lines(&folder.join("second/cases.jsonl"));
    assert!(rows[0].contains("xylophone"));
    let reply = |row: usize| serde_json::from_str::<Value>(&rows[row]).unwrap()["reply"].clone();
    assert_eq!((reply(0), reply(1)), (reply(2), reply(3)));

    let output = bench(folder, &["--compare", "first", "second"]);
    assert!(output.status.success());
    let told = told(&output);
    assert!(told.contains("change") && told.contains("secret") && told.contains(" %"), "{told}");
    assert!(!told.contains("not the same"), "{told}");
}

#[test]
fn ctrl_c_keeps_what_was_measured() {
    if board_arguments().is_none() {
        return;
    }
    let place = tempfile::tempdir().unwrap();
    let run = place.path().join("run");
    let process = wisp()
        .args([
            "bench",
            "--qemu",
            "--instructions",
            "--repeats=100000",
            "--warm-up=0",
            "--max-tokens=4",
            "--output",
        ])
        .arg(&run)
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut running = Running(process);
    let rows = || std::fs::read_to_string(run.join("cases.csv")).unwrap_or_default();
    wait_until("three rows", || {
        assert!(running.0.try_wait().unwrap().is_none(), "it ended by itself");
        rows().lines().count() > 3
    });
    running.interrupt();
    let stderr = std::io::read_to_string(running.0.stderr.take().unwrap()).unwrap();
    assert!(!running.0.wait().unwrap().success());
    assert!(stderr.contains("wisp::bench::interrupted"), "{stderr}");

    let rows = csv(&run.join("cases.csv"));
    let summary = json(&run.join("summary.json"));
    assert_eq!(summary["state"], "interrupted");
    assert_eq!(json(&run.join("run.json"))["options"]["instructions"], true);
    assert_eq!(summary["rows"], rows.len());
    assert_eq!(lines(&run.join("cases.jsonl")).len(), rows.len());
    assert!(summary["wanted"].as_u64().unwrap() > rows.len() as u64);
}

#[test]
fn what_is_wrong_is_told_before_a_board_is_touched() {
    let place = tempfile::tempdir().unwrap();
    let folder = place.path();
    std::fs::write(folder.join("bad.jsonl"), "{\"text\": \"a\"}\n{\"txt\": \"b\"}\n").unwrap();
    std::fs::create_dir(folder.join("taken")).unwrap();
    for (arguments, code, words) in [
        (&["--prompts=bad.jsonl"][..], "wisp::bench::prompts", "bad.jsonl, line 2: unknown field"),
        (&["--prompts=none.jsonl"], "wisp::file::read", "none.jsonl"),
        (&["--output=taken"], "wisp::bench::output", "never overwritten"),
        (&["--firmware=none.elf"], "wisp::file::read", "none.elf"),
        (&["--compare", "taken", "taken"], "wisp::bench::folder", "run.json"),
        (&["--repeats=0"], "", "--repeats"),
        (&["--temperature=hot"], "", "no number"),
        (&["--qemu", "--port=tcp:a:1"], "", "cannot be used with"),
        (&["--bootloader=x"], "", "for --qemu"),
        (&["--instructions"], "", "--qemu"),
    ] {
        let output = bench(folder, arguments);
        let told = told(&output);
        assert!(!output.status.success(), "{arguments:?} did not fail");
        assert!(told.contains(code) && told.contains(words), "{arguments:?} told {told}");
        assert!(!told.contains("panicked"), "{told}");
    }
    let left: Vec<_> =
        std::fs::read_dir(folder).unwrap().map(|it| it.unwrap().file_name()).collect();
    assert_eq!(left.len(), 2, "{left:?}");
}

/// A board that follows a script, measured: one case, two repeats.
fn scripted(quirks: Quirks) -> (Output, tempfile::TempDir) {
    let place = tempfile::tempdir().unwrap();
    std::fs::write(place.path().join("prompts.jsonl"), "{\"text\": \"Hello\"}\n").unwrap();
    let script =
        Script { role: Role::Firmware, persona: [7; 32], is_loaded: true, can_start: true };
    let _board = Board::start_with(&place.path().join("line"), script, quirks);
    let port = format!("--port=unix:{}", place.path().join("line").display());
    // One that never answers need not be waited for long.
    let patience = if quirks.has_no_figures { "--patience=1" } else { "--patience=60" };
    let output = bench(
        place.path(),
        &[&port, "--prompts=prompts.jsonl", "--repeats=2", "--warm-up=0", patience, "--output=run"],
    );
    (output, place)
}

/// Outcome, time to the first token and writing speed of every repeat.
fn outcomes(manner: Manner) -> Vec<[String; 3]> {
    let (output, place) = scripted(Quirks { manner, ..Quirks::default() });
    assert!(output.status.success(), "{}", told(&output));
    let columns = ["outcome", "board_first_token_ms", "decode_tokens_per_second"];
    let rows = csv(&place.path().join("run/cases.csv"));
    rows.iter().map(|row| columns.map(|column| row[column].clone())).collect()
}

#[test]
fn every_manner_of_a_persona_ends_and_is_called_what_it_is() {
    let row = |cells: [&str; 3]| cells.map(String::from);
    let answered = row(["answered", "0.35", "10000.0"]);
    assert_eq!(outcomes(Manner::Answers), [answered.clone(), answered.clone()]);
    let forced = row(["forced", "", "10000.0"]);
    assert_eq!(outcomes(Manner::Waits), [forced.clone(), forced]);
    let silent = row(["silent", "", ""]);
    assert_eq!(outcomes(Manner::Silent), [silent.clone(), silent]);
    // It is given the conversation back, and the next repeat is one like any other.
    let disturbed = row(["disturbed", "", ""]);
    assert_eq!(outcomes(Manner::Restarts), [disturbed.clone(), answered.clone()]);
    assert_eq!(outcomes(Manner::Bursts), [answered.clone(), answered.clone()]);
    assert_eq!(outcomes(Manner::Refuses), [disturbed, answered]);
}

#[test]
fn of_several_messages_in_a_row_the_first_is_measured() {
    let place = tempfile::tempdir().unwrap();
    let prompts = "{\"messages\": [\"one\", \"two\", \"three\"]}\n{\"text\": \"four\"}\n";
    std::fs::write(place.path().join("prompts.jsonl"), prompts).unwrap();
    let script =
        Script { role: Role::Firmware, persona: [7; 32], is_loaded: true, can_start: true };
    let quirks = Quirks { manner: Manner::Bursts, ..Quirks::default() };
    let board = Board::start_with(&place.path().join("line"), script, quirks);
    let port = format!("--port=unix:{}", place.path().join("line").display());
    let options = ["--prompts=prompts.jsonl", "--repeats=2", "--warm-up=1", "--include-text"];
    let output = bench(place.path(), &[&[&port, "--output=run"], &options[..]].concat());
    assert!(output.status.success(), "{}", told(&output));
    let rows: Vec<Value> = lines(&place.path().join("run/cases.jsonl"))
        .iter()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let replies: Vec<_> = rows.iter().map(|row| row["reply"].as_str().unwrap()).collect();
    let expected = ["You said three", "You said four"];
    assert_eq!(replies, [expected, expected].concat());
    for row in &rows {
        assert_eq!((&row["outcome"], &row["reply_tokens"]), (&"answered".into(), &3.into()));
        // Also where the board has counted some of the next one already.
        assert_eq!((&row["decode_tokens"], &row["decode_ms"]), (&3.into(), &0.3.into()));
    }
    // Three rounds of four messages, and after each the board was told to leave it at that.
    assert_eq!(board.heard_of("Stop").len(), 12);
}

#[test]
fn a_board_that_cannot_be_measured_is_an_error_with_advice() {
    for (quirks, code) in [
        (Quirks { is_old: true, ..Quirks::default() }, "wisp::bench::old_firmware"),
        (Quirks { has_no_figures: true, ..Quirks::default() }, "wisp::bench::silent"),
    ] {
        let (output, place) = scripted(quirks);
        assert!(!output.status.success());
        assert!(told(&output).contains(code), "{}", told(&output));
        assert!(!place.path().join("run").exists(), "an empty folder was left");
    }
}
