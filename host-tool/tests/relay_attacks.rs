//! The attack table: everything but the page's own requests is refused before it does anything.

#![allow(clippy::unwrap_used)] // Outside of test functions clippy does not see that this is a test.

mod common;

use common::Harness;
use wisp::client::Command;

/// One request, with what makes it different from the page's own.
#[derive(Clone)]
struct Request {
    method: &'static str,
    target: String,
    host: Option<String>,
    origin: Option<String>,
    cookie: Option<String>,
    upgrade: bool,
    extra: Vec<String>,
    body: &'static str,
}

impl Request {
    fn text(&self) -> String {
        let mut text = format!("{} {} HTTP/1.1\r\n", self.method, self.target);
        let mut line = |name: &str, value: &str| text.push_str(&format!("{name}: {value}\r\n"));
        if let Some(host) = &self.host {
            line("Host", host);
        }
        if let Some(origin) = &self.origin {
            line("Origin", origin);
        }
        if let Some(cookie) = &self.cookie {
            line("Cookie", cookie);
        }
        if self.upgrade {
            line("Connection", "Upgrade");
            line("Upgrade", "websocket");
            line("Sec-WebSocket-Version", "13");
            line("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==");
        } else {
            line("Connection", "close");
        }
        for extra in &self.extra {
            text.push_str(extra);
            text.push_str("\r\n");
        }
        text.push_str("\r\n");
        text.push_str(self.body);
        text
    }
}

/// The page's own requests, which must work, or the table would prove nothing.
fn page_get(harness: &Harness, cookie: &str) -> Request {
    Request {
        method: "GET",
        target: "/".to_string(),
        host: Some(format!("127.0.0.1:{}", harness.port)),
        origin: None,
        cookie: Some(cookie.to_string()),
        upgrade: false,
        extra: vec!["Sec-Fetch-Site: same-origin".to_string()],
        body: "",
    }
}

fn page_live(harness: &Harness, cookie: &str) -> Request {
    Request {
        target: "/live".to_string(),
        origin: Some(format!("http://127.0.0.1:{}", harness.port)),
        upgrade: true,
        ..page_get(harness, cookie)
    }
}

#[test]
fn the_page_itself_is_served_with_every_protection() {
    let harness = Harness::start();
    let cookie = harness.enter();
    for (target, kind) in [
        ("/", "text/html"),
        ("/style.css", "text/css"),
        ("/script.js", "text/javascript"),
        ("/days.js", "text/javascript"),
        ("/live.js", "text/javascript"),
        ("/messages.js", "text/javascript"),
        ("/page.js", "text/javascript"),
        ("/settings.js", "text/javascript"),
        ("/status.js", "text/javascript"),
        ("/unseen.js", "text/javascript"),
        ("/writing.js", "text/javascript"),
        ("/icon.svg", "image/svg+xml"),
        ("/export/chat.md", "text/markdown"),
        ("/export/chat.html", "text/html"),
        ("/export/chat.jsonl", "application/jsonl"),
    ] {
        let request = Request { target: target.to_string(), ..page_get(&harness, &cookie) };
        let answer = harness.send(request.text());
        assert_eq!(answer.status, 200, "{target}: {}", answer.text);
        assert!(answer.header("content-type").unwrap().starts_with(kind), "{target}");
        let policy = answer.header("content-security-policy").unwrap();
        assert!(policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"));
        assert!(!policy.contains("unsafe"), "{policy}");
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
        assert_eq!(answer.header("referrer-policy"), Some("no-referrer"));
        assert!(!answer.text.to_ascii_lowercase().contains("access-control"), "no CORS");
    }
    assert_eq!(harness.send(page_live(&harness, &cookie).text()).status, 101);
    for name in ["localhost", "[::1]"] {
        let mut request = page_live(&harness, &cookie);
        request.host = Some(format!("{name}:{}", harness.port));
        request.origin = Some(format!("http://{name}:{}", harness.port));
        assert_eq!(harness.send(request.text()).status, 101, "{name}");
    }
}

#[test]
fn every_single_deviation_is_refused() {
    let harness = Harness::start();
    let cookie = harness.enter();
    let port = harness.port;
    let mut attacks: Vec<(String, Request)> = Vec::new();
    let get = page_get(&harness, &cookie);
    let live = page_live(&harness, &cookie);

    let hosts = [
        None,
        Some(String::new()),
        Some("127.0.0.1".to_string()),
        Some("localhost".to_string()),
        Some(format!("127.0.0.1:{}", port ^ 1)),
        Some(format!("127.0.0.2:{port}")),
        Some(format!("127.1:{port}")),
        Some(format!("0.0.0.0:{port}")),
        Some(format!("[::]:{port}")),
        Some(format!("evil.example:{port}")),
        Some(format!("127.0.0.1.evil.example:{port}")),
        Some(format!("localhost.evil.example:{port}")),
        Some(format!("evil.example#127.0.0.1:{port}")),
        Some(format!("evil@127.0.0.1:{port}")),
        Some(format!("2130706433:{port}")),
        Some(format!("LOCALHOST.:{port}")),
    ];
    for host in hosts {
        for good in [&get, &live] {
            attacks
                .push((format!("host {host:?}"), Request { host: host.clone(), ..good.clone() }));
        }
    }
    let twice = format!("Host: 127.0.0.1:{port}");
    attacks.push(("host twice".into(), Request { extra: vec![twice], ..get.clone() }));
    attacks.push((
        "absolute target of another host".into(),
        Request { target: format!("http://evil.example:{port}/"), ..get.clone() },
    ));

    let origins = [
        Some("null".to_string()),
        Some(String::new()),
        Some("http://evil.example".to_string()),
        Some("https://evil.example".to_string()),
        Some("http://127.0.0.1".to_string()),
        Some(format!("http://127.0.0.1:{}", port ^ 1)),
        Some(format!("https://127.0.0.1:{port}")),
        Some(format!("http://127.0.0.1:{port}/")),
        Some(format!("http://127.0.0.1:{port}.evil.example")),
        Some(format!("http://localhost:{port}")),
        Some("file://".to_string()),
        Some("chrome-extension://abcdef".to_string()),
    ];
    for origin in origins {
        for good in [&get, &live] {
            let attack = Request { origin: origin.clone(), ..good.clone() };
            attacks.push((format!("origin {origin:?}"), attack));
        }
    }
    attacks.push(("upgrade without origin".into(), Request { origin: None, ..live.clone() }));
    let twice = format!("Origin: http://127.0.0.1:{port}");
    attacks.push(("origin twice".into(), Request { extra: vec![twice], ..live.clone() }));

    let (name, value) = cookie.split_once('=').unwrap();
    let mut changed = value.to_string();
    let last = changed.pop().unwrap();
    changed.push(if last == '0' { '1' } else { '0' });
    let cookies = [
        None,
        Some(String::new()),
        Some(format!("{name}=")),
        Some(name.to_string()),
        Some(format!("{name}={changed}")),
        Some(format!("{name}={}", &value[1..])),
        Some(format!("{name}={value}0")),
        Some(format!("{name}={}", value.to_uppercase())),
        Some(format!("{name}x={value}")),
        Some(format!("x{name}={value}")),
        Some(format!("wisp-{}={value}", port ^ 1)),
        Some(value.to_string()),
    ];
    for wrong in cookies {
        for target in [
            "/",
            "/style.css",
            "/script.js",
            "/live.js",
            "/icon.svg",
            "/export/chat.html",
            "/nothing",
        ] {
            let attack = Request { cookie: wrong.clone(), target: target.into(), ..get.clone() };
            attacks.push((format!("cookie {wrong:?} {target}"), attack));
        }
        let attack = Request { cookie: wrong.clone(), ..live.clone() };
        attacks.push((format!("cookie {wrong:?} upgrade"), attack));
    }
    let encoded: String = value.bytes().map(|byte| format!("%{byte:02x}")).collect();
    for wrong in
        [format!("{name}={encoded}"), format!("{name}=\"{value}\""), format!("{name} {value}")]
    {
        attacks.push((format!("cookie {wrong}"), Request { cookie: Some(wrong), ..get.clone() }));
    }
    for code in ["", "0", value, &changed] {
        let attack = Request { target: format!("/?token={code}"), cookie: None, ..get.clone() };
        attacks.push((format!("link {code}"), attack));
    }

    for method in ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "HEAD", "CONNECT", "TRACE", "BREW"]
    {
        for target in ["/", "/live", "/say"] {
            for kind in ["text/plain", "application/json", "application/x-www-form-urlencoded"] {
                let attack = Request {
                    method,
                    target: if method == "CONNECT" {
                        format!("127.0.0.1:{port}")
                    } else {
                        target.to_string()
                    },
                    origin: Some(format!("http://127.0.0.1:{port}")),
                    extra: vec![format!("Content-Type: {kind}"), "Content-Length: 2".into()],
                    body: "{}",
                    ..get.clone()
                };
                attacks.push((format!("{method} {target} {kind}"), attack));
            }
        }
        attacks.push((format!("{method} upgrade"), Request { method, ..live.clone() }));
    }

    for site in ["cross-site", "same-site", "no-cors", "", "none, same-origin"] {
        for good in [&get, &live] {
            let extra = vec![format!("Sec-Fetch-Site: {site}")];
            attacks.push((format!("site {site:?}"), Request { extra, ..good.clone() }));
        }
    }
    let bodies: [(&[&str], &str); 4] = [
        (&["Content-Length: 5"], "hello"),
        (&["Content-Length: 70000"], "hello"),
        (&["Transfer-Encoding: chunked"], "5\r\nhello\r\n0\r\n\r\n"),
        (&["Content-Length: 0", "Content-Length: 5"], "hello"),
    ];
    for (lines, body) in bodies {
        let extra = lines.iter().map(|line| line.to_string()).collect();
        attacks.push((format!("body {lines:?}"), Request { extra, body, ..get.clone() }));
    }
    attacks.push(("live without upgrade".into(), Request { upgrade: false, ..live.clone() }));
    for target in ["/", "/script.js", "/live/", "//live", "/LIVE"] {
        let attack = Request { target: target.into(), ..live.clone() };
        attacks.push((format!("upgrade of {target}"), attack));
    }
    for target in ["/nothing", "/../etc/passwd", "/%2e%2e/", "/index.html", "*"] {
        attacks.push((target.to_string(), Request { target: target.into(), ..get.clone() }));
    }
    let long = "x".repeat(20_000);
    for target in [format!("/{long}"), format!("/?{long}"), "/%00".into(), "/\\..\\".into()] {
        attacks.push((format!("{target:.20}"), Request { target, ..get.clone() }));
    }
    let (no_host, no_cookie) =
        (Request { host: None, ..get.clone() }, Request { cookie: None, ..get.clone() });
    for (good, line) in [
        (&no_host, format!("Host : 127.0.0.1:{port}")),
        (&no_host, format!("Host: 127.0.0.1\r\n :{port}")),
        (&no_host, format!("Host:\r\n 127.0.0.1:{port}")),
        (&no_host, format!("X: x\rHost: 127.0.0.1:{port}")),
        (&no_cookie, format!("Cookie : {cookie}")),
        (&no_cookie, format!("Cookie:\r\n {cookie}")),
        (&no_cookie, format!("X: x\r\n Cookie: {cookie}")),
        (&no_cookie, format!("X: x\0\r\nCookie: {cookie}")),
    ] {
        attacks.push((format!("{line:?}"), Request { extra: vec![line], ..good.clone() }));
    }
    for count in [70, 200] {
        let extra = (0..count).map(|n| format!("X-{n}: x")).collect();
        attacks.push((format!("{count} headers"), Request { extra, ..get.clone() }));
    }
    let extra = vec![format!("X-Long: {}", "x".repeat(100_000))];
    attacks.push(("a long header".into(), Request { extra, ..get.clone() }));

    for (what, attack) in &attacks {
        let answer = harness.send(attack.text());
        assert!((400..500).contains(&answer.status), "{what}: {} {}", answer.status, answer.text);
        assert!(answer.header("set-cookie").is_none(), "{what} got a cookie");
    }
    assert_eq!(harness.reached(), [], "nothing may reach the board");
    assert_eq!(harness.send(get.text()).status, 200, "the page still works");
    assert!(attacks.len() >= 40);
    println!("wisp: relay_attacks_refused {} requests", attacks.len());
}

#[test]
fn any_combination_of_deviations_is_refused() {
    let harness = Harness::start();
    let cookie = harness.enter();
    let port = harness.port;
    let mut refused = 0;
    for host in [format!("127.0.0.1:{port}"), format!("evil.example:{port}")] {
        for origin in [None, Some(format!("http://127.0.0.1:{port}")), Some("null".into())] {
            for cookie in [Some(cookie.clone()), None, Some("wisp=1".into())] {
                for method in ["GET", "POST", "OPTIONS"] {
                    for (upgrade, target) in
                        [(false, "/"), (true, "/live"), (true, "/"), (false, "/live")]
                    {
                        let is_ours = !host.contains("evil")
                            && origin != Some("null".into())
                            && cookie.as_ref().is_some_and(|c| c != "wisp=1")
                            && method == "GET"
                            && upgrade == (target == "/live")
                            && (origin.is_some() || !upgrade);
                        let request = Request {
                            method,
                            target: target.into(),
                            host: Some(host.clone()),
                            origin: origin.clone(),
                            cookie: cookie.clone(),
                            upgrade,
                            extra: Vec::new(),
                            body: "",
                        };
                        let status = harness.send(request.text()).status;
                        let expected = if !is_ours {
                            refused += 1;
                            400..500
                        } else if upgrade {
                            101..102
                        } else {
                            200..201
                        };
                        assert!(expected.contains(&status), "{}: {status}", request.text());
                    }
                }
            }
        }
    }
    assert_eq!(harness.reached(), [], "nothing may reach the board");
    println!("wisp: relay_combinations_refused {refused} requests");
}

#[test]
fn a_link_works_once_and_is_replaced() {
    let harness = Harness::start();
    let used = harness.link();
    let cookie = harness.enter();
    assert_ne!(harness.link(), used);
    let (_, target) = used.split_at(used.find("/?").unwrap());
    let again = Request { target: target.to_string(), ..page_get(&harness, &cookie) };
    let answer = harness.send(again.text());
    assert_eq!(answer.status, 303, "the browser that has the cookie is shown the page");
    assert!(answer.header("set-cookie").is_none());
    let stranger = Request { cookie: None, ..again };
    let answer = harness.send(stranger.text());
    assert_eq!(answer.status, 401);
    harness.enter();
}

#[test]
fn malformed_requests_neither_crash_nor_reach_anything() {
    let harness = Harness::start();
    let cookie = harness.enter();
    let good = page_live(&harness, &cookie).text().into_bytes();
    let mut requests: Vec<Vec<u8>> = vec![
        b"\r\n\r\n\r\n".to_vec(),
        b"GET\r\n\r\n".to_vec(),
        b"GET / HTTP/9.9\r\n\r\n".to_vec(),
        b"GET / HTTP/1.0\r\n\r\n".to_vec(),
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec(),
        b"GET / HTTP/1.1\r\nHost: \xff\xfe\r\nOrigin: \x80\r\n\r\n".to_vec(),
        b"GET / HTTP/1.1\r\n: empty\r\n\r\n".to_vec(),
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".to_vec(),
        vec![0; 4096],
        vec![b'A'; 200_000],
    ];
    // Each byte of the page's own request replaced by troublesome ones.
    for position in 0..good.len() {
        for byte in [0x00, b'\n', 0xff] {
            let mut request = good.clone();
            request[position] = byte;
            requests.push(request);
        }
    }
    let count = requests.len();
    for request in requests {
        // A cut-off request would wait for its end: hang up instead.
        let mut stream = std::net::TcpStream::connect(("127.0.0.1", harness.port)).unwrap();
        let _ = std::io::Write::write_all(&mut stream, &request);
    }
    // So many at once may take all the places there are: the relay hangs up until one is free.
    let request = page_get(&harness, &cookie);
    let mut status = 0;
    for _ in 0..200 {
        status = harness.send(request.text()).status;
        if status != 0 {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
    assert_eq!(status, 200, "the relay still answers");
    assert_eq!(harness.reached(), [], "nothing may reach the board");
    println!("wisp: relay_malformed {count} requests");
}

#[test]
fn the_harness_would_notice_a_command() {
    let harness = Harness::start();
    harness.hub.handle(r#"{"type":"stop"}"#).unwrap();
    assert_eq!(harness.reached(), [Command::Stop]);
}
