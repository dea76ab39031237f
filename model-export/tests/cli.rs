//! The tool as a user meets it: what it prints, and that a failure leaves nothing behind.
#![allow(clippy::unwrap_used)]

mod common;

use std::path::Path;
use std::process::{Command, Output};

use common::{checkpoint, stories};

fn wisp_model(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_wisp-model"));
    command.current_dir(folder).args(arguments).output().unwrap()
}

/// Runs a command that must work.
fn works(folder: &Path, arguments: &[&str]) -> String {
    let output = wisp_model(folder, arguments);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// Runs a command that must fail: its message without the frame and line breaks.
fn fails(folder: &Path, arguments: &[&str]) -> String {
    let output = wisp_model(folder, arguments);
    assert_eq!(output.status.code(), Some(1), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.stdout, b"");
    let message = String::from_utf8(output.stderr).unwrap();
    let words = message.split_whitespace().filter(|word| *word != "│" && *word != "╰─▶");
    words.collect::<Vec<_>>().join(" ")
}

fn files(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    let mut names: Vec<_> =
        entries.map(|it| it.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn import<'a>(checkpoint: &'a str, tokenizer: &'a str, output: &'a str) -> [&'a str; 7] {
    ["import", "llama2c", checkpoint, "--tokenizer", tokenizer, "-o", output]
}

#[test]
fn import_inspect_quantise_eval() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let (bin, tok) = (stories("stories260K.bin"), stories("tok512.bin"));
    let (licence, text) = (stories("LICENSE"), stories("eval.txt"));
    let mut arguments = import(bin.to_str().unwrap(), tok.to_str().unwrap(), "s.wisp").to_vec();
    arguments.extend(["--format", "f32", "--name", "Stories", "--source", "llama2.c"]);
    arguments.extend(["--licence", licence.to_str().unwrap()]);
    assert!(works(folder, &arguments).starts_with("wrote s.wisp ("));

    let page = works(folder, &["inspect", "s.wisp"]);
    for part in ["Stories (story style)", "parameters    260032", "512 x 64", "MIT License"] {
        assert!(page.contains(part), "{part} in {page}");
    }
    let json: serde_json::Value =
        serde_json::from_str(&works(folder, &["inspect", "s.wisp", "--json"])).unwrap();
    assert_eq!(json["architecture"]["kv_heads"], 4);
    assert_eq!(json["tensors"].as_array().unwrap().len(), 47);
    assert_eq!(json["source"], "llama2.c");
    // 704 of the weights are gains of norms.
    assert_eq!(json["weights"].as_array().unwrap().len(), 1);
    assert_eq!(json["weights"][0]["parameters"], 260_032);

    works(folder, &["quantise", "s.wisp", "-o", "q.wisp", "--format", "int4"]);
    std::fs::write(folder.join("short.txt"), "Once upon a time, there was a cat.\r\n\r\n\n")
        .unwrap();
    let page = works(folder, &["eval", "s.wisp", "q.wisp", "--text", "short.txt"]);
    assert!(page.contains("short.txt (34 bytes)") && page.contains("int4         int8"), "{page}");
    let page = works(folder, &["inspect", "q.wisp"]);
    for part in ["weights       int4 259328 in 36 tensors", "weights       f32  704 in 11 tensors"]
    {
        assert!(page.contains(part), "{part} in {page}");
    }
    let json = works(folder, &["eval", "s.wisp", "--text", text.to_str().unwrap(), "--json"]);
    works(folder, &["quantise", "s.wisp", "-o", "e.wisp", "--format", "fp8"]);
    let ways = ["--placement", "in-place", "--placement", "lanes", "--cache", "f32"];
    let page =
        works(folder, &[&["eval", "s.wisp", "e.wisp", "--text", "short.txt"], &ways[..]].concat());
    let rows: Vec<_> = page.lines().skip(2).collect();
    assert_eq!(rows.len(), 3, "f32 has no placement: {page}");
    let size = std::fs::metadata(folder.join("e.wisp")).unwrap().len();
    assert!(rows[1].contains(&format!(" {size} fp8 in place f32")), "{page}");
    assert!(rows[2].contains(&format!(" {size} fp8 as lanes f32")), "{page}");
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["models"][0]["kl_to_first"], serde_json::Value::Null);
    assert_eq!(files(folder), ["e.wisp", "q.wisp", "s.wisp", "short.txt"]);
}

#[test]
fn a_bad_import_says_what_is_wrong_where_and_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let tok = stories("tok512.bin");
    let tok = tok.to_str().unwrap();
    let whole = checkpoint();
    std::fs::write(folder.join("cut.bin"), &whole[..500_000]).unwrap();
    std::fs::write(folder.join("zip.bin"), b"PK\x03\x04 and so on, like a PyTorch file").unwrap();
    std::fs::write(folder.join("s.bin"), &whole).unwrap();
    std::fs::write(folder.join("tok.bin"), &std::fs::read(tok).unwrap()[..2000]).unwrap();
    let before = files(folder);

    let message = fails(folder, &import("cut.bin", tok, "out.wisp"));
    for part in [
        "wisp_model::llama2c::checkpoint",
        "cut.bin is not a usable llama2.c checkpoint",
        "it ends inside w1 of layer",
        "at offset",
        "fetched again",
    ] {
        assert!(message.contains(part), "{part} in {message}");
    }
    let message = fails(folder, &import("zip.bin", tok, "out.wisp"));
    assert!(message.contains("dim is 67324752, not from 1 to 16384 (at offset 0)"), "{message}");
    let message = fails(folder, &import("s.bin", "tok.bin", "out.wisp"));
    assert!(message.contains("tok.bin is not the tokenizer of this checkpoint"), "{message}");
    let message = fails(folder, &import("none.bin", tok, "out.wisp"));
    assert!(message.contains("wisp_model::file::read"), "{message}");
    let message = fails(folder, &import("s.bin", tok, "no/such/folder/out.wisp"));
    assert!(message.contains("wisp_model::file::write"), "{message}");
    let mut long = import("s.bin", tok, "out.wisp").to_vec();
    long.extend([
        "--name",
        "a name that is much longer than the sixty-four bytes that are allowed",
    ]);
    assert!(fails(folder, &long).contains("name is out of range"));
    assert_eq!(files(folder), before, "nothing may be left behind");
}

#[test]
fn texts_in_a_persona_cannot_command_the_terminal() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let (bin, tok) = (stories("stories260K.bin"), stories("tok512.bin"));
    let mut arguments = import(bin.to_str().unwrap(), tok.to_str().unwrap(), "s.wisp").to_vec();
    // A name is refused, other texts are shown harmlessly.
    let said = fails(folder, &[&arguments[..], &["--name", "Sto\u{1b}[2Jries"]].concat());
    assert!(said.contains("name is out of range"), "{said}");
    arguments.extend(["--source", "\u{1b}[2J\u{9b}31m"]);
    works(folder, &arguments);
    for arguments in [&["inspect", "s.wisp"][..], &["inspect", "s.wisp", "--json"]] {
        let page = works(folder, arguments);
        assert!(!page.contains('\u{1b}') && !page.contains('\u{9b}'), "{page:?}");
        assert!(page.contains("\u{fffd}[2J\u{fffd}31m"), "{page:?}");
    }
}

#[test]
fn a_failed_command_leaves_the_old_file() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    std::fs::write(folder.join("cut.bin"), &checkpoint()[..100]).unwrap();
    std::fs::write(folder.join("out.wisp"), b"precious").unwrap();
    let tok = stories("tok512.bin");
    fails(folder, &import("cut.bin", tok.to_str().unwrap(), "out.wisp"));
    assert_eq!(std::fs::read(folder.join("out.wisp")).unwrap(), b"precious");
}

#[test]
fn damaged_personas_and_texts_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let (bin, tok) = (stories("stories260K.bin"), stories("tok512.bin"));
    works(folder, &import(bin.to_str().unwrap(), tok.to_str().unwrap(), "s.wisp"));
    let whole = std::fs::read(folder.join("s.wisp")).unwrap();

    let mut damaged = whole.clone();
    let last = damaged.len() - 1;
    damaged[last] ^= 1;
    std::fs::write(folder.join("damaged.wisp"), damaged).unwrap();
    std::fs::write(folder.join("cut.wisp"), &whole[..whole.len() / 2]).unwrap();
    std::fs::write(folder.join("empty.wisp"), b"").unwrap();
    for (file, part) in [
        ("damaged.wisp", "the SHA-256 of the body does not match"),
        ("cut.wisp", "shorter or longer than its prefix says"),
        ("empty.wisp", "too short to be a .wisp file"),
    ] {
        let message = fails(folder, &["inspect", file]);
        assert!(message.contains("wisp_model::wisp::format"), "{message}");
        assert!(message.contains(part) && message.contains("offset"), "{message}");
    }

    let mut old = whole;
    old[4] = 1;
    std::fs::write(folder.join("old.wisp"), old).unwrap();
    let message = fails(folder, &["inspect", "old.wisp"]);
    assert!(message.contains("wisp_model::wisp::version"), "{message}");
    assert!(message.contains("version 1, and this program reads 3"), "{message}");
    assert!(message.contains("wisp-model import"), "{message}");

    std::fs::write(folder.join("latin.txt"), b"caf\xe9").unwrap();
    let message = fails(folder, &["eval", "s.wisp", "--text", "latin.txt"]);
    assert!(message.contains("not UTF-8 text: wrong at offset 3"), "{message}");
    std::fs::write(folder.join("empty.txt"), b" \n\n").unwrap();
    let message = fails(folder, &["eval", "s.wisp", "--text", "empty.txt"]);
    assert!(message.contains("wisp_model::eval::empty"), "{message}");
    let message = fails(folder, &["quantise", "s.wisp", "-o", "q.wisp", "--format", "int8"]);
    assert!(message.contains("s.wisp holds fp8 weights"), "{message}");
    assert!(!folder.join("q.wisp").exists());

    let output = wisp_model(folder, &["quantise", "s.wisp", "-o", "q.wisp", "--format", "int8:64"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("f32, fp8, int8 and int4"));
}

#[test]
fn export_and_import_again() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let (bin, tok) = (stories("stories260K.bin"), stories("tok512.bin"));
    let mut arguments = import(bin.to_str().unwrap(), tok.to_str().unwrap(), "s.wisp").to_vec();
    arguments.extend(["--format", "f32", "--name", "Stories", "--source", "llama2.c"]);
    works(folder, &arguments);

    assert_eq!(works(folder, &["export", "hf", "s.wisp", "-o", "hf"]), "wrote hf (f32 weights)\n");
    let said = works(folder, &["import", "hf", "hf", "-o", "h.wisp", "--format", "f32"]);
    assert!(said.starts_with("wrote h.wisp ("), "{said}");
    works(folder, &["export", "gguf", "h.wisp", "-o", "g.gguf", "--type", "f32"]);
    works(
        folder,
        &["import", "gguf", "g.gguf", "-o", "g.wisp", "--name", "Other", "--format", "f32"],
    );
    let back = ["export", "llama2c", "g.wisp", "-o", "b.bin", "--tokenizer", "t.bin"];
    assert_eq!(works(folder, &back), "wrote b.bin (version 0)\nwrote t.bin\n");
    works(folder, &import("b.bin", "t.bin", "b.wisp"));
    let page = works(folder, &["inspect", "g.wisp"]);
    assert!(page.contains("Other (story style)") && page.contains("llama2.c"), "{page}");

    // Failures have a code and a next step, and leave everything as it was.
    let before = files(folder);
    let message = fails(folder, &["import", "hf", ".", "-o", "x.wisp"]);
    assert!(message.contains("wisp_model::hf::folder") && message.contains("save_pretrained"));
    let message = fails(folder, &["import", "gguf", "b.bin", "-o", "x.wisp"]);
    assert!(message.contains("wisp_model::gguf::file") && message.contains("GGUF (at offset 0)"));
    let message = fails(folder, &["export", "hf", "s.wisp", "-o", "hf"]);
    assert!(message.contains("wisp_model::export::folder"), "{message}");
    let message = fails(folder, &["export", "gguf", "b.bin", "-o", "x.gguf"]);
    assert!(message.contains("wisp_model::wisp::format"), "{message}");
    let message = fails(folder, &["export", "llama2c", "s.wisp", "-o", "no/such/b.bin"]);
    assert!(message.contains("wisp_model::file::write"), "{message}");
    assert_eq!(files(folder), before);
    assert!(
        wisp_model(folder, &["export", "llama2c", "s.wisp", "-o", "x", "--version", "2"])
            .status
            .code()
            == Some(2)
    );
}
