//! The page's WebSocket: what the page may say, and what happens to whoever says something else.
#![allow(clippy::unwrap_used)] // Helpers of tests are tests to us, not to clippy.

mod common;

use std::io::{Read, Write};
use std::time::{Duration, Instant};

use common::Harness;
use futures_util::{SinkExt, StreamExt};
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::{Bytes, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};
use wisp::client::{Activity, Command, Update};

type Socket = WebSocketStream<MaybeTlsStream<tokio::net::TcpStream>>;

async fn open(harness: &Harness, cookie: &str) -> Socket {
    let mut request =
        format!("ws://127.0.0.1:{}/live", harness.port).into_client_request().unwrap();
    let origin = format!("http://127.0.0.1:{}", harness.port);
    request.headers_mut().insert("Origin", origin.parse().unwrap());
    request.headers_mut().insert("Cookie", cookie.parse().unwrap());
    connect_async(request).await.unwrap().0
}

/// The next text, which must come.
async fn text(socket: &mut Socket) -> String {
    loop {
        match socket.next().await.unwrap().unwrap() {
            Message::Text(text) => return text.to_string(),
            Message::Ping(_) => {}
            other => assert!(other.is_text(), "{other:?}"),
        }
    }
}

/// Reads on until the relay hangs up; its closing code, if it said one.
async fn closing_code(socket: &mut Socket) -> Option<u16> {
    while let Some(Ok(message)) = socket.next().await {
        if let Message::Close(frame) = message {
            return frame.map(|CloseFrame { code, .. }| code.into());
        }
    }
    None
}

#[tokio::test]
async fn every_tab_gets_what_was_and_what_comes_and_may_speak() {
    let harness = Harness::start();
    let cookie = harness.enter();
    harness.hub.publish(&Update::Activity { activity: Activity::Thinking });
    let mut tabs = [open(&harness, &cookie).await, open(&harness, &cookie).await];
    for tab in &mut tabs {
        let snapshot = text(tab).await;
        assert!(snapshot.contains(r#""activity":"thinking""#), "{snapshot}");
    }
    let [first, _] = &mut tabs;
    first.send(r#"{"type":"say","tag":"t1","text":"hi"}"#.into()).await.unwrap();
    let said = loop {
        match harness.board.try_recv() {
            Ok(command) => break command,
            Err(_) => tokio::time::sleep(Duration::from_millis(1)).await,
        }
    };
    assert_eq!(said, Command::SayTagged { tag: "t1".into(), text: "hi".into(), instead_of: None });
    // Not earlier than the one who stores it says so.
    harness.hub.publish(&Update::Taken { tag: "t1".into(), key: 1 });
    harness.hub.publish(&Update::Forgotten);
    for tab in &mut tabs {
        assert_eq!(text(tab).await, r#"{"type":"taken","tag":"t1","key":1}"#);
        assert_eq!(text(tab).await, r#"{"type":"forgotten"}"#);
    }
}

#[tokio::test]
async fn whoever_is_not_the_page_is_cut_off_and_reaches_nothing() {
    let harness = Harness::start();
    let cookie = harness.enter();
    let bad: [(&str, Message); 8] = [
        ("no JSON", "hello".into()),
        ("an unknown request", r#"{"type":"reboot"}"#.into()),
        ("an unknown field", r#"{"type":"stop","now":true}"#.into()),
        ("an empty text", r#"{"type":"say","tag":"a","text":""}"#.into()),
        ("deep nesting", "[".repeat(60_000).into()),
        (
            "a text too long",
            format!(r#"{{"type":"say","tag":"a","text":"{}"}}"#, "x".repeat(1025)).into(),
        ),
        ("a message too large", "x".repeat(70_000).into()),
        ("binary", Message::Binary(Bytes::from_static(b"{}"))),
    ];
    for (what, message) in bad {
        let mut socket = open(&harness, &cookie).await;
        text(&mut socket).await;
        socket.send(message).await.unwrap();
        let code = closing_code(&mut socket).await;
        assert!(matches!(code, None | Some(1003 | 1008 | 1009)), "{what}: {code:?}");
    }
    assert_eq!(harness.reached(), [], "nothing may reach the board");
}

#[tokio::test]
async fn a_tab_that_runs_wild_is_cut_off() {
    let harness = Harness::start();
    let cookie = harness.enter();
    let mut socket = open(&harness, &cookie).await;
    for _ in 0..2000 {
        if socket.send(r#"{"type":"typing"}"#.into()).await.is_err() {
            break;
        }
    }
    assert!(matches!(closing_code(&mut socket).await, None | Some(1008)));
    let reached = harness.reached().len();
    // At most two seconds' worth: the flood may lie across the turn of a second.
    assert!(reached <= 100, "{reached} requests reached the board");
}

#[tokio::test]
async fn tabs_are_limited_and_their_places_come_back() {
    let harness = Harness::start();
    let cookie = harness.enter();
    let mut tabs = Vec::new();
    for _ in 0..16 {
        let mut tab = open(&harness, &cookie).await;
        text(&mut tab).await;
        tabs.push(tab);
    }
    let one_more = format!(
        "GET /live HTTP/1.1\r\nHost: 127.0.0.1:{0}\r\nOrigin: http://127.0.0.1:{0}\r\n\
         Cookie: {cookie}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
        harness.port
    );
    let ask = || harness.send(&one_more).status;
    assert_eq!(ask(), 429);
    drop(tabs);
    let began = Instant::now();
    while ask() != 101 {
        assert!(began.elapsed() < Duration::from_secs(60), "the places do not come back");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[test]
fn a_client_that_never_ends_its_request_is_cut_off() {
    let harness = Harness::start();
    let mut stream = std::net::TcpStream::connect(("127.0.0.1", harness.port)).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\nHost: 127").unwrap();
    // Either an answer that says so, or just the end; not a wait for ever.
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    let answer = String::from_utf8_lossy(&answer);
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 408"), "{answer}");
}
