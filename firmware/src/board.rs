//! What the firmware finds in memory: what it may touch, the persona, the heap, the handover block.

use core::ops::Range;
use core::slice;

use bcm2835::{Access, Section, clean_data, memory};
use boot_core::handover::{self, Record};
use link::message::{Digest, SlotState};
use model_format::{ALIGNMENT, stated_length};
use sha2::{Digest as _, Sha256};

/// Everything the firmware may touch. The bootloader and the staged image are not among it.
pub(crate) fn sections() -> [Section; 8] {
    [
        Section::new(memory::firmware_image(), Access::Execute),
        Section::new(memory::firmware_data(), Access::Data),
        Section::new(memory::firmware_stack(), Access::Data),
        Section::new(memory::firmware_exception_stacks(), Access::Data),
        Section::new(memory::firmware_heap(), Access::Data),
        Section::new(memory::persona(), Access::Data),
        Section::new(memory::handover(), Access::Data),
        Section::new(memory::peripherals(), Access::Device),
    ]
}

/// A persona's file in memory.
pub(crate) struct PersonaFile {
    /// All of it.
    pub(crate) bytes: &'static [u8],
    /// Its SHA-256.
    pub(crate) digest: Digest,
    /// The bootloader compared that with what the host announced.
    pub(crate) is_verified: bool,
}

/// Finds the persona: where the bootloader verified one, or, when this firmware was started
/// without a bootloader, whatever states its own length.
pub(crate) fn find_persona(record: &Record) -> Option<PersonaFile> {
    let region = memory::persona();
    // SAFETY: mapped memory that nobody writes while the firmware runs: the heap begins behind
    // the file, and no reference to more than the file leaves this function.
    let region = unsafe { slice::from_raw_parts(region.start as *const u8, region.len()) };
    if let SlotState::Verified(image) = record.slots.persona {
        let bytes = region.get(..usize::try_from(image.size).ok()?)?;
        return Some(PersonaFile { bytes, digest: image.digest, is_verified: true });
    }
    let bytes = region.get(..stated_length(region)?)?;
    Some(PersonaFile { bytes, digest: Sha256::digest(bytes).into(), is_verified: false })
}

/// The larger of the two places for the heap: its own, or what the persona leaves of its region.
pub(crate) fn heap_region(persona: &PersonaFile) -> Range<usize> {
    let own = memory::firmware_heap();
    let start = persona.bytes.as_ptr_range().end.addr().next_multiple_of(ALIGNMENT);
    let behind = start..memory::persona().end;
    if behind.len() > own.len() { behind } else { own }
}

/// The handover block.
///
/// # Safety
/// The reference must be gone before the next call.
pub(crate) unsafe fn handover_block() -> &'static mut [u8] {
    let block = memory::handover();
    // SAFETY: mapped memory, of which the caller promises to hold one reference at a time.
    unsafe { slice::from_raw_parts_mut(block.start as *mut u8, block.len()) }
}

/// What the bootloader left behind.
pub(crate) fn read_handover() -> Record {
    // SAFETY: the reference ends here.
    handover::load(unsafe { handover_block() })
}

/// Changes the handover block so that a reset finds it changed.
pub(crate) fn change_handover(change: impl FnOnce(&mut [u8])) {
    // SAFETY: the reference ends here, and `change` knows no other way to the block.
    change(unsafe { handover_block() });
    clean_data();
}

/// Whether all memory is to be tested: said once, whatever comes of it.
pub(crate) fn take_test() -> bool {
    let mut is_wanted = false;
    change_handover(|block| is_wanted = handover::take_test(block));
    is_wanted
}

/// The host has seen the crash report: it is not to be told again.
pub(crate) fn forget_crash() {
    let mut record = read_handover();
    if record.crash.take().is_some() {
        change_handover(|block| handover::store(block, &record));
    }
}
