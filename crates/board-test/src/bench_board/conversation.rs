//! What a conversation takes besides the model: the device, its words, its events, its end of the
//! cable.
//!
//! The device tells a story, and every round of it is measured. Then the engine alone computes the
//! same tokens in the same slices. What the device took more is its own. Short slices make more
//! rounds of the same story, which tells what a round takes and what a token.

use arm1176::Arm1176;
use device::{Device, Machine};
use engine::{Engine, Sampler, SamplerSettings, Step};
use link::message::{DeviceMessage, HostMessage, Identity, MAX_MESSAGE, Role, Settings};
use link::{Instant, Session, SessionEvent};
use model_format::Model;

use crate::marks::{self, Measurement};

/// Tokens that are measured.
const TOKENS: usize = 64;

/// A token of the story takes so many microseconds on the clock of both ends.
const TOKEN_MICROS: u64 = 41_000;

/// Multiply-adds in a slice: all of a token's at once, and a sixteenth of stories260K's.
const SLICES: [(u32, u64, Measurement, Measurement); 2] = [
    (u32::MAX, 1, Measurement::DeviceWhole, Measurement::EngineWhole),
    (16_500, 16, Measurement::DeviceSliced, Measurement::EngineSliced),
];

/// Longest story with all that comes before it, in rounds.
const MOST_ROUNDS: u32 = 20_000;

/// Words chosen without dice: the same by the device and by the engine alone.
const SETTINGS: Settings = Settings {
    temperature_milli: 0,
    top_p_milli: 1000,
    repetition_penalty_milli: 1000,
    seed: Some(1),
    max_reply_tokens: 200,
};

/// Measures both; `told` is given each measurement's name, tokens and rounds.
pub(crate) fn run(
    model: &Model<'_>,
    mut told: impl FnMut(&'static str, usize, u32),
) -> Result<(), &'static str> {
    // What the marks themselves take.
    marks::begin(Measurement::Empty, false);
    marks::end();
    for (slice, rounds, device, engine) in SLICES {
        let mut tokens = [0; TOKENS + 1];
        let first = listen(model, slice, TOKEN_MICROS / rounds, device, &mut tokens, &mut told)?;
        let rounds = repeat(model, slice, engine, &tokens, first)?;
        told(marks::name(engine), TOKENS, rounds);
    }
    Ok(())
}

/// Lets the device tell its story to a host. Returns the story's beginning, of which `tokens` are
/// the measured part and the token before it.
fn listen(
    model: &Model<'_>,
    slice: u32,
    round_micros: u64,
    measurement: Measurement,
    tokens: &mut [u32; TOKENS + 1],
    told: &mut impl FnMut(&'static str, usize, u32),
) -> Result<Beginning, &'static str> {
    let identity = |role| Identity { role, boot: 1, version: link::VERSION, persona: None };
    let options = device::Options { slice, ..device::Options::default() };
    let session = Session::new(identity(Role::Firmware), 2);
    let mut device = Device::new(model, Arm1176, session, options).map_err(|_| "no device")?;
    let mut host = Host::new(Session::new(identity(Role::Host), 1));
    let mut now = Instant(0);
    let mut piece = [0; 2048];
    let (mut first, mut rounds, mut before) = (None, 0, 0);
    for _ in 0..MOST_ROUNDS {
        now = now.plus_micros(round_micros);
        let count = host.serve(now, &mut piece)?;
        if first.is_some() {
            marks::begin(measurement, false);
        }
        device.handle_bytes(now, piece.get(..count).unwrap_or_default());
        let _ = device.poll(now);
        let count = device.poll_transmit(now, &mut piece);
        if first.is_some() {
            marks::end();
            rounds += 1;
        }
        host.session.handle_bytes(now, piece.get(..count).unwrap_or_default());
        let known = device.tokens();
        match first {
            // A word has just been drawn: its computation is the first that is measured.
            None if host.has_heard && known.len() > before => first = Some(known.len()),
            Some(first) if known.len() >= first + TOKENS => {
                let from = first.saturating_sub(1);
                let part = known.get(from..first + TOKENS).ok_or("a short story")?;
                tokens.copy_from_slice(part);
                told(marks::name(measurement), TOKENS, rounds);
                return Beginning::new(known.get(..from).unwrap_or_default());
            }
            _ => before = known.len(),
        }
    }
    Err("the device told no story")
}

/// The tokens before the measured ones.
struct Beginning {
    tokens: heapless::Vec<u32, 64>,
}

impl Beginning {
    fn new(tokens: &[u32]) -> Result<Self, &'static str> {
        let tokens = heapless::Vec::from_slice(tokens).map_err(|_| "a long beginning")?;
        Ok(Self { tokens })
    }
}

/// Computes the same tokens without a device, and returns how many slices it took.
fn repeat(
    model: &Model<'_>,
    slice: u32,
    measurement: Measurement,
    tokens: &[u32; TOKENS + 1],
    beginning: Beginning,
) -> Result<u32, &'static str> {
    let options = engine::Options::default();
    let mut engine = Engine::new(model, Arm1176, options).map_err(|_| "no engine")?;
    let greedy = SamplerSettings::from_thousandths(0, 1000, 1000);
    let vocabulary = model.architecture().vocabulary;
    let mut sampler = Sampler::new(vocabulary, greedy, 1).map_err(|_| "no sampler")?;
    for token in &beginning.tokens {
        engine.begin(&[*token], false).map_err(|_| "token refused")?;
        while engine.step(u32::MAX) == Step::Working {}
    }
    let mut rounds = 0;
    marks::begin(measurement, false);
    for (token, next) in tokens.iter().zip(tokens.iter().skip(1)) {
        engine.begin(&[*token], true).map_err(|_| "token refused")?;
        rounds += 1;
        while engine.step(slice) == Step::Working {
            rounds += 1;
        }
        if engine.sample(&mut sampler, &[]) != *next {
            return Err("the engine alone chose another word");
        }
    }
    marks::end();
    Ok(rounds)
}

/// Who the story is told to.
struct Host {
    session: Session,
    /// Whether the first words have come.
    has_heard: bool,
    /// An event that was seen, and not yet said to be.
    seen: Option<u32>,
}

impl Host {
    fn new(session: Session) -> Self {
        Self { session, has_heard: false, seen: None }
    }

    /// Listens, answers, and fills `piece` with what it sends; how many bytes.
    fn serve(&mut self, now: Instant, piece: &mut [u8]) -> Result<usize, &'static str> {
        if self.session.poll_timeout().is_some_and(|due| due <= now) {
            self.session.handle_timeout(now);
        }
        while let Some(event) = self.session.poll_event() {
            if let SessionEvent::Up { .. } = event {
                let say = HostMessage::Say { id: 1, gap_seconds: 0, text: "Once upon a time" };
                for message in [HostMessage::Configure(SETTINGS), say] {
                    self.session.send_host(&message).map_err(|_| "no room for a message")?;
                }
            }
        }
        let mut buffer = [0; MAX_MESSAGE];
        while let Some(message) = self.session.receive(&mut buffer) {
            match DeviceMessage::decode(message) {
                Some(DeviceMessage::Happened { event, what }) => {
                    self.has_heard |= matches!(what, link::message::Event::Delta { .. });
                    self.seen = Some(event);
                }
                Some(DeviceMessage::Refused { .. }) => return Err("the device refused"),
                _ => {}
            }
        }
        // As the real host: one word for all that has come since.
        if let Some(event) = self.seen
            && self.session.send_host(&HostMessage::Seen { event }).is_ok()
        {
            self.seen = None;
        }
        Ok(self.session.poll_transmit(now, piece))
    }
}
