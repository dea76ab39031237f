//! What is written is read, by this version and by others, and damage is noticed.

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
        is_test_wanted: true,
    }
}

#[test]
fn the_longest_record_fits_and_comes_back() {
    let mut block = [0xa5; BLOCK_SIZE];
    store(&mut block, &longest());
    assert_eq!(load(&block), longest());
    let used = COPY_SIZE - 4 - block[..COPY_SIZE - 4].iter().rev().take_while(|b| **b == 0).count();
    assert!(used <= 8 + 384, "{used}");
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

/// Bootloader and firmware may be of different releases, before and after the last two were added.
#[test]
fn records_without_a_card_or_a_test_are_read_and_read_past() {
    let record = Record { boots: 7, running: true, ..longest() };
    let mut bytes = encode(&record, 3);
    // The last of the body are the card, five bytes for the largest number, and the test.
    let end = bytes[..COPY_SIZE - 4].iter().rposition(|byte| *byte != 0).unwrap() + 1;
    let added = &mut bytes[end - 6..end];
    assert_eq!(added, [0xff, 0xff, 0xff, 0xff, 0x0f, 1]);
    added.fill(0);
    let crc = crc32(&bytes[..COPY_SIZE - 4]);
    bytes[COPY_SIZE - 4..].copy_from_slice(&crc.to_le_bytes());
    assert_eq!(decode(&bytes), Some((Record { card: 0, is_test_wanted: false, ..record }, 3)));
}

#[test]
fn a_test_is_wanted_once_and_a_restart_is_then_none_of_chance() {
    let mut block = [0; BLOCK_SIZE];
    let running = Record { running: true, boots: 3, ..Record::default() };
    store(&mut block, &running);
    assert!(!take_test(&mut block));
    note_test(&mut block);
    let noted = load(&block);
    assert!(noted.is_test_wanted && !noted.running && noted.boots == 3);
    assert!(take_test(&mut block) && !take_test(&mut block));
    assert_eq!(load(&block), Record { running: false, ..running });
}
