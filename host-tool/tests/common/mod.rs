//! A relay with a fake board behind it: a channel that shows every command that got through.
#![allow(dead_code)] // Each test file uses its part.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::mpsc::{self, Receiver};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use wisp::client::Command;
use wisp::relay::Relay;
use wisp::relay::hub::Hub;

/// A running relay.
pub struct Harness {
    /// Its port.
    pub port: u16,
    /// The link that has not been used yet.
    pub link: Arc<Mutex<String>>,
    /// The chat it shows.
    pub hub: Arc<Hub>,
    /// What programs show that use the API.
    pub key: String,
    /// What reached the board.
    pub board: Receiver<Command>,
    end: Option<tokio::sync::oneshot::Sender<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Harness {
    /// Starts a relay on a free port.
    pub fn start() -> Self {
        let (commands, board) = mpsc::channel();
        Self::serve(Hub::new("Wisp", commands), board, false)
    }

    /// The same, with the API.
    pub fn start_api() -> Self {
        let (commands, board) = mpsc::channel();
        Self::serve(Hub::new("Wisp", commands), board, true)
    }

    /// Serves this chat.
    pub fn serve(hub: Arc<Hub>, board: Receiver<Command>, has_api: bool) -> Self {
        let relay = Relay::bind(0).unwrap();
        let relay = if has_api { relay.with_api() } else { relay };
        let (port, key) = (relay.port(), relay.api_key().to_string());
        let link = Arc::new(Mutex::new(relay.url()));
        let (end, ended) = tokio::sync::oneshot::channel();
        let (shown, served) = (link.clone(), hub.clone());
        let thread = std::thread::spawn(move || {
            let runtime =
                tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            let on_fresh_link = Arc::new(move |fresh: &str| *shown.lock().unwrap() = fresh.into());
            runtime.block_on(async {
                relay.run(served, on_fresh_link, async { drop(ended.await) }).await.unwrap();
            });
        });
        Self { port, link, hub, key, board, end: Some(end), thread: Some(thread) }
    }

    /// The link to open now.
    pub fn link(&self) -> String {
        self.link.lock().unwrap().clone()
    }

    /// Opens the link as a browser does and returns the cookie, `name=value`.
    pub fn enter(&self) -> String {
        let link = self.link();
        let (_, target) = link.split_at(link.find("/?").unwrap());
        let answer = self.send(format!(
            "GET {target} HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nSec-Fetch-Site: none\r\n\
             Connection: close\r\n\r\n",
            self.port
        ));
        assert_eq!(answer.status, 303, "{}", answer.text);
        let cookie = answer.header("set-cookie").unwrap();
        assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Strict"), "{cookie}");
        cookie.split(';').next().unwrap().to_string()
    }

    /// Sends raw bytes and reads the first answer; status 0 means none came.
    pub fn send(&self, request: impl AsRef<[u8]>) -> Answer {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        // The relay may hang up before it has everything: that is an answer too.
        let _ = stream.write_all(request.as_ref());
        let mut text = Vec::new();
        let mut block = [0; 4096];
        while !text.windows(4).any(|four| four == b"\r\n\r\n") {
            match stream.read(&mut block) {
                Ok(count) if count > 0 => text.extend_from_slice(&block[..count]),
                _ => break,
            }
        }
        Answer::new(text)
    }

    /// Everything that reached the board so far.
    pub fn reached(&self) -> Vec<Command> {
        self.board.try_iter().collect()
    }
}

impl Drop for Harness {
    fn drop(&mut self) {
        drop(self.end.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Head of an answer.
pub struct Answer {
    /// 0 when nothing came.
    pub status: u16,
    /// All of it.
    pub text: String,
}

impl Answer {
    fn new(bytes: Vec<u8>) -> Self {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let status =
            text.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or_default();
        Self { status, text }
    }

    /// A header's value.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.text.lines().skip(1).find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }
}
