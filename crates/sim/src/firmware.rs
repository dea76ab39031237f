//! The persona's program: the real device, and what the firmware's main loop does around it.

use std::fmt;

use boot_core::handover::{self, Record};
use device::{Activity, Device, DeviceError, Machine, Options};
use engine::Portable;
use link::message::{CrashKind, CrashReport, Identity, Role};
use link::{Instant, Rates, Session};
use model_format::{FormatError, Model, Style};
use tokenizer::Tokenizer;

use crate::transcript::{self, Line};
use crate::{Host, Images, Random};

/// A firmware that has run for so long does not crash at every start; as in `firmware/`.
const HEALTHY_AFTER: u64 = 20_000_000;

/// What the firmware's panic handler writes down.
pub(crate) const PLANTED: CrashReport<'static> = CrashReport {
    role: Role::Firmware,
    kind: CrashKind::Panic,
    program_counter: 0x8000,
    link_register: 0x8004,
    fault_status: 0,
    fault_address: 0,
    message: "planted by the host",
};

/// One run of the firmware.
pub struct Firmware {
    /// What this run calls itself.
    boot: u32,
    device: Device<'static, Portable>,
    tokenizer: Tokenizer<'static>,
    style: Style,
    is_healthy_at: Instant,
    is_idle: bool,
    crash_is_told: bool,
}

impl Firmware {
    /// The program starts, and finds this record.
    pub(crate) fn new(
        images: &Images,
        record: &Record,
        options: Options,
        rates: Rates,
        random: &mut Random,
        now: Instant,
    ) -> Result<Self, FirmwareError> {
        let model = Model::open(images.persona).map_err(FirmwareError::Format)?;
        let identity = Identity {
            role: Role::Firmware,
            boot: random.word(),
            version: [0, 1, 0],
            persona: Some(images.persona_digest()),
        };
        let mut session = Session::new(identity, random.word());
        session.offer_rates(rates);
        let mut device = Device::new(&model, Portable, session, options)?;
        if let Some(crash) = &record.crash {
            device.set_crash(&crash.report());
        }
        Ok(Self {
            boot: identity.boot,
            device,
            tokenizer: Tokenizer::open(model.tokenizer()).map_err(DeviceError::from)?,
            style: model.persona().style,
            is_healthy_at: now.plus_micros(HEALTHY_AFTER),
            is_idle: false,
            crash_is_told: record.crash.is_none(),
        })
    }

    /// Whether it and this host program have a session.
    pub fn is_linked_to(&self, host: &Host) -> bool {
        let theirs = host.session().peer().map(|peer| peer.boot);
        let ours = self.device.session().peer().map(|peer| peer.boot);
        theirs == Some(self.boot) && ours == Some(host.boot())
    }

    /// Whether it waits for the cable or the clock.
    pub fn is_idle(&self) -> bool {
        self.is_idle
    }

    /// The conversation's tokens.
    pub fn tokens(&self) -> &[u32] {
        self.device.tokens()
    }

    /// The conversation as it knows it.
    pub fn lines(&self) -> Vec<Line> {
        transcript::of_board(self.tokens(), self.style, &self.tokenizer)
    }

    /// One round of the main loop.
    pub(crate) fn work(&mut self, now: Instant, received: &[u8]) -> Activity {
        self.device.handle_bytes(now, received);
        let activity = self.device.poll(now);
        self.is_idle = matches!(activity, Activity::IdleUntil(_));
        activity
    }

    /// Bytes for the wire.
    pub(crate) fn transmit(&mut self, now: Instant, out: &mut [u8]) -> usize {
        self.device.poll_transmit(now, out)
    }

    /// The speed that the line is to be given.
    pub(crate) fn line_to_set(&self) -> Option<u32> {
        self.device.line_to_set()
    }

    /// It has it.
    pub(crate) fn line_set(&mut self, now: Instant) {
        self.device.line_set(now, true);
    }

    /// What the main loop does beside the device.
    pub(crate) fn do_chores(&mut self, now: Instant, handover: &mut [u8]) {
        if now >= self.is_healthy_at {
            self.is_healthy_at = Instant(u64::MAX);
            handover::note_healthy(handover);
        }
        if !self.crash_is_told && !self.device.has_unseen_crash() {
            self.crash_is_told = true;
            let mut record = handover::load(handover);
            record.crash = None;
            handover::store(handover, &record);
        }
    }
}

/// Why a persona does not run.
#[derive(Debug)]
pub(crate) enum FirmwareError {
    /// Its file is damaged.
    Format(FormatError),
    /// The device cannot run it.
    Device(DeviceError),
}

impl From<DeviceError> for FirmwareError {
    fn from(error: DeviceError) -> Self {
        Self::Device(error)
    }
}

impl fmt::Display for FirmwareError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Format(error) => write!(f, "{error}"),
            Self::Device(error) => write!(f, "{error}"),
        }
    }
}
