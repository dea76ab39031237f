//! The whole chain with the real programs: bootloader and firmware in QEMU, the cable between.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "common/cable.rs"]
mod cable;
#[path = "common/emulated.rs"]
mod emulated;
#[path = "common/reference.rs"]
mod reference;
#[path = "common/story.rs"]
mod story;

use cable::Fault;
use emulated::{Bench, CHUNKS_IN_FLIGHT, Watched, artefacts};
use link::conversation::MessageKey;
use link::message::{Settings, Speaker};
use story::{SAID, SETTINGS};
use wisp::board_kind::BoardKind;
use wisp::client::{Command, Phase, ReplyState, TransferPhase, Update};

/// Cold boot, an upload that is killed five times, a chat, a second load, a crash, the chat again.
#[test]
fn from_cold_boot_to_a_chat_that_survives_a_crash() {
    let Some(artefacts) = artefacts("fp8") else { return };
    let bench = Bench::start(&artefacts, &[]);

    // Killed at five points of the way: each time the port closes and the tool's memory is gone.
    let whole = artefacts.bytes();
    let mut sent = 0;
    for kill in 1..=5 {
        // Unequal parts, so that the cuts fall on different places of a chunk.
        let mut client = bench.connect(Fault::CutAfter(whole / 8 + kill * 1234), &artefacts);
        client.run_until_cut();
        sent += client.chunks_sent();
    }
    let began = std::time::Instant::now();
    let mut client = bench.connect(Fault::None, &artefacts);
    client.wait_until_online();
    let (left, seconds) = (client.chunks_sent(), began.elapsed().as_secs_f64());
    sent += left;
    // A chunk may have arrived of which a killed tool did not hear any more, and so did not count it.
    let again = sent.saturating_sub(artefacts.chunks());
    println!("wisp: qemu_upload_killed 5 times");
    println!("wisp: qemu_chunks_sent_again {again} chunks");
    assert!(left > 0, "nothing was left for the last run");
    assert!(again <= 5 * (CHUNKS_IN_FLIGHT + 1), "{again} chunks were sent again");
    assert!(seconds > 0.0);

    // A chat; the host computes the same.
    client.send(Command::Configure(SETTINGS));
    let heap_at_first = heap_used(&mut client);
    let first = client.say_and_wait(SAID[0]);
    let second = client.say_and_wait(SAID[1]);
    assert_eq!(heap_used(&mut client), heap_at_first, "a chat takes no memory");
    println!("wisp: qemu_heap_in_use {heap_at_first} bytes");
    let answers = story::answers(&artefacts);
    assert_eq!([first, second].map(|reply| reply.text), answers[..]);
    let lines = story::check_log(&client, &artefacts);
    println!("wisp: qemu_log_lines_decoded {lines} lines");
    drop(client);

    let mut client = story::load_again(&bench, &artefacts);
    println!("wisp: qemu_second_load_chunks_sent {} chunks", client.chunks_sent());
    story::survive_a_panic(&mut client, &answers);
    let speakers: Vec<_> = client.view().messages.iter().map(|message| message.speaker).collect();
    assert_eq!(speakers, [Speaker::You, Speaker::Wisp, Speaker::You, Speaker::Wisp]);
    println!("wisp: qemu_panics_survived 1 panics");
}

/// Bytes of the board's heap in use.
fn heap_used(client: &mut Watched) -> u32 {
    client.send(Command::RequestStats);
    let used = client.wait_for("the counters", |update| match update {
        Update::Stats { stats } => Some(stats.heap_used),
        _ => None,
    });
    assert!(used > 0);
    used
}

/// Garbage before, between and inside frames, both ways, from the first byte to the reply.
#[test]
fn garbage_on_the_cable() {
    let Some(artefacts) = artefacts("fp8") else { return };
    let bench = Bench::start(&artefacts, &[]);
    let mut client = bench.connect(Fault::Garbage { every: 20_000 }, &artefacts);
    client.wait_until_online();
    client.send(Command::Configure(SETTINGS));
    let reply = client.say_and_wait(SAID[0]);
    assert_eq!(reply.text, reference::replies(&artefacts.persona, SETTINGS, &SAID[..1])[0]);
    let injected = client.injected();
    assert!(injected > 10, "only {injected} pieces of garbage were injected");
    println!("wisp: qemu_garbage_survived {injected} bursts");
}

/// The reply on the board is the host's for each kind of weights, and its rate is counted.
#[test]
fn every_weight_format_chats_like_the_host() {
    for format in ["f32", "int8", "int4"] {
        let Some(artefacts) = artefacts(format) else { return };
        // The emulator puts the persona into memory, as the Pi's boot stage does with `initramfs`.
        let loader = format!(
            "loader,file={},addr={:#x},force-raw=on",
            artefacts.persona.display(),
            wisp::image::PERSONA_ADDRESS
        );
        let bench = Bench::start(&artefacts, &["-device", &loader]);
        let mut client = bench.connect(Fault::None, &artefacts);
        client.wait_until_online();
        // All of the persona was found by comparing chunks.
        assert_eq!(client.chunks_sent(), artefacts.firmware_chunks());
        client.send(Command::Configure(SETTINGS));
        let replies = SAID.map(|text| client.say_and_wait(text).text);
        assert_eq!(replies, reference::replies(&artefacts.persona, SETTINGS, &SAID)[..]);
    }
}

/// Stop, regenerate, forget, and a message while the board thinks.
#[test]
fn stop_again_forget_and_a_message_in_between() {
    let Some(artefacts) = artefacts("fp8") else { return };
    let bench = Bench::start(&artefacts, &[]);
    let mut client = bench.connect(Fault::None, &artefacts);
    client.wait_until_online();
    client.send(Command::Configure(Settings { max_reply_tokens: 400, ..SETTINGS }));
    client.send(Command::Say(SAID[0].into()));
    client.wait_for("first words", |update| match update {
        Update::Message { message, .. } if message.reply == Some(ReplyState::Writing) => Some(()),
        _ => None,
    });
    client.send(Command::Stop);
    let stopped = client.wait_for_reply();
    assert_eq!(stopped.reply, Some(ReplyState::Stopped));

    client.send(Command::Configure(SETTINGS));
    client.send(Command::Regenerate);
    let again = client.wait_for_reply();
    assert!(matches!(again.reply, Some(ReplyState::Length | ReplyState::Finished)));
    // Greedy: the same words, and this time all of them.
    assert!(
        again.text.starts_with(stopped.text.trim_end()) || stopped.text.starts_with(&again.text)
    );

    // Two messages at once: both are read, in order, and nothing is answered twice.
    client.send(Command::Say(SAID[1].into()));
    client.send(Command::Say("He was very happy.".into()));
    client.wait_until_idle();
    let texts: Vec<_> = client
        .view()
        .messages
        .iter()
        .filter(|message| message.speaker == Speaker::You)
        .map(|message| message.text.clone())
        .collect();
    assert_eq!(texts, [SAID[0], SAID[1], "He was very happy."]);

    client.send(Command::Forget);
    client.wait_for("an empty chat", |update| (*update == Update::Forgotten).then_some(()));
    let fresh = client.say_and_wait(SAID[0]);
    assert_eq!(fresh.text, reference::replies(&artefacts.persona, SETTINGS, &SAID[..1])[0]);

    // Said anew: as if it had been said at once. Then the persona begins by itself.
    client.send(Command::Say("It raned.".into()));
    client.wait_until_idle();
    let old = client.view().messages.iter().rev().find(|it| it.speaker == Speaker::You).unwrap();
    let (tag, instead_of) = ("anew".into(), Some(MessageKey(old.key)));
    client.send(Command::SayTagged { tag, text: SAID[1].into(), instead_of });
    let instead = client.wait_for_reply();
    assert_eq!(instead.text, reference::replies(&artefacts.persona, SETTINGS, &SAID[..2])[1]);
    client.send(Command::Forget);
    client.wait_for("an empty chat", |update| (*update == Update::Forgotten).then_some(()));
    client.send(Command::Greet);
    let greeting = client.wait_for_reply();
    assert_eq!(client.view().messages, [greeting]);
    let card = client.view().card.clone().unwrap();
    assert_eq!((card.name.as_str(), card.weights.as_str()), ("Stories", "fp8"));
}

/// The host program is replaced in the middle of a reply; the board runs on and reads nothing twice.
#[test]
fn a_reply_goes_on_over_a_restart_of_the_host() {
    let Some(artefacts) = artefacts("fp8") else { return };
    let bench = Bench::start(&artefacts, &[]);
    bench.connect(Fault::None, &artefacts).wait_until_online();
    let folder = tempfile::tempdir().unwrap();
    let history = folder.path().join("history");

    let mut client = bench.keep(&history);
    client.wait_until_online();
    client.send(Command::Configure(SETTINGS));
    client.say_and_wait(SAID[0]);
    client.send(Command::Say(SAID[1].into()));
    client.wait_for("first words", |update| match update {
        Update::Message { message, .. } if message.reply == Some(ReplyState::Writing) => Some(()),
        _ => None,
    });
    drop(client);

    let mut client = bench.keep(&history);
    // Of this program the board has not heard how it is to choose its words. The reply that runs goes
    // on as it was begun.
    client.send(Command::Configure(SETTINGS));
    let second = client.wait_for_reply();
    let third = client.say_and_wait("He was very happy.");
    let said = [SAID[0], SAID[1], "He was very happy."];
    let expected = reference::replies(&artefacts.persona, SETTINGS, &said);
    assert_eq!(
        [second.text, third.text],
        expected[1..],
        "the board goes on as if nothing had been"
    );
    let texts: Vec<_> = client.view().messages.iter().map(|it| it.text.clone()).collect();
    let whole = said.iter().zip(&expected).flat_map(|(a, b)| [a.to_string(), b.clone()]);
    assert_eq!(texts, whole.collect::<Vec<_>>());
    // A token is a byte at least; a message has a few more.
    let read = third.timing.unwrap().prompt_tokens;
    assert!(read <= 18 + 4, "{read} tokens were read for a message of 18 bytes");
    println!("wisp: qemu_host_restart_prompt_tokens {read} tokens");
}

/// The bootloader starts from any address: ELF, raw image where QEMU puts it, raw image at 0x8000.
#[test]
fn boots_from_every_kind_of_image() {
    let Some(artefacts) = artefacts("fp8") else { return };
    let raw = artefacts.raw_bootloader();
    for (kind, arguments) in [
        ("ELF", vec!["-kernel".into(), artefacts.bootloader.display().to_string()]),
        ("kernel.img", vec!["-kernel".into(), raw.display().to_string()]),
        ("bios", vec!["-bios".into(), raw.display().to_string()]),
    ] {
        let bench = Bench::start_with(BoardKind::Zero, &arguments);
        let mut client = bench.listen(Fault::None);
        let phase = client.wait_for("the bootloader", |update| match update {
            Update::Link { link } if link.phase == Phase::Loading => Some(link.phase),
            _ => None,
        });
        assert_eq!(phase, Phase::Loading, "{kind}");
    }
    println!("wisp: qemu_boot_images 3 kinds");
}

/// How fast an upload is in QEMU, and that verifying shows.
#[test]
fn upload_shows_its_phases_and_its_rate() {
    let Some(artefacts) = artefacts("fp8") else { return };
    let bench = Bench::start(&artefacts, &[]);
    let mut client = bench.connect(Fault::None, &artefacts);
    let began = std::time::Instant::now();
    client.wait_until_online();
    let rate = artefacts.bytes() as f64 / began.elapsed().as_secs_f64();
    for phase in [TransferPhase::Comparing, TransferPhase::Sending, TransferPhase::Verifying] {
        assert!(client.phases().contains(&phase), "{phase:?} was never shown");
    }
    // Of this machine and its load: a figure, not a test.
    println!("wisp: qemu_upload_goodput {rate:.0} bytes/s");
}
