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
//! [`note_healthy`] once it runs well and [`note_restart`] before it restarts on purpose.

use link::crash::StoredCrash;
use link::message::{CrashReport, SlotState};
use serde::{Deserialize, Serialize};

use crate::checksum::crc32;
use crate::memory::PerSlot;

/// Bytes of one copy.
pub const COPY_SIZE: usize = 512;

/// Bytes of the block: both copies.
pub const BLOCK_SIZE: usize = 2 * COPY_SIZE;

/// `WHR` and the version of the layout. A change of [`Wire`] raises the last byte, unless it only
/// adds what may be 0: the padding is zeros, so an older record reads as such, and an older program
/// reads past it. (A new firmware may be started by the bootloader of an old card.)
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
    };
    if let Some((checked, crc)) = bytes.split_last_chunk_mut::<4>()
        && let Some((magic, rest)) = checked.split_first_chunk_mut::<4>()
        && let Some((counter, body)) = rest.split_first_chunk_mut::<4>()
        // Cannot fail: the longest body is 383 bytes (a test pins it).
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
    };
    Some((record, u32::from_le_bytes(*sequence)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use link::crash::MAX_CRASH_MESSAGE;
    use link::message::{CrashKind, ImageInfo, Role};

    fn longest() -> Record {
        let image = ImageInfo { address: u32::MAX, size: u32::MAX, digest: [0xff; 32] };
        Record {
            slots: PerSlot {
                firmware: SlotState::Verified(image),
                persona: SlotState::Verified(image),
            },
            boots: u32::MAX,
            running: true,
            crashes_in_a_row: u32::MAX,
            crash: Some(StoredCrash::new(&CrashReport {
                role: Role::Firmware,
                kind: CrashKind::Watchdog,
                program_counter: u32::MAX,
                link_register: u32::MAX,
                fault_status: u32::MAX,
                fault_address: u32::MAX,
                message: core::str::from_utf8(&[b'x'; 1000]).unwrap(),
            })),
            card: u32::MAX,
        }
    }

    #[test]
    fn the_longest_record_fits_and_comes_back() {
        let mut block = [0xa5; BLOCK_SIZE];
        store(&mut block, &longest());
        assert_eq!(load(&block), longest());
        let used =
            COPY_SIZE - 4 - block[..COPY_SIZE - 4].iter().rev().take_while(|b| **b == 0).count();
        assert!(used <= 8 + 383, "{used}");
    }

    #[test]
    fn no_memory_is_no_record() {
        assert_eq!(load(&[]), Record::default());
        assert_eq!(load(&[0; BLOCK_SIZE]), Record::default());
        assert_eq!(load(&[0xff; BLOCK_SIZE]), Record::default());
        store(&mut [0; BLOCK_SIZE - 1], &longest());
        store(&mut [], &longest());
    }

    #[test]
    fn the_newer_copy_counts_across_the_wrap() {
        for start in [0, u32::MAX - 2, (1 << 31) - 2] {
            let mut block = [0; BLOCK_SIZE];
            block[..COPY_SIZE].copy_from_slice(&encode(&Record::default(), start));
            for boots in 1..6 {
                store(&mut block, &Record { boots, ..Record::default() });
                assert_eq!(load(&block).boots, boots);
            }
        }
    }

    #[test]
    fn a_crash_message_is_cut_between_characters() {
        let text = [b'a'; MAX_CRASH_MESSAGE - 1];
        let mut bytes = [0; MAX_CRASH_MESSAGE + 1];
        bytes[..text.len()].copy_from_slice(&text);
        bytes[text.len()..].copy_from_slice("é".as_bytes());
        let report = CrashReport {
            role: Role::Firmware,
            kind: CrashKind::Panic,
            program_counter: 1,
            link_register: 2,
            fault_status: 3,
            fault_address: 4,
            message: core::str::from_utf8(&bytes).unwrap(),
        };
        let mut block = [0; BLOCK_SIZE];
        note_crash(&mut block, &report);
        let record = load(&block);
        let kept = record.crash.as_ref().unwrap().report();
        assert_eq!(kept.message.as_bytes(), &text);
        assert_eq!(CrashReport { message: report.message, ..kept }, report);
    }

    #[test]
    fn crashes_count_until_the_firmware_is_well() {
        let mut block = [0; BLOCK_SIZE];
        let crash = longest().crash.unwrap();
        note_crash(&mut block, &crash.report());
        note_crash(&mut block, &crash.report());
        assert_eq!(load(&block).crashes_in_a_row, 2);
        note_healthy(&mut block);
        assert_eq!(load(&block).crashes_in_a_row, 0);
        assert_eq!(load(&block).crash, Some(crash));
    }

    #[test]
    fn every_single_bit_of_damage_is_noticed() {
        let mut block = [0; BLOCK_SIZE];
        store(&mut block, &longest());
        for bit in 0..COPY_SIZE * 8 {
            let mut damaged = block;
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(load(&damaged), Record::default(), "bit {bit}");
        }
    }
}
