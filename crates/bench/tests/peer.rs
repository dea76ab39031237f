//! Builds and measures a stand-in for llama2.c: the same public names, our own code. It shows that
//! a checkout is built, loaded and counted; docs/benchmarks.md has what the real one gave.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use std::fs;
use std::path::Path;
use std::process::Command;

use bench::emulator::{Emulator, USUAL_LIMIT};
use bench::peer::{self, Checkout, Peers};
use bench::workspace;
use model_format::{ArchitectureSpec, synthetic};

const COMPILER: &str = "arm-none-eabi-gcc (Debian: gcc-arm-none-eabi, libnewlib-arm-none-eabi)";

/// The compiler, and newlib: of a library that it does not find, it prints the bare name.
fn has_compiler() -> bool {
    let mut compiler = Command::new("arm-none-eabi-gcc");
    let said = compiler.arg("-print-file-name=libm.a").output();
    said.is_ok_and(|said| String::from_utf8_lossy(&said.stdout).starts_with('/'))
}

/// The stand-in in a folder whose name a careless shell or compiler call would trip over.
fn checkout(parent: &Path, sources: &[&str]) -> Checkout {
    let folder = parent.join("my llama2.c, old");
    fs::create_dir(&folder).unwrap();
    for source in sources {
        let from = workspace().join("crates/bench/tests/peer").join(source);
        fs::copy(from, folder.join(source)).unwrap();
    }
    Checkout::find(&folder).unwrap()
}

#[test]
fn a_checkout_is_built_and_measured() {
    let plugin = workspace().join("target/release/libcycle_model.so");
    if !common::has(&[("cycle model", plugin.exists()), (COMPILER, has_compiler())]) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let emulator = Emulator {
        kernel: "none".into(),
        plugin,
        folder: folder.path().to_owned(),
        limit: USUAL_LIMIT,
    };
    let spec = ArchitectureSpec {
        dim: 64,
        heads: 4,
        kv_heads: 4,
        hidden: vec![64],
        vocabulary: 300,
        context: 256,
        ..synthetic::tiny_architecture(true)
    };
    let built = checkout(folder.path(), &["run.c", "runq.c"]).build(folder.path()).unwrap();
    let peers = peer::measure(&built, &spec, &emulator).unwrap();
    assert_eq!(peers.prefixes, ["llama2c_run", "llama2c_runq"]);
    for prefix in &peers.prefixes {
        counts_are_of_its_loops(prefix, &peers);
    }
    // stories260K: 512 rows of 64.
    let stories = workspace().join("models/stories260K/stories260K.bin");
    let peers = peer::measure_stories(&built, &stories, &emulator).unwrap();
    assert_eq!(peers.prefixes, ["stories260k_llama2c_run"]);
    let first = count("stories260k_llama2c_run", &peers, 0);
    assert!(first > 2.0 * 512.0 * 64.0 && first < 20.0 * 512.0 * 64.0, "{first}");
}

/// It multiplies 300 rows of 64 at every position, and 64 twice for each position before.
fn counts_are_of_its_loops(prefix: &str, peers: &Peers) {
    let (first, last) = (count(prefix, peers, 0), count(prefix, peers, 255));
    assert!(first > 2.0 * 300.0 * 64.0 && first < 20.0 * 300.0 * 64.0, "{first}");
    let grown = (last - first) / 255.0;
    assert!(grown > 4.0 * 64.0 && grown < 40.0 * 64.0, "{grown} a position");
}

fn count(prefix: &str, peers: &Peers, position: usize) -> f64 {
    peers.figures.get(&format!("{prefix}_instructions_per_token_pos{position}")).unwrap()
}

#[test]
fn what_is_missing_is_left_out_and_what_is_too_old_is_said() {
    if !common::has(&[(COMPILER, has_compiler())]) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let checkout = checkout(folder.path(), &["run.c"]);
    assert_eq!(checkout.build(folder.path()).unwrap().len(), 1);
    // As run.c was at first.
    let old = "void transformer(int token, int pos) {}\nint main() { return 0; }\n";
    fs::write(folder.path().join("my llama2.c, old/run.c"), old).unwrap();
    let told = checkout.build(folder.path()).unwrap_err().to_string();
    assert!(told.contains("too old"), "{told}");
}
