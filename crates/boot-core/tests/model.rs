//! Every order of events in an upload of four chunks, by model checking of the real code.
//!
//! The real [`Uploader`] and the real [`Receiver`] talk over lanes that are as reliable and
//! ordered as a session's, and break as a session does: everything on its way is lost and both
//! ends are told. In between, the host program is killed, the cable is cut and the board is reset,
//! with or without what its data cache had not written back. The prompt lane may overtake the
//! bulk lane at any point.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test helper may fail the test")]

use std::collections::VecDeque;
use std::hash::{Hash, Hasher};
use std::sync::{Arc, LazyLock};

use boot_core::answer::{Reaction, react};
use boot_core::handover::{self, BLOCK_SIZE, Record};
use boot_core::{Memory, PerSlot, Receiver, SlotRegion};
use link::message::{
    CHUNK_SIZE, DeviceMessage, HostMessage, Identity, ImageInfo, Lane, Role, Slot, SlotState,
};
use link::upload::{Phase, Uploader};
use link::{DownReason, SendError, SessionEvent};
use sha2::{Digest, Sha256};
use stateright::{Checker, Model, Property};

const ADDRESS: u32 = 0x0200_0000;
const CHUNKS: usize = 4;
const SIZE: usize = (CHUNKS - 1) * CHUNK_SIZE + 1;

/// Messages a lane holds: what is under way at a time.
const LANE_DEPTH: usize = 2;

/// The image to bring: chunk `i` is full of `i + 1`.
static NEW: LazyLock<Vec<u8>> = LazyLock::new(|| image([1, 2, 3, 4]));

/// What a former upload left verified: its second and third chunk are the same.
static OLD: LazyLock<Vec<u8>> = LazyLock::new(|| image([9, 2, 3, 8]));

fn image(chunks: [u8; CHUNKS]) -> Vec<u8> {
    (0..SIZE).map(|place| chunks[place / CHUNK_SIZE]).collect()
}

fn describe(bytes: &[u8]) -> ImageInfo {
    ImageInfo { address: ADDRESS, size: SIZE as u32, digest: Sha256::digest(bytes).into() }
}

fn regions() -> PerSlot<SlotRegion> {
    let region = SlotRegion { address: ADDRESS, capacity: SIZE as u32 };
    PerSlot { firmware: region, persona: region }
}

/// A persona slot and a handover block, as the processor sees them and as a reset leaves them.
#[derive(Clone)]
struct Ram {
    persona: Arc<Vec<u8>>,
    handover: Arc<Vec<u8>>,
    flushed_persona: Arc<Vec<u8>>,
    flushed_handover: Arc<Vec<u8>>,
}

impl Ram {
    fn new(persona: &[u8], record: &Record) -> Self {
        let mut block = vec![0; BLOCK_SIZE];
        handover::store(&mut block, record);
        let persona = Arc::new(persona.to_vec());
        let handover = Arc::new(block);
        Self {
            flushed_persona: persona.clone(),
            flushed_handover: handover.clone(),
            persona,
            handover,
        }
    }
}

impl std::fmt::Debug for Ram {
    /// All that tells two memories apart: chunks are written whole, and each is full of one
    /// value; a handover block counts for what is read from it.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for bytes in [&self.persona, &self.flushed_persona] {
            let chunks: Vec<u8> = bytes.iter().step_by(CHUNK_SIZE).copied().collect();
            write!(f, "{chunks:?} ")?;
        }
        let flushed = handover::load(&self.flushed_handover);
        write!(f, "{:?} {flushed:?}", handover::load(&self.handover))
    }
}

impl Memory for Ram {
    fn slot(&self, slot: Slot) -> &[u8] {
        match slot {
            Slot::Firmware => &[],
            Slot::Persona => &self.persona,
        }
    }

    fn slot_mut(&mut self, slot: Slot) -> &mut [u8] {
        match slot {
            Slot::Firmware => &mut [],
            Slot::Persona => Arc::make_mut(&mut self.persona).as_mut_slice(),
        }
    }

    fn handover(&self) -> &[u8] {
        &self.handover
    }

    fn handover_mut(&mut self) -> &mut [u8] {
        Arc::make_mut(&mut self.handover).as_mut_slice()
    }

    fn card(&self) -> &[u8] {
        &[]
    }

    fn firmware_and_card(&mut self) -> (&mut [u8], &[u8]) {
        (&mut [], &[])
    }

    fn flush(&mut self) {
        self.flushed_persona = self.persona.clone();
        self.flushed_handover = self.handover.clone();
    }
}

/// The image as the uploader holds it: not worth printing.
#[derive(Clone)]
struct Held;

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        &NEW
    }
}

impl std::fmt::Debug for Held {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Held")
    }
}

/// A host message on its way.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Note {
    Offer(ImageInfo),
    Digests(u32, Vec<u8>),
    Chunk(u32),
    Verify,
}

impl Note {
    fn new(message: &HostMessage<'_>) -> Self {
        match *message {
            HostMessage::Offer { image, .. } => Self::Offer(image),
            HostMessage::Digests { first, digests, .. } => Self::Digests(first, digests.to_vec()),
            HostMessage::Chunk { index, data, .. } => {
                assert_eq!(Some(data), NEW.chunks(CHUNK_SIZE).nth(index as usize));
                Self::Chunk(index)
            }
            HostMessage::Verify { .. } => Self::Verify,
            _ => panic!("not part of an upload: {message:?}"),
        }
    }

    fn message(&self) -> HostMessage<'_> {
        let slot = Slot::Persona;
        match self {
            Self::Offer(image) => HostMessage::Offer { slot, image: *image },
            Self::Digests(first, digests) => HostMessage::Digests { slot, first: *first, digests },
            Self::Chunk(index) => {
                let data = NEW.chunks(CHUNK_SIZE).nth(*index as usize).unwrap();
                HostMessage::Chunk { slot, index: *index, data }
            }
            Self::Verify => HostMessage::Verify { slot },
        }
    }
}

/// Everything there is.
#[derive(Clone)]
struct World {
    receiver: Receiver<Ram>,
    uploader: Uploader<Held>,
    prompt: VecDeque<Note>,
    bulk: VecDeque<Note>,
    answers: VecDeque<DeviceMessage<'static>>,
    host_kills: u8,
    cuts: u8,
    resets: u8,
}

/// What tells two worlds apart.
impl World {
    fn key(&self) -> String {
        format!(
            "{:?} {:?} {:?} {:?} {:?} {:?} {} {} {}",
            self.receiver,
            self.receiver.memory(),
            self.uploader,
            self.prompt,
            self.bulk,
            self.answers,
            self.host_kills,
            self.cuts,
            self.resets
        )
    }
}

impl Hash for World {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.key().hash(state);
    }
}

impl PartialEq for World {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}

impl std::fmt::Debug for World {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.key())
    }
}

#[derive(Clone, Debug, PartialEq)]
enum Action {
    /// The host hands over what the lanes have room for.
    Send,
    /// The board takes a message from this lane.
    Take(Lane),
    /// The board hashes.
    Work,
    /// The host takes an answer.
    Hear,
    /// The host program dies; another begins from nothing.
    KillHost,
    /// The session breaks and comes back.
    Cut,
    /// The board is reset; true: its cache had been written back.
    Reset(bool),
}

impl World {
    fn can(&self, action: &Action) -> bool {
        match action {
            Action::Send => self.clone().send(),
            Action::Take(lane) => {
                self.receiver.work_kind().is_none()
                    && match lane {
                        Lane::Prompt => !self.prompt.is_empty(),
                        Lane::Bulk => !self.bulk.is_empty(),
                    }
            }
            Action::Work => self.receiver.work_kind().is_some(),
            Action::Hear => !self.answers.is_empty(),
            Action::KillHost => self.host_kills > 0,
            Action::Cut => self.cuts > 0,
            Action::Reset(_) => self.resets > 0,
        }
    }

    /// Whether there was anything to send.
    fn send(&mut self) -> bool {
        let Self { uploader, prompt, bulk, .. } = self;
        let mut was_any = false;
        uploader.poll_with(&mut |message| {
            let lane = match message.lane() {
                Lane::Prompt => &mut *prompt,
                Lane::Bulk => &mut *bulk,
            };
            if lane.len() >= LANE_DEPTH {
                return Err(SendError::Full);
            }
            lane.push_back(Note::new(message));
            was_any = true;
            Ok(())
        });
        was_any
    }

    fn take(&mut self, lane: Lane) {
        let note = match lane {
            Lane::Prompt => self.prompt.pop_front(),
            Lane::Bulk => self.bulk.pop_front(),
        };
        match react(&mut self.receiver, &note.unwrap().message()) {
            Reaction::Later => {}
            Reaction::Answer(answer) => self.answers.push_back(answer),
            Reaction::Answers(first, second) => self.answers.extend([first, second]),
            other => panic!("not part of an upload: {other:?}"),
        }
    }

    /// What both ends do when a session ends and the next begins.
    fn reconnect(&mut self) {
        self.prompt.clear();
        self.bulk.clear();
        self.answers.clear();
        self.receiver.forget_conversation();
        let peer = Identity { role: Role::Bootloader, boot: 1, version: [0; 3], persona: None };
        self.uploader.handle_event(&SessionEvent::Down { reason: DownReason::Timeout });
        self.uploader.handle_event(&SessionEvent::Up { peer });
    }

    fn reset(&mut self, was_written_back: bool) {
        let mut ram = self.receiver.memory().clone();
        match was_written_back {
            true => ram.flush(),
            false => {
                ram.persona = ram.flushed_persona.clone();
                ram.handover = ram.flushed_handover.clone();
            }
        }
        self.receiver = Receiver::new(ram, regions());
        self.reconnect();
    }

    fn act(&mut self, action: &Action) {
        match action {
            Action::Send => {
                self.send();
            }
            Action::Take(lane) => self.take(*lane),
            Action::Work => {
                let answer = self.receiver.work();
                self.answers.extend(answer);
            }
            Action::Hear => self.uploader.handle(&self.answers.pop_front().unwrap()),
            Action::KillHost => {
                self.host_kills -= 1;
                self.uploader = Uploader::new(Slot::Persona, ADDRESS, Held).unwrap();
                self.reconnect();
            }
            Action::Cut => {
                self.cuts -= 1;
                self.reconnect();
            }
            Action::Reset(was_written_back) => {
                self.resets -= 1;
                self.reset(*was_written_back);
            }
        }
    }
}

/// Upload of [`NEW`] over [`OLD`], with so many mishaps.
struct Upload {
    host_kills: u8,
    cuts: u8,
    resets: u8,
}

const PROGRESS: [Action; 5] = [
    Action::Send,
    Action::Take(Lane::Prompt),
    Action::Take(Lane::Bulk),
    Action::Work,
    Action::Hear,
];
const MISHAPS: [Action; 4] =
    [Action::KillHost, Action::Cut, Action::Reset(true), Action::Reset(false)];

impl Model for Upload {
    type State = World;
    type Action = Action;

    fn init_states(&self) -> Vec<World> {
        let mut record = Record::default();
        record.slots.persona = SlotState::Verified(describe(&OLD));
        let mut world = World {
            receiver: Receiver::new(Ram::new(&OLD, &record), regions()),
            uploader: Uploader::new(Slot::Persona, ADDRESS, Held).unwrap(),
            prompt: VecDeque::new(),
            bulk: VecDeque::new(),
            answers: VecDeque::new(),
            host_kills: self.host_kills,
            cuts: self.cuts,
            resets: self.resets,
        };
        world.reconnect();
        vec![world]
    }

    fn actions(&self, world: &World, actions: &mut Vec<Action>) {
        actions.extend(PROGRESS.into_iter().chain(MISHAPS).filter(|action| world.can(action)));
    }

    fn next_state(&self, world: &World, action: Action) -> Option<World> {
        let mut next = world.clone();
        next.act(&action);
        Some(next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always("what is called verified is whole", |_, world: &World| {
                world
                    .receiver
                    .verified(Slot::Persona)
                    .is_none_or(|image| describe(&world.receiver.memory().persona) == image)
            }),
            Property::always("what a reset would trust is whole", |_, world: &World| {
                let ram = world.receiver.memory();
                match handover::load(&ram.flushed_handover).slots.persona {
                    SlotState::Verified(image) => describe(&ram.flushed_persona) == image,
                    _ => true,
                }
            }),
            Property::always("the host believes only what is so", |_, world: &World| {
                world.uploader.phase() != Phase::Done
                    || world.receiver.verified(Slot::Persona) == Some(describe(&NEW))
            }),
            Property::always("no upload fails", |_, world: &World| {
                !matches!(world.uploader.phase(), Phase::Failed(_))
            }),
            Property::always("there is always a next step until it is done", |_, world: &World| {
                world.uploader.phase() == Phase::Done
                    || PROGRESS.iter().any(|action| world.can(action))
            }),
            Property::always("chunks that are there do not travel", |_, world: &World| {
                // Only the first and the last chunk differ.
                !world.bulk.iter().any(|note| matches!(note, Note::Chunk(1 | 2)))
            }),
            Property::sometimes(
                "it is done in spite of every mishap",
                |model: &Self, world: &World| {
                    world.uploader.phase() == Phase::Done
                        && world.host_kills + world.cuts + world.resets == 0
                        && model.host_kills + model.cuts + model.resets > 0
                },
            ),
        ]
    }
}

#[test]
fn every_order_of_events_ends_well() {
    let model = Upload { host_kills: 2, cuts: 2, resets: 2 };
    let checker = model.checker().threads(2).spawn_bfs().join();
    checker.assert_properties();
    println!("wisp: upload_model_states {} states", checker.unique_state_count());
}
