//! No message and no bytes make a device panic, hang or forget what it promised.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "for tests only")]

mod support;

use device::{Activity, Device, Machine, Options};
use engine::Portable;
use link::message::{
    DeviceMessage, Event, HostMessage, ImageInfo, MAX_MESSAGE, Refusal, Role, Settings, Slot,
    Speaker,
};
use link::{Instant, SendError, Session};
use model_format::Model;
use proptest::prelude::*;
use support::model::{CHAT, STORY, tiny};
use support::world::identity;

/// A message with what it borrows.
#[derive(Clone, Debug)]
enum Message {
    Plain(HostMessage<'static>),
    Say {
        id: u32,
        gap_seconds: u32,
        text: String,
    },
    Restore {
        speaker: Speaker,
        gap_seconds: u32,
        text: String,
    },
    Chunk {
        index: u32,
        data: Vec<u8>,
    },
    /// Seen for an event near the last one heard of.
    Seen {
        back: u32,
    },
    /// An order with the id that is next.
    NextSay {
        text: String,
    },
    NextRegenerate,
    NextForget,
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-z .]{0,20}",
        "\\PC{0,100}",
        any::<String>(),
        Just("x".repeat(1024)),
        Just("\u{1}".repeat(1025)),
        Just("é".repeat(2000)),
    ]
}

fn slot() -> impl Strategy<Value = Slot> {
    prop_oneof![Just(Slot::Firmware), Just(Slot::Persona)]
}

fn settings() -> impl Strategy<Value = Settings> {
    let numbers = (any::<u16>(), any::<u16>(), any::<u16>(), any::<u16>());
    (numbers, any::<Option<u64>>()).prop_map(|((a, b, c, d), seed)| Settings {
        temperature_milli: a,
        top_p_milli: b,
        repetition_penalty_milli: c,
        seed,
        max_reply_tokens: d % 40,
    })
}

fn plain() -> impl Strategy<Value = HostMessage<'static>> {
    let image = ImageInfo { address: 0, size: 1, digest: [0; 32] };
    prop_oneof![
        slot().prop_map(move |slot| HostMessage::Offer { slot, image }),
        slot().prop_map(|slot| HostMessage::Digests { slot, first: 0, digests: &[1, 2, 3] }),
        slot().prop_map(|slot| HostMessage::Verify { slot }),
        Just(HostMessage::Launch),
        Just(HostMessage::CrashSeen),
        Just(HostMessage::Typing),
        Just(HostMessage::Stop),
        Just(HostMessage::StatsRequest),
        Just(HostMessage::ConfigureDefault),
        Just(HostMessage::DetailsRequest),
        Just(HostMessage::CardRequest),
        Just(HostMessage::Greet),
        settings().prop_map(HostMessage::Configure),
        any::<u64>().prop_map(|unix_seconds| HostMessage::Clock { unix_seconds }),
        any::<u32>().prop_map(|id| HostMessage::Regenerate { id }),
        any::<u32>().prop_map(|id| HostMessage::Forget { id }),
        any::<u32>().prop_map(|id| HostMessage::TakeBack { id }),
        any::<u32>().prop_map(|event| HostMessage::Seen { event }),
        (0u32..4, any::<u32>(), any::<bool>()).prop_map(|(messages, last_id, pending)| {
            HostMessage::RestoreBegin { messages, last_id, pending }
        }),
    ]
}

fn message() -> impl Strategy<Value = Message> {
    let speaker = prop_oneof![Just(Speaker::You), Just(Speaker::Wisp)];
    prop_oneof![
        8 => plain().prop_map(Message::Plain),
        2 => (any::<u32>(), any::<u32>(), text())
            .prop_map(|(id, gap_seconds, text)| Message::Say { id, gap_seconds, text }),
        4 => (speaker, any::<u32>(), text())
            .prop_map(|(speaker, gap_seconds, text)| Message::Restore { speaker, gap_seconds, text }),
        1 => (any::<u32>(), proptest::collection::vec(any::<u8>(), 0..4096))
            .prop_map(|(index, data)| Message::Chunk { index, data }),
        4 => (0u32..3).prop_map(|back| Message::Seen { back }),
        8 => text().prop_map(|text| Message::NextSay { text }),
        2 => Just(Message::NextRegenerate),
        1 => Just(Message::NextForget),
    ]
}

/// A host that says anything, and checks what it hears.
struct Host {
    session: Session,
    buffer: Box<[u8; MAX_MESSAGE]>,
    last_id: u32,
    last_event: u32,
    refusals: Vec<Refusal>,
}

impl Host {
    fn send(&mut self, message: &Message) -> Result<(), SendError> {
        let next = self.last_id.wrapping_add(1);
        let message = match message {
            Message::Plain(plain) => *plain,
            Message::Say { id, gap_seconds, text } => {
                HostMessage::Say { id: *id, gap_seconds: *gap_seconds, text }
            }
            Message::Restore { speaker, gap_seconds, text } => {
                HostMessage::RestoreMessage { speaker: *speaker, gap_seconds: *gap_seconds, text }
            }
            Message::Chunk { index, data } => {
                HostMessage::Chunk { slot: Slot::Persona, index: *index, data }
            }
            Message::Seen { back } => {
                HostMessage::Seen { event: self.last_event.wrapping_sub(*back) }
            }
            Message::NextSay { text } => HostMessage::Say { id: next, gap_seconds: 1, text },
            Message::NextRegenerate => HostMessage::Regenerate { id: next },
            Message::NextForget => HostMessage::Forget { id: next },
        };
        self.session.send_host(&message)
    }

    fn listen(&mut self) {
        while self.session.poll_event().is_some() {}
        while let Some(bytes) = self.session.receive(&mut self.buffer) {
            match DeviceMessage::decode(bytes).expect("the board speaks the protocol") {
                DeviceMessage::Received { id } => self.last_id = self.last_id.max(id),
                DeviceMessage::ChatState { last_id, .. } => self.last_id = last_id,
                DeviceMessage::Happened { event, what } => {
                    // One session: each event once, in order.
                    assert_eq!(event, self.last_event + 1);
                    self.last_event = event;
                    if let Event::Delta { text, .. } = what {
                        assert!(!text.is_empty());
                    }
                }
                DeviceMessage::Refused { refusal, .. } => self.refusals.push(refusal),
                _ => {}
            }
        }
    }
}

fn run(chat: bool, context: usize, messages: &[Message], noise: &[(usize, Vec<u8>)]) -> Host {
    let file = tiny(if chat { CHAT } else { STORY }, context, 3);
    let model = Model::open(&file).unwrap();
    let session = Session::new(identity(Role::Firmware, 1), 1);
    let mut device = Device::new(&model, Portable, session, Options::default()).unwrap();
    let mut host = Host {
        session: Session::new(identity(Role::Host, 2), 2),
        buffer: Box::new([0; MAX_MESSAGE]),
        last_id: 0,
        last_event: 0,
        refusals: Vec::new(),
    };
    let mut waiting = messages.iter().peekable();
    let mut bytes = [0; 300];
    for tick in 0..4000u64 {
        let now = Instant(tick * 1000);
        for _ in 0..4 {
            assert!(matches!(device.poll(now), Activity::Busy | Activity::IdleUntil(_)));
        }
        let count = device.poll_transmit(now, &mut bytes);
        host.session.handle_bytes(now, &bytes[..count]);
        host.session.handle_timeout(now);
        host.listen();
        if tick % 5 == 0
            && let Some(message) = waiting.peek()
            && host.send(message) != Err(SendError::NotConnected)
        {
            waiting.next();
        }
        if let Some((_, junk)) = noise.iter().find(|(at, _)| *at as u64 == tick) {
            device.handle_bytes(now, junk);
        }
        let count = host.session.poll_transmit(now, &mut bytes);
        device.handle_bytes(now, &bytes[..count]);
    }
    assert!(waiting.next().is_none());
    assert!(device.tokens().len() <= context);
    host
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_messages(
        messages in proptest::collection::vec(message(), 1..60),
        chat in any::<bool>(),
        context in prop_oneof![Just(32usize), Just(300usize)],
    ) {
        run(chat, context, &messages, &[]);
    }

    #[test]
    fn any_bytes_between_them(
        messages in proptest::collection::vec(message(), 1..20),
        noise in proptest::collection::vec(
            (0usize..1000, proptest::collection::vec(any::<u8>(), 0..300)), 0..5),
    ) {
        run(true, 300, &messages, &noise);
    }
}

#[test]
fn what_the_bootloader_does_is_refused_here() {
    let refused = |message: HostMessage<'static>| run(true, 300, &[Message::Plain(message)], &[]);
    let image = ImageInfo { address: 0, size: 1, digest: [0; 32] };
    for message in [
        HostMessage::Offer { slot: Slot::Persona, image },
        HostMessage::Digests { slot: Slot::Persona, first: 0, digests: &[] },
        HostMessage::Chunk { slot: Slot::Persona, index: 0, data: &[] },
        HostMessage::Verify { slot: Slot::Firmware },
        HostMessage::Launch,
    ] {
        assert_eq!(refused(message).refusals, [Refusal::WrongProgram]);
    }
}

#[test]
fn what_makes_no_sense_is_refused_by_its_name() {
    let refused = |message: Message| run(true, 300, &[message], &[]).refusals;
    let restore =
        Message::Restore { speaker: Speaker::You, gap_seconds: 0, text: "out of the blue".into() };
    assert_eq!(refused(restore), [Refusal::WrongRestore]);
    let say = |id, text: &str| Message::Say { id, gap_seconds: 0, text: text.into() };
    assert_eq!(refused(say(2, "too early")), [Refusal::WrongId]);
    assert_eq!(refused(say(1, &"x".repeat(1025))), [Refusal::TextTooLong]);
    assert_eq!(refused(Message::NextRegenerate), [Refusal::NothingToRegenerate]);
    assert_eq!(refused(say(1, &"x".repeat(1024))), []);
}

#[test]
fn an_event_that_was_never_told_cannot_be_seen_and_holds_no_order_up() {
    let seen = |event| Message::Plain(HostMessage::Seen { event });
    let say = Message::Say { id: 1, gap_seconds: 0, text: "hello".into() };
    // The number of an event that is none, and which is the id of an order too.
    let host = run(true, 300, &[seen(9), seen(1), say], &[]);
    assert_eq!(host.refusals, []);
    assert!(host.last_event > 0, "the order is carried out, and told");
}

#[test]
fn reboot_and_panic_are_passed_on() {
    let file = tiny(CHAT, 300, 3);
    let model = Model::open(&file).unwrap();
    for (message, wanted) in
        [(HostMessage::Reboot, Activity::Reboot), (HostMessage::PlantPanic, Activity::PlantPanic)]
    {
        let session = Session::new(identity(Role::Firmware, 1), 1);
        let mut device = Device::new(&model, Portable, session, Options::default()).unwrap();
        let mut host = Session::new(identity(Role::Host, 2), 2);
        let mut sent = false;
        let mut bytes = [0; 300];
        let told = (0..2000u64).any(|tick| {
            let now = Instant(tick * 1000);
            let told = device.poll(now) == wanted;
            let count = device.poll_transmit(now, &mut bytes);
            host.handle_bytes(now, &bytes[..count]);
            host.handle_timeout(now);
            while host.poll_event().is_some() {}
            sent |= host.peer().is_some() && !sent && host.send_host(&message).is_ok();
            let count = host.poll_transmit(now, &mut bytes);
            device.handle_bytes(now, &bytes[..count]);
            told
        });
        assert!(told, "{message:?}");
    }
}
