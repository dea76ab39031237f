//! The host's side of a chat against a board of few lines, with the session cut and the board
//! crashed between any two messages. `crates/device` has the same with the real board.
#![cfg(feature = "host")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod chat;

use chat::{Act, Board, Bytes, DOWN, World, acts, encode, is_final, up};
use link::conversation::{Conversation, MessageState, SayError, Update};
use link::message::{
    CrashKind, CrashReport, DeviceMessage, EndReason, Event, HostMessage, MAX_TEXT, Manners,
    Refusal, Role, Speaker, Stats, Timing,
};
use proptest::prelude::*;

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn both_ends_agree_in_the_end(acts in acts()) {
        let mut world = World::new();
        let mut said = Vec::new();
        let mut forgotten = 0;
        for act in acts {
            match act {
                Act::Say => {
                    said.push(format!("message {}", said.len()));
                    world.conversation.say(said.last().unwrap(), 0).unwrap();
                }
                Act::Regenerate => world.conversation.regenerate(),
                Act::Forget => {
                    world.conversation.forget();
                    forgotten = said.len();
                }
                Act::Work(dice) => world.board.work(dice),
                Act::Deliver(to_board, to_host) => world.deliver(to_board, to_host),
                Act::Cut => {
                    world.conversation.handle_session(&DOWN);
                    world.connect();
                }
                Act::Crash => {
                    world.board = Board::start(world.board.boot + 1);
                    world.connect();
                }
            }
        }
        world.settle();
        for message in world.conversation.messages() {
            prop_assert!(is_final(message), "{:?}", message);
        }
        let here = world.conversation.messages().iter().map(|it| (it.speaker, it.text.clone()));
        let here: Vec<_> = here.collect();
        let there: Vec<_> =
            world.board.said.iter().map(|(who, text, _)| (*who, text.clone())).collect();
        prop_assert_eq!(&here, &there);
        let yours = here.into_iter().filter(|(who, _)| *who == Speaker::You);
        let yours: Vec<String> = yours.map(|(_, text)| text).collect();
        prop_assert_eq!(yours, &said[forgotten..]);
    }

    #[test]
    fn no_message_of_a_board_is_too_strange(messages in proptest::collection::vec(strange(), 1..60)) {
        let mut world = World::new();
        world.conversation.say("hello", 0).unwrap();
        world.conversation.regenerate();
        for bytes in &messages {
            match DeviceMessage::decode(bytes) {
                Some(message) => world.conversation.handle_message(&message, 5),
                // Stands for a new session.
                None => world.conversation.handle_session(&up(Role::Firmware, 1)),
            }
            while world.conversation.poll_update().is_some() {}
            world.conversation.transmit_with(|_| Ok(()));
        }
    }
}

fn strange() -> impl Strategy<Value = Bytes> {
    let number = prop_oneof![0u32..5, any::<u32>()];
    let event =
        (0u8..9, number.clone(), number.clone(), "[a-z]{0,9}").prop_map(|(kind, a, b, text)| {
            match kind {
                0 => encode_event(Event::Read { id: a }, b),
                1 => encode_event(Event::Thinking { reply: a }, b),
                2 => encode_event(Event::Delta { reply: a, offset: b % 20, text: &text }, b),
                3 => {
                    let (reason, timing) = (EndReason::Length, Timing::default());
                    encode_event(Event::End { reply: a, reason, timing }, b)
                }
                4 => encode_event(Event::Withdrawn { reply: a }, b),
                5 => encode_event(Event::StayedSilent { after: a }, b),
                6 => encode_event(Event::Shifted { dropped: a }, b),
                7 => encode_event(Event::Restored { messages: a }, b),
                _ => encode_event(Event::Forgotten, b),
            }
        });
    let other = (0u8..7, number.clone(), number).prop_map(|(kind, a, b)| match kind {
        0 => encode(&DeviceMessage::ChatState { last_id: a, next_event: b, messages: a }),
        1 => encode(&DeviceMessage::Received { id: a }),
        2 => encode(&DeviceMessage::Refused { refusal: Refusal::Busy, detail: a }),
        3 => encode(&DeviceMessage::Refused { refusal: Refusal::TextTooLong, detail: a }),
        4 => encode(&DeviceMessage::Refused { refusal: Refusal::WrongId, detail: a }),
        5 => encode(&DeviceMessage::Stats(Stats::default())),
        _ => Bytes::new(),
    });
    prop_oneof![2 => event, 1 => other]
}

fn encode_event(what: Event<'_>, event: u32) -> Bytes {
    encode(&DeviceMessage::Happened { event, what })
}

/// What the conversation sends now, in words.
fn sent(conversation: &mut Conversation) -> Vec<String> {
    let mut sent = Vec::new();
    conversation.transmit_with(|message| {
        sent.push(match message {
            HostMessage::Say { id, gap_seconds, text } => format!("say {id} {gap_seconds} {text}"),
            HostMessage::Regenerate { id } => format!("regenerate {id}"),
            HostMessage::Forget { id } => format!("forget {id}"),
            HostMessage::Seen { event } => format!("seen {event}"),
            HostMessage::Stop => "stop".into(),
            HostMessage::CrashSeen => "crash seen".into(),
            HostMessage::Clock { unix_seconds } => format!("clock {unix_seconds}"),
            other => format!("{other:?}"),
        });
        Ok(())
    });
    sent
}

fn connected(last_id: u32) -> Conversation {
    let mut conversation = Conversation::new();
    conversation.handle_session(&up(Role::Firmware, 1));
    let state = DeviceMessage::ChatState { last_id, next_event: 1, messages: 0 };
    conversation.handle_message(&state, 1000);
    assert_eq!(sent(&mut conversation), ["clock 1000"]);
    conversation
}

#[test]
fn what_is_said_without_a_board_waits_for_one() {
    let mut conversation = Conversation::new();
    let key = conversation.say("hello", 100).unwrap();
    conversation.say("there", 107).unwrap();
    conversation.stop();
    assert!(sent(&mut conversation).is_empty());
    conversation.handle_session(&up(Role::Bootloader, 9));
    assert!(sent(&mut conversation).is_empty());
    conversation.handle_session(&up(Role::Firmware, 1));
    assert!(sent(&mut conversation).is_empty(), "the board speaks first");
    let state = DeviceMessage::ChatState { last_id: 0, next_event: 1, messages: 0 };
    conversation.handle_message(&state, 200);
    assert_eq!(sent(&mut conversation), ["say 1 0 hello", "say 2 7 there", "clock 200"]);
    assert_eq!(conversation.message(key).unwrap().state, MessageState::Sent);
    assert!(sent(&mut conversation).is_empty());
}

#[test]
fn what_is_written_anew_before_anybody_heard_it_never_leaves() {
    let mut conversation = Conversation::new();
    conversation.say("hello", 100).unwrap();
    let old = conversation.say("ho are you", 107).unwrap();
    let anew = conversation.say_instead(old, "how are you", 130).unwrap();
    let texts: Vec<_> = conversation.messages().iter().map(|it| it.text.as_str()).collect();
    assert_eq!(texts, ["hello", "how are you"]);
    let updates: Vec<_> = core::iter::from_fn(|| conversation.poll_update()).collect();
    assert!(updates.contains(&Update::Withdrawn { key: old }), "{updates:?}");
    conversation.handle_session(&up(Role::Firmware, 1));
    let state = DeviceMessage::ChatState { last_id: 0, next_event: 1, messages: 0 };
    conversation.handle_message(&state, 200);
    assert_eq!(sent(&mut conversation), ["say 1 0 hello", "say 2 7 how are you", "clock 200"]);

    // Once it was sent, a board may have it, whatever happens to the session.
    conversation.handle_session(&DOWN);
    conversation.say_instead(anew, "so", 210).unwrap();
    conversation.handle_session(&up(Role::Firmware, 1));
    let state = DeviceMessage::ChatState { last_id: 1, next_event: 1, messages: 0 };
    conversation.handle_message(&state, 220);
    let expected = ["say 2 7 how are you", "TakeBack { id: 3 }", "say 4 7 so", "clock 220"];
    assert_eq!(sent(&mut conversation), expected);
}

#[test]
fn a_board_in_the_middle_of_a_chat_is_joined() {
    let mut conversation = connected(41);
    conversation.say("hello", 100).unwrap();
    assert_eq!(sent(&mut conversation), ["say 42 0 hello"]);
    let event = |event, what| DeviceMessage::Happened { event, what };
    let delta = Event::Delta { reply: 7, offset: 30, text: "the end" };
    conversation.handle_message(&event(90, delta), 100);
    assert_eq!(conversation.messages()[0].text, "the end");
    assert_eq!(sent(&mut conversation), ["seen 90"]);
}

#[test]
fn a_board_that_talked_with_someone_else_is_given_our_conversation() {
    let mut conversation = connected(0);
    conversation.say("ours", 0).unwrap();
    sent(&mut conversation);
    let read = DeviceMessage::Happened { event: 1, what: Event::Read { id: 1 } };
    conversation.handle_message(&read, 0);
    conversation.handle_session(&DOWN);
    let other_run = |conversation: &mut Conversation| {
        conversation.handle_session(&up(Role::Firmware, 2));
        let state = DeviceMessage::ChatState { last_id: 30, next_event: 70, messages: 12 };
        conversation.handle_message(&state, 9);
    };
    other_run(&mut conversation);
    // The session is lost before any of this arrives: the board's count shows it.
    for _ in 0..2 {
        let silence = HostMessage::RestoreSilence { gap_seconds: 9 };
        let begin = HostMessage::RestoreBegin { messages: 1, last_id: 40, pending: true };
        let restore =
            HostMessage::RestoreMessage { speaker: Speaker::You, gap_seconds: 0, text: "ours" };
        let [silence, begin, restore] = [silence, begin, restore].map(|it| format!("{it:?}"));
        let expected = [silence, begin, restore, "clock 9".into()];
        assert_eq!(sent(&mut conversation), expected);
        conversation.handle_session(&DOWN);
        other_run(&mut conversation);
    }
}

#[test]
fn an_answer_that_was_stopped_before_it_showed_is_not_asked_for_again() {
    let mut conversation = connected(0);
    let key = conversation.say("hello", 0).unwrap();
    sent(&mut conversation);
    conversation.stop();
    let told = [
        Event::Read { id: 1 },
        Event::Thinking { reply: 1 },
        Event::Withdrawn { reply: 1 },
        Event::StayedSilent { after: 1 },
    ];
    for (event, what) in (1..).zip(told) {
        conversation.handle_message(&DeviceMessage::Happened { event, what }, 0);
    }
    assert_eq!(conversation.message(key).unwrap().state, MessageState::Unanswered);
    sent(&mut conversation);
    conversation.handle_session(&up(Role::Firmware, 2));
    let state = DeviceMessage::ChatState { last_id: 0, next_event: 1, messages: 0 };
    conversation.handle_message(&state, 0);
    let begin = HostMessage::RestoreBegin { messages: 1, last_id: 1, pending: false };
    assert_eq!(sent(&mut conversation)[1], format!("{begin:?}"));
}

#[test]
fn replies_that_are_given_back_have_the_numbers_that_the_board_gives_them() {
    let mut conversation = connected(0);
    let mut event = 0;
    let mut happened = |conversation: &mut Conversation, what| {
        event += 1;
        conversation.handle_message(&DeviceMessage::Happened { event, what }, 0);
    };
    // Replies 5 and 6: earlier ones were withdrawn.
    for (reply, text) in [(5, "first"), (6, "second")] {
        happened(&mut conversation, Event::Thinking { reply });
        happened(&mut conversation, Event::Delta { reply, offset: 0, text });
        let (reason, timing) = (EndReason::Finished, Timing::default());
        happened(&mut conversation, Event::End { reply, reason, timing });
    }
    conversation.handle_session(&up(Role::Firmware, 2));
    let state = DeviceMessage::ChatState { last_id: 0, next_event: 1, messages: 0 };
    conversation.handle_message(&state, 0);
    sent(&mut conversation);
    for (event, what) in [(1, Event::Restored { messages: 2 }), (2, Event::Withdrawn { reply: 2 })]
    {
        conversation.handle_message(&DeviceMessage::Happened { event, what }, 0);
    }
    let texts: Vec<_> = conversation.messages().iter().map(|it| it.text.as_str()).collect();
    assert_eq!(texts, ["first"]);
}

#[test]
fn after_a_lost_session_only_what_was_not_taken_is_sent_again() {
    let mut conversation = connected(0);
    for text in ["a", "b", "c"] {
        conversation.say(text, 0).unwrap();
    }
    assert_eq!(sent(&mut conversation).len(), 3);
    conversation.handle_message(&DeviceMessage::Received { id: 1 }, 0);
    conversation.stop();
    conversation.handle_session(&DOWN);
    conversation.handle_session(&up(Role::Firmware, 1));
    // Its answer to the second was lost.
    let state = DeviceMessage::ChatState { last_id: 2, next_event: 1, messages: 0 };
    conversation.handle_message(&state, 5);
    assert_eq!(sent(&mut conversation), ["say 3 0 c", "clock 5"]);
}

#[test]
fn no_more_is_under_way_than_a_board_can_hold() {
    let mut conversation = connected(0);
    for _ in 0..20 {
        conversation.say("x", 0).unwrap();
    }
    assert_eq!(sent(&mut conversation).len(), 8);
    conversation.typing();
    assert_eq!(sent(&mut conversation), ["Typing"], "a signal is not held up");
    conversation.handle_message(&DeviceMessage::Received { id: 8 }, 0);
    assert!(sent(&mut conversation).is_empty());
    let read = DeviceMessage::Happened { event: 1, what: Event::Read { id: 2 } };
    conversation.handle_message(&read, 0);
    assert_eq!(sent(&mut conversation), ["seen 1", "say 9 0 x", "say 10 0 x"]);
}

#[test]
fn a_full_board_is_asked_again_when_something_has_happened_there() {
    let mut conversation = connected(0);
    conversation.say("a", 0).unwrap();
    conversation.say("b", 0).unwrap();
    assert_eq!(sent(&mut conversation).len(), 2);
    let refused = |detail| DeviceMessage::Refused { refusal: Refusal::Busy, detail };
    conversation.handle_message(&refused(1), 0);
    let wrong = DeviceMessage::Refused { refusal: Refusal::WrongId, detail: 2 };
    conversation.handle_message(&wrong, 0);
    assert!(sent(&mut conversation).is_empty());
    let happened = DeviceMessage::Happened { event: 1, what: Event::Shifted { dropped: 1 } };
    conversation.handle_message(&happened, 0);
    assert_eq!(sent(&mut conversation), ["seen 1", "say 1 0 a", "say 2 0 b"]);
}

fn read(conversation: &mut Conversation, event: u32, id: u32) {
    let read = DeviceMessage::Happened { event, what: Event::Read { id } };
    conversation.handle_message(&read, 0);
}

#[test]
fn a_stop_that_nothing_waits_before_is_sent_once() {
    let mut conversation = connected(0);
    conversation.say("a", 0).unwrap();
    conversation.stop();
    conversation.say("b", 0).unwrap();
    assert_eq!(sent(&mut conversation), ["say 1 0 a", "stop", "say 2 0 b"]);
    conversation.handle_message(&DeviceMessage::Received { id: 2 }, 0);
    read(&mut conversation, 1, 2);
    assert_eq!(sent(&mut conversation), ["seen 1"]);
    conversation.stop();
    assert_eq!(sent(&mut conversation), ["stop"]);
    assert!(sent(&mut conversation).is_empty());
}

#[test]
fn a_stop_is_sent_at_once_and_again_behind_all_that_was_said_before() {
    let mut conversation = connected(0);
    for _ in 0..10 {
        conversation.say("x", 0).unwrap();
    }
    assert_eq!(sent(&mut conversation).len(), 8);
    // Asking twice is no more than asking once.
    for _ in 0..2 {
        conversation.stop();
        assert_eq!(sent(&mut conversation), ["stop"]);
    }
    conversation.say("y", 0).unwrap();
    conversation.request_stats();
    assert_eq!(sent(&mut conversation), ["StatsRequest"]);
    read(&mut conversation, 1, 1);
    assert_eq!(sent(&mut conversation), ["seen 1", "say 9 0 x"]);
    read(&mut conversation, 2, 3);
    assert_eq!(sent(&mut conversation), ["seen 2", "say 10 0 x", "stop", "say 11 0 y"]);
    assert!(sent(&mut conversation).is_empty());
    read(&mut conversation, 3, 11);
    assert_eq!(sent(&mut conversation), ["seen 3"]);
    assert!(conversation.is_settled());
}

#[test]
fn a_stop_is_sent_again_behind_what_a_full_board_did_not_take() {
    let mut conversation = connected(0);
    for text in ["a", "b"] {
        conversation.say(text, 0).unwrap();
    }
    conversation.stop();
    conversation.say("c", 0).unwrap();
    assert_eq!(sent(&mut conversation), ["say 1 0 a", "say 2 0 b", "stop", "say 3 0 c"]);
    conversation.handle_message(&DeviceMessage::Received { id: 1 }, 0);
    let refused = |refusal, detail| DeviceMessage::Refused { refusal, detail };
    conversation.handle_message(&refused(Refusal::Busy, 2), 0);
    conversation.handle_message(&refused(Refusal::WrongId, 3), 0);
    assert!(sent(&mut conversation).is_empty());
    read(&mut conversation, 1, 1);
    assert_eq!(sent(&mut conversation), ["seen 1", "say 2 0 b", "stop", "say 3 0 c"]);
    // What the board will never take is nothing to stop, and c is counted anew.
    conversation.handle_message(&refused(Refusal::TextTooLong, 2), 0);
    assert_eq!(sent(&mut conversation), ["say 2 0 c"]);
    conversation.handle_message(&DeviceMessage::Received { id: 2 }, 0);
    assert!(sent(&mut conversation).is_empty());
}

#[test]
fn a_stop_is_for_its_session_only() {
    let mut conversation = connected(0);
    for _ in 0..9 {
        conversation.say("x", 0).unwrap();
    }
    conversation.stop();
    assert_eq!(sent(&mut conversation).last().unwrap(), "stop");
    conversation.handle_session(&DOWN);
    conversation.handle_session(&up(Role::Firmware, 1));
    let state = DeviceMessage::ChatState { last_id: 8, next_event: 1, messages: 0 };
    conversation.handle_message(&state, 5);
    read(&mut conversation, 1, 8);
    assert_eq!(sent(&mut conversation), ["seen 1", "say 9 0 x", "clock 5"]);
}

#[test]
fn a_text_that_is_too_long_is_not_said() {
    let mut conversation = connected(0);
    let long = "x".repeat(MAX_TEXT + 1);
    let error = SayError::TooLong { bytes: MAX_TEXT + 1 };
    assert_eq!(conversation.say(&long, 0), Err(error));
    assert!(conversation.messages().is_empty());
    assert!(conversation.say(&long[1..], 0).is_ok());
}

#[test]
fn a_crash_is_told_once_however_often_it_is_reported() {
    let mut conversation = connected(0);
    let report = CrashReport {
        role: Role::Firmware,
        kind: CrashKind::Panic,
        program_counter: 1,
        link_register: 2,
        fault_status: 0,
        fault_address: 0,
        message: "index out of bounds",
    };
    for _ in 0..3 {
        conversation.handle_message(&DeviceMessage::Crashed(report), 0);
        assert_eq!(sent(&mut conversation), ["crash seen"]);
    }
    let updates = std::iter::from_fn(|| conversation.poll_update());
    let crashes = updates.filter(|update| matches!(update, Update::Crashed(_)));
    assert_eq!(crashes.count(), 1);
}

#[test]
fn manners_are_told_in_every_session() {
    let manners = Manners { talkativeness_milli: 2000, most_unanswered: None, quiet: None };
    let told = format!("{:?}", HostMessage::Manners(manners));
    let mut conversation = connected(0);
    conversation.set_manners(manners);
    assert_eq!(sent(&mut conversation), std::slice::from_ref(&told));
    assert!(sent(&mut conversation).is_empty());
    conversation.handle_session(&DOWN);
    conversation.handle_session(&up(Role::Firmware, 2));
    let state = DeviceMessage::ChatState { last_id: 0, next_event: 1, messages: 0 };
    conversation.handle_message(&state, 9);
    assert_eq!(sent(&mut conversation), [told, "clock 9".into()]);
}

#[test]
fn who_breaks_a_silence_says_how_long_it_was() {
    let mut conversation = connected(0);
    conversation.say("good night", 1000).unwrap();
    sent(&mut conversation);
    let happened = |event, what| DeviceMessage::Happened { event, what };
    conversation.handle_message(&happened(1, Event::Read { id: 1 }), 1000);
    conversation.handle_message(&happened(2, Event::StayedSilent { after: 1 }), 1000);
    let breaks = Event::BreaksSilence { reply: 1, gap_seconds: 7200 };
    conversation.handle_message(&happened(3, breaks), 8200);
    // Not shown yet: a message that the friend sends now follows the friend's own.
    let friend = conversation.say("awake?", 8201).unwrap();
    assert_eq!(conversation.message(friend).unwrap().gap_seconds, 7201);
    let delta = Event::Delta { reply: 1, offset: 0, text: "psst" };
    conversation.handle_message(&happened(4, delta), 8202);
    let messages = conversation.messages();
    assert_eq!((&*messages[1].text, messages[1].gap_seconds), ("psst", 7200));
    let later = conversation.say("ah", 8205).unwrap();
    assert_eq!(conversation.message(later).unwrap().gap_seconds, 4);
}
