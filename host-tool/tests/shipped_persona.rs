//! The persona that the project ships, on the real firmware in QEMU: it answers or stays silent
//! exactly as the host says it will.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[allow(dead_code)] // The tests of the chain use the rest.
#[path = "common/cable.rs"]
mod cable;
#[allow(dead_code)] // The tests of the chain use the rest.
#[path = "common/emulated.rs"]
mod emulated;

use std::path::Path;

use cable::Fault;
use emulated::{Bench, artefacts};
use link::message::{Settings, Speaker};
use model_format::SamplerDefaults;
use wisp::board::Artefacts;
use wisp::board_kind::BoardKind;
use wisp::client::Command;
use wisp_model::persona_file;
use wisp_model::sample::{Voice, answers};

/// What is said, one after the other.
const SAID: [&str; 3] = ["hi", "who are you?", "ok brb"];

/// Decides what is drawn, on both sides.
const SEED: u64 = 11;

#[test]
fn the_shipped_persona_chats_on_the_board_as_on_the_host() {
    let Some(artefacts) = artefacts("fp8") else { return };
    let project = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let persona = Artefacts::in_folder(project).persona().unwrap();
    let (expected, settings) = on_the_host(&persona);

    // The emulator puts the persona into memory, as the Pi's boot stage does with `initramfs`.
    let address = wisp::image::PERSONA_ADDRESS;
    let bench = Bench::start_with(
        BoardKind::Zero,
        &[
            "-kernel".into(),
            artefacts.firmware.display().to_string(),
            "-device".into(),
            format!("loader,file={},addr={address:#x},force-raw=on", persona.display()),
        ],
    );
    let mut client = bench.listen(Fault::None);
    client.wait_until_online();
    client.send(Command::Configure(settings));
    for text in SAID {
        client.send(Command::Say(text.into()));
        client.wait_until_idle();
    }
    let view = client.view();
    let found: Vec<_> =
        view.messages.iter().map(|it| (it.speaker == Speaker::Wisp, it.text.clone())).collect();
    assert_eq!(found, expected);
    let replies = view.messages.iter().filter(|message| message.timing.is_some()).count();
    println!("wisp: shipped_persona_replies_on_board {replies} messages");
}

/// What is said in that chat, and whether the persona says it; and the settings of its file.
fn on_the_host(path: &Path) -> (Vec<(bool, String)>, Settings) {
    let file = persona_file::read(path).unwrap();
    let (model, tokenizer) = persona_file::open(path, &file).unwrap();
    let SamplerDefaults {
        temperature_milli,
        top_p_milli,
        repetition_penalty_milli,
        max_reply_tokens,
    } = model.persona().sampler;
    let settings = Settings {
        temperature_milli,
        top_p_milli,
        repetition_penalty_milli,
        max_reply_tokens,
        seed: Some(SEED),
    };
    let mut voice = Voice::new(path, &model, tokenizer).unwrap();
    let talk = answers(&mut voice, SEED, &SAID.map(String::from).to_vec(), usize::MAX).unwrap();
    let said = talk.into_iter().map(|line| (line.speaker == persona::Speaker::Wisp, line.text));
    (said.collect(), settings)
}
