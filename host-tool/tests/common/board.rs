//! A board that is a thread: it speaks the cable's real protocol and follows a script.
#![allow(dead_code)] // Each test file uses its part.

use std::collections::VecDeque;
use std::io::{ErrorKind, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread::JoinHandle;
use std::time::Duration;

use link::message::{
    BoardFacts, DeviceMessage, Digest, EndReason, Event, HostMessage, Identity, ImageInfo,
    MAX_MESSAGE, Refusal, Role, SlotState, Stats, Timing, Work,
};
use link::{Instant, Session, SessionEvent};

/// How the board behaves.
#[derive(Clone, Copy)]
pub struct Script {
    /// Which program runs at first.
    pub role: Role,
    /// The persona that the firmware has.
    pub persona: Digest,
    /// Whether the bootloader has verified images.
    pub is_loaded: bool,
    /// Whether the firmware comes up when it is started.
    pub can_start: bool,
}

/// How a persona takes what is said.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub enum Manner {
    /// It answers.
    #[default]
    Answers,
    /// It answers only when it is asked again.
    Waits,
    /// It says nothing, whatever it is asked.
    Silent,
    /// The board restarts in the middle of its first answer, and has forgotten everything.
    Restarts,
    /// The board does not take the first message.
    Refuses,
    /// It answers and goes on writing, until it is stopped or something else is said.
    Bursts,
}

/// What a board does differently from most.
#[derive(Clone, Copy, Default)]
pub struct Quirks {
    /// What the firmware says instead of running a persona.
    pub refusal: Option<Refusal>,
    /// The bootloader has every image that it is offered already.
    pub has_offered: bool,
    /// The bootloader's last words are lost.
    pub launches_unheard: bool,
    /// How the persona takes what is said.
    pub manner: Manner,
    /// The firmware knows nothing of counters and details, and does not even say so.
    pub has_no_figures: bool,
    /// The firmware is of a time before details.
    pub is_old: bool,
    /// The firmware runs on while nobody has the port open, and keeps what nobody has stored.
    pub runs_on: bool,
}

/// The running board; its cable is cut with this value.
pub struct Board {
    end: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
    path: PathBuf,
    /// What the host said, in words.
    pub heard: Receiver<String>,
}

impl Board {
    /// Listens on a Unix socket.
    pub fn start(path: &Path, script: Script) -> Self {
        Self::start_with(path, script, Quirks::default())
    }

    /// The same, for a board that is not like most.
    pub fn start_with(path: &Path, script: Script, quirks: Quirks) -> Self {
        let listener = UnixListener::bind(path).unwrap();
        listener.set_nonblocking(true).unwrap();
        let end = Arc::new(AtomicBool::new(false));
        let (tell, heard) = mpsc::channel();
        let ended = end.clone();
        let thread = std::thread::spawn(move || {
            let mut runner = Runner {
                script,
                quirks,
                tell,
                began: std::time::Instant::now(),
                next_event: 0,
                work: Work::default(),
                to_restore: 0,
                is_pending: false,
                burst: None,
                boot: None,
                last_id: 0,
                unseen: VecDeque::new(),
            };
            while !ended.load(Ordering::SeqCst) {
                match listener.accept() {
                    Ok((stream, _)) => runner.serve(stream, &ended),
                    Err(_) => std::thread::sleep(Duration::from_millis(2)),
                }
            }
        });
        Self { end, thread: Some(thread), path: path.to_path_buf(), heard }
    }

    /// Everything heard so far that begins like this.
    pub fn heard_of(&self, beginning: &str) -> Vec<String> {
        self.heard.try_iter().filter(|words| words.starts_with(beginning)).collect()
    }
}

impl Drop for Board {
    fn drop(&mut self) {
        self.end.store(true, Ordering::SeqCst);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
        let _ = std::fs::remove_file(&self.path);
    }
}

struct Runner {
    script: Script,
    quirks: Quirks,
    tell: Sender<String>,
    began: std::time::Instant,
    next_event: u32,
    /// What the persona has done.
    work: Work,
    /// Messages of a conversation that is being given back, and whether its last waits for an
    /// answer.
    to_restore: u32,
    is_pending: bool,
    /// The second reply in a row, while it is being written.
    burst: Option<u32>,
    /// The firmware's run, if it runs on.
    boot: Option<u32>,
    /// Id of the last order taken.
    last_id: u32,
    /// Events that the host has not stored.
    unseen: VecDeque<(u32, Event<'static>)>,
}

/// Starts so far, of all boards: each must have a boot and a nonce of its own, as real ones have.
static BOOTS: AtomicU32 = AtomicU32::new(1);

impl Runner {
    fn now(&self) -> Instant {
        Instant(u64::try_from(self.began.elapsed().as_micros()).unwrap())
    }

    /// A fresh start of the program that is to run now.
    fn boot(&mut self) -> Session {
        let nonce = BOOTS.fetch_add(1, Ordering::Relaxed);
        let boot = self.boot.filter(|_| self.quirks.runs_on).unwrap_or(nonce);
        self.boot = Some(boot);
        let Script { role, persona, .. } = self.script;
        let has_persona = role == Role::Firmware && self.quirks.refusal.is_none();
        let persona = has_persona.then_some(persona);
        Session::new(Identity { role, boot, version: [0, 1, 0], persona }, 0x5eed + nonce)
    }

    fn serve(&mut self, mut stream: UnixStream, ended: &AtomicBool) {
        stream.set_nonblocking(false).unwrap();
        stream.set_read_timeout(Some(Duration::from_millis(2))).unwrap();
        let mut session = self.boot();
        while !ended.load(Ordering::SeqCst) {
            let mut buffer = [0; 4096];
            match stream.read(&mut buffer) {
                Ok(0) => return,
                Ok(count) => session.handle_bytes(self.now(), &buffer[..count]),
                Err(error)
                    if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
                Err(_) => return,
            }
            session.handle_timeout(self.now());
            while let Some(event) = session.poll_event() {
                if matches!(event, SessionEvent::Up { .. }) {
                    self.greet(&mut session);
                }
            }
            let mut message = [0; MAX_MESSAGE];
            let mut next_role = None;
            while let Some(bytes) = session.receive(&mut message) {
                let message = HostMessage::decode(bytes).unwrap();
                let _ = self.tell.send(format!("{message:?}"));
                next_role = next_role.or(self.answer(&mut session, &message));
            }
            loop {
                let count = session.poll_transmit(self.now(), &mut buffer);
                if count == 0 {
                    break;
                }
                if stream.write_all(&buffer[..count]).is_err() {
                    return;
                }
            }
            if let Some(role) = next_role {
                self.script.role = role;
                session = self.boot();
            }
        }
    }

    fn greet(&mut self, session: &mut Session) {
        let state = if self.script.is_loaded {
            SlotState::Verified(ImageInfo { address: 0, size: 1, digest: [0; 32] })
        } else {
            SlotState::Empty
        };
        let greeting = match (self.script.role, self.quirks.refusal) {
            (Role::Firmware, Some(refusal)) => DeviceMessage::Refused { refusal, detail: 0 },
            (Role::Firmware, None) => {
                let last_id = if self.quirks.runs_on { self.last_id } else { 0 };
                DeviceMessage::ChatState { last_id, next_event: self.next_event, messages: 0 }
            }
            _ => DeviceMessage::Slots { firmware: state, persona: state },
        };
        session.send_device(&greeting).unwrap();
        if !self.quirks.runs_on {
            self.unseen.clear();
        }
        for (event, what) in self.unseen.iter().copied() {
            session.send_device(&DeviceMessage::Happened { event, what }).unwrap();
        }
    }

    /// Answers; returns the program that runs after this one, if this one ends.
    fn answer(&mut self, session: &mut Session, message: &HostMessage<'_>) -> Option<Role> {
        let mut send = |message: DeviceMessage<'_>| session.send_device(&message).unwrap();
        let manner = self.quirks.manner;
        match *message {
            HostMessage::Launch => {
                if !self.quirks.launches_unheard {
                    send(DeviceMessage::Launching);
                }
                return Some(if self.script.can_start { Role::Firmware } else { Role::Bootloader });
            }
            HostMessage::Reboot => return Some(Role::Bootloader),
            HostMessage::Offer { slot, .. } if self.quirks.has_offered => {
                send(DeviceMessage::OfferAccepted { slot });
                send(DeviceMessage::Verified { slot });
            }
            HostMessage::Offer { .. } => {
                send(DeviceMessage::Refused { refusal: Refusal::WrongSize, detail: 1 });
            }
            HostMessage::Seen { event } => self.unseen.retain(|(number, _)| *number > event),
            HostMessage::Say { id, .. } if self.quirks.runs_on && id <= self.last_id => {
                send(DeviceMessage::Received { id });
            }
            HostMessage::Stop => self.end_burst(session, EndReason::Stopped),
            HostMessage::Say { id, .. } if manner == Manner::Refuses => {
                self.quirks.manner = Manner::Answers;
                send(DeviceMessage::Refused { refusal: Refusal::TextTooLong, detail: id });
            }
            HostMessage::Say { id, text, .. } => {
                send(DeviceMessage::Received { id });
                self.last_id = id;
                self.end_burst(session, EndReason::Finished);
                self.work.read_tokens += 3;
                self.work.read_micros += 300;
                self.happen(session, &[Event::Read { id }]);
                match manner {
                    Manner::Answers | Manner::Refuses => self.reply(session, id, text),
                    Manner::Bursts => {
                        self.reply(session, id, text);
                        let reply = id + 1000;
                        let delta = Event::Delta { reply, offset: 0, text: "And " };
                        self.happen(session, &[Event::Thinking { reply }, delta]);
                        self.burst = Some(reply);
                        self.work.decode_tokens += 5;
                        self.work.decode_micros += 5000;
                    }
                    Manner::Waits | Manner::Silent => {
                        self.happen(session, &[Event::StayedSilent { after: id }]);
                    }
                    Manner::Restarts => {
                        let delta = Event::Delta { reply: id, offset: 0, text: "You " };
                        self.happen(session, &[Event::Thinking { reply: id }, delta]);
                        self.quirks.manner = Manner::Answers;
                        self.work = Work::default();
                        return Some(Role::Firmware);
                    }
                }
            }
            HostMessage::Regenerate { id } => {
                send(DeviceMessage::Received { id });
                self.happen(session, &[Event::Read { id }]);
                match manner {
                    Manner::Waits => self.reply(session, id, "again"),
                    _ => {
                        let thinking = Event::Thinking { reply: id };
                        let withdrawn = Event::Withdrawn { reply: id };
                        let silent = Event::StayedSilent { after: id };
                        self.happen(session, &[thinking, withdrawn, silent]);
                    }
                }
            }
            HostMessage::Forget { id } => {
                send(DeviceMessage::Received { id });
                self.happen(session, &[Event::Forgotten, Event::Read { id }]);
            }
            HostMessage::RestoreBegin { messages, pending, .. } => {
                (self.to_restore, self.is_pending) = (messages, pending);
            }
            HostMessage::RestoreMessage { text, .. } => {
                self.to_restore -= 1;
                if self.to_restore == 0 {
                    self.happen(session, &[Event::Restored { messages: 1 }]);
                    if self.is_pending {
                        self.reply(session, 100, text);
                    }
                }
            }
            HostMessage::StatsRequest if !self.quirks.has_no_figures => {
                send(DeviceMessage::Stats(Stats { heap_used: 1000, ..Stats::default() }));
            }
            HostMessage::DetailsRequest | HostMessage::CardRequest if self.quirks.is_old => {
                send(DeviceMessage::Refused { refusal: Refusal::Malformed, detail: 0 });
            }
            HostMessage::DetailsRequest if !self.quirks.has_no_figures => {
                let board = BoardFacts { revision: 0x90_0093, ..BoardFacts::default() };
                send(DeviceMessage::Details { board, work: self.work });
            }
            _ => {}
        }
        None
    }

    /// A whole reply of three tokens, and the mark that ends it.
    fn reply(&mut self, session: &mut Session, reply: u32, text: &str) {
        self.work.decode_tokens += 3;
        self.work.decode_micros += 300;
        let timing = Timing {
            reply_tokens: 3,
            first_token_micros: 50,
            decode_micros: 300,
            ..Timing::default()
        };
        // What the host has not stored is told again, so it has to last.
        let text: &'static str = String::leak(text.to_string());
        let events = [
            Event::Thinking { reply },
            Event::Delta { reply, offset: 0, text: "You said " },
            Event::Delta { reply, offset: 9, text },
            Event::End { reply, reason: EndReason::Finished, timing },
        ];
        self.happen(session, &events);
    }

    /// The second reply in a row is over.
    fn end_burst(&mut self, session: &mut Session, reason: EndReason) {
        if let Some(reply) = self.burst.take() {
            let timing = Timing { reply_tokens: 1, ..Timing::default() };
            self.happen(session, &[Event::End { reply, reason, timing }]);
        }
    }

    fn happen(&mut self, session: &mut Session, events: &[Event<'static>]) {
        for what in events {
            let event = self.next_event;
            let happened = DeviceMessage::Happened { event, what: *what };
            session.send_device(&happened).unwrap();
            self.unseen.push_back((event, *what));
            self.next_event += 1;
        }
    }
}
