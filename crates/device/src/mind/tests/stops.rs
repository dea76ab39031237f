//! What the friend wants no answer to, and when that is obeyed: in the step that hears of it.

use super::*;

fn say(mind: &mut Mind<'_, Portable>, id: u32, text: &str) {
    let text = text.try_into().unwrap();
    let arrival = mind.inbox.arrive(id, || Order::Say { gap_seconds: 0, text });
    assert_eq!(arrival, crate::inbox::Arrival::Taken);
}

#[test]
fn stop_ends_the_reply_in_one_step() {
    let file = tiny(STORY, 400, 3);
    let mut most = 0;
    for shown in [false, true] {
        let mut mind = writing(&file, shown);
        events(&mut mind);
        mind.stop();
        let mut steps = 0;
        let mut all = std::vec::Vec::new();
        while mind.think(Instant(0), &mut Outbox::new()) {
            all.extend(events(&mut mind));
            steps += 1;
        }
        most = most.max(steps);
        let events = all;
        if shown {
            assert!(matches!(events.last(), Some(Event::End { reason: EndReason::Stopped, .. })));
        } else {
            let expected = [Event::Withdrawn { reply: 1 }, Event::StayedSilent { after: 1 }];
            assert_eq!(events, expected);
        }
    }
    assert_eq!(most, 1);
    std::println!("wisp: stop_takes_effect_within {most} steps");
}

#[test]
fn stop_in_a_burst_leaves_what_was_answered_answered() {
    let file = tiny(STORY, 400, 3);
    let mut mind = writing(&file, false);
    // As if it were its second message.
    mind.context.take_back_message();
    for reply in [0, 1] {
        mind.context.begin_message(Speaker::Wisp, 0, reply, 0);
    }
    events(&mut mind);
    mind.stop();
    assert!(mind.think(Instant(0), &mut Outbox::new()));
    assert_eq!(events(&mut mind), [Event::Withdrawn { reply: 1 }]);
}

#[test]
fn stop_without_a_reply_is_nothing() {
    let file = tiny(STORY, 400, 3);
    let mut mind = mind(&file, STORY, 1000, sampling(900));
    mind.stop();
    let hello = || Order::Say { gap_seconds: 0, text: "hello".try_into().unwrap() };
    mind.inbox.arrive(1, hello);
    while mind.think(Instant(0), &mut Outbox::new()) {}
    assert!(events(&mut mind).iter().any(|event| matches!(event, Event::End { .. })));
}

/// A mind that has answered once, in full.
fn answered(file: &[u8]) -> Mind<'_, Portable> {
    let mut mind = mind(file, STORY, 2000, sampling(900));
    say(&mut mind, 1, "hello");
    while mind.think(Instant(0), &mut Outbox::new()) {}
    assert_eq!(mind.context.message_count(), 2);
    events(&mut mind);
    mind
}

#[test]
fn stop_after_again_leaves_what_is_written_of_the_new_answer_or_none() {
    let file = tiny(STORY, 400, 3);
    let (mut with_text, mut without) = (0, 0);
    for steps in 0.. {
        let mut mind = answered(&file);
        mind.inbox.arrive(2, || Order::Regenerate);
        for _ in 0..steps {
            mind.think(Instant(0), &mut Outbox::new());
        }
        let is_over = steps > 0 && matches!(mind.phase, Phase::Idle);
        mind.stop();
        while mind.think(Instant(0), &mut Outbox::new()) {}
        let told = events(&mut mind);
        // The old answer is gone however early the stop came.
        assert_eq!(told[..2], [Event::Withdrawn { reply: 1 }, Event::Read { id: 2 }]);
        if is_over {
            break;
        }
        if mind.context.message_count() == 2 {
            with_text += 1;
            let Some(Event::End { reply: 2, reason, .. }) = told.last() else {
                panic!("{told:?}");
            };
            assert_eq!(*reason, EndReason::Stopped);
            continue;
        }
        without += 1;
        assert_eq!(told.last(), Some(&Event::StayedSilent { after: 1 }));
        // Asked once more, it answers.
        mind.inbox.arrive(3, || Order::Regenerate);
        while mind.think(Instant(0), &mut Outbox::new()) {}
        assert_eq!(mind.context.message_count(), 2);
    }
    assert!(with_text > 3 && without > 3, "{with_text} {without}");
}

/// Long enough for several batches.
const LONG: &str = "a long message, which takes its time to be read, and then some more of it";

#[test]
fn stop_while_a_message_is_read_is_obeyed_in_one_step_and_the_message_stays() {
    let file = tiny(STORY, 400, 3);
    let mut moments = 0;
    loop {
        let mut mind = mind(&file, STORY, 20_000, sampling(900));
        say(&mut mind, 1, LONG);
        for _ in 0..=moments {
            assert!(mind.think(Instant(0), &mut Outbox::new()));
        }
        if !matches!(mind.phase, Phase::Reading { .. }) {
            break;
        }
        moments += 1;
        mind.stop();
        assert!(mind.think(Instant(0), &mut Outbox::new()));
        let expected = [Event::Read { id: 1 }, Event::StayedSilent { after: 1 }];
        assert_eq!(events(&mut mind), expected);
        assert!(!mind.think(Instant(0), &mut Outbox::new()), "something is left to do");
        let length = mind.context.tokens().len();
        let unread = length - mind.context.computed();
        assert!(unread > 0 || moments > 20, "{moments}");

        // The next message takes the rest along, and is answered.
        let before = mind.tokens_computed() as usize;
        say(&mut mind, 2, "and?");
        while !matches!(mind.phase, Phase::Deciding { .. }) {
            assert!(mind.think(Instant(0), &mut Outbox::new()));
        }
        let all = mind.context.tokens().len();
        assert_eq!(mind.tokens_computed() as usize - before, all - length + unread);
        while mind.think(Instant(0), &mut Outbox::new()) {}
        let events = events(&mut mind);
        let [Event::Read { id: 2 }, Event::Thinking { .. }, ..] = events[..] else {
            panic!("{events:?}");
        };
    }
    assert!(moments > 20, "{moments}");
}

#[test]
fn stop_is_for_all_that_was_said_before_and_for_nothing_after() {
    let file = tiny(STORY, 400, 3);
    for steps in 0..40 {
        let mut mind = mind(&file, STORY, 2000, sampling(900));
        for id in 1..=3 {
            say(&mut mind, id, LONG);
        }
        for _ in 0..steps {
            assert!(mind.think(Instant(0), &mut Outbox::new()));
        }
        mind.stop();
        say(&mut mind, 4, "and?");
        while mind.think(Instant(0), &mut Outbox::new()) {}
        let told = events(&mut mind);
        let answered = told.iter().position(|event| matches!(event, Event::Thinking { .. }));
        let read = told.iter().position(|event| *event == Event::Read { id: 4 });
        assert!(answered > read && read.is_some(), "{told:?}");
        for after in 1..=3 {
            let silent = Event::StayedSilent { after };
            assert_eq!(told.iter().filter(|event| **event == silent).count(), 1, "{told:?}");
        }
        assert_eq!(mind.context.message_count(), 5);
    }
}
