//! What the bootloader needs before it can start the firmware.

use link::message::{HostMessage, Slot, SlotState};
use link::{Instant, Session, upload};

use super::super::view::Update;
use super::Guide;
use crate::board_kind::BoardKind;
use crate::errors::WispError;

impl Guide {
    /// One upload after the other: the firmware first, it is small.
    pub(super) fn load(&mut self, now: Instant, session: &mut Session) {
        let board = session.peer_processor().map(BoardKind::of_processor);
        if let (Some(board), Some(firmware)) = (board, self.made_for)
            && board != firmware
        {
            return self.fail(&WispError::WrongBoard { board, firmware });
        }
        match self.has_the_rest() {
            // The bootloader says what it has by itself.
            None => return,
            Some(Err(missing)) => return self.fail(&WispError::NothingToLaunch { missing }),
            Some(Ok(())) => {}
        }
        for upload in &mut self.uploads {
            upload.uploader.poll(session);
            if let Some(transfer) = upload.report(now) {
                self.updates.push_back(Update::Transfer { transfer });
            }
            if let Some(failure) = upload.failure() {
                return self.fail(&failure);
            }
            if upload.uploader.phase() != upload::Phase::Done {
                return;
            }
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
