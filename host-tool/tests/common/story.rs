//! A short chat that a board holds in the host's words, and what it lives through meanwhile.

use link::message::Settings;
use wisp::client::{Command, Update};

use crate::cable::Fault;
use crate::emulated::{Artefacts, Bench, Watched};
use crate::reference;

/// Greedy, and short enough that a test need not wait for a long story.
pub const SETTINGS: Settings = Settings {
    temperature_milli: 0,
    top_p_milli: 1000,
    repetition_penalty_milli: 1000,
    seed: Some(7),
    max_reply_tokens: 48,
};

/// What is said.
pub const SAID: [&str; 2] =
    ["Once upon a time, there was a little ghost", "One day, the ghost saw"];

/// What is answered, as the host computes it.
pub fn answers(artefacts: &Artefacts) -> Vec<String> {
    reference::replies(&artefacts.persona, SETTINGS, &SAID)
}

/// The firmware's log came along, with its place in the source. Returns how many lines.
pub fn check_log(client: &Watched, artefacts: &Artefacts) -> usize {
    let log = client.log(artefacts);
    let line = |beginning: &str| {
        let found = log.iter().find(|line| line.text.starts_with(beginning));
        found.unwrap_or_else(|| panic!("no line `{beginning}`"))
    };
    let (file, number) = line("persona of ").place.clone().expect("a place in the source");
    assert!(file.ends_with("firmware/src/main.rs") && number > 0, "{file}:{number}");
    // The emulated board has the memory to pack the weights.
    let plan = &line("memory: ").text;
    assert!(plan.starts_with("memory: weights packed in "), "{plan}");
    let tested = &line("self-test: ").text;
    assert!(tested.contains(" bytes and the kernels are sound"), "{tested}");
    log.len()
}

/// A second load: all is there, nothing travels.
pub fn load_again(bench: &Bench, artefacts: &Artefacts) -> Watched {
    let mut client = bench.connect(Fault::None, artefacts);
    client.wait_until_online();
    assert_eq!((client.chunks_sent(), client.chunks_skipped()), (0, artefacts.chunks()));
    client
}

/// A panic in the middle of a conversation: reported, restarted from memory, gone on.
pub fn survive_a_panic(client: &mut Watched, answers: &[String]) {
    client.send(Command::Configure(SETTINGS));
    assert_eq!(client.say_and_wait(SAID[0]).text, answers[0]);
    client.send(Command::PlantPanic);
    let crash = client.wait_for("a crash report", |update| match update {
        Update::Crashed { notice } => Some(notice.message.clone()),
        _ => None,
    });
    assert!(crash.contains("panic"), "{crash}");
    client.wait_until_online();
    assert_eq!(client.chunks_sent(), 0, "the images were in memory all along");
    assert_eq!(client.say_and_wait(SAID[1]).text, answers[1], "the history was not restored");
}
