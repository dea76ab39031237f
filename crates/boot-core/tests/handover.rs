//! A reset at any moment of writing the handover record leaves the old record or the new one.

use boot_core::handover::{BLOCK_SIZE, COPY_SIZE, Record, load, prepare, store};
use link::crash::StoredCrash;
use link::message::{CrashKind, CrashReport, ImageInfo, Role, SlotState};
use proptest::prelude::*;

fn record(seed: u32) -> Record {
    let image =
        ImageInfo { address: seed, size: seed.rotate_left(7) | 1, digest: [seed as u8; 32] };
    let mut record = Record { boots: seed, ..Record::default() };
    record.slots.firmware = match seed % 3 {
        0 => SlotState::Empty,
        1 => SlotState::Incomplete(image),
        _ => SlotState::Verified(image),
    };
    if seed.is_multiple_of(2) {
        record.crash = Some(StoredCrash::new(&CrashReport {
            role: Role::Firmware,
            kind: CrashKind::DataAbort,
            program_counter: seed,
            link_register: !seed,
            fault_status: 5,
            fault_address: seed << 3,
            message: "é".repeat(seed as usize % 200).as_str(),
        }));
    }
    record
}

#[test]
fn a_reset_after_any_byte_leaves_the_old_record_or_the_new() {
    let mut block = [0x5a; BLOCK_SIZE];
    let mut old = Record::default();
    let mut cuts = 0;
    for seed in 1..40 {
        let new = record(seed);
        let (offset, bytes) = prepare(&block, &new);
        for cut in 0..=COPY_SIZE {
            let mut torn = block;
            torn[offset..offset + cut].copy_from_slice(&bytes[..cut]);
            let found = load(&torn);
            let is_complete = torn[offset..offset + COPY_SIZE] == bytes;
            assert_eq!(found, if is_complete { new.clone() } else { old.clone() }, "{seed} {cut}");
            cuts += 1;
        }
        store(&mut block, &new);
        old = new;
    }
    println!("wisp: bootloader_handover_cuts {cuts} cuts");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    /// A cache writes its lines back in any order.
    #[test]
    fn lines_written_in_any_order_leave_the_old_record_or_the_new(
        seeds in prop::collection::vec(any::<u32>(), 1..6),
        lines in prop::collection::vec(any::<bool>(), COPY_SIZE / 32),
    ) {
        let mut block = [0; BLOCK_SIZE];
        let mut old = Record::default();
        for seed in seeds {
            let new = record(seed);
            let (offset, bytes) = prepare(&block, &new);
            let mut torn = block;
            for (line, _) in lines.iter().enumerate().filter(|(_, written)| **written) {
                let from = line * 32;
                torn[offset + from..offset + from + 32].copy_from_slice(&bytes[from..from + 32]);
            }
            let found = load(&torn);
            prop_assert!(found == old || found == new);
            store(&mut block, &new);
            prop_assert_eq!(load(&block), new.clone());
            old = new;
        }
    }

    #[test]
    fn any_bytes_are_a_record_or_none(block in prop::collection::vec(any::<u8>(), 0..BLOCK_SIZE + 8)) {
        let mut block = block;
        prop_assert_eq!(load(&block), Record::default());
        store(&mut block, &record(7));
        if block.len() >= BLOCK_SIZE {
            prop_assert_eq!(load(&block), record(7));
        }
    }

    /// Damage that a CRC cannot see: a body that was never a record.
    #[test]
    fn a_body_with_a_right_checksum_is_still_checked(body in prop::collection::vec(any::<u8>(), COPY_SIZE - 12)) {
        let mut block = vec![0; BLOCK_SIZE];
        store(&mut block, &Record::default());
        block[8..COPY_SIZE - 4].copy_from_slice(&body);
        let crc = crc::Crc::<u32>::new(&crc::CRC_32_ISO_HDLC).checksum(&block[..COPY_SIZE - 4]);
        block[COPY_SIZE - 4..COPY_SIZE].copy_from_slice(&crc.to_le_bytes());
        let found = load(&block);
        store(&mut block, &found);
        prop_assert_eq!(load(&block), found);
    }
}
