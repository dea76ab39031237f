//! Builds and measures a stand-in for llama2.c: the same public names, our own code. It shows that
//! a checkout is built, loaded and counted; the real one was not at hand.

use bench::emulator::Emulator;
use bench::{peer, workspace};
use model_format::{ArchitectureSpec, synthetic};

#[test]
fn a_checkout_is_built_and_measured() {
    let plugin = workspace().join("target/release/libcycle_model.so");
    let has_compiler =
        std::process::Command::new("arm-none-eabi-gcc").arg("--version").output().is_ok();
    if !plugin.exists() || !has_compiler {
        println!("skipped: make bench-programs, and Debian's gcc-arm-none-eabi, are needed");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let emulator = Emulator { kernel: "none".into(), plugin, folder: folder.path().to_owned() };
    let spec = ArchitectureSpec {
        dim: 64,
        heads: 4,
        kv_heads: 4,
        hidden: vec![64],
        vocabulary: 300,
        context: 256,
        ..synthetic::tiny_architecture(true)
    };
    let checkout = workspace().join("crates/bench/tests/peer");
    let peers = peer::measure(&checkout, &spec, &emulator).unwrap();
    // There is a run.c, and no runq.c.
    assert_eq!(peers.prefixes, ["llama2c_run"]);
    let count = |position| {
        let name = format!("llama2c_run_instructions_per_token_pos{position}");
        peers.figures.get(&name).unwrap()
    };
    // It multiplies 300 rows of 64 at every position, and 64 twice for each position before.
    let (first, last) = (count(0), count(255));
    assert!(first > 2.0 * 300.0 * 64.0 && first < 20.0 * 300.0 * 64.0, "{first}");
    let grown = (last - first) / 255.0;
    assert!(grown > 4.0 * 64.0 && grown < 40.0 * 64.0, "{grown} a position");
}
