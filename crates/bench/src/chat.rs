//! How much of a chat the board need not compute again: the KV cache's share in a scripted chat.
//!
//! The real device, link and host talk on the virtual board (`crates/sim`). What is counted does
//! not depend on the model, only on what is kept of it from one message to the next.

use anyhow::{Context, Result, anyhow};
use link::conversation::Update;
use link::message::Settings;
use sim::{BoardSettings, CableSettings, Images, Journal, World, host};

use crate::figures::{Figures, KV_REUSE, Unit};

/// What the friend writes: 12 short messages; after every third the answer is asked for again.
const TEXTS: [&str; 12] = [
    "good morning",
    "did you sleep well",
    "it rained all night here",
    "i had to carry the plants inside",
    "what did you do yesterday",
    "i read half of a book",
    "it was about the sea",
    "have you ever seen the sea",
    "we could go there one day",
    "by train it is not far",
    "i have to leave now",
    "see you this evening",
];

/// Longest time for an answer, in microseconds of the virtual clock.
const LIMIT: u64 = 60_000_000;

/// Tokens of a whole chat.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reuse {
    /// Tokens that the board computed.
    pub computed: u64,
    /// Tokens in the context, summed over all answers: what a board without a cache would compute.
    pub context: u64,
}

impl Reuse {
    /// The share that needed no work, in percent.
    pub fn rate(&self) -> f64 {
        (1.0 - self.computed as f64 / self.context.max(1) as f64) * 100.0
    }

    /// As a figure.
    pub fn add_to(&self, figures: &mut Figures) {
        figures.add(KV_REUSE, self.rate(), Unit::Percent);
    }
}

/// Plays the chat.
pub fn play() -> Result<Reuse> {
    let images = Images::tiny(1);
    let cable = CableSettings::default();
    let mut board = BoardSettings::default();
    // All that the tiny persona can remember: some four of these messages and their answers.
    board.options.engine.context = usize::MAX;
    let mut world = World::new(&cable, board, &images, 3, Journal::silent())
        .map_err(|error| anyhow!("the virtual board: {error:?}"))?;
    world.run_until("the start", LIMIT, World::is_online).map_err(|stuck| anyhow!("{stuck}"))?;
    let settings = Settings {
        temperature_milli: 1000,
        top_p_milli: 1000,
        repetition_penalty_milli: 1000,
        seed: Some(7),
        max_reply_tokens: 24,
    };
    speak(&mut world)?.configure(settings);
    rest(&mut world)?;
    let mut reuse = Reuse::default();
    for (index, text) in TEXTS.iter().enumerate() {
        let now = host::unix_seconds(world.now);
        speak(&mut world)?.say(text, now).map_err(|error| anyhow!("saying: {error:?}"))?;
        rest(&mut world)?;
        reuse.context += context(&world)?;
        if index % 3 == 2 {
            speak(&mut world)?.regenerate();
            rest(&mut world)?;
            reuse.context += context(&world)?;
        }
    }
    speak(&mut world)?.request_stats();
    world.run_for(1_000_000);
    let host = world.host.as_ref().context("no host")?;
    let told = host.updates().iter().rev().find_map(|update| match update {
        Update::Stats(stats) => Some(stats.tokens),
        _ => None,
    });
    reuse.computed = u64::from(told.context("the board does not say what it computed")?);
    Ok(reuse)
}

fn speak(world: &mut World) -> Result<&mut link::conversation::Conversation> {
    Ok(world.host.as_mut().context("no host")?.conversation_mut())
}

fn rest(world: &mut World) -> Result<()> {
    world.run_until_quiet(LIMIT).map_err(|stuck| anyhow!("{stuck}"))
}

/// Tokens in the board's context.
fn context(world: &World) -> Result<u64> {
    Ok(world.board.tokens().context("the board is not up")?.len() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chat_is_played_and_most_of_it_is_kept() {
        let reuse = play().unwrap();
        // Every letter that the friend wrote is computed at least once.
        let written: usize = TEXTS.iter().map(|text| text.len()).sum();
        assert!(reuse.computed >= written as u64, "{reuse:?}");
        assert!(reuse.computed < reuse.context, "{reuse:?}");
        assert_eq!(play().unwrap(), reuse, "it is the same every time");
    }

    #[test]
    fn the_rate_is_what_was_not_computed() {
        assert_eq!(Reuse { computed: 25, context: 100 }.rate(), 75.0);
    }
}
