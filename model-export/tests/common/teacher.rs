//! A stand-in for an OpenAI-compatible server: answers as it is told, and keeps what it was asked.

#![allow(dead_code, clippy::unwrap_used)] // Each test program uses a part.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

/// A request as it came.
#[derive(Clone, Debug)]
pub struct Request {
    pub line: String,
    pub headers: HashMap<String, String>,
    pub body: String,
}

/// What to do with a request.
pub enum Reply {
    /// These bytes, then the end of the connection.
    Bytes(Vec<u8>),
    /// Nothing, until the server is dropped.
    Silence,
}

type Handler = dyn Fn(usize, &Request) -> Reply + Send + Sync;

pub struct Teacher {
    pub port: u16,
    seen: Arc<Mutex<Vec<Request>>>,
    over: Arc<AtomicBool>,
}

impl Teacher {
    /// Answers the request with the number n, from 0, with `handler(n, request)`.
    pub fn new(handler: impl Fn(usize, &Request) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let over = Arc::new(AtomicBool::new(false));
        let handler: Arc<Handler> = Arc::new(handler);
        let (to, ends) = (Arc::clone(&seen), Arc::clone(&over));
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                if ends.load(Ordering::Relaxed) {
                    return;
                }
                let (to, ends, handler) =
                    (Arc::clone(&to), Arc::clone(&ends), Arc::clone(&handler));
                std::thread::spawn(move || serve(stream.unwrap(), &to, &ends, &*handler));
            }
        });
        Self { port, seen, over }
    }

    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}/v1", self.port)
    }

    pub fn seen(&self) -> Vec<Request> {
        self.seen.lock().unwrap().clone()
    }
}

impl Drop for Teacher {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        // Wakes the listener.
        let _ = TcpStream::connect(("127.0.0.1", self.port));
    }
}

fn serve(stream: TcpStream, seen: &Mutex<Vec<Request>>, over: &AtomicBool, handler: &Handler) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut line = String::new();
    reader.read_line(&mut line).unwrap();
    let mut headers = HashMap::new();
    loop {
        let mut header = String::new();
        reader.read_line(&mut header).unwrap();
        let Some((name, value)) = header.split_once(':') else { break };
        headers.insert(name.to_lowercase(), value.trim().to_owned());
    }
    let length = headers.get("content-length").map_or(0, |it| it.parse().unwrap());
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    let body = String::from_utf8(body).unwrap();
    let request = Request { line: line.trim_end().to_owned(), headers, body };
    let number = {
        let mut seen = seen.lock().unwrap();
        seen.push(request.clone());
        seen.len() - 1
    };
    match handler(number, &request) {
        Reply::Bytes(bytes) => {
            // The client may have had enough.
            let _ = (&stream).write_all(&bytes);
        }
        Reply::Silence => {
            while !over.load(Ordering::Relaxed) {
                std::thread::sleep(std::time::Duration::from_millis(20));
            }
        }
    }
}

/// An answer with a status, further headers and a body.
pub fn status(status: &str, headers: &str, body: &str) -> Reply {
    let length = body.len();
    let head = format!("HTTP/1.1 {status}\r\n{headers}content-length: {length}\r\n\r\n");
    Reply::Bytes((head + body).into_bytes())
}

/// What a model wrote, as a server wraps it.
pub fn completion(content: &str) -> String {
    serde_json::json!({
        "id": "x",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": content},
                     "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 100, "completion_tokens": 50, "total_tokens": 150},
    })
    .to_string()
}

/// A good answer.
pub fn good(content: &str) -> Reply {
    status("200 OK", "content-type: application/json\r\n", &completion(content))
}

const WORDS: [&str; 40] = [
    "moon", "soup", "lamp", "is", "rather", "quiet", "today", "and", "my", "cat", "sings", "about",
    "old", "trains", "maybe", "you", "should", "paint", "the", "window", "green", "again", "who",
    "knows", "why", "bread", "falls", "so", "slowly", "i", "counted", "every", "button", "on",
    "your", "coat", "it", "was", "seven", "then",
];

/// A message that no other number has.
pub fn sentence(number: u64) -> String {
    let mut state = number.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ 0x5555;
    let mut word = || {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        WORDS[(state >> 33) as usize % WORDS.len()]
    };
    let words: Vec<_> = (0..7).map(|_| word()).collect();
    words.join(" ")
}

/// A good conversation of eight messages.
pub fn conversation(number: u64) -> String {
    let line = |place: u64| {
        let speaker = if place.is_multiple_of(3) { "friend" } else { "persona" };
        let gap = if place == 0 { 5000 } else { 3 + place };
        format!("{speaker} {gap}: {}\n", sentence(1_000_000 + number * 10 + place))
    };
    format!("=== number {number}\n{}\n", (0..8).map(line).collect::<String>())
}
