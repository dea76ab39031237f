//! The attack table of the API: everything but a program with the key is refused before it does
//! anything.
#![allow(clippy::unwrap_used)] // Helpers of tests are tests to us, not to clippy.

mod common;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use common::Harness;

const BODY: &str = r#"{"messages":[{"role":"user","content":"Hi"}]}"#;

/// Header lines that come in the place of the right ones, or beside them.
#[derive(Clone)]
struct Request {
    line: String,
    lines: Vec<String>,
    body: Vec<u8>,
}

impl Request {
    fn get(harness: &Harness, path: &str) -> Self {
        let host = format!("Host: 127.0.0.1:{}", harness.port);
        let key = format!("Authorization: Bearer {}", harness.key);
        let lines = vec![host, key, "Connection: close".to_string()];
        Self { line: format!("GET {path} HTTP/1.1"), lines, body: Vec::new() }
    }

    fn post(harness: &Harness) -> Self {
        let mut request = Self::get(harness, "");
        request.line = "POST /v1/chat/completions HTTP/1.1".to_string();
        let length = format!("Content-Length: {}", BODY.len());
        request.lines.extend(["Content-Type: application/json".to_string(), length]);
        request.body = BODY.into();
        request
    }

    /// The same without the lines of this name, and with these.
    fn with(&self, name: &str, lines: &[&str]) -> Self {
        let mut changed = self.clone();
        let beginning = format!("{name}:");
        changed.lines.retain(|line| !line.starts_with(&beginning));
        changed.lines.extend(lines.iter().map(|line| (*line).to_string()));
        changed
    }

    fn with_line(&self, line: &str) -> Self {
        Self { line: line.to_string(), ..self.clone() }
    }

    fn bytes(&self) -> Vec<u8> {
        let mut bytes =
            format!("{}\r\n{}\r\n\r\n", self.line, self.lines.join("\r\n")).into_bytes();
        bytes.extend_from_slice(&self.body);
        bytes
    }
}

/// Every way to be wrong that any of the routes could fall for.
fn everywhere(harness: &Harness, cookie: &str, right: &Request) -> Vec<(String, Request)> {
    let (port, key) = (harness.port, &harness.key);
    let mut attacks = Vec::new();
    let mut lines = |what: &str, name: &str, lines: &[&str]| {
        attacks.push((format!("{what} {lines:?}"), right.with(name, lines)));
    };
    lines("no host", "Host", &[]);
    for host in [
        "",
        "127.0.0.1",
        "localhost",
        "evil.example:PORT",
        "127.0.0.1.evil.example:PORT",
        "localhost.evil.example:PORT",
        "127.0.0.1:PORT.evil.example",
        "0.0.0.0:PORT",
        "[::]:PORT",
        "127.0.0.2:PORT",
        "127.1:PORT",
        "2130706433:PORT",
        "0x7f.0.0.1:PORT",
        "[::ffff:127.0.0.1]:PORT",
        "evil@127.0.0.1:PORT",
        "127.0.0.1:PORT,evil.example",
        "127.0.0.1:0PORT",
        "wisp.local:PORT",
        "127.0.0.1:PORT/",
        "127.0.0.1%00:PORT",
        "LOCALHOST.:PORT",
    ] {
        lines("host", "Host", &[&format!("Host: {}", host.replace("PORT", &port.to_string()))]);
    }
    let own = format!("Host: 127.0.0.1:{port}");
    lines("host twice", "Host", &[&own, &own]);
    lines("host twice", "Host", &[&own, "Host: evil.example"]);
    lines("host folded", "Host", &[&format!("Host: 127.0.0.1\r\n :{port}")]);
    lines("space before the colon", "Host", &[&format!("Host : 127.0.0.1:{port}")]);
    for origin in [
        "null",
        "",
        "http://evil.example",
        "https://127.0.0.1:PORT",
        "http://127.0.0.1",
        "http://localhost:PORT",
        "http://127.0.0.1:PORT/",
        "http://127.0.0.1:PORT.evil.example",
        "http://127.0.0.1:PORT http://evil.example",
        "file://",
        "chrome-extension://abcdef",
    ] {
        let origin = format!("Origin: {}", origin.replace("PORT", &port.to_string()));
        lines("origin", "Origin", &[&origin]);
    }
    let own = format!("Origin: http://127.0.0.1:{port}");
    lines("origin twice", "Origin", &[&own, &own]);
    for site in ["cross-site", "same-site", "", "no-cors", "none, same-origin"] {
        lines("site", "Sec-Fetch-Site", &[&format!("Sec-Fetch-Site: {site}")]);
    }
    lines("no key", "Authorization", &[]);
    let wrong = format!("{}{}", &key[1..], if key.starts_with('0') { '1' } else { '0' });
    let encoded: String = key.bytes().map(|byte| format!("%{byte:02x}")).collect();
    for value in [
        String::new(),
        key.clone(),
        "Bearer".into(),
        "Bearer ".into(),
        format!("Bearer {wrong}"),
        format!("Bearer {}", &key[1..]),
        format!("Bearer {key}0"),
        format!("Bearer {}", key.to_uppercase()),
        format!("Bearer {encoded}"),
        format!("Bearer \"{key}\""),
        format!("Bearer  {key}"),
        format!("Bearer {key}, Bearer {key}"),
        format!("Bearer\t{key}"),
        format!("Bearer:{key}"),
        format!("Basic {key}"),
        format!("Token {key}"),
        format!("Bearer {key}\r\n folded"),
        format!("Bearer\r\n {key}"),
    ] {
        lines("key", "Authorization", &[&format!("Authorization: {value}")]);
    }
    let good = format!("Authorization: Bearer {key}");
    lines("key twice", "Authorization", &[&good, &good]);
    lines("key twice", "Authorization", &[&good, "Authorization: Bearer 0"]);
    lines("key elsewhere", "Authorization", &[&format!("X-Api-Key: {key}")]);
    lines("key elsewhere", "Authorization", &[&format!("Proxy-Authorization: Bearer {key}")]);
    lines("key as a cookie", "Authorization", &[&format!("Cookie: key={key}")]);
    let wrong_key = "Authorization: Bearer 0";
    lines("cookie, but a wrong key", "Authorization", &[wrong_key, &format!("Cookie: {cookie}")]);
    for upgrade in ["websocket", "h2c"] {
        let upgrade = format!("Upgrade: {upgrade}");
        lines("upgrade", "Connection", &["Connection: Upgrade", &upgrade]);
    }
    lines("a long header", "X", &[&format!("X: {}", "x".repeat(100_000))]);
    for count in [70, 200] {
        let many: Vec<_> = (0..count).map(|number| format!("X-{number}: x")).collect();
        let many: Vec<_> = many.iter().map(String::as_str).collect();
        attacks.push((format!("{count} headers"), right.with("X", &many)));
    }
    let path = right.line.split(' ').nth(1).unwrap().to_string();
    for method in
        ["GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "HEAD", "TRACE", "BREW", "get"]
    {
        if !right.line.starts_with(&format!("{method} ")) {
            attacks.push((method.into(), right.with_line(&format!("{method} {path} HTTP/1.1"))));
        }
    }
    let method = right.line.split(' ').next().unwrap();
    let long = "x".repeat(20_000);
    for target in [
        format!("http://evil.example:{port}{path}"),
        format!("http://127.0.0.1:{}{path}", port ^ 1),
        format!("{path}/"),
        format!("/{path}"),
        format!("{path}%00"),
        path.replace("/v1/", "/V1/"),
        path.replace("/v1/", "/v1//"),
        path.replace("/v1/", "/%76%31/"),
        path.replace("/v1/", "/v1/%2e%2e/v1/"),
        path.replace("/v1/", "/v1/../v1/"),
        path.replace("/v1/", "/v2/"),
        path.replace("/v1/", "\\v1\\"),
        format!("{path}?{long}"),
        format!("{path} /"),
        "/".into(),
        "*".into(),
    ] {
        let line = format!("{method} {target} HTTP/1.1");
        attacks.push((format!("{target:.60}"), right.with_line(&line)));
    }
    for query in [format!("token={key}"), format!("api_key={key}"), format!("access_token={key}")] {
        let line = format!("{method} {path}?{query} HTTP/1.1");
        attacks.push((query, right.with_line(&line).with("Authorization", &[])));
    }
    let link = harness.link();
    let (_, link) = link.split_once('?').unwrap();
    let line = format!("{method} {path}?{link} HTTP/1.1");
    attacks.push(("link".into(), right.with_line(&line).with("Authorization", &[])));
    attacks
}

/// What only the route that takes a body could fall for.
fn bodies(harness: &Harness, cookie: &str) -> Vec<(String, Request)> {
    let right = Request::post(harness);
    let mut attacks = Vec::new();
    let mut lines = |name: &str, lines: &[&str]| {
        attacks.push((format!("{lines:?}"), right.with(name, lines)));
    };
    let cookie = format!("Cookie: {cookie}");
    lines("Authorization", &[&cookie]);
    lines("Authorization", &[&cookie, "Origin: null"]);
    lines("Authorization", &[&cookie, "Origin: http://evil.example"]);
    let chunked = "Transfer-Encoding: chunked";
    for length in [
        &["Content-Length: 65537"][..],
        &["Content-Length: 18446744073709551616"],
        &["Content-Length: 99999999999999999999999999"],
        &["Content-Length: -1"],
        &["Content-Length: +5"],
        &["Content-Length: 0x5"],
        &["Content-Length: 5 5"],
        &["Content-Length: 5, 5"],
        &["Content-Length: "],
        &["Content-Length: 5", "Content-Length: 5"],
        &["Content-Length: 5", "Content-Length: 6"],
        &[],
        &[chunked],
        &[chunked, "Content-Length: 5"],
        &["Transfer-Encoding: gzip, chunked"],
        &["Transfer-Encoding: identity", "Content-Length: 5"],
        &["Transfer-Encoding : chunked", "Content-Length: 5"],
        &["Transfer-Encoding:\r\n chunked", "Content-Length: 5"],
    ] {
        lines("Content-Length", length);
    }
    for kind in [
        &[][..],
        &["Content-Type: text/plain"],
        &["Content-Type: application/x-www-form-urlencoded"],
        &["Content-Type: multipart/form-data; boundary=x"],
        &["Content-Type: text/plain; application/json"],
        &["Content-Type: application/jsonp"],
        &["Content-Type: application/json", "Content-Type: text/plain"],
        &["Content-Type: application/json", "Content-Encoding: gzip"],
    ] {
        lines("Content-Type", kind);
    }
    for body in ["", "{}", "[]", "null", "{\"messages\":[]}", &"[".repeat(60_000), "\u{0}"] {
        let length = format!("Content-Length: {}", body.len());
        let attack = Request { body: body.into(), ..right.with("Content-Length", &[&length]) };
        attacks.push((format!("body {body:.20}"), attack));
    }
    attacks
}

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
    for path in ["/", "/script.js", "/style.css", "/icon.svg", "/live", "/nothing"] {
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
