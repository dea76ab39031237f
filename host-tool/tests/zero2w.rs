//! The whole chain on the second board: bootloader and firmware of the Zero 2 W in QEMU's raspi3b.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[allow(dead_code)] // The chain's tests use all of it.
#[path = "chain/bench.rs"]
mod bench;
#[allow(dead_code)]
#[path = "chain/cable.rs"]
mod cable;
#[path = "chain/reference.rs"]
mod reference;

use bench::{Artefacts, Bench, artefacts_for};
use cable::Fault;
use link::message::Settings;
use wisp::board_kind::BoardKind;
use wisp::client::{Command, Update};

/// Greedy, and short.
const SETTINGS: Settings = Settings {
    temperature_milli: 0,
    top_p_milli: 1000,
    repetition_penalty_milli: 1000,
    seed: Some(7),
    max_reply_tokens: 48,
};

const SAID: [&str; 2] = ["Once upon a time, there was a little ghost", "One day, the ghost saw"];

fn artefacts(format: &str) -> Option<Artefacts> {
    artefacts_for(BoardKind::Zero2W, format)
}

/// A cold boot from the ELF file, an upload of both images, a chat with the host's words, a crash, the
/// chat again.
#[test]
fn from_cold_boot_to_a_chat_that_survives_a_crash() {
    let Some(artefacts) = artefacts("fp8") else { return };
    let bench = Bench::start(&artefacts, &[]);
    let mut client = bench.connect(Fault::None, &artefacts);
    client.wait_until_online();
    assert_eq!(client.chunks_sent(), artefacts.chunks(), "all of it travels");
    println!("wisp: zero2w_chunks_sent {} chunks", client.chunks_sent());

    client.send(Command::Configure(SETTINGS));
    let expected = reference::replies(&artefacts.persona, SETTINGS, &SAID);
    let first = client.say_and_wait(SAID[0]);
    assert_eq!(first.text, expected[0]);
    let log = client.log(&artefacts);
    let line = log.iter().find(|line| line.text.starts_with("persona of ")).expect("a log line");
    assert!(line.place.as_ref().is_some_and(|(file, _)| file.ends_with("firmware/src/main.rs")));
    let tested = log.iter().find(|line| line.text.starts_with("self-test: ")).expect("a self-test");
    assert!(tested.text.contains(" bytes and the kernels are sound"), "{}", tested.text);
    drop(client);

    // A second load: all is there, nothing travels. Then a panic in the middle of a conversation.
    let mut client = bench.connect(Fault::None, &artefacts);
    client.wait_until_online();
    assert_eq!((client.chunks_sent(), client.chunks_skipped()), (0, artefacts.chunks()));
    client.send(Command::Configure(SETTINGS));
    assert_eq!(client.say_and_wait(SAID[0]).text, expected[0]);
    client.send(Command::PlantPanic);
    let crash = client.wait_for("a crash report", |update| match update {
        Update::Crashed { notice } => Some(notice.message.clone()),
        _ => None,
    });
    assert!(crash.contains("panic"), "{crash}");
    client.wait_until_online();
    assert_eq!(client.chunks_sent(), 0, "the images were in memory all along");
    assert_eq!(client.say_and_wait(SAID[1]).text, expected[1], "the history was not restored");
    println!("wisp: zero2w_panics_survived 1 panics");
}

/// The reply is the host's, and so the Zero's, for each kind of weights. For one of them the bootloader is a
/// raw image, as the boot stage loads it: to 0x80000, and started one level below the ELF file. That is
/// slow, because QEMU's own code then keeps the other three cores busy.
#[test]
fn every_weight_format_chats_like_the_host() {
    for format in ["f32", "fp8", "int8", "int4"] {
        let Some(mut artefacts) = artefacts(format) else { return };
        if format == "int4" {
            artefacts.bootloader = artefacts.raw_bootloader();
        }
        // The emulator puts the persona into memory, as the Pi's boot stage does with `initramfs`.
        let loader = format!(
            "loader,file={},addr={:#x},force-raw=on",
            artefacts.persona.display(),
            wisp::image::PERSONA_ADDRESS
        );
        let bench = Bench::start(&artefacts, &["-device", &loader]);
        let mut client = bench.connect(Fault::None, &artefacts);
        client.wait_until_online();
        assert_eq!(client.chunks_sent(), artefacts.firmware_chunks());
        client.send(Command::Configure(SETTINGS));
        let replies = SAID.map(|text| client.say_and_wait(text).text);
        assert_eq!(replies, reference::replies(&artefacts.persona, SETTINGS, &SAID)[..]);
    }
    println!("wisp: zero2w_formats_as_on_the_host 4 formats");
}
