//! What the board lends the loader: two slots for images, a block that survives a reset, the card.

use link::message::Slot;

/// The board's memory as the loader sees it.
///
/// A slot is where an image is *kept*, which need not be where it runs: the firmware is staged
/// beside the bootloader and copied to its address at launch, because a restart puts the
/// bootloader's own image over it.
pub trait Memory {
    /// All bytes of a slot, whatever is in them now.
    fn slot(&self, slot: Slot) -> &[u8];

    /// The same, for writing.
    fn slot_mut(&mut self, slot: Slot) -> &mut [u8];

    /// The handover block: at least [`crate::handover::BLOCK_SIZE`] bytes that a reset leaves
    /// as they are.
    fn handover(&self) -> &[u8];

    /// The same, for writing.
    fn handover_mut(&mut self) -> &mut [u8];

    /// The memory behind the bootloader's own image, where the Pi's boot stage loaded it and where
    /// a [card block](crate::card) may be; empty when that is unknown.
    fn card(&self) -> &[u8];

    /// The firmware's slot, for writing, and the card, to copy from.
    fn firmware_and_card(&mut self) -> (&mut [u8], &[u8]);

    /// Everything written before this call survives a reset from now on: on the board, the data
    /// cache is written back. Called between the steps of [`crate::receiver`] whose order counts.
    fn flush(&mut self);
}

/// One value for each [`Slot`]: an array that cannot be indexed out of bounds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PerSlot<T> {
    /// For [`Slot::Firmware`].
    pub firmware: T,
    /// For [`Slot::Persona`].
    pub persona: T,
}

impl<T> PerSlot<T> {
    /// The value for `slot`.
    pub fn get(&self, slot: Slot) -> &T {
        match slot {
            Slot::Firmware => &self.firmware,
            Slot::Persona => &self.persona,
        }
    }

    /// The value for `slot`, for writing.
    pub fn get_mut(&mut self, slot: Slot) -> &mut T {
        match slot {
            Slot::Firmware => &mut self.firmware,
            Slot::Persona => &mut self.persona,
        }
    }
}
