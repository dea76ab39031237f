//! The board's memory, as `boot-core` wants to see it.

use core::ops::Range;
use core::slice;

use bcm2835::{clean_data, memory};
use boot_core::{Memory, PerSlot, SlotRegion};
use link::message::Slot;

/// The places where images are kept, and the handover block.
pub(crate) struct BoardMemory {
    slots: PerSlot<&'static mut [u8]>,
    handover: &'static mut [u8],
    /// Where the firmware runs, and where until then lies what the Pi's boot stage loaded.
    firmware: &'static mut [u8],
    /// Where in there the bootloader's own image ended; `usize::MAX` when it was loaded elsewhere.
    card: usize,
}

impl BoardMemory {
    /// Takes hold of the memory. The bootloader was loaded to `loaded_at` before it moved.
    ///
    /// # Safety
    /// Once. The MMU must map these regions.
    pub(crate) unsafe fn take(loaded_at: usize) -> Self {
        let card = behind_image(loaded_at).unwrap_or(usize::MAX);
        // SAFETY: regions of the memory map, of which no linked section is part; they do not
        // overlap, and the caller promises that this happens once.
        unsafe {
            Self {
                slots: PerSlot {
                    firmware: bytes(memory::staging()),
                    persona: bytes(memory::persona()),
                },
                handover: bytes(memory::handover()),
                firmware: bytes(memory::firmware_image()),
                card,
            }
        }
    }

    /// Where images must lie to be used, and how large they may be.
    pub(crate) fn regions(&self) -> PerSlot<SlotRegion> {
        let firmware = memory::firmware_image();
        let persona = memory::persona();
        PerSlot {
            firmware: SlotRegion {
                address: firmware.start as u32,
                capacity: firmware.len().min(memory::staging().len()) as u32,
            },
            persona: SlotRegion { address: persona.start as u32, capacity: persona.len() as u32 },
        }
    }

    /// Copies the staged firmware to where it runs; says where to jump.
    ///
    /// All of the staging area that fits, because what lies behind the image does no harm there.
    pub(crate) fn install_firmware(self) -> usize {
        for (to, from) in self.firmware.iter_mut().zip(self.slots.firmware.iter()) {
            *to = *from;
        }
        memory::firmware_image().start
    }
}

/// How far behind the start of the firmware's memory the image that was loaded to `loaded_at` ends.
fn behind_image(loaded_at: usize) -> Option<usize> {
    let start = loaded_at.checked_sub(memory::firmware_image().start)?;
    start.checked_add(memory::image().len())
}

/// # Safety
/// The range must be mapped memory that nothing else refers to.
unsafe fn bytes(range: Range<usize>) -> &'static mut [u8] {
    // SAFETY: as the caller promises.
    unsafe { slice::from_raw_parts_mut(range.start as *mut u8, range.len()) }
}

impl Memory for BoardMemory {
    fn slot(&self, slot: Slot) -> &[u8] {
        self.slots.get(slot)
    }

    fn slot_mut(&mut self, slot: Slot) -> &mut [u8] {
        self.slots.get_mut(slot)
    }

    fn handover(&self) -> &[u8] {
        self.handover
    }

    fn handover_mut(&mut self) -> &mut [u8] {
        self.handover
    }

    fn card(&self) -> &[u8] {
        self.firmware.get(self.card..).unwrap_or_default()
    }

    fn firmware_and_card(&mut self) -> (&mut [u8], &[u8]) {
        let card = self.firmware.get(self.card..).unwrap_or_default();
        (self.slots.firmware, card)
    }

    fn flush(&mut self) {
        clean_data();
    }
}
