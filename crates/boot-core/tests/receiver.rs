//! Whatever a host asks, in any order, with resets in between: nothing outside the slots is
//! written, and nothing wrong is called verified.
#![allow(clippy::expect_used, reason = "a test helper may fail the test")]

mod support;

use std::sync::atomic::{AtomicU32, Ordering};

use boot_core::{Memory, Receiver};
use link::message::{CHUNK_SIZE, DeviceMessage, ImageInfo, MAX_DIGESTS, Refusal, Slot};
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use support::{FIRMWARE_ADDRESS, PERSONA_ADDRESS, Ram, describe, digest, noise};

/// The persona slot of these tests, in bytes; the firmware's is smaller.
const CAPACITY: usize = 5 * CHUNK_SIZE;

/// Images of interesting sizes; the first three share most of their chunks.
fn images() -> Vec<Vec<u8>> {
    let first = noise(1, 4 * CHUNK_SIZE + 100);
    let mut second = first.clone();
    second[CHUNK_SIZE + 7] ^= 1;
    let third = first[..2 * CHUNK_SIZE].to_vec();
    vec![
        first,
        second,
        third,
        noise(2, 1),
        noise(3, CHUNK_SIZE),
        noise(4, CAPACITY),
        noise(5, CAPACITY + 1),
    ]
}

#[derive(Clone, Debug)]
enum Step {
    Offer { slot: Slot, image: usize, address: u32, is_true: bool },
    Digests { slot: Slot, first: u32, of: usize, count: usize, cut: usize },
    Chunk { slot: Slot, of: usize, index: u32, change: Option<usize>, cut: usize },
    Whole { slot: Slot, of: usize },
    Verify { slot: Slot },
    Work { times: usize },
    Forget,
    Reset { keeps: u64 },
}

fn slot() -> impl Strategy<Value = Slot> {
    prop_oneof![Just(Slot::Firmware), Just(Slot::Persona)]
}

fn step() -> impl Strategy<Value = Step> {
    let address = prop_oneof![
        8 => Just(None),
        1 => any::<u32>().prop_map(Some),
    ];
    prop_oneof![
        4 => (slot(), 0..7_usize, address, prop::bool::weighted(0.9)).prop_map(|(slot, image, address, is_true)| {
            let right = match slot {
                Slot::Firmware => FIRMWARE_ADDRESS,
                Slot::Persona => PERSONA_ADDRESS,
            };
            Step::Offer { slot, image, address: address.unwrap_or(right), is_true }
        }),
        2 => (slot(), 0..8_u32, 0..7_usize, 0..MAX_DIGESTS + 2, 0..20_usize)
            .prop_map(|(slot, first, of, count, cut)| Step::Digests { slot, first, of, count, cut }),
        4 => (slot(), 0..7_usize, 0..8_u32, prop::option::weighted(0.2, any::<usize>()), 0..3_usize)
            .prop_map(|(slot, of, index, change, cut)| Step::Chunk { slot, of, index, change, cut }),
        3 => (slot(), 0..7_usize).prop_map(|(slot, of)| Step::Whole { slot, of }),
        3 => slot().prop_map(|slot| Step::Verify { slot }),
        4 => (1..4_usize).prop_map(|times| Step::Work { times }),
        1 => Just(Step::Forget),
        1 => any::<u64>().prop_map(|keeps| Step::Reset { keeps }),
    ]
}

/// A board under test.
struct Board {
    receiver: Receiver<Ram>,
    images: Vec<Vec<u8>>,
    verified: u32,
}

impl Board {
    fn new() -> Self {
        let ram = Ram::new(2 * CHUNK_SIZE, CAPACITY);
        let regions = ram.regions();
        Self { receiver: Receiver::new(ram, regions), images: images(), verified: 0 }
    }

    fn take(mut self, step: &Step) -> Self {
        let Self { receiver, images, verified } = &mut self;
        match *step {
            Step::Offer { slot, image, address, is_true } => {
                let mut info = describe(address, &images[image]);
                if !is_true {
                    info.digest = digest(b"something else");
                }
                let before = receiver.memory().slot(slot).to_vec();
                let _ = receiver.offer(slot, info);
                assert!(before == receiver.memory().slot(slot), "an offer changed the slot");
            }
            Step::Digests { slot, first, of, count, cut } => {
                let mut list: Vec<u8> = images[of]
                    .chunks(CHUNK_SIZE)
                    .cycle()
                    .skip(first as usize)
                    .take(count)
                    .flat_map(|chunk| digest(chunk)[..8].to_vec())
                    .collect();
                list.truncate(list.len().saturating_sub(cut.saturating_sub(16)));
                let _ = receiver.digests(slot, first, &list);
            }
            Step::Chunk { slot, of, index, change, cut } => {
                let mut data =
                    images[of].chunks(CHUNK_SIZE).nth(index as usize).unwrap_or(&[]).to_vec();
                if let Some(place) = change.filter(|_| !data.is_empty()) {
                    let place = place % data.len();
                    data[place] ^= 0x80;
                }
                data.truncate(data.len().saturating_sub(cut.saturating_sub(1)));
                let _ = receiver.chunk(slot, index, &data);
            }
            Step::Whole { slot, of } => {
                let address = match slot {
                    Slot::Firmware => FIRMWARE_ADDRESS,
                    Slot::Persona => PERSONA_ADDRESS,
                };
                let _ = receiver.offer(slot, describe(address, &images[of]));
                for (index, chunk) in images[of].chunks(CHUNK_SIZE).enumerate() {
                    let _ = receiver.chunk(slot, index as u32, chunk);
                }
                let _ = receiver.verify(slot);
            }
            Step::Verify { slot } => {
                let _ = receiver.verify(slot);
            }
            Step::Work { times } => {
                for _ in 0..times {
                    if let Some(DeviceMessage::Verified { .. }) = receiver.work() {
                        *verified += 1;
                    }
                }
            }
            Step::Forget => receiver.forget_conversation(),
            Step::Reset { keeps } => {
                let mut ram = self.receiver.into_memory();
                let mut bits = keeps;
                ram.reset(|| {
                    bits = bits.rotate_left(1);
                    bits & 1 == 1
                });
                ram.assert_sound();
                let regions = ram.regions();
                self.receiver = Receiver::new(ram, regions);
            }
        }
        self
    }

    fn assert_sound(&self) {
        let ram = self.receiver.memory();
        ram.assert_sound();
        for slot in [Slot::Firmware, Slot::Persona] {
            if let Some(image) = self.receiver.verified(slot) {
                assert!(ram.holds(slot, &image), "{slot:?} is called verified and is not");
            }
        }
    }
}

#[test]
fn nothing_wrong_is_ever_verified() {
    let config = ProptestConfig { cases: 400, failure_persistence: None, ..Default::default() };
    let verified = AtomicU32::new(0);
    TestRunner::new(config)
        .run(&prop::collection::vec(step(), 1..60), |steps| {
            let mut board = Board::new();
            for step in &steps {
                board = board.take(step);
                board.assert_sound();
            }
            board.receiver.memory().assert_fences();
            verified.fetch_add(board.verified, Ordering::Relaxed);
            Ok(())
        })
        .unwrap();
    // A test in which nothing is ever verified would prove nothing.
    assert!(verified.into_inner() > 100);
}

fn receiver() -> Receiver<Ram> {
    let ram = Ram::new(2 * CHUNK_SIZE, 100 * CHUNK_SIZE);
    let regions = ram.regions();
    Receiver::new(ram, regions)
}

/// Works until there is something to tell; fails when there never is.
fn finding(receiver: &mut Receiver<Ram>) -> DeviceMessage<'static> {
    (0..100).find_map(|_| receiver.work()).expect("no finding")
}

fn digests_of(bytes: &[u8]) -> Vec<u8> {
    bytes.chunks(CHUNK_SIZE).flat_map(|chunk| digest(chunk)[..8].to_vec()).collect()
}

fn upload(receiver: &mut Receiver<Ram>, bytes: &[u8]) -> ImageInfo {
    let image = describe(PERSONA_ADDRESS, bytes);
    assert_eq!(receiver.offer(Slot::Persona, image), Ok(false));
    for (index, chunk) in bytes.chunks(CHUNK_SIZE).enumerate() {
        assert_eq!(receiver.chunk(Slot::Persona, index as u32, chunk), Ok(index as u32 + 1));
    }
    assert_eq!(receiver.verify(Slot::Persona), Ok(false));
    assert_eq!(finding(receiver), DeviceMessage::Verified { slot: Slot::Persona });
    image
}

#[test]
fn an_upload_is_verified_and_survives_a_reset() {
    let mut receiver = receiver();
    let bytes = noise(9, 99 * CHUNK_SIZE + 1);
    let image = upload(&mut receiver, &bytes);
    assert_eq!(receiver.verified(Slot::Persona), Some(image));
    assert_eq!(receiver.offer(Slot::Persona, image), Ok(true));
    assert_eq!(receiver.verify(Slot::Persona), Ok(true));

    let mut ram = receiver.into_memory();
    ram.reset(|| false);
    let regions = ram.regions();
    let mut receiver = Receiver::new(ram, regions);
    assert_eq!(receiver.verified(Slot::Persona), None, "trusted without a look");
    while receiver.work_kind().is_some() {
        assert_eq!(receiver.work(), None);
    }
    assert_eq!(receiver.verified(Slot::Persona), Some(image));
    assert_eq!(receiver.record().boots, 2);
}

#[test]
fn an_image_damaged_before_the_reset_is_not_trusted() {
    let mut receiver = receiver();
    let bytes = noise(9, 3 * CHUNK_SIZE);
    let image = upload(&mut receiver, &bytes);
    let mut ram = receiver.into_memory();
    ram.spoil_persona(CHUNK_SIZE);
    let regions = ram.regions();
    let mut receiver = Receiver::new(ram, regions);
    while receiver.work_kind().is_some() {
        receiver.work();
    }
    assert_eq!(receiver.verified(Slot::Persona), None);
    // Two of its three chunks are still good.
    receiver.offer(Slot::Persona, image).unwrap();
    receiver.digests(Slot::Persona, 0, &digests_of(&bytes)).unwrap();
    let have = DeviceMessage::Have { slot: Slot::Persona, first: 0, bitmap: 0b101 };
    assert_eq!(finding(&mut receiver), have);
}

#[test]
fn a_list_of_digests_is_answered_bit_for_bit() {
    let mut receiver = receiver();
    let bytes = noise(9, 99 * CHUNK_SIZE + 1);
    upload(&mut receiver, &bytes);
    let mut list = digests_of(&bytes);
    let right = list[36 * 8..].to_vec();
    receiver.digests(Slot::Persona, 36, &right).unwrap();
    let have = |bitmap| DeviceMessage::Have { slot: Slot::Persona, first: 36, bitmap };
    assert_eq!(finding(&mut receiver), have(u64::MAX));
    for wrong in 0..64 {
        list.clone_from(&right);
        list[wrong * 8 + wrong % 8] ^= 1;
        receiver.digests(Slot::Persona, 36, &list).unwrap();
        assert_eq!(finding(&mut receiver), have(!(1 << wrong)));
    }
}

#[test]
fn every_refusal_has_its_cause() {
    let mut receiver = receiver();
    let persona = Slot::Persona;
    let right = describe(PERSONA_ADDRESS, &noise(1, CHUNK_SIZE + 1));
    let offer = |address, size| ImageInfo { address, size, ..right };
    assert_eq!(receiver.chunk(persona, 0, &[0; CHUNK_SIZE]), Err(Refusal::NotOffered));
    assert_eq!(receiver.digests(persona, 0, &[0; 8]), Err(Refusal::NotOffered));
    assert_eq!(receiver.verify(persona), Err(Refusal::NotOffered));
    assert_eq!(receiver.offer(persona, offer(PERSONA_ADDRESS, 0)), Err(Refusal::WrongSize));
    assert_eq!(receiver.offer(persona, offer(PERSONA_ADDRESS, u32::MAX)), Err(Refusal::WrongSize));
    assert_eq!(receiver.offer(persona, offer(FIRMWARE_ADDRESS, 5)), Err(Refusal::WrongAddress));
    assert_eq!(receiver.chunk(persona, 0, &[0; CHUNK_SIZE]), Err(Refusal::NotOffered));
    assert_eq!(receiver.offer(persona, right), Ok(false));
    assert_eq!(receiver.chunk(Slot::Firmware, 0, &[0; CHUNK_SIZE]), Err(Refusal::NotOffered));
    assert_eq!(receiver.chunk(persona, 2, &[0; CHUNK_SIZE]), Err(Refusal::NotOffered));
    assert_eq!(receiver.chunk(persona, u32::MAX, &[0; CHUNK_SIZE]), Err(Refusal::NotOffered));
    assert_eq!(receiver.chunk(persona, 0, &[0; CHUNK_SIZE - 1]), Err(Refusal::WrongChunkLength));
    assert_eq!(receiver.chunk(persona, 1, &[0; 2]), Err(Refusal::WrongChunkLength));
    assert_eq!(receiver.chunk(persona, 1, &[]), Err(Refusal::WrongChunkLength));
    assert_eq!(receiver.digests(persona, 0, &[]), Err(Refusal::Malformed));
    assert_eq!(receiver.digests(persona, 0, &[0; 7]), Err(Refusal::Malformed));
    assert_eq!(receiver.digests(persona, 0, &[0; 9]), Err(Refusal::Malformed));
    assert_eq!(receiver.digests(persona, 0, &[0; 65 * 8]), Err(Refusal::Malformed));
    assert_eq!(receiver.digests(persona, 1, &[0; 16]), Err(Refusal::NotOffered));
    assert_eq!(receiver.digests(persona, u32::MAX, &[0; 16]), Err(Refusal::NotOffered));
    assert_eq!(receiver.work_kind(), None);
}

#[test]
fn the_work_of_one_call_is_bounded() {
    let mut receiver = receiver();
    let bytes = noise(9, 99 * CHUNK_SIZE + 1);
    upload(&mut receiver, &bytes);
    receiver.digests(Slot::Persona, 0, &digests_of(&bytes)[..64 * 8]).unwrap();
    assert_eq!((0..9).position(|_| receiver.work().is_some()), Some(3), "64 chunks of 4 KiB");
    receiver.chunk(Slot::Persona, 0, &bytes[..CHUNK_SIZE]).unwrap();
    assert_eq!(receiver.verify(Slot::Persona), Ok(false));
    assert_eq!((0..9).position(|_| receiver.work().is_some()), Some(6), "396 KiB");
}
