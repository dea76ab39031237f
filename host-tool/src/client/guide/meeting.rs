//! Which program of the board is met, and what follows from it.

use link::Instant;
use link::message::{Digest, Identity, Refusal, Role};

use super::super::link_state::{LinkState, Phase};
use super::super::view::Update;
use super::{Guide, MAX_STARTS, START_SECONDS, Stage};
use crate::errors::WispError;

impl Guide {
    /// After a failure, another run of the board's program is another chance.
    pub(super) fn note_boot(&mut self, peer: &Identity) {
        if peer.role == Role::Host {
            return;
        }
        let is_new = self.boot.replace(peer.boot) != Some(peer.boot);
        if is_new && self.stage == Stage::Failed {
            self.stage = Stage::Absent;
            self.starts = 0;
            for upload in &mut self.uploads {
                upload.begin_again();
            }
        }
    }

    pub(super) fn meet_bootloader(&mut self) {
        self.slots = None;
        self.is_launched = false;
        if self.starts >= MAX_STARTS {
            return self.fail(&WispError::NoStart { seconds: START_SECONDS });
        }
        self.stage = Stage::Loading;
        self.show(LinkState::plain(Phase::Loading, "getting ready"));
    }

    pub(super) fn meet_firmware(&mut self, now: Instant, peer: &Identity) {
        if self.is_launched {
            // It runs what was compared, even if the bootloader's last words were not heard.
            self.must_compare = false;
        }
        if peer.persona.is_none() {
            // Why matters only if a restart, with the images that are here, would not change it.
            let is_final = self.is_launched || self.uploads.is_empty();
            self.stage = Stage::Listening { since: now, is_final };
        } else {
            self.judge_firmware(peer.persona);
        }
    }

    /// Takes the running firmware as it is, or has it make way.
    pub(super) fn judge_firmware(&mut self, persona: Option<Digest>) {
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

    pub(super) fn lose(&mut self) {
        match self.stage {
            Stage::Failed | Stage::Starting { .. } => {}
            _ => {
                self.stage = Stage::Absent;
                self.show(LinkState::plain(Phase::Waiting, "the board does not answer; waiting"));
            }
        }
    }

    /// Whether a refusal means that what is on the board cannot be started.
    pub(super) fn is_about_start(&self, refusal: Refusal) -> bool {
        match self.stage {
            Stage::Loading => self.is_launched,
            Stage::Listening { is_final: true, .. } => {
                matches!(
                    refusal,
                    Refusal::OutOfMemory | Refusal::BadPersona | Refusal::SelfTestFailed
                )
            }
            Stage::Testing { .. } => refusal == Refusal::SelfTestFailed,
            _ => false,
        }
    }

    /// Somebody has asked the board to test its memory: whatever is wanted has to wait.
    pub(super) fn follow_test(&mut self, done: u32, all: u32) {
        let tenths = (u64::from(done) * 10).checked_div(all.into()).unwrap_or(10);
        let is_news = match self.stage {
            Stage::Listening { .. } => true,
            Stage::Testing { tenths: told } => told != tenths,
            _ => false,
        };
        if !is_news {
            return;
        }
        self.stage = Stage::Testing { tenths };
        let words = match tenths {
            10.. => "the board's memory is sound; it restarts".to_string(),
            _ => format!("the board tests its memory: {} %", tenths * 10),
        };
        self.show(LinkState::plain(Phase::Starting, words));
    }
}
