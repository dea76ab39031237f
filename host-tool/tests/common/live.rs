//! Everything from a board that follows a script to the API, and a client of it.
#![allow(dead_code)] // Each test file uses its part.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use link::message::Role;
use serde_json::Value;
use wisp::client::{Client, ClientOptions, Phase};
use wisp::port::{FixedConnector, PortAddress};
use wisp::relay::hub::Hub;

use crate::board::{Board, Manner, Quirks, Script};
use crate::common::Harness;

/// How long anything may take, on a machine that is busy.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Everything from the board to the API.
pub struct Live {
    pub harness: Harness,
    pub board: Option<Board>,
    _client: Client,
    folder: tempfile::TempDir,
}

impl Live {
    pub fn start(manner: Manner) -> Self {
        let live = Self::without_board();
        live.with_board(manner)
    }

    pub fn without_board() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let port = PortAddress::Unix(folder.path().join("line"));
        let connector = Box::new(FixedConnector::new(port, 0));
        let mut client = Client::start(connector, ClientOptions::default()).unwrap();
        let hub = Hub::new("Wisp", client.commands());
        let harness = Harness::serve(hub.clone(), mpsc::channel().1, true);
        // The API keeps events from here on.
        let began = Instant::now();
        while hub.listen(None).is_none() {
            assert!(began.elapsed() < PATIENCE);
            std::thread::sleep(Duration::from_millis(1));
        }
        let updates = client.take_updates().unwrap();
        std::thread::spawn(move || hub.pump(&updates));
        Self { harness, board: None, _client: client, folder }
    }

    pub fn with_board(mut self, manner: Manner) -> Self {
        let script =
            Script { role: Role::Firmware, persona: [7; 32], is_loaded: true, can_start: true };
        let quirks = Quirks { manner, ..Quirks::default() };
        self.board = Some(Board::start_with(&self.folder.path().join("line"), script, quirks));
        let began = Instant::now();
        while self.harness.hub.watch(|view| view.link.phase).0 != Phase::Online {
            assert!(began.elapsed() < PATIENCE, "the board does not come");
            std::thread::sleep(Duration::from_millis(5));
        }
        self
    }

    /// Waits until the board has heard this.
    pub fn until_heard(&self, beginning: &str) {
        let began = Instant::now();
        let board = self.board.as_ref().unwrap();
        while board.heard_of(beginning).is_empty() {
            assert!(began.elapsed() < PATIENCE, "the board never heard {beginning}");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    pub fn open(&self, head: &str, body: &str) -> Answer {
        let mut stream = TcpStream::connect(("127.0.0.1", self.harness.port)).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let length = if body.is_empty() {
            String::new()
        } else {
            format!("Content-Length: {}\r\n", body.len())
        };
        let Harness { port, key, .. } = &self.harness;
        write!(
            stream,
            "{head} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAuthorization: Bearer {key}\r\n\
             Content-Type: application/json\r\nConnection: close\r\n{length}\r\n{body}"
        )
        .unwrap();
        Answer::read(stream)
    }

    pub fn post(&self, body: &Value) -> Answer {
        self.open("POST /v1/chat/completions", &body.to_string())
    }

    pub fn get(&self, path: &str) -> Answer {
        self.open(&format!("GET {path}"), "")
    }
}

/// The head of an answer, and the rest as it comes.
pub struct Answer {
    pub status: u16,
    pub head: String,
    pub rest: BufReader<TcpStream>,
}

impl Answer {
    pub fn read(stream: TcpStream) -> Self {
        let mut rest = BufReader::new(stream);
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            assert!(rest.read_line(&mut head).unwrap() > 0, "hung up: {head}");
        }
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Self { status, head: head.to_ascii_lowercase(), rest }
    }

    /// All of a body of known length.
    pub fn json(mut self) -> Value {
        assert!(self.head.contains("content-type: application/json"), "{}", self.head);
        let mut body = String::new();
        self.rest.read_to_string(&mut body).unwrap();
        serde_json::from_str(&body).unwrap()
    }

    pub fn code(self) -> String {
        self.json()["error"]["code"].as_str().unwrap().to_string()
    }

    /// The next line that begins like this, without that; `None` at the end.
    pub fn line(&mut self, beginning: &str) -> Option<String> {
        let mut line = String::new();
        while self.rest.read_line(&mut line).unwrap() > 0 {
            if let Some(rest) = line.strip_prefix(beginning) {
                return Some(rest.trim_end().to_string());
            }
            line.clear();
        }
        None
    }

    /// The data of the next event.
    pub fn data(&mut self) -> Option<String> {
        self.line("data: ")
    }

    /// The next event of this kind, with its id.
    pub fn event(&mut self, kind: &str) -> Value {
        loop {
            let event: Value = serde_json::from_str(&self.data().unwrap()).unwrap();
            if event["type"] == kind {
                return event;
            }
        }
    }
}
