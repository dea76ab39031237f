//! Answers of every kind, as the chat tells them.

use proptest::prelude::*;

use super::*;

const NOW: Duration = Duration::from_secs(1000);

fn reply() -> Reply {
    let mut reply = Reply::new("t".into(), NOW);
    reply.handle(&Update::Taken { tag: "other".into(), key: 3 }, NOW);
    reply.handle(&Update::Taken { tag: "t".into(), key: 5 }, NOW);
    reply
}

fn message(key: u64, speaker: Speaker, text: &str) -> ChatMessage {
    ChatMessage {
        key,
        speaker,
        text: text.into(),
        unix_seconds: 1,
        delivery: None,
        reply: None,
        timing: None,
    }
}

fn friend(key: u64, delivery: Delivery) -> Update {
    let message = ChatMessage { delivery: Some(delivery), ..message(key, Speaker::You, "Hi") };
    Update::Message { message, after: None }
}

fn persona(key: u64, text: &str, state: ReplyState) -> Update {
    let timing = (state != ReplyState::Writing).then_some(Timing {
        prompt_tokens: 7,
        reply_tokens: 4,
        first_token_micros: 9,
        decode_micros: 1_000_000,
    });
    let message = ChatMessage { reply: Some(state), timing, ..message(key, Speaker::Wisp, text) };
    Update::Message { message, after: None }
}

fn activity(activity: Activity) -> Update {
    Update::Activity { activity }
}

fn steps(reply: &mut Reply) -> Vec<Step> {
    std::iter::from_fn(|| reply.poll_step()).collect()
}

/// Everything told of these updates, one after another.
fn told(updates: &[Update]) -> Vec<Step> {
    let mut reply = reply();
    for update in updates {
        reply.handle(update, NOW);
    }
    steps(&mut reply)
}

fn words(text: &str) -> Step {
    Step::Words(text.into())
}

#[test]
fn a_burst_comes_word_by_word_and_ends_when_the_board_is_quiet() {
    let mut reply = reply();
    for update in [
        friend(5, Delivery::Sent),
        friend(5, Delivery::Read),
        activity(Activity::Thinking),
        persona(6, "Hel", ReplyState::Writing),
        persona(6, "Hello", ReplyState::Writing),
        persona(6, "Hello", ReplyState::Finished),
        activity(Activity::Idle),
    ] {
        reply.handle(&update, NOW);
    }
    // Ten words at four a second.
    assert_eq!(reply.deadline(), NOW + Duration::from_millis(2500));
    reply.handle(&activity(Activity::Thinking), NOW);
    assert_eq!(reply.deadline(), NOW + PATIENCE, "another one comes");
    reply.handle(&persona(7, "You?", ReplyState::Length), NOW);
    let quiet = reply.deadline();
    reply.handle_timeout(quiet - Duration::from_millis(1));
    assert!(!reply.is_over());
    reply.handle_timeout(quiet);
    let end = Outcome { is_cut: true, is_silent: false, tokens: Some((14, 8)) };
    assert_eq!(
        steps(&mut reply),
        [words("Hel"), words("lo"), words("\n"), words("You?"), Step::End(end)]
    );
    reply.handle(&persona(8, "More", ReplyState::Writing), quiet);
    assert_eq!(steps(&mut reply), [], "what comes later is no part of it");
}

#[test]
fn silence_is_an_answer_only_after_the_message_was_read() {
    let silent = Outcome { is_cut: false, is_silent: true, tokens: None };
    let before = [activity(Activity::Silent), friend(4, Delivery::Read)];
    assert_eq!(told(&before), []);
    let after = [friend(5, Delivery::Read), activity(Activity::Silent)];
    assert_eq!(told(&after), [Step::End(silent)]);
}

#[test]
fn what_the_persona_was_writing_before_is_not_the_answer() {
    let told = told(&[
        persona(4, "So I ", ReplyState::Writing),
        persona(6, "And th", ReplyState::Writing),
        friend(5, Delivery::Received),
        persona(6, "And then", ReplyState::Finished),
        friend(5, Delivery::Read),
        persona(6, "And then", ReplyState::Finished),
        persona(4, "So I went", ReplyState::Finished),
        persona(7, "Hi", ReplyState::Stopped),
    ]);
    let end = Outcome { is_cut: false, is_silent: false, tokens: Some((7, 4)) };
    assert_eq!(told, [words("Hi"), Step::End(end)]);
}

#[test]
fn what_goes_wrong_on_the_way_is_told_and_ends_it() {
    let read = friend(5, Delivery::Read);
    let begun = persona(6, "He", ReplyState::Writing);
    let cases = [
        (persona(6, "He", ReplyState::Interrupted), ApiError::Interrupted),
        (persona(6, "Other", ReplyState::Writing), ApiError::Withdrawn),
        (Update::Withdrawn { key: 6 }, ApiError::Withdrawn),
        (Update::Forgotten, ApiError::ConversationGone),
        (Update::History { messages: Vec::new() }, ApiError::ConversationGone),
    ];
    for (update, error) in cases {
        let told = told(&[read.clone(), begun.clone(), update, begun.clone()]);
        assert_eq!(told, [words("He"), Step::Failed(error)]);
    }
    let mut reply = reply();
    reply.handle(&read, NOW);
    reply.handle_timeout(NOW + PATIENCE);
    let timeout = ApiError::Timeout { seconds: PATIENCE.as_secs() };
    assert_eq!(steps(&mut reply), [Step::Failed(timeout)]);
}

#[test]
fn the_answer_to_a_later_message_is_not_part_of_it() {
    let told = told(&[
        friend(5, Delivery::Read),
        persona(6, "Hi", ReplyState::Finished),
        friend(7, Delivery::Read),
        persona(8, "Oh", ReplyState::Finished),
    ]);
    let end = Outcome { is_cut: false, is_silent: false, tokens: Some((7, 4)) };
    assert_eq!(told, [words("Hi"), Step::End(end)]);
}

fn any_update() -> impl Strategy<Value = Update> {
    let state = proptest::sample::select(vec![
        ReplyState::Writing,
        ReplyState::Finished,
        ReplyState::Length,
        ReplyState::Stopped,
        ReplyState::Interrupted,
    ]);
    let delivery = proptest::sample::select(vec![Delivery::Sent, Delivery::Read]);
    let what = vec![Activity::Idle, Activity::Thinking, Activity::Writing, Activity::Silent];
    prop_oneof![
        (3u64..9, 0usize..6, state).prop_map(|(key, length, state)| persona(
            key,
            &"Hello"[..length.min(5)],
            state
        )),
        (3u64..9, delivery).prop_map(|(key, delivery)| friend(key, delivery)),
        proptest::sample::select(what).prop_map(activity),
        (3u64..9).prop_map(|key| Update::Withdrawn { key }),
        Just(Update::Forgotten),
    ]
}

proptest! {
    /// Whatever happens, it ends exactly once: with the last step, and at the latest by its deadline.
    #[test]
    fn it_always_ends_once(updates in proptest::collection::vec(any_update(), 0..30)) {
        let mut reply = reply();
        let mut now = NOW;
        for update in &updates {
            now += Duration::from_millis(10);
            reply.handle(update, now);
            prop_assert!(reply.is_over() || reply.deadline() > now);
        }
        reply.handle_timeout(reply.deadline());
        prop_assert!(reply.is_over());
        let steps = steps(&mut reply);
        let ends = steps.iter().filter(|step| !matches!(step, Step::Words(_))).count();
        prop_assert_eq!(ends, 1);
        prop_assert!(!matches!(steps.last(), Some(Step::Words(_))));
    }
}
