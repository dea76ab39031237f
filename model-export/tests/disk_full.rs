//! A full disk: every verb that writes says so, and what was there before is there still, whole.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::panic)]

mod common;
#[path = "common/full_disk.rs"]
mod full_disk;
#[path = "common/prepared.rs"]
mod prepared;
#[path = "common/small.rs"]
mod small;

use std::path::Path;

use common::stories;
use full_disk::{assert_refused, everything, limited, limits};
use prepared::{Place, chat};

const CODE: &str = "wisp_model::file::write";

/// Chats of two people, and a persona that learnt their alphabet: `chats.jsonl` and `p.wisp`.
fn place() -> Place {
    Place::new(&chat("moor", 40), &[], 64)
}

/// Runs a verb with ever more room until there is enough: before that it fails and nothing changes.
/// How often it failed.
fn refused(folder: &Path, arguments: &[&str]) -> usize {
    let before = everything(folder);
    for (failed, blocks) in limits().enumerate() {
        let output = limited(folder, blocks, arguments).output().unwrap();
        if output.status.success() {
            return failed;
        }
        assert_refused(&output, CODE);
        let after = everything(folder);
        let names: Vec<_> = after.keys().collect();
        assert!(after == before, "{blocks} blocks: {arguments:?} left {names:?}");
    }
    panic!("{arguments:?} never had enough room");
}

/// The same where nothing is there yet, and then where these files are.
fn survives(folder: &Path, arguments: &[&str], files: &[&str]) {
    assert!(refused(folder, arguments) > 1, "{arguments:?} writes too little to show anything");
    let made: Vec<_> = files.iter().map(|file| std::fs::read(folder.join(file)).unwrap()).collect();
    files.iter().for_each(|file| std::fs::write(folder.join(file), "older").unwrap());
    refused(folder, arguments);
    for (file, made) in files.iter().zip(made) {
        assert!(std::fs::read(folder.join(file)).unwrap() == made, "{file} is not the same again");
    }
}

#[test]
fn ingest_and_prepare() {
    let place = place();
    let folder = place.folder.path();
    let exports = ["ingest", "chats.jsonl", "--persona", "Moth", "-o", "new/clean"];
    let files = ["new/clean/chats.jsonl", "new/clean/report.html", "new/clean/report.json"];
    survives(folder, &exports, &files);
    let prepare = ["prepare", "--chats", "new/clean", "--persona", "Moth", "--vocabulary", "290"];
    assert!(refused(folder, &[&prepare[..], &["-o", "packed"]].concat()) > 1);
}

#[test]
fn import_and_export() {
    let place = place();
    let folder = place.folder.path();
    let (bin, tok) = (stories("stories260K.bin"), stories("tok512.bin"));
    let import = ["import", "llama2c", bin.to_str().unwrap(), "--tokenizer", tok.to_str().unwrap()];
    survives(folder, &[&import[..], &["-o", "s.wisp"]].concat(), &["s.wisp"]);
    let llama2c = ["export", "llama2c", "s.wisp", "-o", "s.bin", "--tokenizer", "s.tok"];
    survives(folder, &llama2c, &["s.bin", "s.tok"]);
    survives(folder, &["export", "gguf", "p.wisp", "-o", "p.gguf"], &["p.gguf"]);
    assert!(refused(folder, &["export", "hf", "p.wisp", "-o", "hf"]) > 1);
    assert!(refused(folder, &["base", "-o", "base"]) > 1);
    for [from, what, to] in [["hf", "hf", "h.wisp"], ["gguf", "p.gguf", "g.wisp"]] {
        survives(folder, &["import", from, what, "-o", to], &[to]);
    }
}

#[test]
fn quantise_prune_and_sample() {
    let place = place();
    let folder = place.folder.path();
    let chats = ["--chats", "chats.jsonl", "--persona", "Moth", "--tokens", "500"];
    let quantise = ["quantise", "p.wisp", "--format", "int8", "-o", "q.wisp"];
    survives(folder, &quantise, &["q.wisp"]);
    survives(folder, &[&quantise[..], &chats].concat(), &["q.wisp"]);
    let prune = ["prune", "p.wisp", "--keep", "70%", "--multiple", "4", "-o", "r.wisp"];
    survives(folder, &[&prune[..], &chats].concat(), &["r.wisp"]);
    let sample = ["sample", "p.wisp", "--conversations", "8", "-o", "s.md"];
    survives(folder, &sample, &["s.md"]);
}

#[test]
fn memory_report() {
    let place = place();
    let chats = ["memory-report", "p.wisp", "--chats", "chats.jsonl", "--persona", "Moth"];
    let few = ["--messages", "20", "--words", "9", "--replies", "5", "-o", "new/memory"];
    let files = ["new/memory/memory.html", "new/memory/memory.json", "new/memory/remember.jsonl"];
    survives(place.folder.path(), &[&chats[..], &few].concat(), &files);
}

#[cfg(target_os = "linux")]
#[test]
fn a_device_is_not_replaced_by_a_file_and_a_full_one_is_told() {
    use std::fs::File;
    use std::os::unix::fs::FileTypeExt;

    let place = place();
    let folder = place.folder.path();
    for arguments in [
        &["quantise", "p.wisp", "--format", "int8", "-o", "/dev/full"][..],
        &["sample", "p.wisp", "--conversations", "1", "-o", "/dev/full"],
        &["export", "gguf", "p.wisp", "-o", "/dev/full"],
    ] {
        let output = limited(folder, 1 << 20, arguments).output().unwrap();
        assert_refused(&output, CODE);
        let is_there = std::fs::metadata("/dev/full").unwrap();
        assert!(is_there.file_type().is_char_device(), "{arguments:?} replaced it");
    }
    for arguments in [
        &["inspect", "p.wisp"][..],
        &["inspect", "p.wisp", "--json"],
        &["eval", "p.wisp", "--chats", "chats.jsonl", "--persona", "Moth"],
    ] {
        let full = File::options().write(true).open("/dev/full").unwrap();
        let output = limited(folder, 1 << 20, arguments).stdout(full).output().unwrap();
        assert_refused(&output, CODE);
    }
}
