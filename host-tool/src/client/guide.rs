//! Decides what the board needs next, until the wanted persona runs on it.
//!
//! ```text
//! nobody ──► bootloader: uploads, Launch ──► firmware, as wanted: online
//!                ▲                              │
//!                └── Reboot ◄── another persona ┘
//! ```
//!
//! Sans-I/O: it is given what the session says and the time, and leaves [`Update`]s.

mod loading;
mod meeting;
#[cfg(test)]
mod tests;
mod upload;
mod wanted;

use std::collections::VecDeque;

use link::conversation::Crash;
use link::message::{DeviceMessage, Digest, HostMessage, Role, Slot, SlotState};
use link::upload::UploadError;
use link::{Instant, Session, SessionEvent};

pub(crate) use loading::missing;
use upload::Upload;
pub use wanted::Wanted;

use super::link_state::{LinkState, Phase};
use super::view::{Notice, Update};
use crate::board_kind::BoardKind;
use crate::errors::{BoardRefused, WispError};

/// How often the firmware may be started without coming up before that is called a failure.
const MAX_STARTS: u32 = 3;

/// How long the firmware may take to say hello after its start.
pub const START_SECONDS: u64 = 20;

/// How long firmware without a persona may take to say why it has none.
const REASON_MICROS: u64 = 2_000_000;

/// Where the board is on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Absent,
    /// In the bootloader.
    Loading,
    /// The firmware was started.
    Starting {
        since: Instant,
    },
    /// The firmware has no persona: it is about to say why, or that it tests itself.
    Listening {
        since: Instant,
        /// Whether a restart would not change the reason.
        is_final: bool,
    },
    /// It tests its memory, and has told so many tenths of it. Then it restarts.
    Testing {
        tenths: u64,
    },
    /// The firmware was told to make way.
    Rebooting {
        is_told: bool,
    },
    Online,
    /// Until another run of a program appears: somebody restarted or replaced the board.
    Failed,
}

/// Brings the board to where it is wanted.
pub struct Guide {
    stage: Stage,
    uploads: Vec<Upload>,
    persona: Option<Digest>,
    /// The board that the wanted firmware is for, as far as that can be seen.
    made_for: Option<BoardKind>,
    must_compare: bool,
    /// The order to start was given to the bootloader that was met last, and its firmware has not
    /// come online since.
    is_launched: bool,
    /// The board's program that was met last: [`link::message::Identity::boot`].
    boot: Option<u32>,
    /// What [`Stage::Failed`] is about.
    failure: LinkState,
    slots: Option<(SlotState, SlotState)>,
    starts: u32,
    owes_crash_seen: bool,
    updates: VecDeque<Update>,
}

impl Guide {
    /// A guide to what is wanted.
    ///
    /// # Errors
    /// An image is empty or too large.
    pub fn new(wanted: Wanted) -> Result<Self, UploadError> {
        let Wanted { firmware, persona, always_compare } = wanted;
        let made_for = firmware.as_ref().and_then(|image| BoardKind::of_raw(&image.bytes));
        let persona_digest = persona.as_ref().map(|image| image.info.digest);
        let mut uploads = Vec::new();
        for (slot, image) in [(Slot::Firmware, firmware), (Slot::Persona, persona)] {
            if let Some(image) = image {
                uploads.push(Upload::new(slot, image)?);
            }
        }
        Ok(Self {
            stage: Stage::Absent,
            must_compare: always_compare && !uploads.is_empty(),
            uploads,
            persona: persona_digest,
            made_for,
            is_launched: false,
            boot: None,
            failure: LinkState::default(),
            slots: None,
            starts: 0,
            owes_crash_seen: false,
            updates: VecDeque::new(),
        })
    }

    /// Whether the wanted persona is there.
    pub fn is_online(&self) -> bool {
        self.stage == Stage::Online
    }

    /// The next change to show.
    pub fn poll_update(&mut self) -> Option<Update> {
        self.updates.pop_front()
    }

    /// Takes note that the port was opened. The board could not be heard before, so its time to
    /// come up begins anew.
    pub fn handle_port_opened(&mut self, now: Instant) {
        if matches!(self.stage, Stage::Starting { .. }) {
            self.wait_for_start(now);
        }
    }

    /// Takes note that the session goes on over a port that was gone for a moment: the words about
    /// the port have covered how far things are.
    pub fn handle_port_resumed(&mut self) {
        match self.stage {
            Stage::Online => self.show(LinkState::plain(Phase::Online, "online")),
            Stage::Loading => self.show(LinkState::plain(Phase::Loading, "going on")),
            Stage::Failed => self.show(self.failure.clone()),
            _ => {}
        }
    }

    /// Takes note of the beginning or end of a session.
    pub fn handle_event(&mut self, now: Instant, event: &SessionEvent) {
        if let SessionEvent::Up { peer } = event {
            self.note_boot(peer);
        }
        for upload in &mut self.uploads {
            upload.uploader.handle_event(event);
        }
        match event {
            SessionEvent::Up { peer } => match (peer.role, self.stage) {
                // Another host tool at the far end of the cable is not a board.
                (Role::Host, _) => {}
                // The words about the port have covered it.
                (_, Stage::Failed) => self.show(self.failure.clone()),
                (Role::Bootloader, _) => self.meet_bootloader(),
                (Role::Firmware, _) => self.meet_firmware(now, peer),
            },
            SessionEvent::Down { .. } => self.lose(),
            SessionEvent::Mismatch { .. } => {
                self.show(LinkState::explained(
                    Phase::Failed,
                    &WispError::ProtocolVersion { ours: link::PROTOCOL_VERSION },
                ));
            }
        }
    }

    /// Takes a message of the board's; those about the chat are left alone.
    pub fn handle(&mut self, now: Instant, message: &DeviceMessage<'_>) {
        for upload in &mut self.uploads {
            upload.uploader.handle(message);
        }
        match *message {
            DeviceMessage::Slots { firmware, persona } => self.slots = Some((firmware, persona)),
            DeviceMessage::Launching => {
                self.must_compare = false;
                self.starts += 1;
                self.wait_for_start(now);
            }
            DeviceMessage::Refused { refusal, detail } if self.is_about_start(refusal) => {
                self.fail(&BoardRefused { refusal, detail }.into());
            }
            DeviceMessage::Refused { .. }
                if matches!(self.stage, Stage::Listening { is_final: false, .. }) =>
            {
                self.judge_firmware(None);
            }
            DeviceMessage::MemoryTested { done, all } => self.follow_test(done, all),
            // The firmware tells it to the conversation.
            DeviceMessage::Crashed(report) if self.stage == Stage::Loading => {
                let notice = Notice::from(&Crash::from(&report));
                self.updates.push_back(Update::Crashed { notice });
                self.owes_crash_seen = true;
            }
            _ => {}
        }
    }

    fn wait_for_start(&mut self, now: Instant) {
        self.stage = Stage::Starting { since: now };
        self.show(LinkState::plain(Phase::Starting, "waking up"));
    }

    /// Hands the session what is to be said next. Call it only while the port is open.
    pub fn poll(&mut self, now: Instant, session: &mut Session) {
        if self.owes_crash_seen {
            self.owes_crash_seen = session.send_host(&HostMessage::CrashSeen).is_err();
        }
        match self.stage {
            Stage::Loading if !self.is_launched => self.load(now, session),
            Stage::Listening { since, .. } if now.micros_since(since) > REASON_MICROS => {
                self.judge_firmware(None);
            }
            Stage::Rebooting { is_told: false } => {
                // The board comes back at the first rate: so both are there already.
                session.leave_rate();
                let is_told = session.send_host(&HostMessage::Reboot).is_ok();
                self.stage = Stage::Rebooting { is_told };
            }
            Stage::Starting { since } if now.micros_since(since) > START_SECONDS * 1_000_000 => {
                self.fail(&WispError::NoStart { seconds: START_SECONDS });
            }
            _ => {}
        }
    }

    fn fail(&mut self, error: &WispError) {
        self.stage = Stage::Failed;
        self.failure = LinkState::explained(Phase::Failed, error);
        self.show(self.failure.clone());
    }

    fn show(&mut self, link: LinkState) {
        self.updates.push_back(Update::Link { link });
    }
}
