//! A planted panic in the middle of a chat: reported, restarted, nothing uploaded again, and the
//! chat goes on with its history.
#![allow(clippy::unwrap_used, reason = "a test may fail")]

mod support;

use std::path::Path;

use device::Options;
use link::conversation::Update;
use link::message::CrashKind;
use model_format::WeightFormat;
use sim::transcript::{Line, tell};
use sim::{BoardSettings, CableSettings, Images, Journal, World};
use support::{figure, host, lines, said, say, settings};
use wisp_model::import;

/// Longest time for anything here.
const LIMIT: u64 = 30_000_000;

/// Talks, crashes the board while it answers, talks on. Returns the conversation before the crash
/// and the one at the end.
fn crash_and_go_on(world: &mut World, texts: [&str; 3]) -> (Vec<Line>, Vec<Line>) {
    let [first, second, third] = texts;
    world.run_until("the start", LIMIT, World::is_online).unwrap();
    let chunks = host(world).chunks_sent();
    assert!(chunks > 0);
    host(world).conversation_mut().configure(settings(20));
    say(world, first);
    world.run_until_quiet(LIMIT).unwrap();
    let before = lines(world);
    assert!(!before.is_empty());

    say(world, second);
    host(world).conversation_mut().plant_panic();
    world
        .run_until("the crash", LIMIT, |world| {
            let updates = world.host.as_ref().map(sim::Host::updates).unwrap_or_default();
            updates.iter().any(|update| matches!(update, Update::Restored { .. }))
        })
        .unwrap();
    say(world, third);
    world.run_until_quiet(LIMIT).unwrap();

    assert_eq!(world.board.launches(), 2);
    assert_eq!(host(world).chunks_sent(), chunks, "chunks were sent again");
    let crashes = host(world).crashes().iter();
    let crashes: Vec<_> = crashes.map(|crash| (crash.kind, crash.message.as_str())).collect();
    assert_eq!(crashes, [(CrashKind::Panic, "planted by the host")], "reported once");
    assert_eq!(said(world), texts);
    (before, lines(world))
}

#[test]
fn a_tiny_persona_remembers() {
    let images = Images::tiny(1);
    let cable = CableSettings::default();
    let mut world =
        World::new(&cable, BoardSettings::default(), &images, 1, Journal::silent()).unwrap();
    let (before, after) = crash_and_go_on(&mut world, ["good day", "what now", "and then"]);
    assert!(after.starts_with(&before));
    world.check_agreement().unwrap();
}

/// A board that crashes so long after it was asked something, when it was talked to before.
fn crash_after(images: &Images, delay: u64, journal: Journal) -> Result<(), String> {
    let cable = CableSettings::default();
    let mut world = World::new(&cable, BoardSettings::default(), images, 1, journal).unwrap();
    world.run_until("the start", LIMIT, World::is_online)?;
    let chunks = host(&mut world).chunks_sent();
    host(&mut world).conversation_mut().configure(settings(6));
    let texts = ["one", "two", "three"];
    say(&mut world, texts[0]);
    world.run_until_quiet(LIMIT)?;
    let before = lines(&world);

    say(&mut world, texts[1]);
    world.run_for(delay);
    host(&mut world).conversation_mut().plant_panic();
    world.run_until("the second start", LIMIT, |world| world.board.launches() == 2)?;
    say(&mut world, texts[2]);
    world.run_until_quiet(LIMIT)?;

    world.check_agreement()?;
    let after = lines(&world);
    if !after.starts_with(&before) || said(&world) != texts {
        return Err(format!("{} became {}", tell(&before), tell(&after)));
    }
    match (host(&mut world).chunks_sent() - chunks, host(&mut world).crashes().len()) {
        (0, 1) => Ok(()),
        (sent, crashes) => Err(format!("{sent} chunks sent again, {crashes} crashes reported")),
    }
}

#[test]
fn a_crash_at_every_moment_of_an_answer() {
    let images = Images::tiny(1);
    let runs = sim::replay::sweep("crash_after", 600, |case, journal| {
        crash_after(&images, case * 1000, journal)
    });
    figure("crashes_in_a_chat", runs, "runs");
}

#[test]
fn stories260k_remembers() {
    let models = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../models/stories260K");
    let about = import::About {
        name: "Stories".to_string(),
        source: "stories260K by Andrej Karpathy".to_string(),
        licences: "MIT".to_string(),
    };
    let persona = import::llama2c(
        &models.join("stories260K.bin"),
        &models.join("tok512.bin"),
        &about,
        WeightFormat::Fp8E4M3,
    )
    .unwrap();
    let board = BoardSettings {
        persona_bytes: persona.len(),
        options: Options { slice: 50_000, ..BoardSettings::default().options },
        ..BoardSettings::default()
    };
    let images = Images::new(8_000, persona);
    let cable = CableSettings { baud: 3_000_000, ..CableSettings::default() };
    let mut world = World::new(&cable, board, &images, 1, Journal::silent()).unwrap();
    let texts = ["Once upon a time", "Then the dog", "At last"];
    let (before, after) = crash_and_go_on(&mut world, texts);
    assert!(after.starts_with(&before));
    assert!(before.iter().chain(&after).any(|line| line.text.split(' ').count() > 5), "{before:?}");
    // The board's context holds the whole story again, not only what came after the crash.
    let tokens = world.board.tokens().unwrap().len();
    let words: usize = after.iter().map(|line| line.text.split(' ').count()).sum();
    assert!(tokens > words, "{tokens} tokens for {words} words");
}
