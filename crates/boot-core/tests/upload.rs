//! The real loader and the real uploader over two real sessions: whole, cut and changed uploads.

#![allow(clippy::unwrap_used, reason = "a test helper may fail the test")]

mod support;

use boot_core::Memory;
use boot_core::handover::load;
use link::message::{CHUNK_SIZE, DeviceMessage, HostMessage, Lane, Refusal, Slot, SlotState};
use link::upload::{MAX_ATTEMPTS, Phase, UploadError, Uploader};
use support::rig::Rig;
use support::{FIRMWARE_ADDRESS, PERSONA_ADDRESS, Ram, describe, noise};

const CAPACITY: usize = 64 * CHUNK_SIZE;

/// Chunks that can be on their way: a lane holds two at either end.
const WINDOW: u32 = 4;

fn ram() -> Ram {
    Ram::new(2 * CHUNK_SIZE, CAPACITY)
}

fn assert_arrived(rig: &Rig, bytes: &[u8]) {
    let image = describe(PERSONA_ADDRESS, bytes);
    assert_eq!(rig.loader.receiver().verified(Slot::Persona), Some(image));
    assert!(rig.loader.receiver().memory().slot(Slot::Persona).starts_with(bytes));
    rig.loader.receiver().memory().assert_fences();
}

fn finish(rig: &mut Rig) {
    rig.run_until(60, |rig| matches!(rig.phase(), Phase::Done | Phase::Failed(_)));
    assert_eq!(rig.phase(), Phase::Done);
}

#[test]
fn uploads_of_all_sizes_arrive() {
    for size in [1, 2, CHUNK_SIZE - 1, CHUNK_SIZE, CHUNK_SIZE + 1, 17 * CHUNK_SIZE + 5, CAPACITY] {
        let bytes = noise(size as u64, size);
        let mut rig = Rig::uploading(ram(), &bytes);
        finish(&mut rig);
        assert_arrived(&rig, &bytes);
        assert_eq!(rig.chunks_sent() as usize, size.div_ceil(CHUNK_SIZE));
        assert!(rig.was_told(|message| matches!(
            message,
            DeviceMessage::Slots { persona: SlotState::Verified(image), .. }
                if *image == describe(PERSONA_ADDRESS, &bytes)
        )));
    }
}

#[test]
fn a_second_load_sends_no_chunk() {
    let bytes = noise(1, 33 * CHUNK_SIZE + 9);
    let mut rig = Rig::uploading(ram(), &bytes);
    finish(&mut rig);
    // In the same session.
    rig.bring(&bytes);
    finish(&mut rig);
    assert_eq!(rig.chunks_sent(), 0);
    assert_eq!(rig.uploader.as_ref().unwrap().progress().chunks_skipped, 34);
    // From another run of the host program.
    rig.restart_host(&bytes);
    finish(&mut rig);
    assert_eq!(rig.chunks_sent(), 0);
    // After a reset of the board.
    rig = rig.restart_board(|| false);
    rig.restart_host(&bytes);
    finish(&mut rig);
    assert_eq!(rig.chunks_sent(), 0);
    assert_arrived(&rig, &bytes);
}

#[test]
fn a_changed_image_sends_its_changed_chunks() {
    let old = noise(1, 40 * CHUNK_SIZE + 9);
    let mut rig = Rig::uploading(ram(), &old);
    finish(&mut rig);
    let mut new = old.clone();
    for chunk in [0, 7, 8, 40] {
        new[chunk * CHUNK_SIZE] ^= 1;
    }
    rig.bring(&new);
    finish(&mut rig);
    assert_arrived(&rig, &new);
    assert_eq!(rig.chunks_sent(), 4);
    let progress = rig.uploader.as_ref().unwrap().progress();
    assert_eq!(progress.chunks_skipped, 37);
    // Shorter: all of it is there, and it is a new image all the same.
    new.truncate(20 * CHUNK_SIZE + 1);
    rig.bring(&new);
    finish(&mut rig);
    assert_arrived(&rig, &new);
    assert_eq!(rig.chunks_sent(), 0);
    // Longer: what the shorter one left in memory counts.
    new.extend(noise(5, 25 * CHUNK_SIZE));
    new[19 * CHUNK_SIZE] ^= 1;
    rig.bring(&new);
    finish(&mut rig);
    assert_arrived(&rig, &new);
    assert_eq!(rig.chunks_sent(), 27);
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Cut {
    /// The host program is killed and started again.
    Host,
    /// The cable is pulled for longer than a session lives.
    Cable,
    /// The board is reset, and its cache loses what was not written back.
    Board,
}

/// An upload cut when `stored` chunks are in memory and `offset` more bytes came.
fn cut_upload(bytes: &[u8], cut: Cut, stored: u32, offset: u64) -> u32 {
    let mut rig = Rig::uploading(ram(), bytes);
    let done = stored * CHUNK_SIZE as u32;
    rig.run_until(60, |rig| {
        let progress = rig.uploader.as_ref().unwrap().progress();
        progress.phase == Phase::Sending && progress.done >= done
    });
    let delivered = rig.delivered;
    rig.run_until(60, |rig| rig.delivered >= delivered + offset || rig.phase() != Phase::Sending);
    let before = rig.chunks_sent();
    match cut {
        Cut::Host => rig.restart_host(bytes),
        Cut::Cable => {
            rig.is_plugged = false;
            rig.run_for(3_000_000);
            rig.is_plugged = true;
        }
        Cut::Board => {
            let mut bit = offset;
            rig = rig.restart_board(|| {
                bit = bit.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                bit >> 63 == 1
            });
        }
    }
    finish(&mut rig);
    assert_arrived(&rig, bytes);
    match cut {
        Cut::Host => before + rig.chunks_sent(),
        Cut::Cable | Cut::Board => rig.chunks_sent(),
    }
}

#[test]
fn an_upload_cut_anywhere_resumes() {
    const CHUNKS: u32 = 12;
    let bytes = noise(3, CHUNKS as usize * CHUNK_SIZE - 100);
    let mut cuts = 0;
    let mut most = 0;
    for cut in [Cut::Host, Cut::Cable, Cut::Board] {
        for stored in 0..CHUNKS {
            for sixteenth in 0..=16 {
                let offset = sixteenth * CHUNK_SIZE as u64 / 17;
                let sent = cut_upload(&bytes, cut, stored, offset);
                let again = sent - CHUNKS;
                assert!(
                    cut == Cut::Board || again <= WINDOW + 1,
                    "{cut:?} after {stored} chunks and {offset} bytes: {again} sent again"
                );
                if cut != Cut::Board {
                    most = most.max(again);
                }
                cuts += 1;
            }
        }
    }
    println!("wisp: upload_cuts_resumed {cuts} cuts");
    println!("wisp: upload_chunks_sent_again_most {most} chunks");
}

#[test]
fn an_image_that_changes_under_the_upload_is_compared_again() {
    let bytes = noise(4, 20 * CHUNK_SIZE);
    let mut rig = Rig::uploading(ram(), &bytes);
    rig.run_until(60, |rig| rig.uploader.as_ref().unwrap().progress().chunks_sent > 10);
    // Something else writes to a chunk that is there already.
    let uploader = rig.uploader.take();
    let (slot, index, data) = (Slot::Persona, 5, &[0; CHUNK_SIZE]);
    rig.run_until(60, |rig| rig.host.send_space(Lane::Bulk) > CHUNK_SIZE + 16);
    rig.say(&HostMessage::Chunk { slot, index, data });
    rig.uploader = uploader;
    finish(&mut rig);
    assert_arrived(&rig, &bytes);
    assert!((21..=23).contains(&rig.chunks_sent()), "{}", rig.chunks_sent());
    assert!(rig.was_told(|message| matches!(
        message,
        DeviceMessage::Refused { refusal: Refusal::DigestMismatch, detail: 1 }
    )));
}

#[test]
fn memory_that_does_not_take_the_image_ends_the_upload() {
    let mut ram = ram();
    ram.kill_persona_slot();
    let bytes = noise(4, 3 * CHUNK_SIZE);
    let mut rig = Rig::uploading(ram, &bytes);
    rig.run_until(60, |rig| matches!(rig.phase(), Phase::Done | Phase::Failed(_)));
    let mismatch = UploadError::Refused(Refusal::DigestMismatch);
    assert_eq!(rig.phase(), Phase::Failed(mismatch));
    assert_eq!(rig.chunks_sent(), 3 * MAX_ATTEMPTS);
    assert_eq!(rig.loader.receiver().verified(Slot::Persona), None);
}

#[test]
fn an_image_for_another_place_is_refused() {
    let mut rig = Rig::new(ram());
    let wrong = [
        (Slot::Persona, PERSONA_ADDRESS + 64, 100, Refusal::WrongAddress),
        (Slot::Persona, u32::MAX, 100, Refusal::WrongAddress),
        (Slot::Firmware, PERSONA_ADDRESS, 100, Refusal::WrongAddress),
        (Slot::Persona, PERSONA_ADDRESS, CAPACITY + 1, Refusal::WrongSize),
        (Slot::Firmware, FIRMWARE_ADDRESS, 2 * CHUNK_SIZE + 1, Refusal::WrongSize),
    ];
    for (slot, address, size, refusal) in wrong {
        rig.uploader = Some(Uploader::new(slot, address, noise(1, size)).unwrap());
        rig.run_until(10, |rig| matches!(rig.phase(), Phase::Failed(_)));
        assert_eq!(rig.phase(), Phase::Failed(UploadError::Refused(refusal)));
        assert_eq!(rig.chunks_sent(), 0);
    }
}

#[test]
fn the_old_image_stays_verified_until_the_first_chunk_of_the_new() {
    let old = noise(1, 8 * CHUNK_SIZE);
    let mut rig = Rig::uploading(ram(), &old);
    finish(&mut rig);
    let new = noise(2, 8 * CHUNK_SIZE);
    rig.bring(&new);
    rig.run_until(60, |rig| rig.phase() == Phase::Sending);
    assert_arrived(&rig, &old);
    rig.run_until(60, |rig| rig.loader.receiver().verified(Slot::Persona).is_none());
    let record = load(rig.loader.receiver().memory().handover());
    assert_eq!(record.slots.persona, SlotState::Incomplete(describe(PERSONA_ADDRESS, &new)));
    finish(&mut rig);
    assert_arrived(&rig, &new);
}
