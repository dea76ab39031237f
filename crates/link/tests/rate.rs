//! The rate of the line: the best that works, whichever frame is lost and whatever adapters do.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod line;

use line::{Line, rate_frame, session};
use link::message::Role;
use link::{BASE_BAUD, Rates};

/// Time to agree at the latest, when nothing goes wrong.
const AGREED: u64 = 400_000;

fn up_to(baud: u32) -> Rates {
    Rates::of(|rate| rate <= baud)
}

#[test]
fn the_best_of_both_is_agreed_on_within_moments() {
    for (host, board, expected) in [
        (Rates::ALL, Rates::ALL, 3_000_000),
        (up_to(921_600), Rates::ALL, 921_600),
        (Rates::ALL, up_to(230_400), 230_400),
        (Rates::of(|rate| rate == 460_800), up_to(1_000_000), 460_800),
    ] {
        let mut line = Line::new(host, board);
        let micros = line.run_until(AGREED, |line| line.is_at(expected));
        println!("wisp: rate_agreed_{expected} {micros} us");
        assert_eq!([line.ends[0].baud, line.ends[1].baud], [expected; 2]);
        line.exchange(1, 50_000);
        // It stays, also when nothing is said.
        line.run_for(30_000_000);
        assert!(line.is_at(expected));
        assert_eq!(line.rate_frames.len(), 20);
        assert_eq!(line.ends[0].session.counters().sessions, 1);
    }
}

#[test]
fn without_an_offer_of_both_nothing_is_said_about_rates() {
    for (host, board) in [
        (Rates::NONE, Rates::ALL),
        (Rates::ALL, Rates::NONE),
        (up_to(460_800), Rates::of(|rate| rate > 460_800)),
    ] {
        let mut line = Line::new(host, board);
        line.run_for(5_000_000);
        assert!(line.is_at(BASE_BAUD));
        assert_eq!(line.rate_frames, []);
        line.exchange(1, 100_000);
    }
}

/// The frames whose loss makes a difference of its own: all but the six probes and echoes between
/// the first and the last.
fn is_pivotal(frame: &[u8], seen: &mut [u32; 7]) -> bool {
    let Some(kind) = rate_frame(frame) else { return false };
    let count = &mut seen[usize::from(kind)];
    *count += 1;
    !(matches!(kind, 2 | 3) && (2..8).contains(&(*count % 8)))
}

/// Every pattern of loss among the first 14 of them, proposals that are repeated included.
#[test]
fn whatever_frames_are_lost_both_ends_agree_in_the_end() {
    const FRAMES: u32 = 14;
    let mut worst = 0;
    let mut rates = std::collections::BTreeMap::new();
    for pattern in 0..1u32 << FRAMES {
        let mut line = Line::new(Rates::ALL, Rates::ALL);
        let (mut seen, mut count) = ([0; 7], 0);
        line.arrives = Box::new(move |_, _, frame| {
            if !is_pivotal(frame, &mut seen) || count >= FRAMES {
                return true;
            }
            count += 1;
            pattern >> (count - 1) & 1 == 0
        });
        // Idle and settled: the same rate at both ends, no attempt for a while.
        let mut since = 0;
        let mut last = 0;
        let micros = line.run_until(15_000_000, |line| {
            let baud = line.ends[0].session.counters().baud;
            if !line.is_at(baud) || baud == BASE_BAUD || baud != last {
                since = line.now;
            }
            last = baud;
            line.now - since > 1_000_000
        });
        worst = worst.max(micros - 1_000_000);
        assert_eq!(line.ends[0].baud, line.ends[1].baud);
        *rates.entry(line.ends[0].baud).or_insert(0) += 1;
        line.exchange(pattern, 100_000);
        // The session itself outlives it, but for the worst.
        let sessions = line.ends[0].session.counters().sessions;
        assert!(sessions <= 2, "{pattern:b}: {sessions} sessions");
    }
    println!("wisp: rate_loss_patterns {} patterns, slowest {worst} us, {rates:?}", 1u32 << FRAMES);
}

/// One frame of all of them, probes between too.
#[test]
fn any_single_frame_may_be_lost() {
    for lost in 0..20u32 {
        let mut line = Line::new(Rates::ALL, Rates::ALL);
        let mut count = 0;
        line.arrives = Box::new(move |_, _, frame| {
            count += u32::from(rate_frame(frame).is_some());
            !(rate_frame(frame).is_some() && count == lost + 1)
        });
        // A proposal, its answer, `Keep` and `Kept` are repeated; a probe that is lost condemns.
        let expected = if (2..18).contains(&lost) { 2_000_000 } else { 3_000_000 };
        let micros = line.run_until(2_500_000, |line| line.is_at(expected));
        println!("frame {lost} lost: {micros} us to {expected}");
        line.exchange(1, 50_000);
        assert_eq!(line.ends[0].session.counters().sessions, 1);
    }
}

/// A line that carries nothing above a rate, or carries it in one direction only.
#[test]
fn rates_that_do_not_work_are_passed_by() {
    for directions in [[true, false], [false, true], [true, true]] {
        for limit in [BASE_BAUD, 230_400, 921_600, 2_000_000] {
            let mut line = Line::new(Rates::ALL, Rates::ALL);
            line.arrives = Box::new(move |from, baud, _| baud <= limit || !directions[from]);
            let micros = line.run_until(12_000_000, |line| {
                line.is_at(limit) && (limit > BASE_BAUD || line.now > 11_000_000)
            });
            println!("up to {limit}, {directions:?}: {micros} us");
            line.exchange(1, 100_000);
            assert_eq!(line.ends[0].session.counters().sessions, 1);
            let said = line.rate_frames.len();
            line.run_for(60_000_000);
            assert_eq!(line.rate_frames.len(), said, "what failed is not tried again");
        }
    }
}

/// It works at first, and after a while it does not any more.
#[test]
fn a_rate_that_goes_bad_in_use_is_given_up() {
    let mut line = Line::new(Rates::ALL, Rates::ALL);
    line.run_until(AGREED, |line| line.is_at(3_000_000));
    line.run_for(20_000_000);
    for deaf in [&[0][..], &[1], &[0, 1]] {
        let deaf = deaf.to_vec();
        line.arrives = Box::new(move |from, baud, _| baud < 3_000_000 || !deaf.contains(&from));
        line.run_until(5_000_000, |line| line.is_at(2_000_000));
        assert_eq!(line.ends[0].session.counters().sessions, 1, "the session lives on");
        line.exchange(1, 50_000);
        line = Line::new(Rates::ALL, Rates::ALL);
        line.run_until(AGREED, |line| line.is_at(3_000_000));
    }
}

/// One frame of three is lost at 3 Mbaud, once it is in use.
#[test]
fn a_rate_with_too_many_errors_is_lowered() {
    let mut line = Line::new(Rates::ALL, Rates::ALL);
    line.run_until(AGREED, |line| line.is_at(3_000_000));
    let mut count = 0;
    line.arrives = Box::new(move |_, baud, frame| {
        count += u32::from(frame.len() > 1);
        baud < 3_000_000 || frame.len() < 2 || !count.is_multiple_of(3)
    });
    let text = "x".repeat(1000);
    let begin = line.now;
    while !line.is_at(2_000_000) {
        let say = link::message::HostMessage::Say { id: 1, gap_seconds: 0, text: &text };
        let _ = line.ends[0].session.send_host(&say);
        line.tick();
        assert!(line.now < begin + 5_000_000);
    }
    assert_eq!(line.ends[0].session.counters().sessions, 1);
    assert_eq!(line.ends[0].session.counters().fallbacks, 1);
}

/// A cable that is pulled when the rate has long proved itself says nothing about the rate.
#[test]
fn a_pulled_cable_does_not_lower_a_rate_that_has_proved_itself() {
    let mut line = Line::new(Rates::ALL, Rates::ALL);
    line.run_until(AGREED, |line| line.is_at(3_000_000));
    line.run_for(15_000_000);
    for pulled in [1_000_000, 5_000_000] {
        line.arrives = Box::new(|_, _, _| false);
        line.run_for(pulled);
        line.arrives = Box::new(|_, _, _| true);
        line.run_until(2_000_000, |line| line.is_at(3_000_000));
        line.run_for(15_000_000);
    }
}

#[test]
fn a_restart_of_either_end_begins_at_the_first_rate() {
    for side in 0..2 {
        let mut line = Line::new(Rates::ALL, Rates::ALL);
        line.run_until(AGREED, |line| line.is_at(3_000_000));
        line.run_for(15_000_000);
        let role = [Role::Host, Role::Bootloader][side];
        line.ends[side] = line::End::new(session(role, 77, Rates::ALL));
        let micros = line.run_until(2_500_000, |line| line.is_at(3_000_000));
        println!("end {side} restarted: {micros} us");
        line.exchange(1, 50_000);
    }
}

/// A program that ends says so, and the other one need not wait for silence.
#[test]
fn a_program_that_leaves_takes_the_line_back() {
    for side in 0..2 {
        let mut line = Line::new(Rates::ALL, Rates::ALL);
        line.run_until(AGREED, |line| line.is_at(3_000_000));
        line.ends[side].session.leave_rate();
        assert!(!line.ends[side].session.is_at_base_rate());
        line.run_until(20_000, |line| line.ends.iter().all(|end| end.session.is_at_base_rate()));
        assert_eq!([line.ends[0].baud, line.ends[1].baud], [BASE_BAUD; 2]);
    }
}

/// Adapters that say yes and do something else.
#[test]
fn adapters_that_lie_end_at_what_they_can_do() {
    let liars: [(line::Adapter, u32); 4] = [
        (|asked, _| asked.min(BASE_BAUD), BASE_BAUD),
        (|asked, _| if asked > 1_000_000 { 1_000_000 } else { asked }, 1_000_000),
        (|asked, now| if asked > 921_600 { now } else { asked }, 921_600),
        (|asked, _| if asked == BASE_BAUD { asked } else { 230_400 }, 230_400),
    ];
    for (side, (adapter, expected)) in
        [0, 1].into_iter().flat_map(|side| liars.map(|it| (side, it)))
    {
        let mut line = Line::new(Rates::ALL, Rates::ALL);
        line.ends[side].adapter = adapter;
        println!("end {side}, best {expected}");
        line.run_until(15_000_000, |line| {
            line.is_at(expected) && (expected > BASE_BAUD || line.now > 14_000_000)
        });
        line.exchange(1, 100_000);
        line.run_for(60_000_000);
        assert!(line.is_at(expected), "{side} {expected}");
    }
}

/// The host's adapter stays where it is once it is fast. Whoever opens the port anew heals it; two
/// such experiences are enough.
#[test]
fn an_adapter_that_does_not_come_back_is_not_sent_up_for_ever() {
    let mut line = Line::new(Rates::ALL, Rates::ALL);
    line.ends[0].adapter = |asked, now| if asked < now { now } else { asked };
    line.ends[1].adapter = |asked, _| asked.min(1_000_000);
    let mut opened = 0;
    for _ in 0..60 {
        line.run_for(1_000_000);
        if line.ends[0].session.peer().is_none() && line.ends[0].baud != BASE_BAUD {
            line.ends[0].baud = BASE_BAUD;
            opened += 1;
        }
    }
    assert_eq!(opened, 2);
    assert!(line.is_at(BASE_BAUD));
    line.exchange(1, 100_000);
}

/// Nor does one whose port is gone while the rate is on trial: unplugged in the middle of an upload.
#[test]
fn a_port_that_vanishes_says_nothing_about_the_rate() {
    for gone in [1_000_000, 5_000_000] {
        let mut line = Line::new(Rates::ALL, Rates::ALL);
        line.run_until(AGREED, |line| line.is_at(3_000_000));
        for _ in 0..3 {
            line.run_for(3_000_000);
            line.arrives = Box::new(|_, _, _| false);
            line.ends[0].session.line_lost();
            line.run_for(gone);
            line.arrives = Box::new(|_, _, _| true);
            line.ends[0].baud = BASE_BAUD;
            line.ends[0].session.line_opened();
            line.run_until(4_000_000, |line| line.is_at(3_000_000));
        }
    }
}
