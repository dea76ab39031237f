//! Decides what the board needs next, until the wanted persona runs on it.
//!
//! ```text
//! nobody ──► bootloader: uploads, Launch ──► firmware, as wanted: online
//!                ▲                              │
//!                └── Reboot ◄── another persona ┘
//! ```
//!
//! Sans-I/O: it is given what the session says and the time, and leaves [`Update`]s.

use std::collections::VecDeque;
use std::sync::Arc;

use link::conversation::Crash;
use link::message::{DeviceMessage, Digest, HostMessage, Identity, Refusal, Role, Slot, SlotState};
use link::upload::{self, UploadError, Uploader};
use link::{Instant, Session, SessionEvent};

use super::link_state::{LinkState, Phase, Transfer, TransferPhase};
use super::meter::Meter;
use super::view::{Notice, Update};
use crate::errors::{BoardRefused, WispError};
use crate::image::Image;

/// How often the firmware may be started without coming up before that is called a failure.
const MAX_STARTS: u32 = 3;

/// How long the firmware may take to say hello after its start.
pub const START_SECONDS: u64 = 20;

/// How long firmware without a persona may take to say why it has none.
const REASON_MICROS: u64 = 2_000_000;

/// Shortest time between two reports of an upload, unless its phase changes.
const REPORT_MICROS: u64 = 100_000;

/// What is to run on the board.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// The firmware; `None` takes whatever is there.
    pub firmware: Option<Image>,
    /// The persona; `None` takes whatever is there.
    pub persona: Option<Image>,
    /// Compare the images even when the wanted persona runs already: the firmware may differ.
    pub always_compare: bool,
}

impl Wanted {
    /// What the persona is called, as far as that is known here.
    pub fn name(&self) -> &str {
        self.persona.as_ref().map_or("Wisp", |image| &image.name)
    }
}

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
    /// The firmware that was started has no persona: it is about to say why.
    Listening {
        since: Instant,
    },
    /// The firmware was told to make way.
    Rebooting {
        is_told: bool,
    },
    Online,
    /// Until another run of a program appears: somebody restarted or replaced the board.
    Failed,
}

/// One image on its way.
struct Upload {
    uploader: Uploader<Arc<[u8]>>,
    /// As it was at the beginning: an upload that failed is begun again with it.
    fresh: Uploader<Arc<[u8]>>,
    name: String,
    meter: Meter,
    reported: Option<(Instant, upload::Phase)>,
}

/// Brings the board to where it is wanted.
pub struct Guide {
    stage: Stage,
    uploads: Vec<Upload>,
    persona: Option<Digest>,
    must_compare: bool,
    /// The order to start was given to the bootloader that was met last, and its firmware has not
    /// come online since.
    is_launched: bool,
    /// The board's program that was met last: [`Identity::boot`].
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
        let persona_digest = persona.as_ref().map(|image| image.info.digest);
        let mut uploads = Vec::new();
        for (slot, image) in [(Slot::Firmware, firmware), (Slot::Persona, persona)] {
            let Some(image) = image else { continue };
            let fresh = Uploader::new(slot, image.info.address, Arc::from(image.bytes))?;
            uploads.push(Upload {
                uploader: fresh.clone(),
                fresh,
                name: image.name,
                meter: Meter::default(),
                reported: None,
            });
        }
        Ok(Self {
            stage: Stage::Absent,
            must_compare: always_compare && !uploads.is_empty(),
            uploads,
            persona: persona_digest,
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

    /// After a failure, another run of the board's program is another chance.
    fn note_boot(&mut self, peer: &Identity) {
        if peer.role == Role::Host {
            return;
        }
        let is_new = self.boot.replace(peer.boot) != Some(peer.boot);
        if is_new && self.stage == Stage::Failed {
            self.stage = Stage::Absent;
            self.starts = 0;
            for upload in &mut self.uploads {
                upload.uploader = upload.fresh.clone();
                upload.reported = None;
            }
        }
    }

    fn meet_bootloader(&mut self) {
        self.slots = None;
        self.is_launched = false;
        if self.starts >= MAX_STARTS {
            return self.fail(&WispError::NoStart { seconds: START_SECONDS });
        }
        self.stage = Stage::Loading;
        self.show(LinkState::plain(Phase::Loading, "getting ready"));
    }

    fn meet_firmware(&mut self, now: Instant, peer: &Identity) {
        if self.is_launched {
            // It runs what was compared, even if the bootloader's last words were not heard.
            self.must_compare = false;
        }
        // Why there is no persona matters only if a restart, with the images that are here, would
        // not change it.
        let is_final = self.is_launched || self.uploads.is_empty();
        if peer.persona.is_none() && is_final {
            self.stage = Stage::Listening { since: now };
        } else {
            self.judge_firmware(peer.persona);
        }
    }

    /// Takes the running firmware as it is, or has it make way.
    fn judge_firmware(&mut self, persona: Option<Digest>) {
        let is_wanted = self.persona.is_none() || persona == self.persona;
        if is_wanted && !self.must_compare {
            self.starts = 0;
            self.is_launched = false;
            self.stage = Stage::Online;
            self.updates.push_back(Update::Loaded);
            self.show(LinkState::plain(Phase::Online, "online"));
        } else if self.starts >= MAX_STARTS {
            self.fail(&WispError::NoStart { seconds: START_SECONDS });
        } else {
            self.stage = Stage::Rebooting { is_told: false };
            self.show(LinkState::plain(Phase::Loading, "asking the board to restart"));
        }
    }

    fn lose(&mut self) {
        match self.stage {
            Stage::Failed | Stage::Starting { .. } => {}
            _ => {
                self.stage = Stage::Absent;
                self.show(LinkState::plain(Phase::Waiting, "the board does not answer; waiting"));
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
                self.fail(&refused(refusal, detail));
            }
            // The firmware tells it to the conversation.
            DeviceMessage::Crashed(report) if self.stage == Stage::Loading => {
                let notice = Notice::from(&Crash::from(&report));
                self.updates.push_back(Update::Crashed { notice });
                self.owes_crash_seen = true;
            }
            _ => {}
        }
    }

    /// Whether a refusal means that what is on the board cannot be started.
    fn is_about_start(&self, refusal: Refusal) -> bool {
        match self.stage {
            Stage::Loading => self.is_launched,
            Stage::Listening { .. } => {
                matches!(
                    refusal,
                    Refusal::OutOfMemory | Refusal::BadPersona | Refusal::SelfTestFailed
                )
            }
            _ => false,
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
            Stage::Listening { since } if now.micros_since(since) > REASON_MICROS => {
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

    /// One upload after the other: the firmware first, it is small.
    fn load(&mut self, now: Instant, session: &mut Session) {
        match self.has_the_rest() {
            // The bootloader says what it has by itself.
            None => return,
            Some(Err(missing)) => return self.fail(&WispError::NothingToLaunch { missing }),
            Some(Ok(())) => {}
        }
        let mut failure = None;
        let mut all_done = true;
        for upload in &mut self.uploads {
            upload.uploader.poll(session);
            let phase = upload.uploader.phase();
            if let Some(transfer) = upload.report(now) {
                self.updates.push_back(Update::Transfer { transfer });
            }
            if let upload::Phase::Failed(error) = phase {
                failure = Some(upload_failure(error, upload.uploader.slot()));
            }
            if phase != upload::Phase::Done {
                all_done = false;
                break;
            }
        }
        if let Some(failure) = failure {
            return self.fail(&failure);
        }
        if !all_done {
            return;
        }
        self.is_launched = session.send_host(&HostMessage::Launch).is_ok();
    }

    /// Whether the board has what is not uploaded, or what it lacks; `None` until it has said so.
    fn has_the_rest(&self) -> Option<std::result::Result<(), &'static str>> {
        let is_uploaded = |slot| self.uploads.iter().any(|upload| upload.uploader.slot() == slot);
        let must_have = [Slot::Firmware, Slot::Persona].map(|slot| !is_uploaded(slot));
        if must_have == [false; 2] {
            return Some(Ok(()));
        }
        let (firmware, persona) = self.slots?;
        let lacks = |state| !matches!(state, SlotState::Verified(_));
        let [no_firmware, no_persona] = must_have;
        let missing = missing(no_firmware && lacks(firmware), no_persona && lacks(persona));
        Some(missing.map_or(Ok(()), Err))
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

impl Upload {
    /// What to show of it, when it is time to.
    fn report(&mut self, now: Instant) -> Option<Transfer> {
        let progress = self.uploader.progress();
        let is_new_phase = self.reported.is_none_or(|(_, phase)| phase != progress.phase);
        let is_time = self.reported.is_none_or(|(last, _)| now.micros_since(last) >= REPORT_MICROS);
        if !is_new_phase && (!is_time || progress.phase == upload::Phase::Done) {
            return None;
        }
        let phase = match progress.phase {
            upload::Phase::Waiting | upload::Phase::Failed(_) => return None,
            upload::Phase::Offering | upload::Phase::Comparing => TransferPhase::Comparing,
            upload::Phase::Sending => TransferPhase::Sending,
            upload::Phase::Verifying => TransferPhase::Verifying,
            upload::Phase::Done => TransferPhase::Done,
        };
        self.reported = Some((now, progress.phase));
        let (done, total) = (u64::from(progress.done), u64::from(progress.total));
        if is_new_phase {
            self.meter = Meter::default();
        }
        self.meter.note(now, done);
        let rate = self.meter.rate();
        let seconds_left = (phase == TransferPhase::Sending && rate > 0)
            .then(|| total.saturating_sub(done).div_ceil(rate));
        Some(Transfer {
            slot: self.uploader.slot(),
            name: self.name.clone(),
            phase,
            done,
            total,
            sent_chunks: progress.chunks_sent,
            skipped_chunks: progress.chunks_skipped,
            rate,
            seconds_left,
        })
    }
}

/// What a board without these lacks, in words; `None` when it lacks nothing.
pub(crate) fn missing(firmware: bool, persona: bool) -> Option<&'static str> {
    match (firmware, persona) {
        (false, false) => None,
        (true, false) => Some("firmware"),
        (false, true) => Some("persona"),
        (true, true) => Some("firmware and no persona"),
    }
}

fn refused(refusal: Refusal, detail: u32) -> WispError {
    BoardRefused { refusal, detail }.into()
}

fn upload_failure(error: UploadError, slot: Slot) -> WispError {
    let detail = match slot {
        Slot::Firmware => 0,
        Slot::Persona => 1,
    };
    match error {
        UploadError::Empty | UploadError::TooLarge => refused(Refusal::WrongSize, detail),
        UploadError::Refused(refusal) => refused(refusal, detail),
    }
}

#[cfg(test)]
mod tests;
