//! What the tests of this crate share.
#![allow(dead_code, reason = "each test binary uses another part")]
#![allow(clippy::unwrap_used, reason = "a test helper may fail the test")]

use link::conversation::MessageKey;
use link::message::Settings;
use sim::transcript::{self, Line};
use sim::{Host, World, host};

/// Short replies, always the same dice.
pub fn settings(max_reply_tokens: u16) -> Settings {
    Settings {
        temperature_milli: 1000,
        top_p_milli: 1000,
        repetition_penalty_milli: 1000,
        seed: Some(7),
        max_reply_tokens,
    }
}

/// The host program, which must be running.
pub fn host(world: &mut World) -> &mut Host {
    world.host.as_mut().unwrap()
}

/// The friend writes something, and the program has it.
pub fn say(world: &mut World, text: &str) -> MessageKey {
    let now = host::unix_seconds(world.now);
    let key = host(world).conversation_mut().say(text, now).unwrap();
    host(world).write_down();
    key
}

/// The conversation as the host knows it; empty while no host program runs.
pub fn lines(world: &World) -> Vec<Line> {
    let host = world.host.as_ref();
    host.map(|host| transcript::of_host(host.conversation())).unwrap_or_default()
}

/// The friend's texts that the persona has read, in order.
pub fn said(world: &World) -> Vec<String> {
    let lines = lines(world).into_iter();
    lines.filter(|line| line.speaker == link::message::Speaker::You).map(|line| line.text).collect()
}

/// Prints a figure for `make test` to collect.
pub fn figure(name: &str, value: impl std::fmt::Display, unit: &str) {
    println!("wisp: {name} {value} {unit}");
}
