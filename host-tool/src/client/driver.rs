//! The thread that owns the port and the session.
//!
//! One thread does it all, so nothing needs a lock and every decision sees the same moment:
//! commands in, bytes out, bytes in, updates out, and again. It waits only for bytes, and never
//! longer than a command may wait.

mod connection;
#[cfg(test)]
mod hot_plug_tests;

use std::io;
use std::sync::mpsc::{Receiver, Sender, TryRecvError};
use std::time::Duration;

use link::message::{DeviceMessage, Identity, MAX_MESSAGE, Role};
use link::{Instant, Session, SessionEvent};

use super::chat::Chat;
use super::clock::{Clock, Computer, random, unix_seconds};
use super::guide::{Guide, Wanted};
use super::keeper::Keeper;
use super::link_state::{LinkState, Phase};
use super::view::{CableCounters, Update};
use super::{ClientOptions, Command};
use crate::errors::{Result, WispError};
use crate::port::{Connector, Port};

/// Longest wait for bytes; also the longest that a command waits.
const PATIENCE: Duration = Duration::from_millis(5);

/// How long to wait before a port that cannot be opened is tried again.
const RETRY: Duration = Duration::from_millis(250);

/// How often this end's counters are shown.
const COUNTERS_MICROS: u64 = 1_000_000;

/// How often it is looked whether the friend's clock is as far from UTC as before. The library
/// looks at the system's zone every five minutes.
const CLOCK_MICROS: u64 = 60_000_000;

/// Bytes handed to the port at once: few, because what the port has cannot be overtaken.
const TRANSMIT_BLOCK: usize = 2048;

/// Everything the thread owns.
pub(super) struct Driver {
    connector: Box<dyn Connector>,
    port: Option<Box<dyn Port>>,
    commands: Receiver<Command>,
    updates: Sender<Update>,
    clock: Box<dyn Clock>,
    session: Session,
    guide: Guide,
    chat: Chat,
    /// Bytes that the session gave and the port has not taken.
    outgoing: Vec<u8>,
    /// The port has had another speed than its first, since it was opened or a session came up.
    was_raised: bool,
    cable: CableCounters,
    counters_shown: Instant,
    counters_due: bool,
    /// When it was last seen how far the friend's clock is from UTC.
    clock_seen: Instant,
    /// Since when the port is open and nobody has been heard.
    silent_since: Option<Instant>,
    /// The session may have outlived a port that was gone for a moment: the frames that it had heard
    /// before.
    resumed_at: Option<u32>,
    /// When it was last asked whether another port has appeared.
    news_asked: Instant,
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
        let ClientOptions { wanted, keeping, choices } = options;
        let name = wanted.name().to_string();
        let digest = wanted.persona.as_ref().map(|image| image.info.digest);
        let chat = Chat::new(Keeper::new(keeping, name), digest.as_ref(), choices)?;
        let identity =
            Identity { role: Role::Host, boot: random()?, version: link::VERSION, persona: digest };
        let mut session = Session::new(identity, random()?);
        session.offer_rates(connector.speed().rates());
        Ok(Self {
            connector,
            port: None,
            commands,
            updates,
            clock: Box::new(Computer::new()),
            session,
            guide: guide(wanted)?,
            chat,
            outgoing: Vec::new(),
            was_raised: false,
            cable: CableCounters::default(),
            counters_shown: Instant(0),
            counters_due: false,
            clock_seen: Instant(0),
            silent_since: None,
            resumed_at: None,
            news_asked: Instant(0),
            last_failure: String::new(),
            has_connected: false,
        })
    }

    /// Works until told to end.
    pub(super) fn run(mut self) {
        self.look_at_the_clock();
        // What is kept is shown at once: a page says again what it does not find.
        let mut outcome = self.digest();
        while outcome.is_ok() {
            outcome = self.turn();
        }
        self.chat.store(self.now(), unix_seconds());
        // What is still in the buffer, a Reboot or a Seen perhaps, should not be lost; and the next
        // program finds the board sooner at the speed that it begins with.
        let _ = self.transmit();
        self.session.leave_rate();
        let _ = self.transmit();
    }

    fn now(&self) -> Instant {
        self.clock.now()
    }

    /// One round.
    fn turn(&mut self) -> std::result::Result<(), Ended> {
        self.take_commands()?;
        if self.port.is_none() && !self.connect()? {
            self.chat.store(self.now(), unix_seconds());
            self.clock.pause(RETRY);
            self.session.handle_timeout(self.now());
            return self.digest();
        }
        if self.now().micros_since(self.clock_seen) >= CLOCK_MICROS {
            self.look_at_the_clock();
        }
        self.session.handle_timeout(self.now());
        self.guide.poll(self.now(), &mut self.session);
        self.chat.store(self.now(), unix_seconds());
        if self.guide.is_online() {
            self.chat.poll(&mut self.session);
        }
        let mut moved = self.transmit();
        let mut is_lost = moved.is_err();
        if moved.is_ok() {
            // An adapter that fails here may be one that does not come back from a rate.
            moved = self.set_line();
        }
        if moved.is_ok() {
            moved = self.receive();
            is_lost = moved.is_err();
        }
        if is_lost {
            self.session.line_lost();
        }
        if let Err(cause) = moved {
            self.close();
            let words = format!("{} is gone ({cause}); waiting for it", self.connector.describe());
            self.show(Update::Link { link: LinkState::plain(Phase::Searching, words) })?;
        }
        self.mind_resumption();
        self.digest()?;
        self.mind_silence()?;
        self.mind_news();
        self.show_counters()
    }

    /// The friend may have travelled, and summer time may have begun.
    fn look_at_the_clock(&mut self) {
        self.clock_seen = self.now();
        let offset = jiff::tz::TimeZone::system().to_offset(jiff::Timestamp::now());
        self.chat.set_utc_offset(offset.seconds() / 60);
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
                Ok(Command::Greet) => self.chat.greet(),
                Ok(Command::Choose(choices)) => self.chat.choose(choices, unix_seconds()),
                Ok(Command::SayTagged { tag, text, instead_of }) => {
                    self.chat.say_tagged(tag, &text, instead_of, unix_seconds());
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
                Ok(Command::Reboot) => {
                    // The board comes back at the first rate: so both are there already.
                    self.session.leave_rate();
                    self.chat.reboot();
                }
                Ok(Command::PlantPanic) => self.chat.plant_panic(),
            }
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
            self.mind_adapter(&event);
            if self.guide.is_online() || !is_up {
                // It may be about another conversation: what this one has heard is stored first.
                self.chat.store(now, unix_seconds());
                self.chat.handle_event(&event);
            }
            if let SessionEvent::Up { peer } = event {
                self.silent_since = None;
                self.connector.note(true);
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
            // Where there is no port, that nobody answers says less than what was said about the port.
            let is_idle = matches!(&update, Update::Link { link } if link.phase == Phase::Waiting);
            if self.port.is_some() || !is_idle {
                self.show(update)?;
            }
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
            baud: self.baud(counters.baud),
            fallbacks: counters.fallbacks,
            ..self.cable
        };
        self.show(Update::Cable { cable })
    }
}

fn guide(wanted: Wanted) -> Result<Guide> {
    // Images were checked when they were read.
    Guide::new(wanted).map_err(|_| WispError::NothingToLaunch { missing: "image" })
}
