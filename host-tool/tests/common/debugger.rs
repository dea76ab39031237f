//! The emulator's debugger: as much of GDB's remote protocol as changing a word of memory takes.
//!
//! GDB manual, appendix E, "Remote Serial Protocol": `$text#sum`, answered by `+`.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};

/// How long the emulator may take to come to the watched place, on a machine that is busy.
const PATIENCE: Duration = Duration::from_secs(180);

/// A connection to an emulated board, which stands still meanwhile unless it was told to go on.
pub struct Debugger {
    stream: UnixStream,
}

impl Debugger {
    /// Connects, which stops the board.
    pub fn connect(socket: &Path) -> Self {
        let began = Instant::now();
        let stream = loop {
            match UnixStream::connect(socket) {
                Ok(stream) => break stream,
                Err(error) if began.elapsed() > PATIENCE => panic!("no debugger: {error}"),
                Err(_) => std::thread::sleep(Duration::from_millis(10)),
            }
        };
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut debugger = Self { stream };
        let why = debugger.receive();
        assert!(why.starts_with('T'), "{why}");
        debugger.stream.write_all(b"+").unwrap();
        debugger
    }

    /// Lets the board run until it has written this word for the first time.
    pub fn go_on_until_written(&mut self, address: u32) {
        assert_eq!(self.ask(&format!("Z2,{address:x},4")), "OK");
        self.go_on_until_stopped("c");
        assert_eq!(self.ask(&format!("z2,{address:x},4")), "OK");
        // It stops before the instruction that writes.
        self.go_on_until_stopped("s");
    }

    fn go_on_until_stopped(&mut self, how: &str) {
        let why = self.ask(how);
        assert!(why.starts_with("T05"), "{why}");
    }

    /// Lets the board run.
    pub fn go_on(&mut self) {
        self.send("c");
    }

    /// Four bytes of memory.
    pub fn read(&mut self, address: u32) -> [u8; 4] {
        let digits = self.ask(&format!("m{address:x},4"));
        u32::from_str_radix(&digits, 16).unwrap_or_else(|_| panic!("{digits}")).to_be_bytes()
    }

    /// Writes four bytes.
    pub fn write(&mut self, address: u32, bytes: [u8; 4]) {
        let digits = u32::from_be_bytes(bytes);
        assert_eq!(self.ask(&format!("M{address:x},4:{digits:08x}")), "OK");
    }

    fn ask(&mut self, text: &str) -> String {
        self.send(text);
        let answer = self.receive();
        self.stream.write_all(b"+").unwrap();
        answer
    }

    fn send(&mut self, text: &str) {
        let sum = text.bytes().fold(0u8, u8::wrapping_add);
        self.stream.write_all(format!("${text}#{sum:02x}").as_bytes()).unwrap();
    }

    /// The text of the next packet; what acknowledges ours lies before it.
    fn receive(&mut self) -> String {
        let mut text = String::new();
        let mut is_begun = false;
        loop {
            match self.byte() {
                b'$' => is_begun = true,
                b'#' => break,
                byte if is_begun => text.push(byte.into()),
                _ => {}
            }
        }
        // The sum: a socket of this machine loses nothing.
        self.byte();
        self.byte();
        text
    }

    fn byte(&mut self) -> u8 {
        let mut byte = [0];
        self.stream.read_exact(&mut byte).unwrap();
        byte[0]
    }
}
