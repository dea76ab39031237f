//! The thread that owns the port and the session.
//!
//! One thread does it all, so nothing needs a lock and every decision sees the same moment:
//! commands in, bytes out, bytes in, updates out, and again. It waits only for bytes, and never
//! longer than a command may wait.

use std::io;
use std::sync::mpsc::{Receiver, Sender, TryRecvError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use link::message::{DeviceMessage, Identity, MAX_MESSAGE, Role};
use link::{Instant, Session, SessionEvent};

use super::chat::Chat;
use super::guide::{Guide, Wanted};
use super::keeper::Keeper;
use super::view::{CableCounters, LinkState, Phase, Update};
use super::{ClientOptions, Command};
use crate::errors::{Result, WispError};
use crate::port::{Connector, Port};

/// Longest wait for bytes; also the longest that a command waits.
const PATIENCE: Duration = Duration::from_millis(5);

/// How long to wait before a port that cannot be opened is tried again.
const RETRY: Duration = Duration::from_millis(250);

/// Silence after which the friend is told, and the next port is tried.
const SILENCE_SECONDS: u64 = 4;

/// How often this end's counters are shown.
const COUNTERS_MICROS: u64 = 1_000_000;

/// Bytes handed to the port at once: few, because what the port has cannot be overtaken.
const TRANSMIT_BLOCK: usize = 2048;

/// Everything the thread owns.
pub(super) struct Driver {
    connector: Box<dyn Connector>,
    port: Option<Box<dyn Port>>,
    commands: Receiver<Command>,
    updates: Sender<Update>,
    began: std::time::Instant,
    session: Session,
    guide: Guide,
    chat: Chat,
    /// Bytes that the session gave and the port has not taken.
    outgoing: Vec<u8>,
    cable: CableCounters,
    counters_shown: Instant,
    counters_due: bool,
    /// Since when the port is open and nobody has been heard.
    silent_since: Option<Instant>,
    last_failure: String,
    has_connected: bool,
}

/// The thread is to end: it was told to, or nobody listens any more.
struct Ended;

impl Driver {
    /// Prepares the thread's work.
    ///
    /// # Errors
    /// An image cannot travel, or there are no random numbers.
    pub(super) fn new(
        connector: Box<dyn Connector>,
        options: ClientOptions,
        commands: Receiver<Command>,
        updates: Sender<Update>,
    ) -> Result<Self> {
        let ClientOptions { wanted, keeping, manners } = options;
        let name = wanted.name().to_string();
        let digest = wanted.persona.as_ref().map(|image| image.info.digest);
        let chat = Chat::new(Keeper::new(keeping, name), digest.as_ref(), manners)?;
        let identity =
            Identity { role: Role::Host, boot: random()?, version: link::VERSION, persona: digest };
        Ok(Self {
            connector,
            port: None,
            commands,
            updates,
            began: std::time::Instant::now(),
            session: Session::new(identity, random()?),
            guide: guide(wanted)?,
            chat,
            outgoing: Vec::new(),
            cable: CableCounters::default(),
            counters_shown: Instant(0),
            counters_due: false,
            silent_since: None,
            last_failure: String::new(),
            has_connected: false,
        })
    }

    /// Works until told to end.
    pub(super) fn run(mut self) {
        while self.turn().is_ok() {}
        self.chat.store(self.now(), unix_seconds());
        // What is still in the buffer, a Reboot or a Seen perhaps, should not be lost.
        let _ = self.transmit();
    }

    fn now(&self) -> Instant {
        Instant(u64::try_from(self.began.elapsed().as_micros()).unwrap_or(u64::MAX))
    }

    /// One round.
    fn turn(&mut self) -> std::result::Result<(), Ended> {
        self.take_commands()?;
        if self.port.is_none() && !self.connect()? {
            self.chat.store(self.now(), unix_seconds());
            std::thread::sleep(RETRY);
            self.session.handle_timeout(self.now());
            return self.digest();
        }
        self.session.handle_timeout(self.now());
        self.guide.poll(self.now(), &mut self.session);
        self.chat.store(self.now(), unix_seconds());
        if self.guide.is_online() {
            self.chat.poll(&mut self.session);
        }
        let moved = self.transmit().and_then(|()| self.receive());
        if let Err(cause) = moved {
            self.port = None;
            self.outgoing.clear();
            let words = format!("{} is gone ({cause}); waiting for it", self.connector.describe());
            self.show(Update::Link { link: LinkState::plain(Phase::Searching, words) })?;
        }
        self.digest()?;
        self.mind_silence()?;
        self.show_counters()
    }

    fn show(&self, update: Update) -> std::result::Result<(), Ended> {
        self.updates.send(update).map_err(|_| Ended)
    }

    fn take_commands(&mut self) -> std::result::Result<(), Ended> {
        loop {
            match self.commands.try_recv() {
                Ok(Command::Shutdown) | Err(TryRecvError::Disconnected) => return Err(Ended),
                Err(TryRecvError::Empty) => return Ok(()),
                Ok(Command::Say(text)) => self.chat.say(&text, unix_seconds()),
                Ok(Command::SayTagged { tag, text }) => {
                    self.chat.say_tagged(tag, &text, unix_seconds());
                }
                Ok(Command::Regenerate) => self.chat.regenerate(),
                Ok(Command::Forget) => self.chat.forget(),
                Ok(Command::Typing) => self.chat.typing(),
                Ok(Command::Stop) => self.chat.stop(),
                Ok(Command::RequestStats) => {
                    self.chat.request_stats();
                    // Whoever wants the board's counters wants those of this end of the same time.
                    self.counters_due = true;
                }
                Ok(Command::RequestDetails) => self.chat.request_details(),
                Ok(Command::Configure(settings)) => self.chat.configure(settings),
                Ok(Command::ConfigureDefault) => self.chat.configure_default(),
                Ok(Command::Reboot) => self.chat.reboot(),
                Ok(Command::PlantPanic) => self.chat.plant_panic(),
            }
        }
    }

    /// Opens the port; false when it cannot be opened now.
    fn connect(&mut self) -> std::result::Result<bool, Ended> {
        match self.connector.connect() {
            Ok(port) => {
                self.port = Some(port);
                self.has_connected = true;
                self.last_failure.clear();
                self.cable.connections = self.cable.connections.saturating_add(1);
                self.silent_since = Some(self.now());
                self.guide.handle_port_opened(self.now());
                let words = format!("listening on {}", self.connector.describe());
                self.show(Update::Link { link: LinkState::plain(Phase::Waiting, words) })?;
                Ok(true)
            }
            Err(error) => {
                let words = error.to_string();
                if words != self.last_failure {
                    self.last_failure = words;
                    let phase = self.phase_of(&error);
                    self.show(Update::Link { link: LinkState::explained(phase, &error) })?;
                }
                Ok(false)
            }
        }
    }

    /// A port that is not there may be plugged in, a busy one may become free. Permission and
    /// such do not come by themselves, except just after plugging in, until udev has done its work.
    fn phase_of(&self, error: &WispError) -> Phase {
        match error {
            WispError::PortPermission { .. } | WispError::PortNotSerial { .. }
                if !self.has_connected =>
            {
                Phase::Failed
            }
            _ => Phase::Searching,
        }
    }

    /// Hands the port what the session wants to say, as far as it takes it.
    fn transmit(&mut self) -> io::Result<()> {
        loop {
            if self.outgoing.is_empty() {
                self.outgoing.resize(TRANSMIT_BLOCK, 0);
                let now = self.now();
                let count = self.session.poll_transmit(now, &mut self.outgoing);
                self.outgoing.truncate(count);
                if count == 0 {
                    return Ok(());
                }
            }
            let Some(port) = &mut self.port else { return Ok(()) };
            let sent = port.send(&self.outgoing)?;
            self.outgoing.drain(..sent.min(self.outgoing.len()));
            self.cable.bytes_sent = self.cable.bytes_sent.saturating_add(sent as u64);
            if !self.outgoing.is_empty() {
                return Ok(());
            }
        }
    }

    fn receive(&mut self) -> io::Result<()> {
        let mut patience = PATIENCE;
        if let Some(due) = self.session.poll_timeout() {
            patience = patience.min(Duration::from_micros(due.micros_since(self.now())));
        }
        if !self.outgoing.is_empty() {
            patience = patience.min(Duration::from_micros(200));
        }
        let Some(port) = &mut self.port else { return Ok(()) };
        let mut buffer = [0; 4096];
        let count = port.receive(&mut buffer, patience)?;
        let received = buffer.get(..count).unwrap_or_default();
        self.cable.bytes_received = self.cable.bytes_received.saturating_add(count as u64);
        self.session.handle_bytes(self.now(), received);
        Ok(())
    }

    /// Lets guide and chat see what the session has, and shows what they say.
    fn digest(&mut self) -> std::result::Result<(), Ended> {
        let now = self.now();
        while let Some(event) = self.session.poll_event() {
            self.guide.handle_event(now, &event);
            // A session with the bootloader or with another persona is none of the chat's business.
            let is_up = matches!(event, SessionEvent::Up { .. });
            if self.guide.is_online() || !is_up {
                // It may be about another conversation: what this one has heard is stored first.
                self.chat.store(now, unix_seconds());
                self.chat.handle_event(&event);
            }
            if let SessionEvent::Up { peer } = event {
                self.silent_since = None;
                let port = self.connector.describe();
                self.show(Update::Met { peer, port })?;
            }
        }
        let mut buffer = [0; MAX_MESSAGE];
        while let Some(bytes) = self.session.receive(&mut buffer) {
            // What cannot be decoded comes from a newer program; its own hello says so.
            let Some(message) = DeviceMessage::decode(bytes) else { continue };
            self.guide.handle(now, &message);
            self.chat.handle(&message, unix_seconds());
            if let DeviceMessage::Log { bytes } = message {
                let bytes = bytes.to_vec();
                self.updates.send(Update::Log { bytes }).map_err(|_| Ended)?;
            }
        }
        while let Some(update) = self.guide.poll_update().or_else(|| self.chat.poll_update()) {
            self.show(update)?;
        }
        Ok(())
    }

    /// Tells the friend when nobody answers, and tries another port when there is one.
    fn mind_silence(&mut self) -> std::result::Result<(), Ended> {
        let Some(since) = self.silent_since else { return Ok(()) };
        if self.now().micros_since(since) < SILENCE_SECONDS * 1_000_000 {
            return Ok(());
        }
        self.silent_since = None;
        let error = WispError::Silent { port: self.connector.describe(), seconds: SILENCE_SECONDS };
        self.show(Update::Link { link: LinkState::explained(Phase::Waiting, &error) })?;
        if self.connector.has_alternatives() {
            self.port = None;
            self.outgoing.clear();
        }
        Ok(())
    }

    fn show_counters(&mut self) -> std::result::Result<(), Ended> {
        let now = self.now();
        let is_time = now.micros_since(self.counters_shown) >= COUNTERS_MICROS;
        if !is_time && !self.counters_due {
            return Ok(());
        }
        self.counters_due = false;
        self.counters_shown = now;
        let counters = self.session.counters();
        let cable = CableCounters {
            sessions: counters.sessions,
            frames_received: counters.frames_received,
            frames_corrupt: counters.frames_corrupt.saturating_add(counters.frames_oversized),
            frames_sent: counters.frames_sent,
            frames_resent: counters.frames_resent,
            round_trip_micros: counters.round_trip_micros,
            ..self.cable
        };
        self.show(Update::Cable { cable })
    }
}

fn guide(wanted: Wanted) -> Result<Guide> {
    // Images were checked when they were read.
    Guide::new(wanted).map_err(|_| WispError::NothingToLaunch)
}

fn random() -> Result<u32> {
    let mut bytes = [0; 4];
    getrandom::fill(&mut bytes).map_err(|cause| WispError::Random { cause: cause.to_string() })?;
    Ok(u32::from_le_bytes(bytes))
}

fn unix_seconds() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs())
}
