//! The table itself: what comes in the place of what is right.

use crate::common::Harness;

const BODY: &str = r#"{"messages":[{"role":"user","content":"Hi"}]}"#;

/// Header lines that come in the place of the right ones, or beside them.
#[derive(Clone)]
pub struct Request {
    pub line: String,
    pub lines: Vec<String>,
    pub body: Vec<u8>,
}

impl Request {
    pub fn get(harness: &Harness, path: &str) -> Self {
        let host = format!("Host: 127.0.0.1:{}", harness.port);
        let key = format!("Authorization: Bearer {}", harness.key);
        let lines = vec![host, key, "Connection: close".to_string()];
        Self { line: format!("GET {path} HTTP/1.1"), lines, body: Vec::new() }
    }

    pub fn post(harness: &Harness) -> Self {
        let mut request = Self::get(harness, "");
        request.line = "POST /v1/chat/completions HTTP/1.1".to_string();
        let length = format!("Content-Length: {}", BODY.len());
        request.lines.extend(["Content-Type: application/json".to_string(), length]);
        request.body = BODY.into();
        request
    }

    /// The same without the lines of this name, and with these.
    pub fn with(&self, name: &str, lines: &[&str]) -> Self {
        let mut changed = self.clone();
        let beginning = format!("{name}:");
        changed.lines.retain(|line| !line.starts_with(&beginning));
        changed.lines.extend(lines.iter().map(|line| (*line).to_string()));
        changed
    }

    pub fn with_line(&self, line: &str) -> Self {
        Self { line: line.to_string(), ..self.clone() }
    }

    pub fn bytes(&self) -> Vec<u8> {
        let mut bytes =
            format!("{}\r\n{}\r\n\r\n", self.line, self.lines.join("\r\n")).into_bytes();
        bytes.extend_from_slice(&self.body);
        bytes
    }
}

/// Every way to be wrong that any of the routes could fall for.
pub fn everywhere(harness: &Harness, cookie: &str, right: &Request) -> Vec<(String, Request)> {
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
pub fn bodies(harness: &Harness, cookie: &str) -> Vec<(String, Request)> {
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
