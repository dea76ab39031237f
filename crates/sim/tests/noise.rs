//! More than an hour of chat on a cable that flips one bit in ten thousand: word for word the chat of
//! a perfect cable.
#![allow(clippy::unwrap_used, reason = "a test may fail")]

mod support;

use std::sync::atomic::{AtomicU64, Ordering};

use sim::transcript::{Line, tell};
use sim::{BoardSettings, CableSettings, Images, Journal, Noise, Random, World};
use support::{figure, host, lines, say, settings};

/// Chats, each with its own noise.
const CHATS: u64 = 8;

/// Messages of the friend in each.
const MESSAGES: u64 = 200;

/// Longest time until an answer is there.
const ANSWER: u64 = 20_000_000;

/// Bad in every way at once.
const BAD: Noise = Noise {
    bit_errors: 100_000,
    dropped: 20_000,
    doubled: 20_000,
    inserted: 20_000,
    pauses: 100_000,
    longest_pause: 50_000,
    lost_frames: 1,
};

struct Chat {
    lines: Vec<Line>,
    micros: u64,
    corrupt: u64,
}

fn chat(images: &Images, noise: Noise, seed: u64, journal: Journal) -> Result<Chat, String> {
    let cable = CableSettings::default().with_noise(noise);
    let mut world = World::new(&cable, BoardSettings::default(), images, seed, journal).unwrap();
    world.run_until("the start", ANSWER, World::is_online)?;
    host(&mut world).conversation_mut().configure(settings(10));
    // The friend's pauses are part of the conversation, so they do not depend on the noise.
    let mut random = Random::new(99);
    for message in 0..MESSAGES {
        let words = ["hello", "how are you", "tell me more", "really", "good night"];
        say(&mut world, words[(message % words.len() as u64) as usize]);
        world.run_until_quiet(ANSWER)?;
        world.run_for(random.below(3_000_000));
        if message % 7 == 3 {
            host(&mut world).conversation_mut().regenerate();
            world.run_until_quiet(ANSWER)?;
        }
    }
    world.check_agreement()?;
    let sessions = host(&mut world).sessions();
    if sessions > 2 {
        return Err(format!("{sessions} sessions where 2 are enough"));
    }
    let counters = host(&mut world).session().counters();
    let corrupt = u64::from(counters.frames_corrupt);
    Ok(Chat { lines: lines(&world), micros: world.now.0, corrupt })
}

#[test]
fn noise_changes_no_word() {
    let images = Images::tiny(2);
    let clean = chat(&images, Noise::default(), 1, Journal::silent()).unwrap();
    assert!(clean.lines.len() as u64 > MESSAGES);
    assert_eq!(clean.corrupt, 0);
    let [micros, corrupt] = [const { AtomicU64::new(0) }; 2];
    sim::replay::sweep("noise", CHATS, |case, journal| {
        let noise = if case == 0 { Noise::bit_errors(100_000) } else { BAD };
        let noisy = chat(&images, noise, 1 + case, journal)?;
        micros.fetch_add(noisy.micros, Ordering::Relaxed);
        corrupt.fetch_add(noisy.corrupt, Ordering::Relaxed);
        match noisy.lines == clean.lines {
            true => Ok(()),
            false => Err(format!("{}\ninstead of {}", tell(&noisy.lines), tell(&clean.lines))),
        }
    });
    let corrupt = corrupt.into_inner();
    assert!(corrupt > 100, "only {corrupt} frames were damaged");
    figure("noise_chat", micros.into_inner() / 1_000_000, "simulated_seconds");
    figure("noise_frames_corrupt", corrupt, "frames");
}
