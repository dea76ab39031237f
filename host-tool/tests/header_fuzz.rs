//! Malformed headers by the million: nobody gets in, nothing panics, and the page still works.
#![allow(clippy::unwrap_used)] // Helpers of tests are tests to us, not to clippy.

#[path = "header_fuzz/case.rs"]
mod case;

use std::sync::{Arc, mpsc};

use case::{Case, Dice, pools};
use http::HeaderValue;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use wisp::relay::guard::{Guard, Verdict};
use wisp::relay::hub::Hub;
use wisp::relay::routes::{Shared, router};
use wisp::relay::serve_connection;

const PORT: u16 = 4321;

/// Requests that the guard judges.
const JUDGED: usize = 1_000_000;

/// Requests that go through the parser of the server, as bytes.
const PARSED: usize = 200_000;

#[test]
fn a_million_malformed_requests_get_in_only_if_they_are_right() {
    let mut guard = Guard::new(PORT).unwrap();
    guard.open_api();
    let pools = pools(&guard);
    let cookie = guard.cookie().split(';').next().unwrap().to_string();
    // The scheme's letters may be of any size; the dice change one of them now and then.
    let key = format!("Bearer {}", guard.api_key());
    let mut dice = Dice(0x5eed);
    let mut served = 0;
    for number in 0..JUDGED {
        let case = Case::throw(&mut dice, &pools);
        let verdict = guard.judge(&case.method, &case.target, &case.headers);
        if let Verdict::Refuse(_) = verdict {
            continue;
        }
        served += 1;
        let mut case = case;
        if let Some(value) = case.only("authorization").map(<[u8]>::to_ascii_lowercase)
            && value.starts_with(b"bearer ")
        {
            let rest = case.only("authorization").unwrap()[7..].to_vec();
            let value = [b"Bearer ".as_slice(), &rest].concat();
            case.headers.insert("authorization", HeaderValue::from_bytes(&value).unwrap());
        }
        assert!(
            case.may_be_served(&cookie, &key),
            "{number}: {verdict:?} for {} {} {:?}",
            case.method,
            case.target,
            case.headers
        );
    }
    // A guard that refuses all would pass the rest.
    assert!(served > JUDGED / 1000, "{served} were right");
    println!("wisp: header_fuzz_requests {JUDGED} requests");
    println!("wisp: header_fuzz_served {served} requests");
}

/// The program's own requests, each with its secret.
fn texts(secret: &str, key: &str) -> Vec<String> {
    let host = format!("127.0.0.1:{PORT}");
    let body = r#"{"messages":[{"role":"user","content":"Hi"}]}"#;
    vec![
        format!("GET / HTTP/1.1\r\nHost: {host}\r\nCookie: {secret}\r\n\r\n"),
        format!(
            "GET /live HTTP/1.1\r\nHost: {host}\r\nOrigin: http://{host}\r\nCookie: {secret}\r\n\
             Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
             Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        ),
        format!("GET /v1/models HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {key}\r\n\r\n"),
        format!("GET /v1/events HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {key}\r\n\r\n"),
        format!(
            "POST /v1/chat/completions HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {key}\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        ),
    ]
}

/// What the server answers to these bytes, all of it.
async fn answer(service: &axum::Router, request: &[u8]) -> Vec<u8> {
    let (mut client, server) = tokio::io::duplex(64 * 1024);
    let ask = async {
        // It may hang up before it has everything.
        let _ = client.write_all(request).await;
        // It has its turn, several times; whoever hung up before would get no answer.
        for _ in 0..8 {
            tokio::task::yield_now().await;
        }
        let _ = client.shutdown().await;
        let mut answer = Vec::new();
        let _ = client.read_to_end(&mut answer).await;
        answer
    };
    tokio::join!(ask, serve_connection(server, service.clone())).0
}

/// All statuses in an answer.
fn statuses(answer: &[u8]) -> Vec<u16> {
    let text = String::from_utf8_lossy(answer);
    let after = text.split("HTTP/1.").skip(1);
    after.filter_map(|rest| rest.split(' ').nth(1)?.parse().ok()).collect()
}

#[tokio::test]
async fn mangled_bytes_are_refused_by_the_whole_server() {
    let (commands, board) = mpsc::channel();
    let mut guard = Guard::new(PORT).unwrap();
    guard.open_api();
    let cookie = guard.cookie().split(';').next().unwrap().to_string();
    let key = guard.api_key().to_string();
    let shared = Shared::new(Arc::new(guard), Hub::new("Wisp", commands), Arc::new(|_| {}));
    let service = router(shared.with_api().unwrap());
    let right = texts(&cookie, &key);
    let (page, models) = (&right[0], &right[2]);
    let wrong = texts("wisp-4321=0", &"0".repeat(64));
    let mut dice = Dice(0xbeef);
    let mut answered = 0;
    for number in 0..PARSED {
        // Either the secret is wrong and anything may be, or the secret is right and the host wrong.
        let mut request = match number % 4 {
            0 => {
                let mut request = models.clone().into_bytes();
                let host = format!("127.0.0.1:{PORT}");
                let place = models.find(&host).unwrap() + dice.below(host.len());
                request[place] ^= 1 << dice.below(7);
                request
            }
            _ => wrong[dice.below(wrong.len())].clone().into_bytes(),
        };
        for _ in 0..if number % 4 == 0 { 0 } else { dice.below(6) } {
            let place = dice.below(request.len());
            match dice.below(5) {
                0 => request[place] = dice.below(256) as u8,
                1 => request[place] = *dice.one(&[&b'\r', &b'\n', &0, &b' ', &b'\t', &b':', &0xff]),
                2 if request.len() > 1 => drop(request.remove(place)),
                3 => request.truncate(place.max(1)),
                _ => {
                    let more: [&[u8]; 7] = [
                        b"\r\n",
                        b"\r\n folded",
                        b"Host: 127.0.0.1:4321\r\n",
                        b"\r\nX: ",
                        b"%00",
                        b"Content-Length: 5\r\n",
                        b"Transfer-Encoding: chunked\r\n",
                    ];
                    let more = dice.one(&more);
                    request.splice(place..place, more.iter().copied());
                }
            }
        }
        let statuses = statuses(&answer(&service, &request).await);
        assert!(
            statuses.iter().all(|status| (400..500).contains(status)),
            "{number}: {statuses:?} for {}",
            String::from_utf8_lossy(&request)
        );
        answered += usize::from(!statuses.is_empty());
        if number % 5000 == 0 {
            for right in [page, models] {
                assert_eq!(self::statuses(&answer(&service, right.as_bytes()).await), [200]);
            }
        }
    }
    assert_eq!(board.try_iter().count(), 0, "nothing may reach the board");
    // Those that were cut off wait for their end, and get no answer.
    assert!(answered > PARSED / 2, "{answered} were answered");
    println!("wisp: header_fuzz_parsed {PARSED} requests");
}
