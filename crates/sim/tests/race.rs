//! The friend writes while the persona answers, at every moment of the answer.
//!
//! What broke the first project of this kind. The rule: the text is acknowledged at once and
//! enters the model at a message boundary. If nothing of the running reply has been shown, the
//! reply is withdrawn and thought again with the new text; otherwise it is finished first.
#![allow(clippy::unwrap_used, reason = "a test may fail")]

mod support;

use std::sync::atomic::{AtomicU64, Ordering};

use link::Instant;
use link::message::Event;
use sim::{BoardSettings, CableSettings, Heard, Images, Journal, World};
use support::{figure, host, said, say, settings};

/// Longest time for anything here.
const LIMIT: u64 = 10_000_000;

/// "At once": a slice of work, the queues of both ports, the delay of the cable, and the message
/// and its answer on the wire at 115200 baud.
const AT_ONCE_MICROS: u64 = 30_000;

/// Between two moments to be tried: less than a byte takes at 115200 baud.
const TICK_MICROS: u64 = 80;

const TEXTS: [&str; 2] = ["hello wisp", "wait"];

/// A persona that was asked something and has not yet heard of it.
fn asked(images: &Images, journal: Journal) -> World {
    let cable = CableSettings::default();
    let mut world = World::new(&cable, BoardSettings::default(), images, 3, journal).unwrap();
    world.run_until("the start", LIMIT, World::is_online).unwrap();
    host(&mut world).conversation_mut().configure(settings(6));
    world.run_until_quiet(LIMIT).unwrap();
    say(&mut world, TEXTS[0]);
    world
}

/// How long the whole answer takes, in microseconds.
fn duration(images: &Images) -> u64 {
    let mut world = asked(images, Journal::silent());
    let begin = world.now;
    world.run_until("the answer", LIMIT, World::is_settled).unwrap();
    world.now.micros_since(begin)
}

/// What became of the race.
#[derive(Default)]
struct Outcome {
    ack_micros: u64,
    was_withdrawn: bool,
    was_finished: bool,
}

fn race(images: &Images, delay: u64, journal: Journal) -> Result<Outcome, String> {
    let mut world = asked(images, journal);
    world.run_for(delay);
    let said_at = world.now;
    say(&mut world, TEXTS[1]);
    world.run_until_quiet(LIMIT)?;
    world.check_agreement()?;
    if said(&world) != TEXTS {
        return Err(format!("the persona has read {:?}", said(&world)));
    }
    judge(said_at, host(&mut world).heard())
}

/// Holds what the host heard against the rule.
fn judge(said_at: Instant, heard: &[(Instant, Heard)]) -> Result<Outcome, String> {
    let mut outcome = Outcome::default();
    let count = |wanted: Heard| heard.iter().filter(|(_, what)| *what == wanted).count();
    for id in 1..=2 {
        let once = [Heard::Received { id }, Heard::Happened(Event::Read { id })].map(count);
        if once != [1, 1] {
            return Err(format!("message {id}: received {} and read {} times", once[0], once[1]));
        }
    }
    // Number of the running reply, and whether any of it was shown.
    let mut running: Option<(u32, bool)> = None;
    let (mut is_received, mut is_read) = (false, false);
    for (now, what) in heard {
        match *what {
            Heard::Received { id: 2 } => {
                is_received = true;
                outcome.ack_micros = now.micros_since(said_at);
            }
            Heard::Happened(Event::Read { id: 2 }) => {
                is_read = true;
                if let Some((reply, _)) = running {
                    return Err(format!("read in the middle of reply {reply}"));
                }
            }
            Heard::Happened(Event::Thinking { reply }) => {
                if is_received && !is_read {
                    return Err(format!("reply {reply} was begun before the text was read"));
                }
                running = Some((reply, false));
            }
            Heard::Happened(Event::Delta { reply, .. }) => running = Some((reply, true)),
            Heard::Happened(Event::End { .. }) => {
                outcome.was_finished |= is_received && !is_read;
                running = None;
            }
            Heard::Happened(Event::Withdrawn { reply }) => {
                if running == Some((reply, true)) {
                    return Err(format!("reply {reply} was shown and then withdrawn"));
                }
                outcome.was_withdrawn |= is_received;
                running = None;
            }
            _ => {}
        }
    }
    match outcome.ack_micros {
        0..=AT_ONCE_MICROS => Ok(outcome),
        late => Err(format!("acknowledged after {late} us")),
    }
}

#[test]
fn a_say_at_every_moment_of_a_reply() {
    // Three personas: their answers differ in length and number.
    for seed in 1..=3 {
        let images = Images::tiny(seed);
        let duration = duration(&images);
        let [worst, withdrawn, finished] = [const { AtomicU64::new(0) }; 3];
        let name = format!("race_{seed}");
        let runs = sim::replay::sweep(&name, duration / TICK_MICROS, |case, journal| {
            let outcome = race(&images, case * TICK_MICROS, journal)?;
            worst.fetch_max(outcome.ack_micros, Ordering::Relaxed);
            withdrawn.fetch_add(outcome.was_withdrawn.into(), Ordering::Relaxed);
            finished.fetch_add(outcome.was_finished.into(), Ordering::Relaxed);
            Ok(())
        });
        let [withdrawn, finished] = [withdrawn, finished].map(AtomicU64::into_inner);
        if runs > 1 {
            assert!(withdrawn > 0 && finished > 0, "{withdrawn} withdrawn, {finished} finished");
        }
        figure(&format!("{name}_runs"), runs, "runs");
        figure(&format!("{name}_withdrawn"), withdrawn, "replies");
        figure(&format!("{name}_ack_worst"), worst.into_inner(), "us");
    }
}
