//! `make-persona`: from an export to a persona that talks, gone on with after Ctrl-C, and refusals.
#![cfg(feature = "training")]
#![allow(clippy::unwrap_used, clippy::panic)]

use std::fmt::Write as _;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use model_format::{AlignedBytes, Model};

/// Two people who talk about small things. Our own writing, put together in many ways, because a
/// vocabulary needs different words.
const THINGS: [&str; 12] = [
    "lantern", "teapot", "umbrella", "bicycle", "sandwich", "snowman", "violin", "ladder",
    "cushion", "harbour", "marble", "pumpkin",
];
const DOINGS: [&str; 10] = [
    "found",
    "painted",
    "lost",
    "borrowed",
    "cleaned",
    "hid",
    "forgot",
    "carried",
    "mended",
    "described",
];

/// An export as JSON Lines, in a folder of its own.
fn export(folder: &Path) -> PathBuf {
    let exports = folder.join("exports");
    std::fs::create_dir(&exports).unwrap();
    let mut lines = String::new();
    let mut time = 1_600_000_000_000u64;
    for number in 0..200usize {
        let (thing, doing) = (THINGS[number % 12], DOINGS[number * 7 / 3 % 10]);
        let other = THINGS[number * 5 / 2 % 12];
        time += if number % 5 == 0 { 9_000_000 } else { 45_000 };
        let (sender, text) = match number % 3 {
            0 => ("Ada", format!("guess who {doing} the {thing} in week {}", number * 31 % 97)),
            1 => ("Moth", format!("not me, i only {doing} a {other} for you")),
            _ => ("Moth", format!("the {thing} and the {other} say hello, {} times", number % 41)),
        };
        let record =
            serde_json::json!({"time": time, "sender": sender, "text": text, "chat": "hut"});
        writeln!(lines, "{record}").unwrap();
    }
    std::fs::write(exports.join("chats.jsonl"), lines).unwrap();
    exports
}

fn make(exports: &Path, output: &Path, more: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_wisp-model"));
    command.arg("make-persona").arg(exports).arg("-o").arg(output).args(["--name", "Moth"]);
    command
        .args(["--preset", "tiny", "--tokens", "0.02", "--vocabulary", "320"])
        .args(["--conversations", "2"])
        .args(more);
    command.output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn one_command_makes_a_persona_and_the_same_command_goes_on() {
    let place = tempfile::tempdir().unwrap();
    let exports = export(place.path());
    let folder = place.path().join("moth");
    let output = make(&exports, &folder, &[]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let page = text(&output.stdout);
    for part in ["== 1/9", "== 9/9", "wisp-model train", "Moth is made", "wisp load --persona"] {
        assert!(page.contains(part), "{part} is not in: {page}");
    }
    let file = AlignedBytes::read(folder.join("persona.wisp")).unwrap();
    let model = Model::open(&file).unwrap();
    assert_eq!(model.persona().name, "Moth");
    assert!(model.persona().provenance.source.contains("chats ("));
    assert_eq!(model.persona().sampler.temperature_milli, 600);
    let trained = std::fs::read_to_string(folder.join("model/wisp.json")).unwrap();
    assert!(trained.contains("\"temperature_milli\": 600"), "{trained}");

    // What is there stays; what is missing is made again, and with it what is made of it.
    let persona = std::fs::read(folder.join("persona.wisp")).unwrap();
    std::fs::remove_file(folder.join("persona.wisp")).unwrap();
    let output = make(&exports, &folder, &[]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let page = text(&output.stdout);
    assert_eq!(page.matches("done before").count(), 4, "{page}");
    assert_eq!(std::fs::read(folder.join("persona.wisp")).unwrap(), persona);

    // New chats, and a dataset of the old ones: hours of work are not thrown away unasked.
    let chats = folder.join("chats/chats.jsonl");
    std::fs::copy(&chats, folder.join("copy")).unwrap();
    std::fs::rename(folder.join("copy"), &chats).unwrap();
    let output = make(&exports, &folder, &[]);
    assert!(!output.status.success());
    assert!(text(&output.stderr).contains("make::stale"), "{}", text(&output.stderr));

    let output = make(&exports, &folder, &["--format", "int8"]);
    assert!(!output.status.success());
    let said = text(&output.stderr);
    assert!(said.contains("begun with another --format"), "{said}");
    assert!(said.contains("wisp_model::make::other"), "{said}");
}

#[test]
fn a_step_that_fails_says_so_and_what_was_there_stays() {
    let place = tempfile::tempdir().unwrap();
    let exports = export(place.path());
    let taken = place.path().join("taken");
    std::fs::create_dir(&taken).unwrap();
    std::fs::write(taken.join("diary.txt"), "mine").unwrap();
    let said = text(&make(&exports, &taken, &[]).stderr);
    assert!(said.contains("wisp_model::make::used"), "{said}");
    assert_eq!(std::fs::read_dir(&taken).unwrap().count(), 1);

    // Nobody of that name: nothing is begun, and another try may give another name.
    let folder = place.path().join("other");
    for name in ["Zed", "Zod"] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_wisp-model"));
        command.arg("make-persona").arg(&exports).args(["--name", name]).arg("-o").arg(&folder);
        let output = command.output().unwrap();
        assert!(!output.status.success());
        let said = text(&output.stderr);
        assert!(said.contains(name) && !said.contains("make::other"), "{said}");
        assert!(!folder.join("chats").exists());
    }
}

#[cfg(unix)]
#[test]
fn ctrl_c_in_training_is_gone_on_with() {
    let place = tempfile::tempdir().unwrap();
    let (exports, folder) = (export(place.path()), place.path().join("moth"));
    let command = || {
        let mut command = Command::new(env!("CARGO_BIN_EXE_wisp-model"));
        command.arg("make-persona").arg(&exports).arg("-o").arg(&folder).args(["--name", "Moth"]);
        command.args(["--preset", "tiny", "--tokens", "0.03", "--vocabulary", "320"]);
        command.args(["--conversations", "1", "--format", "int8"]).stdout(Stdio::piped());
        command.stderr(Stdio::piped());
        command
    };
    let interrupt = |child: &std::process::Child| {
        let pid = child.id().to_string();
        assert!(Command::new("kill").args(["-INT", &pid]).status().unwrap().success());
    };
    let mut child = command().spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap().starts_with("step 1 of ")), "no progress is told");
    interrupt(&child);
    let said: String = lines.map(|line| line.unwrap() + "\n").collect();
    assert!(!child.wait().unwrap().success(), "it was not done");
    assert!(said.contains("wisp_model::make::stopped"), "{said}");
    assert!(folder.join("model/checkpoint.safetensors").exists());
    assert!(!folder.join("f32.wisp").exists());

    // It goes on, and stops after another step.
    let mut child = command().spawn().unwrap();
    let mut page = String::new();
    for line in BufReader::new(child.stdout.take().unwrap()).lines() {
        page += &(line.unwrap() + "\n");
        if page.lines().next_back().is_some_and(|line| line.starts_with("== 6/9")) {
            interrupt(&child);
        }
    }
    assert!(!child.wait().unwrap().success(), "it was not done");
    assert!(page.contains("--resume"), "{page}");
    assert_eq!(page.matches("done before").count(), 2, "{page}");
    assert!(!folder.join("model/checkpoint.safetensors").exists());
    assert!(folder.join("persona.wisp").exists() && !folder.join("eval.txt").exists());
}

/// Begins to make a persona of these chats and ends it as soon as it comes to this step; what it
/// said until then.
#[cfg(unix)]
fn make_until(step: &str, exports: &Path, folder: &Path, more: &[&str]) -> String {
    let mut child = Command::new(env!("CARGO_BIN_EXE_wisp-model"))
        .arg("make-persona")
        .args([exports, Path::new("-o"), folder])
        .args(["--name", "Moth", "--tokens", "0.01"])
        .args(more)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut page = String::new();
    for line in BufReader::new(child.stdout.take().unwrap()).lines() {
        let line = line.unwrap();
        page += &format!("{line}\n");
        // Its command stands in the line behind.
        if page.contains(step) && !line.contains(step) {
            break;
        }
    }
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(page.contains(step), "{page}");
    page
}

#[cfg(unix)]
#[test]
fn english_chats_begin_with_the_base_and_keep_its_licences() {
    let place = tempfile::tempdir().unwrap();
    let (exports, folder) = (export(place.path()), place.path().join("moth"));
    let page = make_until("== 4/9", &exports, &folder, &[]);
    assert!(page.contains("wisp-model base -o ") && page.contains(" --like "), "{page}");
    let train = page.lines().last().unwrap();
    assert!(train.starts_with("wisp-model train") && train.contains("/base "), "{train}");
    let tokens = |part: &str| std::fs::read(folder.join(part).join("tokenizer.json")).unwrap();
    assert!(tokens("base") == tokens("dataset"), "the dataset has other tokens than the base");
    let about = std::fs::read_to_string(folder.join("dataset/dataset.json")).unwrap();
    assert!(about.contains("Self-dialogue Corpus"), "licences of the base are lost");

    let page = make_until("== 4/9", &exports, &place.path().join("alone"), &["--from-nothing"]);
    assert!(page.contains("not wanted, as --from-nothing says"), "{page}");
    assert!(!page.contains("--like") && !page.lines().last().unwrap().contains("--from"), "{page}");
}

#[cfg(unix)]
#[test]
fn a_persona_that_exists_is_gone_on_with() {
    const PERSONA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../models/wisp-3m.wisp");
    let place = tempfile::tempdir().unwrap();
    let (exports, folder) = (export(place.path()), place.path().join("moth"));
    let mut missing = Command::new(env!("CARGO_BIN_EXE_wisp-model"));
    missing.arg("make-persona").arg(&exports).args(["--from", "/nowhere/a.wisp", "-o"]);
    let said = text(&missing.arg(&folder).output().unwrap().stderr);
    assert!(said.contains("wisp_model::make::from") && !folder.exists(), "{said}");

    let page = make_until("== 4/9", &exports, &folder, &["--from", PERSONA]);
    assert!(page.contains("wisp-model export hf ") && page.contains(" --like "), "{page}");
    let train = page.lines().last().unwrap();
    assert!(train.starts_with("wisp-model train") && train.contains("/base "), "{train}");
    let tokens = |part: &str| std::fs::read(folder.join(part).join("tokenizer.json")).unwrap();
    assert!(tokens("base") == tokens("dataset"), "the dataset has other tokens");
    let about = |file: &str| std::fs::read_to_string(folder.join(file)).unwrap();
    let base: serde_json::Value = serde_json::from_str(&about("base/wisp.json")).unwrap();
    assert_eq!(base["name"], "Wisp", "another model");
    let dataset = about("dataset/dataset.json");
    assert!(dataset.contains("Self-dialogue Corpus"), "licences of the persona are lost");
    assert!(dataset.contains("Moth") && !dataset.contains("\"Wisp\""), "{dataset}");
}

#[cfg(unix)]
#[test]
fn chats_in_another_language_begin_with_nothing() {
    const SAID: [&str; 5] = [
        "kommst du heute noch vorbei? ich habe kuchen gebacken",
        "keine ahnung, der zug steht schon wieder irgendwo im nirgendwo",
        "dann eben morgen, ich stelle dir etwas zur seite",
        "du bist die beste, wirklich. wie war deine woche?",
        "anstrengend, aber am wochenende fahren wir endlich ans meer",
    ];
    let place = tempfile::tempdir().unwrap();
    let exports = place.path().join("exports");
    std::fs::create_dir(&exports).unwrap();
    let mut lines = String::new();
    for number in 0..300usize {
        let record = serde_json::json!({
            "time": 1_600_000_000_000u64 + number as u64 * 3_000_000,
            "sender": if number % 2 == 0 { "Ada" } else { "Moth" },
            "text": format!("{} ({})", SAID[number % 5], number * 37),
            "chat": "hütte",
        });
        writeln!(lines, "{record}").unwrap();
    }
    std::fs::write(exports.join("chats.jsonl"), lines).unwrap();
    let page = make_until("== 3/9", &exports, &place.path().join("moth"), &[]);
    assert!(page.contains("not wanted, the chats do not look English"), "{page}");
    assert!(!page.contains("--like"), "{page}");
}
