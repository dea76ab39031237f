//! A board that is a thread: it speaks the cable's real protocol and follows a script.

use std::io::{ErrorKind, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread::JoinHandle;
use std::time::Duration;

use link::message::{
    DeviceMessage, Digest, EndReason, Event, HostMessage, Identity, ImageInfo, MAX_MESSAGE,
    Refusal, Role, SlotState, Timing,
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

/// What a board does differently from most.
#[derive(Clone, Copy, Default)]
pub struct Quirks {
    /// What the firmware says instead of running a persona.
    pub refusal: Option<Refusal>,
    /// The bootloader has every image that it is offered already.
    pub has_offered: bool,
    /// The bootloader's last words are lost.
    pub launches_unheard: bool,
}

/// The running board; its cable is cut with this value.
pub struct Board {
    end: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
    path: PathBuf,
    /// What the host said, in words.
    #[allow(dead_code)] // Not every test listens.
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
            let mut runner = Runner { script, quirks, tell, began: std::time::Instant::now() };
            while !ended.load(Ordering::SeqCst) {
                match listener.accept() {
                    Ok((stream, _)) => runner.serve(stream, &ended),
                    Err(_) => std::thread::sleep(Duration::from_millis(2)),
                }
            }
        });
        Self { end, thread: Some(thread), path: path.to_path_buf(), heard }
    }

    #[allow(dead_code)] // Not every test listens.
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
}

/// Starts so far, of all boards: each must have a boot and a nonce of its own, as real ones have.
static BOOTS: AtomicU32 = AtomicU32::new(1);

impl Runner {
    fn now(&self) -> Instant {
        Instant(u64::try_from(self.began.elapsed().as_micros()).unwrap())
    }

    /// A fresh start of the program that is to run now.
    fn boot(&mut self) -> Session {
        let boot = BOOTS.fetch_add(1, Ordering::Relaxed);
        let Script { role, persona, .. } = self.script;
        let has_persona = role == Role::Firmware && self.quirks.refusal.is_none();
        let persona = has_persona.then_some(persona);
        Session::new(Identity { role, boot, version: [0, 1, 0], persona }, 0x5eed + boot)
    }

    fn serve(&mut self, mut stream: UnixStream, ended: &AtomicBool) {
        stream.set_nonblocking(false).unwrap();
        stream.set_read_timeout(Some(Duration::from_millis(2))).unwrap();
        let mut session = self.boot();
        let mut next_event = 0;
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
                next_role = next_role.or(self.answer(&mut session, &message, &mut next_event));
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

    fn greet(&self, session: &mut Session) {
        let state = if self.script.is_loaded {
            SlotState::Verified(ImageInfo { address: 0, size: 1, digest: [0; 32] })
        } else {
            SlotState::Empty
        };
        let greeting = match (self.script.role, self.quirks.refusal) {
            (Role::Firmware, Some(refusal)) => DeviceMessage::Refused { refusal, detail: 0 },
            (Role::Firmware, None) => {
                DeviceMessage::ChatState { last_id: 0, next_event: 0, messages: 0 }
            }
            _ => DeviceMessage::Slots { firmware: state, persona: state },
        };
        session.send_device(&greeting).unwrap();
    }

    /// Answers; returns the program that runs after this one, if this one ends.
    fn answer(
        &self,
        session: &mut Session,
        message: &HostMessage<'_>,
        next_event: &mut u32,
    ) -> Option<Role> {
        let mut send = |message: DeviceMessage<'_>| session.send_device(&message).unwrap();
        match *message {
            HostMessage::Launch => {
                if !self.quirks.launches_unheard {
                    send(DeviceMessage::Launching);
                }
                Some(if self.script.can_start { Role::Firmware } else { Role::Bootloader })
            }
            HostMessage::Reboot => Some(Role::Bootloader),
            HostMessage::Offer { slot, .. } if self.quirks.has_offered => {
                send(DeviceMessage::OfferAccepted { slot });
                send(DeviceMessage::Verified { slot });
                None
            }
            HostMessage::Offer { .. } => {
                send(DeviceMessage::Refused { refusal: Refusal::WrongSize, detail: 1 });
                None
            }
            HostMessage::Say { id, text, .. } => {
                send(DeviceMessage::Received { id });
                let timing = Timing::default();
                for what in [
                    Event::Read { id },
                    Event::Thinking { reply: id },
                    Event::Delta { reply: id, offset: 0, text: "You said " },
                    Event::Delta { reply: id, offset: 9, text },
                    Event::End { reply: id, reason: EndReason::Finished, timing },
                ] {
                    send(DeviceMessage::Happened { event: *next_event, what });
                    *next_event += 1;
                }
                None
            }
            _ => None,
        }
    }
}
