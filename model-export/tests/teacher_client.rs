//! The client of `synthesise` against a server that behaves in every way servers do.
#![cfg(feature = "synthesise")]
#![allow(clippy::unwrap_used, clippy::panic)]

#[path = "common/teacher.rs"]
mod teacher;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use teacher::{Reply, Teacher, completion, good, status};
use wisp_model::synthesise::SynthesiseError;
use wisp_model::synthesise::address::Address;
use wisp_model::synthesise::client::{Client, Pause};
use wisp_model::synthesise::protocol::{Answer, Question};
use wisp_model::synthesise::retry::Patience;

fn question() -> Question {
    Question {
        model: "m".into(),
        system: "form".into(),
        user: "Write.".into(),
        temperature: 0.9,
        longest: 100,
        seed: None,
    }
}

/// What came of a question, and the pauses that were made without waiting.
struct Asked {
    answer: Result<Answer, SynthesiseError>,
    slept: Vec<Duration>,
    pauses: Vec<Pause>,
}

fn client(url: &str, timeout: Duration) -> (Client, Arc<Mutex<Vec<Duration>>>) {
    let slept = Arc::new(Mutex::new(Vec::new()));
    let sleeps = Arc::clone(&slept);
    let sleep = Arc::new(move |time| sleeps.lock().unwrap().push(time));
    let patience = Patience { attempts: 4, timeout, sleep, ..Patience::default() };
    (Client::new(Address::parse(url).unwrap(), None, patience).unwrap(), slept)
}

fn ask_within(url: &str, private: &[&str], timeout: Duration) -> Asked {
    let (client, slept) = client(url, timeout);
    let private: Vec<String> = private.iter().map(|it| (*it).to_owned()).collect();
    let mut pauses = Vec::new();
    let answer = client.ask(&question(), &private, 1, &mut |pause| pauses.push(pause));
    let slept = slept.lock().unwrap().clone();
    Asked { answer, slept, pauses }
}

fn ask(teacher: &Teacher) -> Asked {
    ask_within(&teacher.url(), &[], Duration::from_secs(60))
}

/// Fails the first requests with this, then answers.
fn at_first(failures: usize, failure: impl Fn() -> Reply + Send + Sync + 'static) -> Teacher {
    Teacher::new(move |number, _| if number < failures { failure() } else { good("hi") })
}

#[test]
fn a_good_answer() {
    let teacher = Teacher::new(|_, _| good("hi"));
    let asked = ask(&teacher);
    let answer = asked.answer.unwrap();
    assert_eq!(answer.text.as_deref(), Some("hi"));
    assert_eq!(answer.tokens.map(|it| (it.read, it.written)), Some((100, 50)));
    assert!(asked.pauses.is_empty());
    let seen = teacher.seen();
    assert_eq!(seen.len(), 1);
    assert_eq!(seen[0].line, "POST /v1/chat/completions HTTP/1.1");
    assert_eq!(seen[0].headers["content-type"], "application/json");
    assert!(!seen[0].headers.contains_key("authorization"));
    let body: serde_json::Value = serde_json::from_str(&seen[0].body).unwrap();
    assert_eq!(body["messages"][1]["content"], "Write.");
}

#[test]
fn too_many_requests_are_waited_for_as_long_as_asked() {
    let teacher = at_first(1, || status("429 Too Many Requests", "retry-after: 17\r\n", "{}"));
    let asked = ask(&teacher);
    assert!(asked.answer.is_ok());
    assert_eq!(asked.slept, [Duration::from_secs(17)]);
    assert_eq!(asked.pauses[0].why, "status 429");
}

#[test]
fn a_server_that_asks_for_hours_is_left() {
    let teacher = Teacher::new(|_, _| status("429 Too", "retry-after: 7200\r\n", "{}"));
    let asked = ask(&teacher);
    assert!(matches!(asked.answer, Err(SynthesiseError::Wait { seconds: 7200, .. })));
    assert_eq!((asked.slept.len(), teacher.seen().len()), (0, 1));
}

#[test]
fn failures_of_the_server_are_tried_again_ever_later() {
    let teacher = at_first(3, || status("503 Service Unavailable", "", "<html>busy</html>"));
    let asked = ask(&teacher);
    assert!(asked.answer.is_ok());
    for (slept, most) in asked.slept.iter().zip([1, 2, 4]) {
        let most = Duration::from_secs(most);
        assert!(*slept >= most / 2 && *slept <= most, "{slept:?}");
    }
    let ever = Teacher::new(|_, _| status("500 Oops", "", r#"{"error":{"message":"no GPU"}}"#));
    let error = ask(&ever).answer.unwrap_err().to_string();
    assert!(error.contains("in 4 attempts: status 500: no GPU"), "{error}");
    assert_eq!(ever.seen().len(), 4);
}

#[test]
fn connections_that_break_are_tried_again() {
    let cut = || {
        let mut bytes = b"HTTP/1.1 200 OK\r\ncontent-length: 500\r\n\r\n".to_vec();
        bytes.extend(&completion("hi").into_bytes()[..60]);
        Reply::Bytes(bytes)
    };
    let chunk = || {
        Reply::Bytes(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n40\r\n{\"cho".to_vec())
    };
    let failures: [fn() -> Reply; 4] =
        [cut, chunk, || Reply::Bytes(b"HTTP/1.1 200".to_vec()), || Reply::Bytes(Vec::new())];
    for failure in failures {
        let teacher = at_first(2, failure);
        let asked = ask(&teacher);
        assert_eq!(asked.answer.unwrap().text.as_deref(), Some("hi"));
        assert_eq!(asked.pauses.len(), 2);
    }
}

#[test]
fn what_is_no_http_is_given_up() {
    let teacher = Teacher::new(|_, _| Reply::Bytes(b"SSH-2.0-OpenSSH\r\n\r\n".to_vec()));
    let error = ask(&teacher).answer.unwrap_err();
    assert!(matches!(error, SynthesiseError::Unreachable { attempts: 4, .. }), "{error}");
    let closed = Teacher::new(|_, _| Reply::Silence);
    let url = closed.url().replace(&closed.port.to_string(), "1");
    let error = ask_within(&url, &[], Duration::from_secs(60)).answer.unwrap_err().to_string();
    assert!(error.contains("connection refused"), "{error}");
}

#[test]
fn a_silent_server_is_not_waited_for_for_ever() {
    let teacher = Teacher::new(|_, _| Reply::Silence);
    let error = ask_within(&teacher.url(), &[], Duration::from_millis(200)).answer.unwrap_err();
    assert!(error.to_string().contains("in 4 attempts: it took too long"), "{error}");
}

#[test]
fn a_giant_answer_is_not_read_to_its_end() {
    // With its length and without.
    for head in ["content-length: 8000000\r\n", "connection: close\r\n"] {
        let teacher = Teacher::new(move |_, _| {
            let mut bytes = format!("HTTP/1.1 200 OK\r\n{head}\r\n").into_bytes();
            bytes.resize(bytes.len() + 8_000_000, b' ');
            Reply::Bytes(bytes)
        });
        let error = ask(&teacher).answer.unwrap_err();
        assert!(matches!(error, SynthesiseError::TooLarge { limit: 4_194_304, .. }), "{error}");
        assert_eq!(teacher.seen().len(), 1);
    }
}

#[test]
fn redirects_are_not_followed() {
    let other = Teacher::new(|_, _| good("hi"));
    let to = other.url();
    for code in ["301 Moved", "302 Found", "307 Temporary", "308 Permanent"] {
        let to = to.clone();
        let header = format!("location: {to}/chat/completions?token=secret\r\n");
        let teacher = Teacher::new(move |_, _| status(code, &header, ""));
        let error = ask(&teacher).answer.unwrap_err().to_string();
        assert!(error.contains(&to) && !error.contains("secret"), "{error}");
    }
    assert!(other.seen().is_empty());
}

#[test]
fn a_refusal_is_shown_without_control_characters() {
    let body = r#"{"error":{"message":"model \u001b[31m'm'\u0007 not\nfound\u202e"}}"#;
    let teacher = Teacher::new(move |_, _| status("404 Not Found", "", body));
    let error = ask(&teacher).answer.unwrap_err().to_string();
    assert!(error.ends_with("status 404: model [31m'm' not found"), "{error:?}");
    assert_eq!(teacher.seen().len(), 1);
}

#[test]
fn a_refusal_that_repeats_a_message_is_not_shown() {
    let body = r#"{"error":"bad input: persona 3: I BURNT the soup again"}"#;
    let teacher = Teacher::new(move |_, _| status("400 Bad", "", body));
    let asked = ask_within(&teacher.url(), &["i burnt the soup"], Duration::from_secs(60));
    let error = asked.answer.unwrap_err().to_string();
    assert!(!error.to_lowercase().contains("soup") && error.contains("repeat"), "{error}");
}

#[test]
fn newer_models_get_the_newer_limit() {
    let teacher = Teacher::new(|_, request| match request.body.contains("\"max_tokens\"") {
        true => {
            let said = "Unsupported parameter: use 'max_completion_tokens' instead.";
            status("400 Bad", "", &format!(r#"{{"error":{{"message":"{said}"}}}}"#))
        }
        false => good("hi"),
    });
    let (client, _) = client(&teacher.url(), Duration::from_secs(60));
    for _ in 0..2 {
        assert!(client.ask(&question(), &[], 1, &mut |_| panic!("no pause")).is_ok());
    }
    assert_eq!(teacher.seen().len(), 3, "the second question knows");
}

#[test]
fn garbage_is_an_empty_answer() {
    for body in ["", "{", "null", "[[[[", "{\"choices\":[{\"message\":{\"content\":7}}]}"] {
        let teacher = Teacher::new(move |_, _| status("200 OK", "", body));
        assert_eq!(ask(&teacher).answer.unwrap(), Answer::default());
    }
    let deep = "[".repeat(100_000);
    let teacher = Teacher::new(move |_, _| status("200 OK", "", &deep));
    assert_eq!(ask(&teacher).answer.unwrap(), Answer::default());
}

#[test]
fn the_only_model_is_found() {
    let models = |body: &'static str| {
        let teacher = Teacher::new(move |_, request| {
            assert_eq!(request.line, "GET /v1/models HTTP/1.1");
            status("200 OK", "", body)
        });
        client(&teacher.url(), Duration::from_secs(60)).0.only_model(&mut |_| ())
    };
    assert_eq!(models(r#"{"data":[{"id":"tiny"}]}"#).unwrap(), "tiny");
    let several = models(r#"{"data":[{"id":"a\u001b[2J"},{"id":"b"}]}"#).unwrap_err();
    let help = miette::Diagnostic::help(&several).unwrap().to_string();
    assert!(help.ends_with("--model: a [2J, b"), "{help:?}");
    assert!(matches!(models("{}").unwrap_err(), SynthesiseError::NoModel { .. }));
}
