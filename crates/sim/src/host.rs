//! The computer the friend sits at: brings the board up to date, starts it, chats.

use std::sync::Arc;

use link::conversation::{Conversation, Crash, Saved, Update};
use link::message::{
    DeviceMessage, Digest, Event, HostMessage, Identity, MAX_MESSAGE, Manners, Refusal, Role, Slot,
};
use link::upload::{Phase, UploadError, Uploader};
use link::{Instant, Rates, Session, SessionEvent};

use crate::ram::{FIRMWARE_ADDRESS, PERSONA_ADDRESS};
use crate::{Cable, Direction, End, Images, Journal};

/// When the simulation begins, in seconds since 1970.
const BEGINNING: u64 = 1_700_000_000;

/// To a model of random weights the shortest of five gaps is one of five: it would answer rarely.
const TALKATIVE: Manners =
    Manners { talkativeness_milli: 10_000, most_unanswered: None, quiet: None };

/// Where the board is on its way, as the host knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Nobody at the other end.
    Absent,
    /// The bootloader is brought up to date.
    Loading,
    /// The order to start was given.
    Launched,
    /// The firmware was told to make way for the bootloader.
    Rebooting,
    /// The wanted persona runs.
    Online,
    /// An upload was refused for good.
    Failed(UploadError),
}

/// What the board said about its start and the chat, without the words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heard {
    /// It has taken this order.
    Received {
        /// Id of the order.
        id: u32,
    },
    /// The firmware starts now.
    Launching,
    /// This happened. The text of a delta is left out.
    Happened(Event<'static>),
}

/// One run of the host program.
pub struct Host {
    /// What this run calls itself.
    boot: u32,
    session: Session,
    buffer: Box<[u8; MAX_MESSAGE]>,
    uploads: [Uploader<Arc<[u8]>>; 2],
    persona: Digest,
    conversation: Conversation,
    /// What of it is written down.
    disk: Saved,
    stage: Stage,
    owes_crash_seen: bool,
    /// Something happened that the session or the cable does not know of.
    is_stirred: bool,
    /// The session may have more to send.
    may_send: bool,
    /// The port has had another speed since it was opened.
    was_raised: bool,
    /// The session has ended with such a port: it is to be opened anew.
    owes_opening: bool,
    received: Vec<u8>,
    refusals: Vec<(Refusal, u32)>,
    updates: Vec<Update>,
    heard: Vec<(Instant, Heard)>,
    crashes: Vec<Crash>,
    sessions: u32,
}

impl Host {
    /// The program starts, and takes up the conversation that is on its disk.
    ///
    /// # Errors
    /// An image cannot be uploaded.
    pub fn new(
        images: &Images,
        disk: Saved,
        boot: u32,
        nonce: u32,
        rates: Rates,
    ) -> Result<Self, UploadError> {
        let persona = images.persona_digest();
        let identity =
            Identity { role: Role::Host, boot, version: [0, 1, 0], persona: Some(persona) };
        let bytes: Arc<[u8]> = images.persona.as_slice().into();
        let mut conversation = Conversation::resume(disk.clone());
        conversation.set_manners(TALKATIVE);
        let mut session = Session::new(identity, nonce);
        session.offer_rates(rates);
        Ok(Self {
            boot,
            session,
            buffer: Box::new([0; MAX_MESSAGE]),
            uploads: [
                Uploader::new(Slot::Firmware, FIRMWARE_ADDRESS, images.firmware.clone())?,
                Uploader::new(Slot::Persona, PERSONA_ADDRESS, bytes)?,
            ],
            persona,
            conversation,
            disk,
            stage: Stage::Absent,
            owes_crash_seen: false,
            is_stirred: true,
            may_send: true,
            was_raised: false,
            owes_opening: false,
            received: Vec::new(),
            refusals: Vec::new(),
            updates: Vec::new(),
            heard: Vec::new(),
            crashes: Vec::new(),
            sessions: 0,
        })
    }

    /// What this run of the program calls itself.
    pub fn boot(&self) -> u32 {
        self.boot
    }

    /// Where the board is on its way.
    pub fn stage(&self) -> Stage {
        self.stage
    }

    /// The chat.
    pub fn conversation(&self) -> &Conversation {
        &self.conversation
    }

    /// The chat, to say something in.
    pub fn conversation_mut(&mut self) -> &mut Conversation {
        self.is_stirred = true;
        &mut self.conversation
    }

    /// Writes down what is new in the chat: a kill after this loses nothing. The program does so by
    /// itself before it tells the board anything.
    pub fn write_down(&mut self) {
        if let Some(unsaved) = self.conversation.unsaved() {
            self.disk.apply(&unsaved);
            self.conversation.saved();
        }
    }

    /// The upload to a slot.
    pub fn upload(&self, slot: Slot) -> &Uploader<Arc<[u8]>> {
        let [firmware, persona] = &self.uploads;
        match slot {
            Slot::Firmware => firmware,
            Slot::Persona => persona,
        }
    }

    /// Chunks handed to the cable in this run of the program, repetitions included.
    pub fn chunks_sent(&self) -> u32 {
        self.uploads.iter().map(|upload| upload.progress().chunks_sent).sum()
    }

    /// Everything the board refused in this run.
    pub fn refusals(&self) -> &[(Refusal, u32)] {
        &self.refusals
    }

    /// Everything the conversation told in this run.
    pub fn updates(&self) -> &[Update] {
        &self.updates
    }

    /// Everything the board said about its start and the chat in this run, and when it arrived.
    pub fn heard(&self) -> &[(Instant, Heard)] {
        &self.heard
    }

    /// Forgets what was recorded for tests so far, which grows for as long as it runs.
    pub fn forget_records(&mut self) {
        self.updates = Vec::new();
        self.heard = Vec::new();
        self.refusals = Vec::new();
    }

    /// Every crash report of this run, from bootloader and firmware.
    pub fn crashes(&self) -> &[Crash] {
        &self.crashes
    }

    /// Sessions that came up in this run.
    pub fn sessions(&self) -> u32 {
        self.sessions
    }

    /// The link, for its counters.
    pub fn session(&self) -> &Session {
        &self.session
    }

    /// The program dies; what it has written down stays.
    pub(crate) fn into_disk(self) -> Saved {
        self.disk
    }

    /// Does what is due.
    pub(crate) fn turn(&mut self, now: Instant, cable: &mut Cable, journal: Journal) {
        self.received.clear();
        cable.line(Direction::ToHost).receive(now, &mut self.received);
        let is_due = self.session.poll_timeout().is_some_and(|due| due <= now);
        if is_due || self.is_stirred || !self.received.is_empty() {
            self.is_stirred = false;
            self.session.handle_timeout(now);
            self.session.handle_bytes(now, &self.received);
            self.digest(now, journal);
            self.act(now, journal);
            self.may_send = true;
        }
        let line = cable.line(Direction::ToBoard);
        let room = line.room(now);
        if self.may_send && room > 0 {
            let mut bytes = vec![0; room];
            let count = self.session.poll_transmit(now, &mut bytes);
            line.send(now, bytes.get(..count).unwrap_or_default());
            self.may_send = count == room;
        }
        self.set_line(now, cable, journal);
    }

    fn set_line(&mut self, now: Instant, cable: &mut Cable, journal: Journal) {
        if let Some(baud) = self.session.line_to_set() {
            if cable.line(Direction::ToBoard).gone_at() > now {
                return;
            }
            journal.note(now, || format!("host: the line gets {baud} baud"));
            cable.ask_for(End::Host, now, baud);
            self.session.line_set(now, true);
            self.was_raised |= !self.session.is_at_base_rate();
            self.is_stirred = true;
        }
        if self.owes_opening && self.session.is_at_base_rate() {
            journal.note(now, || "host: opens the port anew".to_string());
            self.owes_opening = false;
            self.was_raised = false;
            cable.open(End::Host, now);
        }
    }

    /// When [`Host::turn`] is to be called.
    pub(crate) fn wake(&self, cable: &mut Cable) -> Option<Instant> {
        if self.is_stirred {
            return Some(Instant(0));
        }
        let room = self.may_send.then(|| cable.line(Direction::ToBoard).room_at());
        let arrival = cable.line(Direction::ToHost).arrival();
        let line = self.session.line_to_set();
        let line = line.map(|_| cable.line(Direction::ToBoard).gone_at());
        [room, arrival, line, self.session.poll_timeout()].into_iter().flatten().min()
    }

    fn digest(&mut self, now: Instant, journal: Journal) {
        let unix_seconds = unix_seconds(now);
        while let Some(event) = self.session.poll_event() {
            journal.note(now, || format!("host: {event:?}"));
            for upload in &mut self.uploads {
                upload.handle_event(&event);
            }
            self.conversation.handle_session(&event);
            // Perhaps the adapter does not come back by itself.
            self.owes_opening |= self.was_raised && matches!(event, SessionEvent::Down { .. });
            match event {
                SessionEvent::Up { peer } => self.meet(&peer),
                SessionEvent::Down { .. } if !matches!(self.stage, Stage::Failed(_)) => {
                    self.stage = Stage::Absent;
                }
                _ => {}
            }
        }
        while let Some(bytes) = self.session.receive(&mut self.buffer) {
            let Some(message) = DeviceMessage::decode(bytes) else {
                journal.note(now, || format!("host: not a message: {bytes:?}"));
                continue;
            };
            journal.note(now, || format!("host hears {message:?}"));
            for upload in &mut self.uploads {
                upload.handle(&message);
            }
            self.conversation.handle_message(&message, unix_seconds);
            match message {
                DeviceMessage::Refused { refusal, detail } => {
                    self.refusals.push((refusal, detail));
                }
                DeviceMessage::Received { id } => {
                    self.heard.push((now, Heard::Received { id }));
                }
                DeviceMessage::Launching => self.heard.push((now, Heard::Launching)),
                DeviceMessage::Happened { what, .. } => {
                    self.heard.push((now, Heard::Happened(wordless(&what))));
                }
                DeviceMessage::Crashed(report) => {
                    self.crashes.push(Crash::from(&report));
                    // What the firmware reports is the conversation's to answer.
                    self.owes_crash_seen |= self.stage == Stage::Loading;
                }
                _ => {}
            }
        }
    }

    fn meet(&mut self, peer: &Identity) {
        self.sessions += 1;
        self.stage = match peer.role {
            _ if matches!(self.stage, Stage::Failed(_)) => self.stage,
            Role::Bootloader => Stage::Loading,
            Role::Firmware if peer.persona == Some(self.persona) => Stage::Online,
            Role::Firmware => Stage::Rebooting,
            Role::Host => Stage::Absent,
        };
        if self.stage == Stage::Rebooting {
            // A fresh session has room.
            let _ = self.session.send_host(&HostMessage::Reboot);
        }
    }

    fn act(&mut self, now: Instant, journal: Journal) {
        if self.owes_crash_seen {
            self.owes_crash_seen = self.session.send_host(&HostMessage::CrashSeen).is_err();
        }
        if self.stage == Stage::Loading {
            self.load(now, journal);
        }
        self.write_down();
        self.conversation.transmit(&mut self.session);
        while let Some(update) = self.conversation.poll_update() {
            journal.note(now, || format!("host shows {update:?}"));
            self.updates.push(update);
        }
    }

    /// One upload after the other, then the start.
    fn load(&mut self, now: Instant, journal: Journal) {
        for upload in &mut self.uploads {
            let before = upload.phase();
            upload.poll(&mut self.session);
            let phase = upload.phase();
            if phase != before {
                journal.note(now, || format!("host: {:?} {phase:?}", upload.slot()));
            }
            match phase {
                Phase::Done => {}
                Phase::Failed(error) => {
                    self.stage = Stage::Failed(error);
                    return;
                }
                _ => return,
            }
        }
        if self.session.send_host(&HostMessage::Launch).is_ok() {
            self.stage = Stage::Launched;
        }
    }
}

/// An event that owns itself.
fn wordless(event: &Event<'_>) -> Event<'static> {
    match *event {
        Event::Delta { reply, offset, .. } => Event::Delta { reply, offset, text: "" },
        Event::Read { id } => Event::Read { id },
        Event::Thinking { reply } => Event::Thinking { reply },
        Event::End { reply, reason, timing } => Event::End { reply, reason, timing },
        Event::Withdrawn { reply } => Event::Withdrawn { reply },
        Event::StayedSilent { after } => Event::StayedSilent { after },
        Event::Shifted { dropped } => Event::Shifted { dropped },
        Event::Restored { messages } => Event::Restored { messages },
        Event::Forgotten => Event::Forgotten,
        Event::BreaksSilence { reply, gap_seconds } => Event::BreaksSilence { reply, gap_seconds },
        Event::TakenBack { id } => Event::TakenBack { id },
    }
}

/// What the host's calendar says.
pub fn unix_seconds(now: Instant) -> u64 {
    BEGINNING + now.0 / 1_000_000
}
