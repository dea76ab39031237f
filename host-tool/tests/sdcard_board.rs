//! A board with a card in QEMU: the emulator does what the Pi's boot stage does, with the very bytes
//! of the image, and nobody is at the cable.
#![allow(clippy::unwrap_used, clippy::panic)] // Helpers of tests are tests to us, not to clippy.

#[allow(dead_code)] // The tests of the chain use the rest.
#[path = "common/cable.rs"]
mod cable;
#[path = "common/card.rs"]
mod card;
#[allow(dead_code)] // The tests of the chain use the rest.
#[path = "common/emulated.rs"]
mod emulated;
#[path = "common/reference.rs"]
mod reference;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use cable::Fault;
use card::{boot_files, files, made};
use emulated::{Artefacts, Bench, artefacts, artefacts_for};
use link::message::{CHUNK_SIZE, Role, Settings, SlotState};
use wisp::board_kind::BoardKind;
use wisp::client::{Command, Update};
use wisp::doctor::{Heard, gather};
use wisp::image;

/// How long the board is left alone before somebody asks who is there, and longer each time:
/// whoever asks too early keeps the bootloader from starting.
const LEFT_ALONE: [u64; 6] = [4, 8, 16, 32, 64, 128];

const SETTINGS: Settings = Settings {
    temperature_milli: 0,
    top_p_milli: 1000,
    repetition_penalty_milli: 1000,
    seed: Some(7),
    max_reply_tokens: 16,
};

const SAID: &str = "Once upon a time, there was a little ghost";

/// How the emulator loads what is on a card.
#[derive(Clone, Copy, Debug)]
enum Way {
    /// To 0x8000, as the Pi does; only a Zero's.
    Bios,
    /// To 0x10000; only a Zero's.
    Kernel,
    /// To 0x8000, because `config.txt` says so: a Zero 2 W's would go to 0x80000 otherwise.
    Loader,
}

/// What the boot stage takes from a card: two files, out of the image.
struct Card {
    board: BoardKind,
    kernel: PathBuf,
    persona: PathBuf,
    _folder: tempfile::TempDir,
}

impl Card {
    fn new(board: BoardKind, artefacts: &Artefacts) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let image = folder.path().join("card.img");
        let paths = [
            &artefacts.bootloader,
            &artefacts.firmware,
            &artefacts.persona,
            &boot_files(folder.path()),
            &image,
        ];
        let [bootloader, firmware, persona, boot, output] =
            paths.map(|path| path.to_str().unwrap());
        made(&[
            "--board",
            board.option(),
            "--bootloader",
            bootloader,
            "--firmware",
            firmware,
            "--persona",
            persona,
            "--boot-files",
            boot,
            "--output",
            output,
        ]);
        for (name, bytes) in files(&image) {
            fs::write(folder.path().join(name), bytes).unwrap();
        }
        let place = |name: &str| folder.path().join(name);
        let (kernel, persona) = (place(board.kernel_file()), place("persona.wisp"));
        Self { board, kernel, persona, _folder: folder }
    }

    /// Changes one bit of a file, in the middle.
    fn damage(&self, path: &Path) {
        let mut bytes = fs::read(path).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 0x10;
        fs::write(path, bytes).unwrap();
    }

    /// Power on. `way` is how QEMU loads the kernel.
    fn start(&self, way: Way) -> Bench {
        let loader = |file: &Path, address: u32, more: &str| {
            let file = file.display();
            ["-device".into(), format!("loader,file={file},addr={address:#x},force-raw=on{more}")]
        };
        let kernel = self.kernel.display().to_string();
        let mut arguments: Vec<String> = match way {
            Way::Bios => vec!["-bios".into(), kernel],
            Way::Kernel => vec!["-kernel".into(), kernel],
            Way::Loader => {
                // The other three cores begin at 0: there they wait (`wfi`, `b .-4`).
                let wait = "loader,addr=0,data=0x17ffffffd503207f,data-len=8".into();
                let first = loader(&self.kernel, image::FIRMWARE_ADDRESS, ",cpu-num=0");
                first.into_iter().chain(["-device".into(), wait]).collect()
            }
        };
        arguments.extend(loader(&self.persona, image::PERSONA_ADDRESS, ""));
        Bench::start_with(self.board, &arguments)
    }
}

/// Asks who is there, and is gone again.
fn ask(bench: &Bench) -> Heard {
    let mut facts = gather::ports(Some(&bench.address()), 0.into());
    facts.ports.remove(0).heard.unwrap()
}

/// Leaves the board alone until its firmware answers, which nobody has asked it to start.
fn firmware_came_up(bench: &Bench) -> Heard {
    for seconds in LEFT_ALONE {
        std::thread::sleep(Duration::from_secs(seconds));
        let heard = ask(bench);
        if heard.peer.is_some_and(|peer| peer.role == Role::Firmware) {
            return heard;
        }
    }
    panic!("the board did not start by itself")
}

#[test]
fn a_card_starts_a_board_alone_and_a_host_joins_later() {
    let Some(artefacts) = artefacts("fp8") else { return };
    starts_alone(BoardKind::Zero, &artefacts, &[Way::Bios, Way::Kernel]);
    println!("wisp: sdcard_starts_in_qemu 2 kinds");
}

#[test]
fn a_card_starts_the_second_board_too() {
    let Some(artefacts) = artefacts_for(BoardKind::Zero2W, "fp8") else { return };
    starts_alone(BoardKind::Zero2W, &artefacts, &[Way::Loader]);
    println!("wisp: sdcard_starts_zero2w_in_qemu 1 kinds");
}

fn starts_alone(board: BoardKind, artefacts: &Artefacts, ways: &[Way]) {
    let card = Card::new(board, artefacts);
    for kind in ways {
        let bench = card.start(*kind);
        let heard = firmware_came_up(&bench);
        let digest = image::persona(&artefacts.persona).unwrap().info.digest;
        assert_eq!(heard.peer.unwrap().persona, Some(digest), "{kind:?}");
        assert_eq!((heard.refused, heard.crash), (None, None), "{kind:?}");

        // A client that brings nothing.
        let mut client = bench.listen(Fault::None);
        client.wait_until_online();
        client.send(Command::Configure(SETTINGS));
        let reply = client.say_and_wait(SAID);
        let expected = reference::replies(&artefacts.persona, SETTINGS, &[SAID]);
        assert_eq!(reply.text, expected[0], "{kind:?}");
        assert_eq!(client.view().card.clone().unwrap().name, "Stories", "{kind:?}");

        // A crash: the boot stage loads the card again, and the chat goes on.
        client.send(Command::PlantPanic);
        client.wait_for("a crash report", |update| match update {
            Update::Crashed { .. } => Some(()),
            _ => None,
        });
        client.wait_until_online();
        assert_eq!(client.chunks_sent(), 0, "{kind:?}");
    }
}

#[test]
fn a_persona_that_came_by_cable_lasts_until_the_next_reset() {
    let (Some(artefacts), Some(others)) = (artefacts("fp8"), artefacts("int8")) else { return };
    let card = Card::new(BoardKind::Zero, &artefacts);
    let bench = card.start(Way::Bios);
    let weights = |client: &emulated::Watched| client.view().card.clone().unwrap().weights;
    // It replaces the card's, whether the bootloader or the firmware is met.
    let mut client = bench.connect(Fault::None, &others);
    client.wait_until_online();
    assert!(client.chunks_sent() > 0);
    client.say_and_wait(SAID);
    assert_eq!(weights(&client), "int8");
    drop(client);

    let mut client = bench.listen(Fault::None);
    client.wait_until_online();
    client.send(Command::PlantPanic);
    client.wait_for("the card's persona", |update| match update {
        Update::Card { card } if card.weights == "fp8" => Some(()),
        _ => None,
    });
    client.say_and_wait(SAID);
    assert_eq!((weights(&client).as_str(), client.chunks_sent()), ("fp8", 0));
}

#[test]
fn a_damaged_persona_is_not_started_and_one_chunk_mends_it() {
    let Some(artefacts) = artefacts("fp8") else { return };
    let card = Card::new(BoardKind::Zero, &artefacts);
    card.damage(&card.persona);
    let bench = card.start(Way::Bios);
    for seconds in &LEFT_ALONE[..2] {
        std::thread::sleep(Duration::from_secs(*seconds));
        let heard = ask(&bench);
        assert_eq!(heard.peer.unwrap().role, Role::Bootloader);
        let [firmware, persona] = heard.slots.unwrap();
        assert!(matches!(firmware, SlotState::Verified(_)), "{firmware:?}");
        assert_eq!(persona, SlotState::Empty);
    }
    let mut client = bench.connect(Fault::None, &artefacts);
    client.wait_until_online();
    assert_eq!(client.chunks_sent(), 1, "one chunk of {CHUNK_SIZE} bytes was wrong");
}

#[test]
fn damaged_firmware_is_not_started() {
    let Some(artefacts) = artefacts("fp8") else { return };
    let card = Card::new(BoardKind::Zero, &artefacts);
    // Beyond the bootloader, which is a third of it.
    card.damage(&card.kernel);
    let bench = card.start(Way::Bios);
    std::thread::sleep(Duration::from_secs(LEFT_ALONE[0]));
    let heard = ask(&bench);
    assert_eq!(heard.peer.unwrap().role, Role::Bootloader);
    let [firmware, persona] = heard.slots.unwrap();
    assert_eq!(firmware, SlotState::Empty);
    assert!(matches!(persona, SlotState::Verified(_)), "{persona:?}");
}
