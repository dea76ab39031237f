//! A disk that is full: no file may get larger than a limit, and the write that would is refused.
#![allow(dead_code, clippy::unwrap_used)] // Each test program uses a part.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Output, Stdio};

/// `wisp-model` with files of at most so many blocks of 512 bytes. The write that crosses that line
/// is cut there and the next refused, as on a disk that fills up (with EFBIG for ENOSPC).
pub fn limited(place: &Path, blocks: u64, arguments: &[&str]) -> Command {
    let mut command = Command::new("sh");
    // Without the trap, the program would be killed.
    let script = r#"trap '' XFSZ; ulimit -f "$0"; exec "$@""#;
    command.current_dir(place).args(["-c", script, &blocks.to_string()]);
    command.arg(env!("CARGO_BIN_EXE_wisp-model")).args(arguments).stdin(Stdio::null());
    command
}

/// Every file below a folder with its bytes, and every folder.
pub fn everything(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        if path.is_dir() {
            let inside = everything(&path).into_iter();
            found.extend(inside.map(|(inner, bytes)| (format!("{name}/{inner}"), bytes)));
            found.insert(name + "/", Vec::new());
        } else {
            found.insert(name, std::fs::read(&path).unwrap());
        }
    }
    found
}

/// Limits from nothing at all, each twice the one before.
pub fn limits() -> impl Iterator<Item = u64> {
    std::iter::once(0).chain((0..20).map(|power| 1 << power))
}

/// What it said, without miette's frame and line breaks.
pub fn said(output: &Output) -> String {
    let said = String::from_utf8_lossy(&output.stderr);
    let words = said.split_whitespace().filter(|it| !["│", "╰─▶", "×"].contains(it));
    words.collect::<Vec<_>>().join(" ")
}

/// Asserts that a run failed because something could not be written, with a code and a next step.
pub fn assert_refused(output: &Output, code: &str) {
    let said = said(output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    for part in ["cannot write ", code, "help: ", "space"] {
        assert!(said.contains(part), "{part} is not in: {said}");
    }
    assert!(!said.contains(".tmp") && !said.contains(".wisp-"), "nobody knows it: {said}");
}

/// Names of two kinds of files that are not complete: a file's, and a folder's.
pub fn is_temporary(name: &str) -> bool {
    name.split('/').any(|part| part.starts_with(".tmp") || part.starts_with(".wisp-"))
}
