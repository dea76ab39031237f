//! A board and a host on one cable, in memory, with a clock of their own.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "for tests only")]

use device::{Activity, Device, Machine, Options};
use engine::Portable;
use link::conversation::{Conversation, MessageKey, Update};
use link::message::{
    CrashKind, CrashReport, DeviceMessage, Identity, MAX_MESSAGE, Manners, Role, Speaker,
};
use link::{Instant, Session};
use model_format::Model;
use persona::{Style, TextFilter};
use tokenizer::{Tokenizer, Utf8Stream};

/// Microseconds in one tick.
const TICK: u64 = 1000;

/// Bytes that the cable carries in one tick, each way: about a megabaud.
const BYTES_PER_TICK: usize = 100;

/// Manners with which random weights answer often.
pub const TALKATIVE: Manners =
    Manners { talkativeness_milli: 6000, most_unanswered: None, quiet: None };

/// Random numbers for the cable (splitmix64).
pub struct Random(pub u64);

impl Random {
    pub fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (bits ^ (bits >> 31)) % limit
    }
}

pub fn identity(role: Role, boot: u32) -> Identity {
    Identity { role, boot, version: [0, 1, 0], persona: None }
}

/// Everything.
pub struct World<'m> {
    file: &'m [u8],
    style: Style,
    slice: u32,
    pub device: Device<'m, Portable>,
    pub host: Session,
    pub conversation: Conversation,
    pub random: Random,
    pub plugged: bool,
    /// One byte in so many is damaged; 0 for none.
    pub damage: u64,
    pub now: u64,
    /// All updates so far.
    pub updates: Vec<Update>,
    pub restarts: u32,
    /// Does something, and says how many bytes that took from the heap: for a test that asks.
    pub measure: fn(&mut dyn FnMut()) -> u64,
    /// What the board took since its start.
    pub taken: u64,
    buffer: Box<[u8; MAX_MESSAGE]>,
    idle: bool,
}

impl<'m> World<'m> {
    pub fn new(file: &'m [u8], style: Style, slice: u32, seed: u64) -> Self {
        let mut conversation = Conversation::new();
        // To a model of random weights the shortest of five gaps is one of five: it would answer
        // rarely.
        conversation.set_manners(TALKATIVE);
        Self {
            file,
            style,
            slice,
            device: device(file, slice, 1),
            host: Session::new(identity(Role::Host, 7), 70),
            conversation,
            random: Random(seed),
            plugged: true,
            damage: 0,
            now: 0,
            updates: Vec::new(),
            restarts: 0,
            measure: |work| {
                work();
                0
            },
            taken: 0,
            buffer: Box::new([0; MAX_MESSAGE]),
            idle: false,
        }
    }

    pub fn unix(&self) -> u64 {
        1_800_000_000 + self.now / 1_000_000
    }

    pub fn say(&mut self, text: &str) -> MessageKey {
        let unix = self.unix();
        self.conversation.say(text, unix).unwrap()
    }

    /// The board loses everything and starts again.
    pub fn restart_board(&mut self) {
        self.restarts += 1;
        self.device = device(self.file, self.slice, 1 + self.restarts);
        self.device.set_crash(&CrashReport {
            role: Role::Firmware,
            kind: CrashKind::Panic,
            program_counter: self.restarts,
            link_register: 0,
            fault_status: 0,
            fault_address: 0,
            message: "planted",
        });
    }

    /// The host opens the port anew: its session is lost, the conversation is not.
    pub fn reopen_port(&mut self) {
        let nonce = self.random.below(1 << 32) as u32;
        self.host = Session::new(identity(Role::Host, 7), nonce);
        let lost = link::SessionEvent::Down { reason: link::DownReason::Timeout };
        self.conversation.handle_session(&lost);
    }

    pub fn tick(&mut self) {
        self.now += TICK;
        let now = Instant(self.now);
        // The board is not much faster than the cable.
        for _ in 0..4 {
            match self.on_the_board(|device| device.poll(now)) {
                Activity::Busy => self.idle = false,
                Activity::IdleUntil(_) => self.idle = true,
                Activity::Reboot | Activity::TestMemory | Activity::PlantPanic => {
                    self.restart_board();
                    return;
                }
            }
        }
        self.serve_host(now);
        let mut bytes = [0; BYTES_PER_TICK];
        let count = self.on_the_board(|device| device.poll_transmit(now, &mut bytes));
        if self.plugged {
            self.spoil(&mut bytes[..count]);
            self.host.handle_bytes(now, &bytes[..count]);
        }
        let count = self.host.poll_transmit(now, &mut bytes);
        if self.plugged {
            self.spoil(&mut bytes[..count]);
            self.on_the_board(|device| device.handle_bytes(now, &bytes[..count]));
        }
    }

    /// Does something that happens on the board, and notes what it allocates.
    fn on_the_board<R>(&mut self, work: impl FnOnce(&mut Device<'m, Portable>) -> R) -> R {
        let (mut work, mut result) = (Some(work), None);
        self.taken += (self.measure)(&mut || {
            result = work.take().map(|work| work(&mut self.device));
        });
        result.unwrap()
    }

    fn serve_host(&mut self, now: Instant) {
        self.host.handle_timeout(now);
        while let Some(event) = self.host.poll_event() {
            self.conversation.handle_session(&event);
        }
        let unix = self.unix();
        while let Some(bytes) = self.host.receive(&mut self.buffer) {
            let message = DeviceMessage::decode(bytes).expect("the board speaks the protocol");
            self.conversation.handle_message(&message, unix);
        }
        self.conversation.transmit(&mut self.host);
        while let Some(update) = self.conversation.poll_update() {
            self.updates.push(update);
        }
    }

    fn spoil(&mut self, bytes: &mut [u8]) {
        if self.damage > 0 {
            for byte in bytes {
                if self.random.below(self.damage) == 0 {
                    *byte ^= 1 << self.random.below(8);
                }
            }
        }
    }

    /// Runs until everything is said and answered. Panics if that takes too long.
    pub fn settle(&mut self) {
        let end = self.now + 300_000_000;
        let mut quiet = 0;
        while quiet < 20 {
            self.tick();
            // A host that has not noticed the board's restart believes that all is well.
            let boot = self.host.peer().map(|peer| peer.boot);
            let together =
                boot == Some(1 + self.restarts) && self.device.session().peer().is_some();
            let told = self.device.unseen_events() == 0;
            let settled = together && told && self.idle && self.conversation.is_settled();
            quiet = if settled { quiet + 1 } else { 0 };
            assert!(self.now < end, "does not come to rest: {:?}", self.updates.last());
        }
    }

    /// What the model has read and written, in words.
    pub fn heard(&self) -> Vec<(Speaker, String)> {
        let model = Model::open(self.file).unwrap();
        let tokenizer = Tokenizer::open(model.tokenizer()).unwrap();
        let Style::Chat { begin, you, wisp, end, .. } = self.style else { panic!("for chats") };
        let tokens = self.device.tokens();
        assert_eq!(tokens[0], begin);
        let mut messages = Vec::new();
        let mut rest = &tokens[1..];
        while let [_gap, speaker, ..] = *rest {
            let length = rest.iter().position(|token| *token == end).expect("a whole message");
            let (mut utf8, mut filter, mut text) =
                (Utf8Stream::new(), TextFilter::new(), String::new());
            for token in &rest[2..length] {
                let bytes = tokenizer.decode(speaker, *token);
                utf8.push(bytes, |piece| filter.push(piece, |character| text.push(character)));
            }
            let speaker = match speaker {
                _ if speaker == you => Speaker::You,
                _ if speaker == wisp => Speaker::Wisp,
                other => panic!("token {other} is no speaker"),
            };
            messages.push((speaker, ascii(&text)));
            rest = &rest[length + 1..];
        }
        messages
    }

    /// What the transcript says, in words.
    pub fn written(&self) -> Vec<(Speaker, String)> {
        let messages = self.conversation.messages().iter();
        messages.map(|message| (message.speaker, ascii(message.text.trim()))).collect()
    }
}

/// The tiny vocabulary has no other letters: what a model makes of two halves of one cannot be
/// given back to it.
fn ascii(text: &str) -> String {
    let text: String = text.chars().filter(char::is_ascii).collect();
    text.trim().replace(['\n', ' '], "")
}

fn device(file: &[u8], slice: u32, boot: u32) -> Device<'_, Portable> {
    let model = Model::open(file).unwrap();
    let session = Session::new(identity(Role::Firmware, boot), boot.wrapping_mul(0x9E37_79B9));
    let options = Options { slice, seed: 5, ..Options::default() };
    Device::new(&model, Portable, session, options).unwrap()
}
