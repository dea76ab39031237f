//! The attack table of the API: everything but a program with the key is refused before it does
//! anything.
#![allow(clippy::unwrap_used)] // Helpers of tests are tests to us, not to clippy.

mod common;
#[path = "api_attacks/table.rs"]
mod table;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use common::Harness;
use table::{Request, bodies, everywhere};

#[test]
fn every_single_deviation_is_refused() {
    let harness = Harness::start_api();
    let cookie = harness.enter();
    let gets = ["/v1/models", "/v1/events"].map(|path| Request::get(&harness, path));
    let post = Request::post(&harness);
    for right in &gets {
        assert_eq!(harness.send(right.bytes()).status, 200, "or the table would prove nothing");
        let by_cookie = right.with("Authorization", &[&format!("Cookie: {cookie}")]);
        assert_eq!(harness.send(by_cookie.bytes()).status, 200, "the page may, too");
    }
    // Nobody plays the board here: it gets as far as being told that.
    assert_eq!(harness.send(post.bytes()).status, 503);
    let own = format!("Origin: http://127.0.0.1:{}", harness.port);
    let by_cookie = post.with("Authorization", &[&format!("Cookie: {cookie}"), &own]);
    assert_eq!(harness.send(by_cookie.bytes()).status, 503);

    let mut attacks = Vec::new();
    for right in gets.iter().chain([&post]) {
        attacks.extend(everywhere(&harness, &cookie, right));
    }
    attacks.extend(bodies(&harness, &cookie));
    for path in
        ["/", "/script.js", "/style.css", "/icon.svg", "/live", "/export/chat.md", "/nothing"]
    {
        attacks.push((format!("key for {path}"), Request::get(&harness, path)));
    }
    for (what, attack) in &attacks {
        let answer = harness.send(attack.bytes());
        let line = &attack.line;
        assert!(
            (400..500).contains(&answer.status),
            "{what} ({line:.60}): {} {}",
            answer.status,
            answer.text
        );
        assert!(answer.header("set-cookie").is_none(), "{what} got a cookie");
        assert!(!answer.text.to_lowercase().contains("access-control"), "{what} got CORS");
        assert!(!answer.text.contains(&harness.key), "{what} got the key");
    }
    assert_eq!(harness.reached(), [], "nothing may reach the board");
    for right in &gets {
        assert_eq!(harness.send(right.bytes()).status, 200, "the API still works");
    }
    println!("wisp: api_attacks_refused {} requests", attacks.len());
}

#[test]
fn refusals_are_in_openai_s_shape_and_say_what_may_be_done() {
    let harness = Harness::start_api();
    let models = Request::get(&harness, "/v1/models");
    let answer = harness.send(models.with("Authorization", &[]).bytes());
    assert_eq!(answer.status, 401);
    assert_eq!(answer.header("content-type"), Some("application/json"));
    assert_eq!(answer.header("connection"), Some("close"));
    assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
    let answer = harness.send(models.with_line("PUT /v1/models HTTP/1.1").bytes());
    assert_eq!((answer.status, answer.header("allow")), (405, Some("GET")));
    let line = "GET /v1/chat/completions HTTP/1.1";
    let answer = harness.send(models.with_line(line).bytes());
    assert_eq!((answer.status, answer.header("allow")), (405, Some("POST")));
}

#[test]
fn there_is_no_api_unless_it_is_asked_for() {
    let harness = Harness::start();
    let cookie = format!("Cookie: {}", harness.enter());
    for path in ["/v1/models", "/v1/events", "/v1/chat/completions"] {
        let request = Request::get(&harness, path);
        assert_eq!(harness.send(request.bytes()).status, 401, "a key opens nothing");
        let by_cookie = request.with("Authorization", &[&cookie]);
        assert_eq!(harness.send(by_cookie.bytes()).status, 404);
    }
    assert_eq!(harness.send(Request::post(&harness).bytes()).status, 405);
    assert_eq!(harness.reached(), []);
}

/// Everything that comes until the server hangs up; that it does is the test.
fn until_cut_off(stream: &mut TcpStream) -> String {
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    String::from_utf8_lossy(&answer).into_owned()
}

#[test]
fn a_body_that_never_ends_is_cut_off() {
    let harness = Harness::start_api();
    let mut request = Request::post(&harness);
    request.body.truncate(5);
    let mut stream = TcpStream::connect(("127.0.0.1", harness.port)).unwrap();
    stream.write_all(&request.bytes()).unwrap();
    let answer = until_cut_off(&mut stream);
    assert!(answer.starts_with("HTTP/1.1 408") && answer.contains("wisp::api::body"), "{answer}");
    assert_eq!(harness.reached(), []);
}

#[test]
fn a_client_that_drips_its_headers_is_cut_off() {
    let harness = Harness::start_api();
    let mut stream = TcpStream::connect(("127.0.0.1", harness.port)).unwrap();
    let mut dripping = stream.try_clone().unwrap();
    let drip = std::thread::spawn(move || {
        let header = "GET /v1/models HTTP/1.1\r\nX: ".bytes().chain(std::iter::repeat(b'x'));
        for byte in header.take(1000) {
            if dripping.write_all(&[byte]).is_err() {
                return;
            }
            std::thread::sleep(Duration::from_millis(100));
        }
    });
    let answer = until_cut_off(&mut stream);
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 408"), "{answer}");
    drip.join().unwrap();
}

#[test]
fn connections_are_limited_and_their_places_come_back() {
    let harness = Harness::start_api();
    let models = Request::get(&harness, "/v1/models").bytes();
    let idle: Vec<_> =
        (0..64).map(|_| TcpStream::connect(("127.0.0.1", harness.port)).unwrap()).collect();
    assert_eq!(harness.send(&models).status, 0, "the 65th is hung up on");
    drop(idle);
    let began = Instant::now();
    while harness.send(&models).status != 200 {
        assert!(began.elapsed() < Duration::from_secs(60), "the places do not come back");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn listeners_are_limited_and_their_places_come_back() {
    let harness = Harness::start_api();
    let events = Request::get(&harness, "/v1/events").bytes();
    let mut listeners = Vec::new();
    for _ in 0..16 {
        let mut stream = TcpStream::connect(("127.0.0.1", harness.port)).unwrap();
        stream.write_all(&events).unwrap();
        let mut head = [0; 15];
        stream.read_exact(&mut head).unwrap();
        assert_eq!(&head, b"HTTP/1.1 200 OK");
        listeners.push(stream);
    }
    let answer = harness.send(&events);
    assert_eq!((answer.status, answer.header("retry-after")), (429, Some("5")));
    drop(listeners);
    let began = Instant::now();
    while harness.send(&events).status != 200 {
        assert!(began.elapsed() < Duration::from_secs(60), "the places do not come back");
        std::thread::sleep(Duration::from_millis(20));
    }
}
