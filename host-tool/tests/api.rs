//! The API as programs use it: the real relay, the real driver, and a board that follows a script.
#![allow(clippy::unwrap_used, clippy::panic)] // Helpers of tests are tests to us, not to clippy.

#[path = "common/board.rs"]
mod board;
mod common;
#[path = "common/live.rs"]
mod live;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;

use board::Manner;
use live::{Answer, Live, PATIENCE};
use serde_json::{Value, json};

fn say(text: &str) -> Value {
    json!({"model": "any", "messages": [{"role": "user", "content": text}]})
}

#[test]
fn a_client_lists_the_persona_and_gets_whole_answers() {
    let live = Live::start(Manner::Answers);
    let models = live.get("/v1/models").json();
    assert_eq!(models["data"][0]["id"], "Wisp");
    let answer = live.post(&say("hello"));
    assert_eq!(answer.status, 200);
    assert!(answer.head.contains("wisp-ignored-messages: 0"), "{}", answer.head);
    assert!(!answer.head.contains("access-control"), "no CORS");
    let answer = answer.json();
    assert_eq!(answer["choices"][0]["message"]["content"], "You said hello");
    assert_eq!(answer["choices"][0]["finish_reason"], "stop");
    assert_eq!(answer["usage"]["completion_tokens"], 3, "as the board counted");
    assert_eq!(answer["wisp_silent"], false);

    // As clients go on: with all that was said.
    let answer = live.post(&json!({"messages": [
        {"role": "system", "content": "You are a pirate."},
        {"role": "user", "content": "hello"},
        {"role": "assistant", "content": "You said hello"},
        {"role": "user", "content": "and now?"},
    ]}));
    assert!(answer.head.contains("wisp-ignored-messages: 1"), "{}", answer.head);
    let answer = answer.json();
    assert_eq!(answer["choices"][0]["message"]["content"], "You said and now?");
    assert_eq!(answer["wisp_ignored_messages"], 1);
    assert_eq!(live.board.as_ref().unwrap().heard_of("Say").len(), 2, "each is said once");
}

#[test]
fn a_stream_brings_the_words_as_they_come() {
    let live = Live::start(Manner::Answers);
    let mut request = say("hello");
    request["stream"] = true.into();
    request["stream_options"] = json!({"include_usage": true});
    let mut answer = live.post(&request);
    assert_eq!(answer.status, 200);
    assert!(answer.head.contains("content-type: text/event-stream"), "{}", answer.head);
    let all: Vec<_> = std::iter::from_fn(|| answer.data()).collect();
    assert_eq!(all.last().unwrap(), "[DONE]");
    let chunks: Vec<Value> =
        all[..all.len() - 1].iter().map(|data| serde_json::from_str(data).unwrap()).collect();
    assert_eq!(chunks[0]["choices"][0]["delta"]["role"], "assistant");
    let words: String = chunks
        .iter()
        .filter_map(|chunk| chunk["choices"][0]["delta"]["content"].as_str())
        .collect();
    assert_eq!(words, "You said hello");
    let [.., end, cost] = chunks.as_slice() else { panic!("{chunks:?}") };
    assert_eq!(end["choices"][0]["finish_reason"], "stop");
    assert_eq!(cost["usage"]["completion_tokens"], 3);
    assert!(chunks.iter().all(|chunk| chunk["id"] == chunks[0]["id"]));
}

#[test]
fn a_persona_that_says_nothing_is_an_answer_of_nothing() {
    let live = Live::start(Manner::Silent);
    let answer = live.post(&say("hello")).json();
    assert_eq!(answer["choices"][0]["message"]["content"], "");
    assert_eq!(answer["choices"][0]["finish_reason"], "stop");
    assert_eq!(answer["wisp_silent"], true);
    assert_eq!(answer.get("usage"), None, "the board counted nothing");
    let mut request = say("still there?");
    request["stream"] = true.into();
    let mut answer = live.post(&request);
    let all: Vec<_> = std::iter::from_fn(|| answer.data()).collect();
    assert_eq!(all.len(), 3, "{all:?}");
    assert!(all[1].contains(r#""wisp_silent":true"#), "{all:?}");
}

#[test]
fn one_is_answered_at_a_time_and_whoever_hangs_up_stops_the_reply() {
    let live = Live::start(Manner::Bursts);
    let mut request = say("hello");
    request["stream"] = true.into();
    let mut first = live.post(&request);
    let mut words = String::new();
    while !words.ends_with("You said hello\nAnd ") {
        let chunk: Value = serde_json::from_str(&first.data().unwrap()).unwrap();
        words.push_str(chunk["choices"][0]["delta"]["content"].as_str().unwrap_or_default());
    }
    let second = live.post(&say("me too"));
    assert_eq!(second.status, 429);
    assert!(second.head.contains("retry-after: 2"), "{}", second.head);
    assert_eq!(second.code(), "wisp::api::busy");
    drop(first);
    live.until_heard("Stop");
    // Its place is free again, also for who wants it whole; that one hangs up, too.
    let body = say("once more").to_string();
    let mut stream = TcpStream::connect(("127.0.0.1", live.harness.port)).unwrap();
    write!(
        stream,
        "POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nAuthorization: Bearer {}\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        live.harness.port,
        live.harness.key,
        body.len()
    )
    .unwrap();
    live.until_heard("Say");
    drop(stream);
    live.until_heard("Stop");
}

#[test]
fn without_a_board_nothing_is_said() {
    let live = Live::without_board();
    let answer = live.post(&say("hello"));
    assert_eq!(answer.status, 503);
    assert!(answer.head.contains("retry-after: 5"), "{}", answer.head);
    assert_eq!(answer.code(), "wisp::api::offline");
    let live = live.with_board(Manner::Answers);
    assert_eq!(live.harness.hub.watch(|view| view.messages.len()).0, 0);
    assert_eq!(live.post(&say("hello")).status, 200);
}

#[test]
fn a_reply_that_breaks_off_is_an_error_that_no_client_repeats() {
    let live = Live::start(Manner::Restarts);
    let answer = live.post(&say("hello"));
    assert_eq!(answer.status, 502);
    assert!(answer.head.contains("x-should-retry: false"), "{}", answer.head);
    assert_eq!(answer.code(), "wisp::api::interrupted");
}

#[test]
fn what_cannot_be_said_is_refused_in_openai_s_shape() {
    let live = Live::start(Manner::Answers);
    let long = "x".repeat(1025);
    for (body, status, code) in [
        (json!({"messages": []}), 400, "wisp::api::parameter"),
        (json!({}), 400, "wisp::api::json"),
        (say(&long), 400, "wisp::api::text_too_long"),
        (say(&"x".repeat(70_000)), 413, "wisp::refused::body"),
    ] {
        let answer = live.post(&body);
        assert_eq!(answer.status, status, "{code}");
        assert_eq!(answer.code(), code);
    }
    assert_eq!(live.get("/v1/assistants").code(), "wisp::api::not_found");
    assert_eq!(live.get("/v1/chat/completions").code(), "wisp::refused::method");
    assert_eq!(live.board.as_ref().unwrap().heard_of("Say").len(), 0);
}

#[test]
fn a_bot_hears_everything_and_after_a_gap_what_it_missed() {
    let live = Live::start(Manner::Answers);
    let mut bot = live.get("/v1/events");
    assert_eq!(bot.event("connection")["state"], "online");
    assert_eq!(bot.event("typing")["is_typing"], false);
    assert_eq!(live.post(&say("hello")).status, 200);
    let said = bot.event("message");
    assert_eq!((said["from"].as_str(), said["text"].as_str()), (Some("you"), Some("hello")));
    assert_eq!(bot.event("read")["id"], said["id"]);
    assert_eq!(bot.event("typing")["is_typing"], true);
    let answered = bot.event("message");
    assert_eq!(answered["from"], "wisp");
    assert_eq!(answered["text"], "You said hello");
    assert_eq!(answered["ending"], "finished");
    let last = bot.line("id: ").unwrap();
    drop(bot);
    assert_eq!(live.post(&say("again")).status, 200);
    let mut bot = live.open(&format!("GET /v1/events HTTP/1.1\r\nLast-Event-ID: {last}\r\nX:"), "");
    let texts = [bot.event("message"), bot.event("message")];
    assert_eq!([&texts[0]["text"], &texts[1]["text"]], ["again", "You said again"]);
    let mut bot = live.open("GET /v1/events HTTP/1.1\r\nLast-Event-ID: other-1\r\nX:", "");
    assert_eq!(serde_json::from_str::<Value>(&bot.data().unwrap()).unwrap()["type"], "missed");
}

/// What OpenAI's Python client sent, word for word, with this port and key.
fn golden(live: &Live, text: &str) -> Vec<u8> {
    let (head, body) = text.split_once("\n\n").unwrap();
    let head = head.replace("PORT", &live.harness.port.to_string());
    let head = head.replace("KEY", &live.harness.key).replace('\n', "\r\n");
    format!("{head}\r\n\r\n{}", body.trim_end()).into_bytes()
}

#[test]
fn openai_s_python_client_is_understood() {
    let live = Live::start(Manner::Answers);
    let mut stream = TcpStream::connect(("127.0.0.1", live.harness.port)).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let models = golden(&live, include_str!("golden/openai-python-3.54-models.http"));
    stream.write_all(&models).unwrap();
    let mut answer = Answer::read(stream.try_clone().unwrap());
    assert_eq!(answer.status, 200);
    let length = answer.head.lines().find_map(|line| line.strip_prefix("content-length: "));
    let mut list = vec![0; length.unwrap().parse().unwrap()];
    answer.rest.read_exact(&mut list).unwrap();
    assert!(String::from_utf8(list).unwrap().contains(r#""object":"list""#));
    // It keeps its connection.
    let chat = golden(&live, include_str!("golden/openai-python-3.54-chat.http"));
    stream.write_all(&chat).unwrap();
    let mut answer = Answer::read(stream);
    assert_eq!(answer.status, 200);
    let mut words = String::new();
    while let Some(data) = answer.data().filter(|data| data != "[DONE]") {
        let chunk: Value = serde_json::from_str(&data).unwrap();
        words.push_str(chunk["choices"][0]["delta"]["content"].as_str().unwrap_or_default());
    }
    assert_eq!(words, "You said Hi, “Wisp”!");
}

/// It ends with this value.
struct Program(std::process::Child);

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn the_program_serves_it_only_when_it_is_asked_to() {
    let folder = tempfile::tempdir().unwrap();
    let port = format!("unix:{}", folder.path().join("line").display());
    for options in [&["--api"][..], &[]] {
        let process = std::process::Command::new(env!("CARGO_BIN_EXE_wisp"))
            .args(["serve", "--no-browser", "--no-history", "--port", &port])
            .args(options)
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::null())
            .spawn()
            .unwrap();
        let mut program = Program(process);
        let printed = BufReader::new(program.0.stdout.take().unwrap()).lines();
        // What it prints at once: the link, what there is to know about it, and the key if any.
        let printed: Vec<_> = printed.map_while(Result::ok).take(2 + options.len()).collect();
        let address = printed[0].split("http://").nth(1).unwrap().split('/').next().unwrap();
        let key = printed.last().unwrap().split("with the key ").nth(1).unwrap_or("none");
        let mut stream = TcpStream::connect(address).unwrap();
        write!(
            stream,
            "GET /v1/models HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {key}\r\n\r\n"
        )
        .unwrap();
        let answer = Answer::read(stream);
        assert_eq!(answer.status, if options.is_empty() { 401 } else { 200 }, "{printed:?}");
    }
}
