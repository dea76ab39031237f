//! `wisp-model train` as a person runs it: Ctrl-C, going on, LoRA, and what it says when it cannot.
#![cfg(feature = "training")]
#![allow(clippy::unwrap_used, clippy::panic)]

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// A tiny model with a dataset that fits it.
fn fixture() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates/training/tests/fixture")
}

fn train(arguments: &[&str], output: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_wisp-model"));
    command.arg("train").arg(fixture()).arg("-o").arg(output).args(arguments);
    command
}

/// From the model in the fixture, `millions` of tokens in steps of 96.
fn from_fixture(millions: &str) -> Vec<String> {
    let fixture = fixture().display().to_string();
    let options = ["--from", &fixture, "--batch", "4", "--tokens", millions, "--evaluations", "3"];
    options.map(str::to_owned).to_vec()
}

fn run(arguments: &[String], output: &Path) -> Output {
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    train(&arguments, output).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn a_model_that_is_gone_on_with_sees_16_rows_in_a_step() {
    let place = tempfile::tempdir().unwrap();
    let fixture = fixture().display().to_string();
    let steps = |name: &str, more: &[&str]| {
        let given = [&["--from", &fixture, "--tokens", "0.00768"], more].concat();
        let output = train(&given, &place.path().join(name)).output().unwrap();
        let page = text(&output.stdout);
        page.rsplit_once("after ").and_then(|(_, end)| Some(end.split_once(' ')?.0.to_owned()))
    };
    // A row has 24 tokens.
    assert_eq!(steps("usual", &[]).as_deref(), Some("20"));
    assert_eq!(steps("given", &["--batch", "8"]).as_deref(), Some("40"));
}

#[cfg(unix)]
#[test]
fn ctrl_c_and_resume_end_with_the_model_of_an_uninterrupted_run() {
    let place = tempfile::tempdir().unwrap();
    let (whole, parts) = (place.path().join("whole"), place.path().join("parts"));
    let arguments = from_fixture("0.02");
    let output = run(&arguments, &whole);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let page = text(&output.stdout);
    assert!(page.contains("bits per byte of the chats held back"), "{page}");
    assert!(page.contains("nats per token: . training, o chats held back"), "{page}");

    let given: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let mut child =
        train(&given, &parts).stderr(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap().starts_with("step 1 of ")), "no progress is told");
    let pid = child.id().to_string();
    assert!(Command::new("kill").args(["-INT", &pid]).status().unwrap().success());
    lines.for_each(drop);
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    let page = text(&output.stdout);
    assert!(page.contains("stopped after step") && page.contains("--resume"), "{page}");
    assert!(parts.join("checkpoint.safetensors").exists());

    let output = train(&["--resume"], &parts).output().unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert!(text(&output.stderr).contains("goes on after step"));
    let model = |folder: &Path| std::fs::read(folder.join("model.safetensors")).unwrap();
    assert!(model(&whole) == model(&parts), "the models differ");
    assert!(!parts.join("checkpoint.safetensors").exists());
}

#[test]
fn lora_tells_how_little_it_trains() {
    let place = tempfile::tempdir().unwrap();
    let output = place.path().join("model");
    let mut arguments = from_fixture("0.002");
    arguments.extend(["--lora", "2", "--lora-targets", "q_proj,v_proj"].map(str::to_owned));
    let result = run(&arguments, &output);
    assert!(result.status.success(), "{}", text(&result.stderr));
    // Two layers, each 2·(32 + 32) for the queries and 2·(32 + 16) for the values.
    assert!(text(&result.stderr).contains(", 448 of them trained"), "{}", text(&result.stderr));
    let wisp = std::fs::read_to_string(output.join("wisp.json")).unwrap();
    assert!(wisp.contains("LoRA of rank 2 trained for"), "{wisp}");
}

#[test]
fn what_cannot_be_trained_is_refused_with_a_code_and_nothing_written() {
    let place = tempfile::tempdir().unwrap();
    let output = place.path().join("model");
    let fixture = fixture().display().to_string();
    let cases: [(&[&str], &str); 7] = [
        // A run is resumed with the options it was begun with.
        (&["--resume", "--minutes", "9"], "cannot be used with"),
        (&["--resume", "--preset", "3M"], "cannot be used with"),
        (&["--resume"], "wisp_model::train::nothing_to_resume"),
        (&["--preset", "tiny", "--lr", "7"], "wisp_model::train::options"),
        (&["--from", "/nowhere"], "wisp_model::train::read"),
        (
            &["--from", &fixture, "--lora", "2", "--lora-targets", "c_proj"],
            "wisp_model::train::options",
        ),
        (&["--lora", "2"], "--from"),
    ];
    for (arguments, wanted) in cases {
        let result = train(arguments, &output).output().unwrap();
        assert!(!result.status.success());
        assert!(text(&result.stderr).contains(wanted), "{wanted}: {}", text(&result.stderr));
        assert!(!output.exists(), "{arguments:?} wrote something");
    }
    let result = Command::new(env!("CARGO_BIN_EXE_wisp-model"))
        .args(["train", "/", "-o"])
        .arg(&output)
        .output()
        .unwrap();
    let message = text(&result.stderr);
    assert!(
        message.contains("wisp_model::train::") && message.contains("dataset.json"),
        "{message}"
    );
    assert!(!output.exists());
}
