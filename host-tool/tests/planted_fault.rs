//! A board whose memory forgets: the firmware's self-test in QEMU finds a bit that somebody turned over.
#![allow(clippy::unwrap_used, clippy::panic)] // Helpers of tests are tests to us, not to clippy.

#[allow(dead_code)] // The tests of the chain use the rest.
#[path = "common/cable.rs"]
mod cable;
#[path = "common/debugger.rs"]
mod debugger;
#[allow(dead_code)] // The tests of the chain use the rest.
#[path = "common/emulated.rs"]
mod emulated;

use std::path::Path;
use std::process::Command;
use std::thread::JoinHandle;
use std::time::Instant;

use cable::Fault;
use debugger::Debugger;
use emulated::{Artefacts, Bench, artefacts};

/// Behind all that a start looks at, and before the end of the persona's region.
const FAR_BEHIND: u32 = 0x1200_0000;

/// Where the persona's file lies (linker/README.md), and so far behind its end the word that forgets:
/// well inside of what the self-test looks at.
const PERSONA: u32 = 0x0200_0000;
const BEHIND: u32 = 0x4_0000;

#[test]
fn a_word_that_does_not_keep_what_was_written_is_found_and_named() {
    let Some(artefacts) = artefacts("fp8") else { return };
    let folder = tempfile::tempdir().unwrap();
    let (bench, debugger) = debugged(&artefacts, folder.path());

    let length = std::fs::metadata(&artefacts.persona).unwrap().len();
    let word = (PERSONA + u32::try_from(length).unwrap() + BEHIND) & !3;
    let planted = plant(debugger, word);
    let mut client = bench.connect(Fault::None, &artefacts);
    let (code, words) = client.wait_until_failed();
    planted.join().unwrap();
    assert_eq!(code, "wisp::refused::self_test");
    assert!(words.contains(&format!("(memory at {word:#010x} does not")), "{words}");
}

/// What a start does not look at is found when somebody asks; and when nothing is wrong, the persona
/// is there again.
#[test]
fn all_memory_is_tested_when_somebody_asks() {
    let Some(artefacts) = artefacts("fp8") else { return };
    let folder = tempfile::tempdir().unwrap();
    let (bench, mut debugger) = debugged(&artefacts, folder.path());
    debugger.go_on();
    bench.connect(Fault::None, &artefacts).wait_until_online();

    let began = Instant::now();
    let (is_sound, said) = self_test(&bench);
    assert!(is_sound && said.contains("MiB of memory are sound"), "{said}");
    println!("wisp: qemu_self_test_of_all_memory {:.1} s", began.elapsed().as_secs_f64());
    // What the second start found is there: nothing travels.
    let mut client = bench.connect(Fault::None, &artefacts);
    client.wait_until_online();
    assert_eq!(client.chunks_sent(), 0);
    drop(client);

    debugger.stop();
    let planted = plant(debugger, FAR_BEHIND);
    let (is_sound, said) = self_test(&bench);
    planted.join().unwrap();
    assert!(!is_sound && said.contains("wisp::refused::self_test"), "{said}");
    assert!(said.contains("memory at 0x12000000 does not"), "{said}");
}

fn debugged(artefacts: &Artefacts, folder: &Path) -> (Bench, Debugger) {
    let socket = folder.join("debugger");
    let server = format!("unix:{},server=on,wait=off", socket.display());
    let bench = Bench::start(artefacts, &["-gdb", &server]);
    let debugger = Debugger::connect(&socket);
    (bench, debugger)
}

/// Turns a bit of the word over as soon as it was written.
fn plant(mut debugger: Debugger, word: u32) -> JoinHandle<()> {
    std::thread::spawn(move || {
        debugger.go_on_until_written(word);
        let mut written = debugger.read(word);
        written[2] ^= 0x10;
        debugger.write(word, written);
        debugger.go_on();
    })
}

fn self_test(bench: &Bench) -> (bool, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_wisp"))
        .args(["self-test", "--port", &bench.address().to_string()])
        .output()
        .unwrap();
    let said = [output.stdout, output.stderr].concat();
    // The terminal breaks lines where they are full.
    let words = String::from_utf8_lossy(&said).split_whitespace().collect::<Vec<_>>().join(" ");
    (output.status.success(), words)
}
