//! What tabs are told, and what they can ask for.

use std::sync::mpsc;

use super::*;

fn said(tag: &str, text: &str) -> Command {
    Command::SayTagged { tag: tag.to_string(), text: text.to_string(), instead_of: None }
}

#[test]
fn a_message_sent_twice_is_said_once_and_confirmed_when_it_is_stored() {
    let (commands, board) = mpsc::channel();
    let hub = Hub::new("Wisp", commands);
    let (_, mut live) = hub.join();
    let say = r#"{"type":"say","tag":"a1","text":"hello"}"#;
    for _ in 0..2 {
        assert_eq!(hub.handle(say), Ok(None), "nothing is stored yet");
    }
    assert_eq!(board.try_iter().collect::<Vec<_>>(), [said("a1", "hello")]);
    hub.publish(&Update::Taken { tag: "a1".to_string(), key: 7 });
    let taken = r#"{"type":"taken","tag":"a1","key":7}"#;
    assert_eq!(live.try_recv().unwrap().text, taken);
    assert_eq!(hub.handle(say).unwrap().unwrap(), taken, "a tab that missed it asks again");
    assert_eq!(board.try_iter().count(), 0);
}

#[test]
fn what_was_lost_with_its_conversation_may_be_said_again() {
    let (commands, board) = mpsc::channel();
    let hub = Hub::new("Wisp", commands);
    let (_, mut live) = hub.join();
    let say = r#"{"type":"say","tag":"a1","text":"hello"}"#;
    assert_eq!(hub.handle(say), Ok(None));
    hub.publish(&Update::Lost { tag: "a1".to_string() });
    assert_eq!(live.try_recv().unwrap().text, r#"{"type":"lost","tag":"a1"}"#);
    assert_eq!(hub.handle(say), Ok(None));
    assert_eq!(board.try_iter().count(), 2);
}

#[test]
fn what_is_no_request_reaches_nobody() {
    let (commands, board) = mpsc::channel();
    let hub = Hub::new("Wisp", commands);
    let long = format!(r#"{{"type":"say","tag":"a","text":"{}"}}"#, "x".repeat(MAX_TEXT + 1));
    for text in [
        "",
        "{}",
        "[]",
        "null",
        r#"{"type":"shutdown"}"#,
        r#"{"type":"choose","choices":{"talkativeness_milli":10001}}"#,
        r#"{"type":"choose","choices":{"quiet":{"from":1}}}"#,
        r#"{"type":"choose","choices":{"mood":1}}"#,
        r#"{"type":"edit","tag":"a","text":"x"}"#,
        r#"{"type":"edit","tag":"a","key":1,"text":""}"#,
        r#"{"type":"say","text":"x"}"#,
        r#"{"type":"say","tag":"","text":"x"}"#,
        r#"{"type":"say","tag":"a","text":"  "}"#,
        r#"{"type":"say","tag":"a","text":7}"#,
        r#"{"type":"stop","extra":1}"#,
        r#"{"type":"older"}"#,
        r#"{"type":"older","before":-1}"#,
        r#"{"type":"older","before":"7"}"#,
        &long,
        &"[".repeat(50_000),
    ] {
        assert_eq!(hub.handle(text), Err(BadRequest), "{text:.60}");
    }
    assert_eq!(board.try_iter().count(), 0);
}

/// Keys of the messages in what a page was told.
fn keys(told: &serde_json::Value) -> Vec<u64> {
    let messages = told["messages"].as_array().unwrap();
    messages.iter().map(|message| message["key"].as_u64().unwrap()).collect()
}

#[test]
fn a_long_conversation_comes_in_pieces_each_message_once() {
    let (commands, board) = mpsc::channel();
    let hub = Hub::new("Wisp", commands);
    let message = |key| ChatMessage {
        key,
        speaker: link::message::Speaker::You,
        text: "x".repeat(60),
        unix_seconds: 1,
        delivery: None,
        reply: None,
        timing: None,
    };
    let (_, mut open) = hub.join();
    hub.publish(&Update::History { messages: (0..10_000).map(message).collect() });
    let (snapshot, _) = hub.join();
    assert_eq!(open.try_recv().unwrap().text, snapshot, "a page that is open gets it anew");
    assert!(snapshot.len() < 40_000, "{} bytes", snapshot.len());
    let read = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
    let mut told = read(&snapshot)["view"].clone();
    let mut seen = keys(&told);
    while told["has_older"] == true {
        let ask = format!(r#"{{"type":"older","before":{}}}"#, seen[0]);
        told = read(&hub.handle(&ask).unwrap().unwrap());
        assert!(keys(&told).len() <= MESSAGES_AT_ONCE);
        seen.splice(..0, keys(&told));
    }
    assert_eq!(seen, (0..10_000).collect::<Vec<_>>());
    let unknown = hub.handle(r#"{"type":"older","before":99999}"#).unwrap().unwrap();
    assert_eq!(unknown, r#"{"type":"older","messages":[],"has_older":true}"#);
    assert_eq!(board.try_iter().count(), 0, "it is none of the board's business");
}

#[test]
fn a_tab_that_comes_late_gets_what_was_and_then_what_comes() {
    let (commands, _board) = mpsc::channel();
    let hub = Hub::new("Wisp", commands);
    hub.publish(&Update::Activity { activity: crate::client::Activity::Thinking });
    let (snapshot, mut live) = hub.join();
    assert!(snapshot.contains(r#""activity":"thinking""#), "{snapshot}");
    hub.publish(&Update::Forgotten);
    assert_eq!(live.try_recv().unwrap().text, r#"{"type":"forgotten"}"#);
    assert!(live.try_recv().is_err());
}
