//! What bots are told of a chat, and what they are told again.

use super::*;
use crate::client::LinkState;

fn log() -> EventLog {
    EventLog::new("r1".into(), &View::new("Wisp"))
}

fn said(
    key: u64,
    text: &str,
    delivery: Option<Delivery>,
    reply: Option<ReplyState>,
) -> ChatMessage {
    let speaker = if reply.is_some() { Speaker::Wisp } else { Speaker::You };
    let (text, timing) = (text.to_string(), None);
    ChatMessage { key, speaker, text, unix_seconds: 9, delivery, reply, timing }
}

fn message(key: u64, text: &str, delivery: Option<Delivery>, reply: Option<ReplyState>) -> Update {
    Update::Message { message: said(key, text, delivery, reply), after: None }
}

fn texts(events: &[Arc<Numbered>]) -> Vec<&str> {
    events.iter().map(|event| event.text.as_str()).collect()
}

#[test]
fn each_thing_is_told_once_and_messages_when_they_are_complete() {
    let mut log = log();
    let thinking = Update::Activity { activity: Activity::Thinking };
    let writing = Update::Activity { activity: Activity::Writing };
    let online = Update::Link { link: LinkState::plain(Phase::Online, "online") };
    let updates = [
        online.clone(),
        online,
        message(1, "Hi", Some(Delivery::Waiting), None),
        message(1, "Hi", Some(Delivery::Sent), None),
        message(1, "Hi", Some(Delivery::Read), None),
        thinking,
        writing,
        message(2, "He", None, Some(ReplyState::Writing)),
        message(2, "Hey", None, Some(ReplyState::Finished)),
        message(1, "Hi", Some(Delivery::Read), None),
        Update::Activity { activity: Activity::Idle },
        Update::Withdrawn { key: 2 },
        Update::Withdrawn { key: 3 },
        Update::Activity { activity: Activity::Silent },
        Update::Forgotten,
    ];
    let events: Vec<_> = updates.iter().flat_map(|update| log.handle(update)).collect();
    let expected = [
        r#"{"type":"connection","state":"online","words":"online","code":""}"#,
        r#"{"type":"message","id":1,"from":"you","text":"Hi","unix_seconds":9}"#,
        r#"{"type":"read","id":1}"#,
        r#"{"type":"typing","is_typing":true}"#,
        r#"{"type":"message","id":2,"from":"wisp","text":"Hey","unix_seconds":9,"ending":"finished"}"#,
        r#"{"type":"typing","is_typing":false}"#,
        r#"{"type":"withdrawn","id":2}"#,
        r#"{"type":"silence"}"#,
        r#"{"type":"forgotten"}"#,
    ];
    assert_eq!(texts(&events), expected);
    let ids: Vec<_> = events.iter().map(|event| event.id.clone().unwrap()).collect();
    assert_eq!((ids[0].as_str(), ids[8].as_str()), ("r1-1", "r1-9"));
}

#[test]
fn whoever_comes_back_gets_what_was_missed_and_hears_when_that_is_not_known() {
    let mut log = log();
    for key in 0..2000 {
        log.handle(&message(key, "x", None, None));
    }
    let count = |last: &str| {
        let events = log.since(Some(last));
        events.iter().filter(|event| event.id.is_some()).count()
    };
    let missed = |last: &str| log.since(Some(last))[0].text == r#"{"type":"missed"}"#;
    assert_eq!(count("r1-2000"), 0);
    assert_eq!(count("r1-1990"), 10);
    assert_eq!(log.since(Some("r1-1990"))[0].id.as_deref(), Some("r1-1991"));
    assert_eq!(count("r1-976"), KEPT);
    assert!(!missed("r1-976") && missed("r1-975"));
    for strange in ["r1-2001", "r2-2000", "", "-", "r1-", "r1--1", "r1-99999999999999999999"] {
        assert!(missed(strange), "{strange}");
    }
    let fresh = log.since(None);
    assert_eq!(
        texts(&fresh),
        [
            r#"{"type":"connection","state":"searching","words":"","code":""}"#,
            r#"{"type":"typing","is_typing":false}"#
        ]
    );
}

#[test]
fn what_was_said_before_is_no_event() {
    let mut log = log();
    let old = said(4, "old", Some(Delivery::Read), None);
    let turned = log.handle(&Update::History { messages: vec![old] });
    assert_eq!(texts(&turned), [r#"{"type":"turned"}"#]);
    assert_eq!(log.handle(&message(4, "old", Some(Delivery::Read), None)), []);
}
