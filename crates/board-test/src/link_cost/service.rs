//! The main loop's rounds: with as much traffic as the cable carries, and with none.
//!
//! Two sessions talk on the board. Only what the board's end does is timed.

use bcm2835::Peripherals;
use link::message::{CHUNK_SIZE, HostMessage, Identity, MAX_MESSAGE, Role, Slot};
use link::{Instant, Session, SessionEvent};

/// What arrives at 3 Mbaud between two rounds: bytes, and microseconds. A token of the 15M model
/// takes some 41 ms (modelled) and 15 slices.
const ROUND_BYTES: usize = 820;
const ROUND_MICROS: u64 = 2733;

/// Room for what the firmware's main loop moves at a time.
const PIECE: usize = 2048;

/// Bytes of traffic measured, after as many to warm up: the segments grow with success.
const TRAFFIC: u64 = 1 << 18;

/// Rounds without traffic.
const IDLE_ROUNDS: u64 = 4096;

/// Measures everything of the link.
pub(crate) fn measure(board: &mut Peripherals) -> Result<(), &'static str> {
    for (name, traffic) in
        [("upload", Traffic::Upload), ("chat", Traffic::Chat), ("typing", Traffic::Typing)]
    {
        let mut cable = Cable::new(traffic);
        cable.carry(board, TRAFFIC)?;
        cable.cost = Cost::default();
        cable.carry(board, TRAFFIC)?;
        let Cost { bytes, frames, answers, rounds, take, all } = cable.cost;
        let (take, all) = (take * 1000, all * 1000);
        crate::say(
            board,
            format_args!("traffic {name} {bytes} {frames} {answers} {rounds} {take} {all}"),
        );
    }
    let mut cable = Cable::new(Traffic::Upload);
    cable.carry(board, PIECE as u64)?;
    // Such a round is shorter than the timer's microsecond: they are timed together.
    let mut piece = [0; PIECE];
    let start = board.timer.now();
    for _ in 0..IDLE_ROUNDS {
        cable.serve(board, &mut piece, 0);
    }
    let all = (board.timer.now() - start) * 1000;
    crate::say(board, format_args!("idle {IDLE_ROUNDS} {all}"));
    Ok(())
}

/// What the host sends.
#[derive(Clone, Copy)]
enum Traffic {
    /// Chunks of an image: full segments.
    Upload,
    /// Lines of chat.
    Chat,
    /// The smallest message there is.
    Typing,
}

/// What the board's end did.
#[derive(Default)]
struct Cost {
    /// Bytes received.
    bytes: u64,
    /// Frames received.
    frames: u64,
    /// Rounds that had something to answer.
    answers: u64,
    /// All rounds.
    rounds: u64,
    /// Microseconds from bytes to frames to lanes.
    take: u64,
    /// Microseconds of everything.
    all: u64,
}

/// Two ends, and what the host's one sends.
struct Cable {
    traffic: Traffic,
    now: Instant,
    host: Session,
    device: Session,
    chunk: [u8; CHUNK_SIZE],
    /// Room for a message, and for what the serial port brings: made once, as in the firmware.
    message: [u8; MAX_MESSAGE],
    arrived: [u8; PIECE],
    random: u32,
    number: u32,
    cost: Cost,
}

impl Cable {
    fn new(traffic: Traffic) -> Self {
        let identity = |role| Identity { role, boot: 1, version: link::VERSION, persona: None };
        Self {
            traffic,
            now: Instant(0),
            host: Session::new(identity(Role::Host), 1),
            device: Session::new(identity(Role::Firmware), 2),
            chunk: [0; CHUNK_SIZE],
            message: [0; MAX_MESSAGE],
            arrived: [0; PIECE],
            random: 1,
            number: 0,
            cost: Cost::default(),
        }
    }

    /// Carries so many bytes to the device.
    fn carry(&mut self, board: &mut Peripherals, bytes: u64) -> Result<(), &'static str> {
        let mut silent = 0;
        while self.cost.bytes < bytes {
            self.now = self.now.plus_micros(ROUND_MICROS);
            self.host.handle_timeout(self.now);
            while self.host.poll_event().is_some() {}
            let mut piece = [0; PIECE];
            let count = self.host_sends(piece.get_mut(..ROUND_BYTES).unwrap_or_default());
            silent = if count == 0 { silent + 1 } else { 0 };
            if silent > 1000 {
                return Err("the host has nothing to send");
            }
            let count = self.serve(board, &mut piece, count);
            self.host.handle_bytes(self.now, piece.get(..count).unwrap_or_default());
        }
        Ok(())
    }

    /// Fills a piece with what the host sends; how many bytes.
    fn host_sends(&mut self, piece: &mut [u8]) -> usize {
        let mut filled = 0;
        while let Some(room @ [_, ..]) = piece.get_mut(filled..) {
            let count = self.host.poll_transmit(self.now, room);
            filled += count;
            if count == 0 && !self.write() {
                break;
            }
        }
        filled
    }

    /// Puts one more message into the host's lane, if there is room.
    fn write(&mut self) -> bool {
        const LINE: &str = "Once upon a time there was a little board that lived in a drawer.";
        self.number = self.number.wrapping_add(1);
        if matches!(self.traffic, Traffic::Upload) {
            for word in self.chunk.as_chunks_mut().0 {
                // Xorshift (Marsaglia 2003).
                self.random ^= self.random << 13;
                self.random ^= self.random >> 17;
                self.random ^= self.random << 5;
                *word = self.random.to_le_bytes();
            }
        }
        let message = match self.traffic {
            Traffic::Upload => {
                HostMessage::Chunk { slot: Slot::Persona, index: self.number, data: &self.chunk }
            }
            Traffic::Chat => HostMessage::Say { id: self.number, gap_seconds: 1, text: LINE },
            Traffic::Typing => HostMessage::Typing,
        };
        self.host.send_host(&message).is_ok()
    }

    /// A round as the firmware's main loop has it, timed: takes the bytes of the piece, fills it
    /// with what goes back, and returns how many bytes that is.
    fn serve(&mut self, board: &mut Peripherals, piece: &mut [u8; PIECE], count: usize) -> usize {
        let frames = self.device.counters().frames_received;

        let start = board.timer.now();
        board.watchdog.pat();
        // What is in the piece did not come this way: that is measured by itself.
        let _ = board.uart.try_read(&mut self.arrived);
        let before = board.timer.now();
        self.device.handle_bytes(self.now, piece.get(..count).unwrap_or_default());
        let taken = board.timer.now();
        if self.device.poll_timeout().is_some_and(|due| due <= self.now) {
            self.device.handle_timeout(self.now);
        }
        while let Some(SessionEvent::Up { .. }) = self.device.poll_event() {}
        while let Some(message) = self.device.receive(&mut self.message) {
            core::hint::black_box(HostMessage::decode(message));
        }
        let space = board.uart.transmit_space().min(PIECE);
        let room = piece.get_mut(..space).unwrap_or_default();
        let answer = self.device.poll_transmit(self.now, room);
        // Spaces, because the other end of the serial port listens for what asks it for bytes.
        board.uart.try_write([b' '; PIECE].get(..answer).unwrap_or_default());
        let end = board.timer.now();

        let frames = self.device.counters().frames_received.wrapping_sub(frames);
        self.cost.bytes += count as u64;
        self.cost.frames += u64::from(frames);
        self.cost.answers += u64::from(answer > 0);
        self.cost.rounds += 1;
        self.cost.take += taken - before;
        self.cost.all += end - start;
        answer
    }
}
