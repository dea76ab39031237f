//! The whole chain on the second board: bootloader and firmware of the Zero 2 W in QEMU's raspi3b.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[allow(dead_code)]
#[path = "common/cable.rs"]
mod cable;
#[allow(dead_code)] // The chain's tests use all of it.
#[path = "common/emulated.rs"]
mod emulated;
#[path = "common/reference.rs"]
mod reference;
#[path = "common/story.rs"]
mod story;

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use cable::Fault;
use emulated::{Artefacts, Bench, artefacts_for};
use story::{SAID, SETTINGS};
use wisp::board_kind::BoardKind;
use wisp::client::Command as Order;

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

    client.send(Order::Configure(SETTINGS));
    let answers = story::answers(&artefacts);
    assert_eq!(client.say_and_wait(SAID[0]).text, answers[0]);
    story::check_log(&client, &artefacts);
    drop(client);

    let mut client = story::load_again(&bench, &artefacts);
    story::survive_a_panic(&mut client, &answers);
    println!("wisp: zero2w_panics_survived 1 panics");
    drop(client);

    // The log in the words of the board that says it, which nobody had to name.
    let mut monitor = Command::new(env!("CARGO_BIN_EXE_wisp"))
        .args(["monitor", "--restart", "--quiet", "--port", &bench.address().to_string()])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let printed = BufReader::new(monitor.stdout.take().unwrap()).lines();
    let (sender, lines) = mpsc::channel();
    std::thread::spawn(move || printed.map_while(Result::ok).try_for_each(|it| sender.send(it)));
    let next = || lines.recv_timeout(Duration::from_secs(120)).expect("a line");
    let line = std::iter::repeat_with(next).find(|line| line.contains("persona of ")).unwrap();
    monitor.kill().unwrap();
    monitor.wait().unwrap();
    assert!(line.contains("INFO") && line.contains("firmware/src/main.rs:"), "{line}");
}

/// Both boards' programs are there, and the wrong ones are taken: it is told before anything travels.
#[test]
fn the_other_boards_firmware_is_refused_at_once() {
    let Some(artefacts) = artefacts("fp8") else { return };
    let Some(other) = artefacts_for(BoardKind::Zero, "fp8") else { return };
    let bench = Bench::start(&artefacts, &[]);
    let mut client = bench.connect(Fault::None, &other);
    let (code, words) = client.wait_until_failed();
    assert_eq!(code, "wisp::load::wrong_board");
    assert!(
        words.contains("is a Raspberry Pi Zero 2 W") && words.contains("--board zero2w"),
        "{words}"
    );
    assert_eq!(client.chunks_sent(), 0);
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
        client.send(Order::Configure(SETTINGS));
        let replies = SAID.map(|text| client.say_and_wait(text).text);
        assert_eq!(replies, story::answers(&artefacts)[..]);
    }
    println!("wisp: zero2w_formats_as_on_the_host 4 formats");
}
