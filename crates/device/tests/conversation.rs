//! Board and host in one chat, over real sessions on a cable that fails: nothing is lost, doubled
//! or out of order, and the model has read exactly what the transcript shows.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "for tests only")]

mod support;

use device::Machine;
use link::conversation::{MessageState, SayError, Update};
use link::message::{BoardFacts, EndReason, Settings, Speaker};
use model_format::Model;
use proptest::prelude::*;
use support::model::{CHAT, tiny};
use support::world::World;

#[derive(Clone, Debug)]
enum Act {
    Say,
    /// The last message is said anew.
    Edit,
    Regenerate,
    Forget,
    Stop,
    Wait(u16),
    Unplug(u16),
    ReopenPort,
    RestartBoard,
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let act = prop_oneof![
        8 => Just(Act::Say),
        3 => Just(Act::Edit),
        2 => Just(Act::Regenerate),
        1 => Just(Act::Forget),
        2 => Just(Act::Stop),
        8 => (0u16..600).prop_map(Act::Wait),
        2 => (0u16..4000).prop_map(Act::Unplug),
        2 => Just(Act::ReopenPort),
        2 => Just(Act::RestartBoard),
    ];
    proptest::collection::vec(act, 1..30)
}

/// A text that is like no other.
fn text(number: usize) -> String {
    let letter = |n: usize| char::from(b'a' + (n % 26) as u8);
    format!("say {}{}", letter(number / 26), letter(number))
}

fn converse(acts: &[Act], slice: u32, damage: u64, seed: u64) {
    let file = tiny(CHAT, 2048, 3);
    let mut world = World::new(&file, CHAT, slice, seed);
    world.damage = damage;
    let mut said: Vec<(_, String)> = Vec::new();
    let mut texts = 0;
    let mut forgotten = 0;
    for act in acts {
        match act {
            Act::Say => {
                let text = text(texts);
                texts += 1;
                said.push((world.say(&text), text));
            }
            Act::Edit if said.len() > forgotten => {
                let text = text(texts);
                texts += 1;
                let unix = world.unix();
                if let Some((old, _)) = said.pop() {
                    said.push((world.conversation.say_instead(old, &text, unix).unwrap(), text));
                }
            }
            Act::Edit => {}
            Act::Regenerate => world.conversation.regenerate(),
            Act::Forget => {
                world.conversation.forget();
                forgotten = said.len();
            }
            Act::Stop => world.conversation.stop(),
            Act::Wait(ticks) => (0..*ticks).for_each(|_| world.tick()),
            Act::Unplug(ticks) => {
                world.plugged = false;
                (0..*ticks).for_each(|_| world.tick());
                world.plugged = true;
            }
            Act::ReopenPort => world.reopen_port(),
            Act::RestartBoard => world.restart_board(),
        }
    }
    world.settle();

    // Everything said since it was last forgotten is there once, in order, and was read.
    let messages = world.conversation.messages();
    let yours = messages.iter().filter(|message| message.speaker == Speaker::You);
    let yours: Vec<_> = yours.map(|message| (message.key, message.text.clone())).collect();
    assert_eq!(yours, said[forgotten..]);
    for message in messages {
        let is_final = match message.speaker {
            Speaker::You => matches!(
                message.state,
                MessageState::Read | MessageState::Answered | MessageState::Unanswered
            ),
            Speaker::Wisp => {
                matches!(message.state, MessageState::Complete(_) | MessageState::Interrupted)
            }
        };
        assert!(is_final, "{message:?}");
        assert!(!message.text.is_empty());
    }
    assert_eq!(world.heard(), world.written());

    // Each crash is told once, if there was a session to tell it in.
    let crashes = world.updates.iter().filter(|update| matches!(update, Update::Crashed(_)));
    assert!(crashes.count() <= world.restarts as usize);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_failing_cable_and_a_failing_board_change_nothing(
        acts in acts(),
        slice in 2_000u32..100_000,
        damage in prop_oneof![Just(0u64), 300u64..3000],
        seed in any::<u64>(),
    ) {
        converse(&acts, slice, damage, seed);
    }
}

#[test]
fn a_plain_chat_shows_every_state() {
    let file = tiny(CHAT, 2048, 3);
    let mut world = World::new(&file, CHAT, 50_000, 1);
    let mut states = Vec::new();
    let mut ended = 0;
    for number in 0..20 {
        let key = world.say(&text(number));
        world.settle();
        for update in std::mem::take(&mut world.updates) {
            match update {
                Update::MessageState { key: of } if of == key => states.push(of),
                Update::Ended { key } => {
                    let message = world.conversation.message(key).unwrap();
                    assert!(matches!(
                        message.state,
                        MessageState::Complete(EndReason::Finished | EndReason::Length)
                    ));
                    let timing = message.timing.unwrap();
                    assert!(timing.reply_tokens > 0 && timing.prompt_tokens > 0);
                    ended += 1;
                }
                Update::Crashed(_) | Update::Restoring { .. } | Update::Refused { .. } => {
                    panic!("{update:?}")
                }
                _ => {}
            }
        }
        // Sent, received, read, answered or not.
        assert_eq!(states.drain(..).count(), 4);
    }
    assert!(ended > 5);
    assert_eq!(world.heard(), world.written());
}

/// However long the chat is: what was said before is in the KV cache.
#[test]
fn before_an_answer_only_what_is_new_is_read() {
    let file = tiny(CHAT, 2048, 3);
    let mut world = World::new(&file, CHAT, 50_000, 1);
    let mut most = 0;
    let mut answers = 0;
    for number in 0..150u8 {
        let letter = char::from(b'a' + number % 26);
        // A token is a byte at least.
        world.say(&letter.to_string().repeat(20));
        world.settle();
        let messages = world.conversation.messages();
        let from = messages.iter().rposition(|it| it.speaker == Speaker::You).unwrap();
        // What was not answered is counted with what is, and of a burst the first has it all.
        let follows_an_answer = from > 0 && messages[from - 1].speaker == Speaker::Wisp;
        let timing = messages.get(from + 1).and_then(|it| it.timing);
        if let Some(timing) = timing.filter(|_| follows_an_answer) {
            most = most.max(timing.prompt_tokens);
            answers += 1;
        }
    }
    assert!(answers > 5, "{answers}");
    // The rest is marks: ends, gaps, speakers, and the question after the last answer whether to
    // go on.
    assert!(most <= 20 + 9, "{most} tokens were read for one message of 20 bytes");
    println!("wisp: first_token_reads_for_20_bytes {most} tokens");
}

/// Whoever measures gets figures that agree with those of the replies.
#[test]
fn the_board_says_what_it_has_done() {
    let file = tiny(CHAT, 2048, 3);
    let mut world = World::new(&file, CHAT, 50_000, 1);
    let board = BoardFacts { revision: 0x90_0093, memory_bytes: 1 << 28, is_emulated: true };
    world.device.set_board(board);
    let (mut read_micros, mut decode_micros, mut reply_tokens, mut replies) = (0, 0, 0, 0);
    for number in 0..20 {
        world.say(&text(number));
        world.settle();
        for update in std::mem::take(&mut world.updates) {
            let Update::Ended { key } = update else { continue };
            let timing = world.conversation.message(key).unwrap().timing.unwrap();
            decode_micros += u64::from(timing.decode_micros);
            reply_tokens += timing.reply_tokens;
            replies += 1;
        }
        world.conversation.request_details();
        world.settle();
        let told = world.updates.drain(..).find_map(|update| match update {
            Update::Details { board: told, work } => {
                assert_eq!(told, board);
                Some(work)
            }
            _ => None,
        });
        let work = told.unwrap();
        // A message is a gap, a name, at least one token of text, and an end.
        assert!(work.read_tokens >= 4 * (number as u32 + 1));
        assert!(work.read_micros > read_micros);
        read_micros = work.read_micros;
        // A reply of n tokens has n - 1 tokens after the first, and perhaps the one that ends it.
        // One without a word is none, though tokens were drawn for it.
        assert!(work.decode_tokens + replies >= reply_tokens);
        assert!(work.decode_micros >= decode_micros);
    }
    assert!(replies > 5);
}

/// After a measurement the persona is as before.
#[test]
fn settings_are_taken_back() {
    let file = tiny(CHAT, 2048, 3);
    let settings = Settings {
        temperature_milli: 700,
        top_p_milli: 900,
        repetition_penalty_milli: 1000,
        seed: Some(4),
        max_reply_tokens: 2,
    };
    let mut world = World::new(&file, CHAT, 50_000, 1);
    world.conversation.configure(settings);
    let longest = |world: &mut World<'_>, first: usize| {
        for number in first..first + 8 {
            world.say(&text(number));
            world.settle();
        }
        let ended = world.updates.drain(..).filter_map(|update| match update {
            Update::Ended { key } => Some(key),
            _ => None,
        });
        let ended: Vec<_> = ended.collect();
        let tokens = |key| world.conversation.message(key).unwrap().timing.unwrap().reply_tokens;
        ended.into_iter().map(tokens).max().unwrap()
    };
    assert_eq!(longest(&mut world, 0), 2);
    world.conversation.configure_default();
    assert!(longest(&mut world, 8) > 2);
    world.reopen_port();
    assert!(longest(&mut world, 16) > 2, "the old settings came back in the next session");
}

/// A message said anew leaves nothing of the old one, and costs no more than its own tokens.
#[test]
fn what_is_said_instead_is_as_if_it_had_been_said_at_once() {
    let file = tiny(CHAT, 2048, 3);
    let chat = |said: &[&str], instead: Option<&str>| {
        let mut world = World::new(&file, CHAT, 50_000, 1);
        let keys: Vec<_> = said
            .iter()
            .map(|text| {
                let key = world.say(text);
                world.settle();
                key
            })
            .collect();
        if let Some(text) = instead {
            let (old, unix) = (*keys.last().unwrap(), world.unix());
            assert_eq!(
                world.conversation.say_instead(keys[0], text, unix),
                Err(SayError::NotTheLast)
            );
            world.conversation.say_instead(old, text, unix).unwrap();
            world.settle();
            assert_eq!(world.conversation.message(old), None);
        }
        assert_eq!(world.heard(), world.written());
        world.written()
    };
    let edited = chat(&["hello", "how are yuo", "so"], Some("how are you"));
    assert_eq!(edited, chat(&["hello", "how are yuo", "how are you"], None));
    let yours = edited.iter().filter(|(speaker, _)| *speaker == Speaker::You);
    assert_eq!(yours.count(), 3);
}

/// The persona can be asked to begin, but only where nothing was said.
#[test]
fn a_persona_that_is_to_begin_does() {
    let file = tiny(CHAT, 2048, 3);
    let mut world = World::new(&file, CHAT, 50_000, 1);
    world.settle();
    world.conversation.greet();
    world.settle();
    let begun = world.written();
    assert_eq!(begun.first().map(|(speaker, _)| *speaker), Some(Speaker::Wisp));
    assert_eq!(world.heard(), begun);
    world.conversation.greet();
    world.settle();
    assert_eq!(world.written(), begun);
}

#[test]
fn a_persona_tells_who_it_is() {
    let file = tiny(CHAT, 2048, 3);
    let mut world = World::new(&file, CHAT, 50_000, 1);
    world.settle();
    world.conversation.request_card();
    world.settle();
    let card = world.updates.drain(..).find_map(|update| match update {
        Update::Card(card) => Some(card),
        _ => None,
    });
    let card = card.unwrap();
    let model = Model::open(&file).unwrap();
    assert_eq!(card.name, model.persona().name);
    assert_eq!(card.weights, "f32");
    assert_eq!(card.figures.bytes as usize, file.len());
    assert_eq!(u64::from(card.figures.parameters), model.parameters());
    assert_eq!(card.figures.context, 2048);
    assert_eq!(card.figures.settings.top_p_milli, model.persona().sampler.top_p_milli);
}

#[test]
fn a_crash_in_the_middle_of_a_chat_costs_nothing() {
    let file = tiny(CHAT, 2048, 3);
    let mut world = World::new(&file, CHAT, 50_000, 1);
    for number in 0..5 {
        world.say(&text(number));
        world.settle();
    }
    let before = world.written();
    world.conversation.plant_panic();
    while world.restarts == 0 {
        world.tick();
    }
    world.settle();
    assert_eq!(world.written(), before);
    assert_eq!(world.heard(), before);
    let told = |wanted: fn(&Update) -> bool| world.updates.iter().filter(|it| wanted(it)).count();
    assert_eq!(told(|it| matches!(it, Update::Crashed(crash) if crash.message == "planted")), 1);
    assert_eq!(told(|it| matches!(it, Update::Restored { .. })), 1);
    world.say("and on");
    world.settle();
    assert_eq!(world.heard(), world.written());
    assert!(!world.device.has_unseen_crash());
}

#[test]
fn an_answer_that_was_stopped_is_not_given_after_a_crash_either() {
    let file = tiny(CHAT, 2048, 3);
    let mut stopped_unshown = 0;
    for wait in 0..20 {
        // A board so slow that its decision is known here long before its first word.
        let mut world = World::new(&file, CHAT, 200, wait);
        let thinks = |world: &World<'_>| {
            world.updates.iter().any(|update| matches!(update, Update::Thinking { .. }))
        };
        // It does not answer everything.
        for number in 0..20 {
            let key = world.say(&text(number));
            let is_open = |world: &World<'_>| {
                world.conversation.message(key).unwrap().state != MessageState::Unanswered
            };
            while is_open(&world) && !thinks(&world) {
                world.tick();
            }
            if thinks(&world) {
                break;
            }
        }
        (0..wait * 4).for_each(|_| world.tick());
        world.conversation.stop();
        world.settle();
        let before = world.written();
        let answers = before.iter().filter(|(speaker, _)| *speaker == Speaker::Wisp).count();
        stopped_unshown += u32::from(thinks(&world) && answers == 0);
        world.restart_board();
        world.settle();
        assert_eq!(world.written(), before, "stopped after {wait}");
    }
    assert!(stopped_unshown > 0, "no stop came between the decision and the first word");
}

#[test]
fn a_stop_while_a_message_is_read_shows_at_once_and_what_was_said_stays() {
    let file = tiny(CHAT, 2048, 3);
    // A board so slow that it reads for seconds.
    let mut world = World::new(&file, CHAT, 200, 1);
    let key = world.say(&text(7).repeat(12));
    let state = |world: &World<'_>, key| world.conversation.message(key).unwrap().state;
    while state(&world, key) != MessageState::Received {
        world.tick();
    }
    (0..50).for_each(|_| world.tick());
    assert_eq!(state(&world, key), MessageState::Received, "still being read");
    world.conversation.stop();
    let mut ticks = 0;
    while state(&world, key) != MessageState::Unanswered {
        world.tick();
        ticks += 1;
        assert!(ticks <= 10, "{ticks} ms, {:?}", state(&world, key));
    }
    // Nothing comes after all, not even when the board has lost it all.
    world.settle();
    world.restart_board();
    world.settle();
    assert_eq!(world.written().len(), 1);
    assert_eq!(world.heard(), world.written());
    // Until something else is said: the persona does not answer everything.
    for number in 0..20 {
        world.say(&text(number));
        world.settle();
    }
    assert!(world.written().iter().any(|(speaker, _)| *speaker == Speaker::Wisp));
    assert_eq!(world.heard(), world.written());
}

#[test]
fn a_stop_is_also_for_what_waits_at_the_host() {
    let file = tiny(CHAT, 2048, 3);
    for wait in 0..12 {
        let mut world = World::new(&file, CHAT, 2000, wait);
        // More than are under way at a time.
        let keys: Vec<_> = (0..12).map(|number| world.say(&text(number))).collect();
        let state = |world: &World<'_>, key| world.conversation.message(key).unwrap().state;
        while state(&world, keys[7]) == MessageState::Waiting {
            world.tick();
        }
        (0..wait).for_each(|_| world.tick());
        assert_eq!(state(&world, keys[11]), MessageState::Waiting, "stopped after {wait}");
        world.conversation.stop();
        world.settle();
        for key in keys {
            assert_eq!(state(&world, key), MessageState::Unanswered, "stopped after {wait}");
        }
        assert_eq!(world.heard(), world.written());
    }
}

/// A chat of three messages in which a session is lost at one tick, and again a little later.
fn chat_with_cut(restart: bool, cut: usize, again: usize) {
    let file = tiny(CHAT, 2048, 3);
    let mut world = World::new(&file, CHAT, 50_000, cut as u64);
    for number in 0..3 {
        world.say(&text(number));
    }
    world.settle();
    if restart {
        world.restart_board();
    } else {
        world.say("once more");
        world.conversation.regenerate();
    }
    (0..cut).for_each(|_| world.tick());
    world.reopen_port();
    (0..again).for_each(|_| world.tick());
    world.reopen_port();
    world.settle();
    assert_eq!(world.heard(), world.written(), "cut after {cut} ms and {again} ms");
    let said = world.written().iter().filter(|(speaker, _)| *speaker == Speaker::You).count();
    assert_eq!(said, if restart { 3 } else { 4 });
}

#[test]
fn a_session_may_be_lost_at_any_moment_of_a_chat() {
    (0..120).for_each(|cut| chat_with_cut(false, cut, 30 + cut % 17));
}

#[test]
fn a_session_may_be_lost_at_any_moment_of_giving_a_chat_back() {
    // The host notices the restart at the next hello.
    (0..120).for_each(|cut| chat_with_cut(true, cut, 200 + cut % 17));
}
