//! What `sample` lets a persona answer is what the board answers: the same words, message by
//! message, over a real session with the whole firmware's behaviour.
#![allow(clippy::unwrap_used)]

// The board and host of crate `device`'s own tests.
#[path = "../../crates/device/tests/support/mod.rs"]
mod support;

use std::path::Path;

use link::message::{Manners, Speaker as Who};
use model_format::{Model, WeightFormat};
use persona::Speaker;
use support::model::{CHAT, tiny_in};
use support::world::World;
use tokenizer::Tokenizer;
use wisp_model::sample::{Voice, answers};

/// Manners of nobody's asking.
const AS_LEARNED: Manners =
    Manners { talkativeness_milli: 1000, most_unanswered: None, quiet: None };

/// The seed of that board.
const SEED: u64 = 5;

#[test]
fn a_sample_is_what_the_board_says() {
    let (mut answered, mut silent) = (0, 0);
    // A context that is never full, and one that the conversation outgrows.
    for (context, format) in
        [(2048, WeightFormat::F32), (2048, WeightFormat::Fp8E4M3), (96, WeightFormat::Int8)]
    {
        let said: Vec<String> = (0..90)
            .map(|number| format!("say the thing {}", ["again", "now", "or not"][number % 3]))
            .collect();
        let file = tiny_in(format, CHAT, context, 3);
        let model = Model::open(&file).unwrap();
        let tokenizer = Tokenizer::open(model.tokenizer()).unwrap();
        let mut voice = Voice::new(Path::new("tiny.wisp"), &model, tokenizer).unwrap();
        let talk = answers(&mut voice, SEED, &said, usize::MAX).unwrap();
        let sampled: Vec<_> =
            talk.iter().map(|line| (line.speaker == Speaker::Wisp, line.text.clone())).collect();

        let mut world = World::new(&file, CHAT, 4000, 1);
        world.conversation.set_manners(AS_LEARNED);
        for text in &said {
            world.say(text);
            world.settle();
        }
        let messages = world.conversation.messages().iter();
        let written: Vec<_> =
            messages.map(|it| (it.speaker == Who::Wisp, it.text.clone())).collect();
        assert_eq!(sampled, written);
        answered += talk.iter().filter(|line| line.speaker == Speaker::Wisp).count();
        silent += talk.iter().filter(|line| line.is_unanswered).count();
    }
    assert!(answered > 10 && silent > 10, "{answered} {silent}");
}
