//! One image on its way to the board, and what is shown of it.

use std::sync::Arc;

use link::Instant;
use link::message::{Refusal, Slot};
use link::upload::{self, UploadError, Uploader};

use super::super::link_state::{Transfer, TransferPhase};
use super::super::meter::Meter;
use crate::errors::{BoardRefused, WispError};
use crate::image::Image;

/// Shortest time between two reports of an upload, unless its phase changes.
const REPORT_MICROS: u64 = 100_000;

/// One image on its way.
pub(super) struct Upload {
    pub(super) uploader: Uploader<Arc<[u8]>>,
    /// As it was at the beginning: an upload that failed is begun again with it.
    fresh: Uploader<Arc<[u8]>>,
    name: String,
    meter: Meter,
    reported: Option<(Instant, upload::Phase)>,
}

impl Upload {
    /// Of this image.
    ///
    /// # Errors
    /// It is empty or too large.
    pub(super) fn new(slot: Slot, image: Image) -> Result<Self, UploadError> {
        let fresh = Uploader::new(slot, image.info.address, Arc::from(image.bytes))?;
        let (meter, reported) = (Meter::default(), None);
        Ok(Self { uploader: fresh.clone(), fresh, name: image.name, meter, reported })
    }

    /// From the beginning, if it has failed.
    pub(super) fn begin_again(&mut self) {
        self.uploader = self.fresh.clone();
        self.reported = None;
    }

    /// What to show of it, when it is time to.
    pub(super) fn report(&mut self, now: Instant) -> Option<Transfer> {
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

    /// What it has failed of.
    pub(super) fn failure(&self) -> Option<WispError> {
        let upload::Phase::Failed(error) = self.uploader.phase() else { return None };
        let refusal = match error {
            UploadError::Empty | UploadError::TooLarge => Refusal::WrongSize,
            UploadError::Refused(refusal) => refusal,
        };
        let detail = match self.uploader.slot() {
            Slot::Firmware => 0,
            Slot::Persona => 1,
        };
        Some(BoardRefused { refusal, detail }.into())
    }
}
