//! The bytes that cross the cable, pinned: a change here breaks every board in the field.
//!
//! A failing line is not to be "fixed" unless the protocol's version is raised with it, or the
//! change is a new variant at the end of an enum.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use link::message::*;
use link::{Instant, Rates, Session};
use std::fmt::Write;

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}

fn image() -> ImageInfo {
    ImageInfo { address: 0x0200_0000, size: 300, digest: [0xD1; 32] }
}

const DIGEST: &str = "d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1";

#[track_caller]
fn host(message: HostMessage, expected: &str) {
    let bytes = postcard::to_stdvec(&message).unwrap();
    assert_eq!(hex(&bytes), expected, "{message:?}");
    assert_eq!(HostMessage::decode(&bytes), Some(message));
    refuse_other_lengths(&bytes, |bytes| HostMessage::decode(bytes).is_some());
}

#[track_caller]
fn device(message: DeviceMessage, expected: &str) {
    let bytes = postcard::to_stdvec(&message).unwrap();
    assert_eq!(hex(&bytes), expected, "{message:?}");
    assert_eq!(DeviceMessage::decode(&bytes), Some(message));
    refuse_other_lengths(&bytes, |bytes| DeviceMessage::decode(bytes).is_some());
}

#[track_caller]
fn refuse_other_lengths(bytes: &[u8], is_message: impl Fn(&[u8]) -> bool) {
    for length in 0..bytes.len() {
        assert!(!is_message(&bytes[..length]), "cut to {length}");
    }
    assert!(!is_message(&[bytes, &[0]].concat()), "one byte too many");
}

#[test]
fn host_messages() {
    use HostMessage::*;
    let offer = Offer { slot: Slot::Persona, image: image() };
    host(offer, &format!("000180808010ac02{DIGEST}"));
    let digests = Digests { slot: Slot::Firmware, first: 64, digests: &[1, 2, 3, 4, 5, 6, 7, 8] };
    host(digests, "010040080102030405060708");
    let chunk = Chunk { slot: Slot::Persona, index: 300, data: &[0, 255, 7] };
    host(chunk, "0201ac020300ff07");
    host(Verify { slot: Slot::Firmware }, "0300");
    host(Launch, "04");
    host(Reboot, "05");
    host(CrashSeen, "06");
    let say = Say { id: 1, gap_seconds: 128, text: "hé" };
    host(say, "070180010368c3a9");
    host(Typing, "08");
    host(Stop, "09");
    host(Regenerate { id: 2 }, "0a02");
    host(Forget { id: 3 }, "0b03");
    let configure = Configure(Settings {
        temperature_milli: 800,
        top_p_milli: 900,
        repetition_penalty_milli: 1100,
        seed: Some(1),
        max_reply_tokens: 200,
    });
    host(configure, "0ca0068407cc080101c801");
    let clock = Clock { unix_seconds: 1_790_000_000 };
    host(clock, "0d80f7c4d506");
    let begin = RestoreBegin { messages: 2, last_id: 9, pending: true };
    host(begin, "0e020901");
    let restored = RestoreMessage { speaker: Speaker::Wisp, gap_seconds: 5, text: "ok" };
    host(restored, "0f0105026f6b");
    host(StatsRequest, "10");
    host(Seen { event: 7 }, "1107");
    host(PlantPanic, "12");
    host(ConfigureDefault, "13");
    host(DetailsRequest, "14");
    let manners =
        link::message::Manners { talkativeness_milli: 1500, most_unanswered: None, quiet: None };
    host(Manners(manners), "15dc0b0000");
    let quiet = Some(QuietHours { from: 1320, to: 420 });
    let manners = link::message::Manners { most_unanswered: Some(4), quiet, ..manners };
    host(Manners(manners), "15dc0b010401a80aa403");
    host(RestoreSilence { gap_seconds: 3600 }, "16901c");
    host(CardRequest, "17");
    host(TakeBack { id: 4 }, "1804");
    host(Greet, "19");
    host(TestMemory, "1a");
}

#[test]
fn device_messages() {
    use DeviceMessage::*;
    let slots = Slots { firmware: SlotState::Empty, persona: SlotState::Verified(image()) };
    device(slots, &format!("00000280808010ac02{DIGEST}"));
    let slots = Slots { firmware: SlotState::Incomplete(image()), persona: SlotState::Empty };
    device(slots, &format!("000180808010ac02{DIGEST}00"));
    device(OfferAccepted { slot: Slot::Firmware }, "0100");
    let have = Have { slot: Slot::Persona, first: 64, bitmap: 1 << 63 | 1 };
    device(have, "02014081808080808080808001");
    let stored = Stored { slot: Slot::Persona, chunks: 3 };
    device(stored, "030103");
    let verifying = Verifying { slot: Slot::Persona, done: 65536 };
    device(verifying, "0401808004");
    device(Verified { slot: Slot::Persona }, "0501");
    device(Launching, "06");
    let refused = Refused { refusal: Refusal::DigestMismatch, detail: 1 };
    device(refused, "070601");
    let crashed = Crashed(CrashReport {
        role: Role::Firmware,
        kind: CrashKind::DataAbort,
        program_counter: 0x8000,
        link_register: 0x8004,
        fault_status: 5,
        fault_address: 0xFFFF_FFFF,
        message: "x",
    });
    device(crashed, "08020380800284800205ffffffff0f0178");
    let state = ChatState { last_id: 4, next_event: 9, messages: 2 };
    device(state, "09040902");
    device(Received { id: 4 }, "0a04");
    let stats = Stats(link::message::Stats {
        uptime_seconds: 1,
        heap_used: 2,
        heap_size: 3,
        context_used: 4,
        context_size: 5,
        tokens: 6,
        frames_received: 7,
        frames_corrupt: 8,
        frames_resent: 9,
        uart_overruns: 10,
        uart_line_errors: 11,
        log_bytes_dropped: 12,
        temperature_millidegrees: 13,
        arm_clock_hz: 14,
    });
    device(stats, "0c0102030405060708090a0b0c0d0e");
    device(Log { bytes: &[1, 0] }, "0d020100");
    let board = BoardFacts { revision: 0x90_0093, memory_bytes: 300, is_emulated: true };
    let work = Work { read_tokens: 1, read_micros: 1 << 35, decode_tokens: 2, decode_micros: 128 };
    device(Details { board, work }, "0e9381c004ac020101808080808001028001");
    let figures = CardFigures {
        format_version: 3,
        bytes: 1 << 20,
        parameters: 300,
        layers: 6,
        dim: 288,
        vocabulary: 4096,
        context: 512,
        settings: Settings {
            temperature_milli: 800,
            top_p_milli: 900,
            repetition_penalty_milli: 1100,
            seed: None,
            max_reply_tokens: 200,
        },
        most_unanswered: 4,
    };
    let card =
        link::message::Card { name: "W", source: "s", licences: "MIT", weights: "fp8", figures };
    device(Card(card), "0f01570173034d49540366703803808040ac0206a00280208004a0068407cc0800c80104");
    device(MemoryTested { done: 300, all: 392_936 }, "10ac02e8fd17");
}

#[test]
fn events() {
    use Event::*;
    let happened = |event, what| DeviceMessage::Happened { event, what };
    device(happened(1, Read { id: 2 }), "0b010002");
    device(happened(1, Thinking { reply: 3 }), "0b010103");
    let delta = Delta { reply: 3, offset: 200, text: "hi" };
    device(happened(300, delta), "0bac020203c801026869");
    let end = End {
        reply: 3,
        reason: EndReason::Stopped,
        timing: Timing {
            prompt_tokens: 1,
            reply_tokens: 2,
            first_token_micros: 3,
            decode_micros: 4,
        },
    };
    device(happened(1, end), "0b0103030201020304");
    device(happened(1, Withdrawn { reply: 3 }), "0b010403");
    device(happened(1, StayedSilent { after: 2 }), "0b010502");
    device(happened(1, Shifted { dropped: 128 }), "0b01068001");
    device(happened(1, Restored { messages: 2 }), "0b010702");
    device(happened(1, Forgotten), "0b0108");
    device(happened(1, BreaksSilence { reply: 3, gap_seconds: 61 }), "0b0109033d");
    device(happened(1, TakenBack { id: 2 }), "0b010a02");
}

/// The number on the wire of every value of the small enums.
#[test]
fn small_enums() {
    fn numbers<T: serde::Serialize>(values: &[T]) -> Vec<u8> {
        let mut numbers = Vec::new();
        for value in values {
            numbers.extend(postcard::to_stdvec(value).unwrap());
        }
        numbers
    }
    fn up_to(count: u8) -> Vec<u8> {
        (0..count).collect()
    }
    assert_eq!(numbers(&[Role::Host, Role::Bootloader, Role::Firmware]), up_to(3));
    assert_eq!(numbers(&[Slot::Firmware, Slot::Persona]), up_to(2));
    assert_eq!(numbers(&[Speaker::You, Speaker::Wisp]), up_to(2));
    assert_eq!(numbers(&[Lane::Prompt, Lane::Bulk]), up_to(2));
    assert_eq!(numbers(&[EndReason::Finished, EndReason::Length, EndReason::Stopped]), up_to(3));
    let kinds = [
        CrashKind::Panic,
        CrashKind::UndefinedInstruction,
        CrashKind::PrefetchAbort,
        CrashKind::DataAbort,
        CrashKind::Unexpected,
        CrashKind::Watchdog,
    ];
    assert_eq!(numbers(&kinds), up_to(6));
    let refusals = [
        Refusal::WrongProgram,
        Refusal::Malformed,
        Refusal::WrongAddress,
        Refusal::WrongSize,
        Refusal::NotOffered,
        Refusal::WrongChunkLength,
        Refusal::DigestMismatch,
        Refusal::NotReady,
        Refusal::BadPersona,
        Refusal::TextTooLong,
        Refusal::WrongId,
        Refusal::NothingToRegenerate,
        Refusal::WrongRestore,
        Refusal::OutOfMemory,
        Refusal::Busy,
        Refusal::AlreadyBegun,
        Refusal::SelfTestFailed,
    ];
    assert_eq!(numbers(&refusals), up_to(17));
}

/// All that a session has to send now.
fn transmit(session: &mut Session, now: Instant) -> Vec<u8> {
    let mut out = [0; 4096];
    let count = session.poll_transmit(now, &mut out);
    out[..count].to_vec()
}

#[test]
fn frames() {
    let identity =
        |role, persona| Identity { role, boot: 0x0102_0304, version: [1, 2, 300], persona };
    let now = Instant(0);
    let mut host = Session::new(identity(Role::Host, None), 0x1111_1111);
    let mut board = Session::new(identity(Role::Bootloader, Some([0xD1; 32])), 0x2222_2222);

    let hello = transmit(&mut host, now);
    assert_eq!(hex(&hello), "00010777697370010109848688080102ac020691a2c488010780425092d93200");
    board.handle_bytes(now, &hello);
    let answer = transmit(&mut board, now);
    assert_eq!(
        hex(&answer),
        "00014277697370010101848688080102ac0201d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1a2c48891020191a2c488018042ca616c5f00"
    );
    host.handle_bytes(now, &answer);
    let first_ack = transmit(&mut host, now);
    assert_eq!(hex(&first_ack), "0002020101010102210101010221058e4c6c3100");
    board.handle_bytes(now, &first_ack);
    let ack_back = transmit(&mut board, now);
    assert_eq!(hex(&ack_back), "000202010101010221010101022105d4a2881a00");
    host.handle_bytes(now, &ack_back);

    host.send_host(&HostMessage::Regenerate { id: 5 }).unwrap();
    let prompt = transmit(&mut host, now);
    assert_eq!(hex(&prompt), "000301010101010202070a0542c4206000");
    let chunk = HostMessage::Chunk { slot: Slot::Persona, index: 0, data: &[0xAB; 600] };
    host.send_host(&chunk).unwrap();
    let bulk = transmit(&mut host, now);
    let frames: Vec<_> =
        bulk.split_inclusive(|byte| *byte == 0).filter(|frame| frame.len() > 1).collect();
    assert_eq!(frames.len(), 3, "256 bytes each at first");
    assert_eq!(hex(&frames[0][..24]), "030102020101055d020201ffd804abababababababababab");
    assert_eq!(
        hex(frames[2]),
        "03010402016502abababababababababababababababababababababababababababababababababababababababababababababababababababababababababababababababababababababababababababababababababababababababababababababababf86e371300"
    );

    board.handle_bytes(now, &prompt);
    board.handle_bytes(now, frames[0]);
    board.handle_bytes(now, frames[2]);
    assert_eq!(hex(&transmit(&mut board, now)), "00030204020403fc200102010920028001ebce14a700");
}

/// The frames about the line's rate, and the hellos that allow them.
#[test]
fn rate_frames() {
    let identity = |role| Identity { role, boot: 1, version: [0, 1, 0], persona: None };
    let now = Instant(0);
    let mut host = Session::new(identity(Role::Host), 3);
    let mut board = Session::new(identity(Role::Firmware), 2);
    host.offer_rates(Rates::ALL);
    board.offer_rates(Rates::of(|baud| baud <= 921_600));
    let hello = transmit(&mut host, now);
    assert_eq!(hex(&hello), "000107776973700101020102010102030880427f8c2372fb00");
    board.handle_bytes(now, &hello);
    let answer = transmit(&mut board, now);
    assert_eq!(hex(&answer), "00010977697370010102010201010b020103804207c9b0bbb500");
    host.handle_bytes(now, &answer);
    let propose = transmit(&mut host, now);
    assert_eq!(hex(&propose), "000203090180a038da2bd72b00");
    board.handle_bytes(now, &propose);
    let accept = transmit(&mut board, now);
    assert_eq!(hex(&accept), "000b03010180a03804f0f51800");
    assert_eq!(board.line_to_set(), Some(921_600));
    board.line_set(now, true);
    host.handle_bytes(now, &accept);
    assert_eq!(host.line_to_set(), Some(921_600));
    host.line_set(now, true);
    let now = now.plus_millis(30);
    host.handle_timeout(now);
    let probes = transmit(&mut host, now);
    let second = probes.split_inclusive(|byte| *byte == 0).nth(2).unwrap();
    assert_eq!(hex(&second[..16]), "5a030201010104070a0d101316191c1f");
    assert_eq!(hex(&second[second.len() - 16..]), "e0e3e6e9eceff2f5f8fbfeadc71a2400");
    board.handle_bytes(now, &probes);
    let echoes = transmit(&mut board, now);
    let second = echoes.split_inclusive(|byte| *byte == 0).nth(2).unwrap();
    assert_eq!(hex(&second[..16]), "5a030301010104070a0d101316191c1f");
    host.handle_bytes(now, &echoes);
    let keep = transmit(&mut host, now);
    assert_eq!(hex(&keep), "0008030401fb37d61b00");
    board.handle_bytes(now, &keep);
    let kept = transmit(&mut board, now);
    assert_eq!(hex(&kept), "00080305013d8669d3000202010101010221010101022105edeca95f00");
    host.handle_bytes(now, &kept);
    assert_eq!([host.counters().baud, board.counters().baud], [921_600; 2]);
    transmit(&mut host, now);
    board.leave_rate();
    let base = transmit(&mut board, now);
    assert_eq!(hex(&base), "00070306fae7112900");
    host.handle_bytes(now, &base);
    assert_eq!(host.line_to_set(), Some(115_200));
}

/// A board's hello says what programs it runs, behind the rates.
#[test]
fn processors() {
    let identity = |role| Identity { role, boot: 1, version: [0, 1, 0], persona: None };
    let now = Instant(0);
    let board = |processor, rates| {
        let mut board = Session::new(identity(Role::Bootloader), 2);
        board.offer_rates(rates);
        board.set_processor(processor);
        board
    };
    let slow = Rates::of(|baud| baud <= 921_600);
    for (processor, rates, expected) in [
        (None, Rates::NONE, "000109776973700101010102010102020780425d957bfe00"),
        (None, slow, "0001097769737001010101020101020208804207f22c425900"),
        (
            Some(Processor::Arm1176),
            Rates::NONE,
            "000109776973700101010102010102020380420601c098aeb900",
        ),
        (Some(Processor::CortexA53), slow, "000109776973700101010102010102020980420702bd5fe66f00"),
    ] {
        let mut host = Session::new(identity(Role::Host), 3);
        assert_eq!(host.peer_processor(), None);
        let mut board = board(processor, rates);
        let hello = transmit(&mut board, now);
        assert_eq!(hex(&hello), expected, "{processor:?}");
        host.handle_bytes(now, &hello);
        assert_eq!(host.peer_processor(), None, "nobody is there yet");
        board.handle_bytes(now, &transmit(&mut host, now));
        host.handle_bytes(now, &transmit(&mut board, now));
        assert_eq!(host.peer_processor(), processor);
        assert_eq!(board.peer_processor(), None);
    }
}
