//! What each message of the host calls for.

use link::message::{DeviceMessage, HostMessage, Refusal, Slot};

use crate::memory::Memory;
use crate::receiver::Receiver;

/// What a message calls for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reaction {
    /// The answer comes from [`Receiver::work`].
    Later,
    /// Say this.
    Answer(DeviceMessage<'static>),
    /// Say this, then that.
    Answers(DeviceMessage<'static>, DeviceMessage<'static>),
    /// Start the firmware.
    Launch,
    /// Reset the board.
    Reboot,
    /// Forget the crash report.
    CrashSeen,
}

/// Both images are verified: the firmware may be started.
pub(crate) fn is_ready<M: Memory>(receiver: &Receiver<M>) -> bool {
    receiver.verified(Slot::Firmware).is_some() && receiver.verified(Slot::Persona).is_some()
}

/// Does what a message asks, as far as the slots are concerned.
pub fn react<M: Memory>(receiver: &mut Receiver<M>, message: &HostMessage<'_>) -> Reaction {
    let (slot, result) = match *message {
        HostMessage::Offer { slot, image } => (
            slot,
            receiver.offer(slot, image).map(|is_verified| {
                let accepted = DeviceMessage::OfferAccepted { slot };
                match is_verified {
                    true => Reaction::Answers(accepted, DeviceMessage::Verified { slot }),
                    false => Reaction::Answer(accepted),
                }
            }),
        ),
        HostMessage::Digests { slot, first, digests } => {
            (slot, receiver.digests(slot, first, digests).map(|()| Reaction::Later))
        }
        HostMessage::Chunk { slot, index, data } => (
            slot,
            receiver
                .chunk(slot, index, data)
                .map(|chunks| Reaction::Answer(DeviceMessage::Stored { slot, chunks })),
        ),
        HostMessage::Verify { slot } => (
            slot,
            receiver.verify(slot).map(|is_verified| match is_verified {
                true => Reaction::Answer(DeviceMessage::Verified { slot }),
                false => Reaction::Answer(DeviceMessage::Verifying { slot, done: 0 }),
            }),
        ),
        HostMessage::Launch => {
            return match is_ready(receiver) {
                true => Reaction::Launch,
                false => Reaction::Answer(refused(Refusal::NotReady, 0)),
            };
        }
        HostMessage::Reboot => return Reaction::Reboot,
        HostMessage::CrashSeen => return Reaction::CrashSeen,
        HostMessage::Say { id, .. }
        | HostMessage::Regenerate { id }
        | HostMessage::Forget { id } => {
            return Reaction::Answer(refused(Refusal::WrongProgram, id));
        }
        _ => return Reaction::Answer(refused(Refusal::WrongProgram, 0)),
    };
    result.unwrap_or_else(|refusal| Reaction::Answer(refused_slot(refusal, slot)))
}

/// A refusal about `detail`, see [`DeviceMessage::Refused`].
pub(crate) fn refused(refusal: Refusal, detail: u32) -> DeviceMessage<'static> {
    DeviceMessage::Refused { refusal, detail }
}

/// A refusal about a slot.
pub(crate) fn refused_slot(refusal: Refusal, slot: Slot) -> DeviceMessage<'static> {
    let detail = match slot {
        Slot::Firmware => 0,
        Slot::Persona => 1,
    };
    refused(refusal, detail)
}
