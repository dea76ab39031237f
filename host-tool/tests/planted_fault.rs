//! A board whose memory forgets: the firmware's self-test in QEMU finds a bit that somebody turned over.
#![allow(clippy::unwrap_used, clippy::panic)] // Helpers of tests are tests to us, not to clippy.

#[allow(dead_code)] // The tests of the chain use the rest.
#[path = "chain/bench.rs"]
mod bench;
#[allow(dead_code)] // The tests of the chain use the rest.
#[path = "chain/cable.rs"]
mod cable;
#[path = "common/debugger.rs"]
mod debugger;

use bench::{Bench, artefacts};
use cable::Fault;
use debugger::Debugger;

/// Where the persona's file lies (linker/README.md), and so far behind its end the word that forgets:
/// well inside of what the self-test looks at.
const PERSONA: u32 = 0x0200_0000;
const BEHIND: u32 = 0x4_0000;

#[test]
fn a_word_that_does_not_keep_what_was_written_is_found_and_named() {
    let Some(artefacts) = artefacts("fp8") else { return };
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("debugger");
    let server = format!("unix:{},server=on,wait=off", socket.display());
    let bench = Bench::start(&artefacts, &["-gdb", &server]);

    let length = std::fs::metadata(&artefacts.persona).unwrap().len();
    let word = (PERSONA + u32::try_from(length).unwrap() + BEHIND) & !3;
    let mut debugger = Debugger::connect(&socket);
    let planted = std::thread::spawn(move || {
        debugger.go_on_until_written(word);
        let mut written = debugger.read(word);
        written[2] ^= 0x10;
        debugger.write(word, written);
        debugger.go_on();
    });

    let mut client = bench.connect(Fault::None, &artefacts);
    let (code, words) = client.wait_until_failed();
    planted.join().unwrap();
    assert_eq!(code, "wisp::refused::self_test");
    assert!(words.contains(&format!("(memory at {word:#010x} does not")), "{words}");
}
