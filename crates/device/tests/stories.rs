//! A real model on the whole way: cable, session, inbox, model, event log, transcript.
#![allow(clippy::unwrap_used, clippy::panic, reason = "for tests only")]

mod support;

use link::message::{Settings, Speaker};
use model_format::WeightFormat;
use support::model::{STORY, stories260k};
use support::world::World;

/// What llama2.c writes: test_all.py of karpathy/llama2.c, `run stories260K.bin -t 0.0 -n 200`.
const LLAMA2_C_TEXT: &str = "Once upon a time, there was a little girl named Lily. She loved to \
play outside in the park. One day, she saw a big, red ball. She wanted to play with it, but it was \
too high.\nLily's mom said, \"Lily, let's go to the park.\" Lily was sad and didn't know what to do. \
She said, \"I want to play with your ball, but I can't find it.\"\nLily was sad and didn't know what \
to do. She said, \"I'm sorry, Lily. I didn't know what to do.\"\nLily didn't want to help her mom, \
so she";

const GREEDY: Settings = Settings {
    temperature_milli: 0,
    top_p_milli: 1000,
    repetition_penalty_milli: 1000,
    seed: None,
    max_reply_tokens: 300,
};

fn reply_to(text: &str) -> String {
    let file = stories260k(WeightFormat::F32);
    let mut world = World::new(&file, STORY, 200_000, 1);
    world.conversation.configure(GREEDY);
    world.say(text);
    world.settle();
    let [_, reply] = world.conversation.messages() else { panic!("one message and one reply") };
    assert_eq!(reply.speaker, Speaker::Wisp);
    reply.text.clone()
}

#[test]
fn a_story_out_of_nothing_is_llama2_c_s() {
    let reply = reply_to("");
    assert!(reply.starts_with(LLAMA2_C_TEXT), "{reply}");
}

#[test]
fn a_story_that_was_begun_goes_on() {
    let begun = "Once upon a time";
    let reply = reply_to(begun);
    let rest = LLAMA2_C_TEXT.strip_prefix(begun).unwrap();
    assert!(reply.starts_with(rest), "{reply}");
}
