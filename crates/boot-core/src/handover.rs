//! The record that survives a reset: which images were verified, and how the last program ended.
//!
//! It lies in a block of memory that no program's image or `.bss` covers. Two copies take turns:
//! a new record is written over the older copy, so a reset in the middle of writing leaves the
//! newer one whole. A copy counts only when its magic number and CRC-32 are right, which also
//! makes the order in which a cache writes its lines back irrelevant. When neither counts (power
//! was lost, or the layout changed) the record is empty.
//!
//! ```text
//! copy, 512 bytes:  magic and version (4) | sequence (4) | postcard body, zero-padded | CRC-32 (4)
//! ```
//!
//! The firmware uses the same functions: [`note_crash`] from its fault handlers,
//! [`note_healthy`] once it runs well, [`note_restart`] before it restarts on purpose, and
//! [`note_test`] and [`take_test`] around a restart that is to test all memory.

use link::crash::StoredCrash;
use link::message::{CrashReport, SlotState};
use serde::{Deserialize, Serialize};

use crate::checksum::crc32;
use crate::memory::PerSlot;

/// Bytes of one copy.
pub const COPY_SIZE: usize = 512;

/// Bytes of the block: both copies.
pub const BLOCK_SIZE: usize = 2 * COPY_SIZE;

/// `WHR` and the version of the layout. A change of [`Wire`] raises the last byte; what is added at
/// its end and may be 0 does not, because the padding is zeros: a card's old bootloader and a newer
/// firmware understand each other.
const MAGIC: [u8; 4] = *b"WHR\x01";

/// What one program of the board tells the next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// What is in the slots, as far as the last program knew.
    pub slots: PerSlot<SlotState>,
    /// Starts of the bootloader since power came on.
    pub boots: u32,
    /// The firmware was started and has not announced a restart: if the bootloader finds this
    /// set, the firmware ended in a way it did not choose.
    pub running: bool,
    /// Crashes since the firmware last ran well.
    pub crashes_in_a_row: u32,
    /// The last crash, until the host has seen it.
    pub crash: Option<StoredCrash>,
    /// Which card the board was started from, see [`crate::card::Found::mark`]; 0 when from none.
    pub card: u32,
    /// The next firmware is to test all memory.
    pub is_test_wanted: bool,
}

impl Default for Record {
    fn default() -> Self {
        Self {
            slots: PerSlot { firmware: SlotState::Empty, persona: SlotState::Empty },
            boots: 0,
            running: false,
            crashes_in_a_row: 0,
            crash: None,
            card: 0,
            is_test_wanted: false,
        }
    }
}

/// The body of a copy.
#[derive(Serialize, Deserialize)]
struct Wire<'a> {
    firmware: SlotState,
    persona: SlotState,
    boots: u32,
    running: bool,
    crashes_in_a_row: u32,
    #[serde(borrow)]
    crash: Option<CrashReport<'a>>,
    card: u32,
    is_test_wanted: bool,
}

/// Reads the newest whole record; an empty one when there is none.
pub fn load(block: &[u8]) -> Record {
    newest(block).map_or_else(Record::default, |found| found.record)
}

/// Writes a record over the older copy. A block too small for two copies is left alone: its
/// record then reads as empty, which only costs a new upload.
pub fn store(block: &mut [u8], record: &Record) {
    let (offset, bytes) = prepare(block, record);
    let target = offset.checked_add(COPY_SIZE).and_then(|end| block.get_mut(offset..end));
    if let Some(target) = target {
        for (to, from) in target.iter_mut().zip(bytes) {
            *to = from;
        }
    }
}

/// Notes that a program crashed. For fault handlers: no allocation, no panic.
pub fn note_crash(block: &mut [u8], report: &CrashReport<'_>) {
    let mut record = load(block);
    record.running = false;
    record.crashes_in_a_row = record.crashes_in_a_row.saturating_add(1);
    record.crash = Some(StoredCrash::new(report));
    store(block, &record);
}

/// Notes that the firmware runs well, so that crashes before now no longer count as a row.
/// Writes only when that is news.
pub fn note_healthy(block: &mut [u8]) {
    let mut record = load(block);
    if record.crashes_in_a_row != 0 {
        record.crashes_in_a_row = 0;
        store(block, &record);
    }
}

/// Notes that the firmware is about to restart the board on purpose. Without it the bootloader
/// reports a [`link::message::CrashKind::Watchdog`].
pub fn note_restart(block: &mut [u8]) {
    let mut record = load(block);
    record.running = false;
    store(block, &record);
}

/// Notes that the firmware is about to restart the board so that the next one tests all memory.
pub fn note_test(block: &mut [u8]) {
    let mut record = load(block);
    record.running = false;
    record.is_test_wanted = true;
    store(block, &record);
}

/// Whether a test is wanted; it is then no longer, so that a test that crashes is not begun again.
pub fn take_test(block: &mut [u8]) -> bool {
    let mut record = load(block);
    let is_wanted = core::mem::take(&mut record.is_test_wanted);
    if is_wanted {
        store(block, &record);
    }
    is_wanted
}

/// The bytes [`store`] writes, and where: apart, so that a test can cut the writing anywhere.
pub fn prepare(block: &[u8], record: &Record) -> (usize, [u8; COPY_SIZE]) {
    let (offset, sequence) = match newest(block) {
        Some(found) if found.is_second => (0, found.sequence.wrapping_add(1)),
        Some(found) => (COPY_SIZE, found.sequence.wrapping_add(1)),
        None => (0, 0),
    };
    (offset, encode(record, sequence))
}

struct Found {
    record: Record,
    sequence: u32,
    is_second: bool,
}

/// The valid copy with the higher sequence number.
fn newest(block: &[u8]) -> Option<Found> {
    let (first, rest) = block.split_first_chunk::<COPY_SIZE>()?;
    let (second, _) = rest.split_first_chunk::<COPY_SIZE>()?;
    let first =
        decode(first).map(|(record, sequence)| Found { record, sequence, is_second: false });
    let second =
        decode(second).map(|(record, sequence)| Found { record, sequence, is_second: true });
    match (first, second) {
        (Some(first), Some(second)) => {
            // Serial number arithmetic: right across the wrap of the counter.
            let ahead = second.sequence.wrapping_sub(first.sequence);
            Some(if ahead < 1 << 31 { second } else { first })
        }
        (first, second) => first.or(second),
    }
}

fn encode(record: &Record, sequence: u32) -> [u8; COPY_SIZE] {
    let mut bytes = [0; COPY_SIZE];
    let wire = Wire {
        firmware: record.slots.firmware,
        persona: record.slots.persona,
        boots: record.boots,
        running: record.running,
        crashes_in_a_row: record.crashes_in_a_row,
        crash: record.crash.as_ref().map(StoredCrash::report),
        card: record.card,
        is_test_wanted: record.is_test_wanted,
    };
    if let Some((checked, crc)) = bytes.split_last_chunk_mut::<4>()
        && let Some((magic, rest)) = checked.split_first_chunk_mut::<4>()
        && let Some((counter, body)) = rest.split_first_chunk_mut::<4>()
        // Cannot fail: the longest body is 384 bytes (a test pins it).
        && postcard::to_slice(&wire, body).is_ok()
    {
        *magic = MAGIC;
        *counter = sequence.to_le_bytes();
        *crc = crc32(checked).to_le_bytes();
    }
    bytes
}

fn decode(bytes: &[u8; COPY_SIZE]) -> Option<(Record, u32)> {
    let (checked, crc) = bytes.split_last_chunk::<4>()?;
    let (magic, rest) = checked.split_first_chunk::<4>()?;
    let (sequence, body) = rest.split_first_chunk::<4>()?;
    if *magic != MAGIC || crc32(checked) != u32::from_le_bytes(*crc) {
        return None;
    }
    let (wire, _padding) = postcard::take_from_bytes::<Wire<'_>>(body).ok()?;
    let record = Record {
        slots: PerSlot { firmware: wire.firmware, persona: wire.persona },
        boots: wire.boots,
        running: wire.running,
        crashes_in_a_row: wire.crashes_in_a_row,
        crash: wire.crash.as_ref().map(StoredCrash::new),
        card: wire.card,
        is_test_wanted: wire.is_test_wanted,
    };
    Some((record, u32::from_le_bytes(*sequence)))
}

#[cfg(test)]
mod tests;
