//! The speed of the cable: the best that both ends and the adapter between them can do, found within
//! moments, given up when it does not work, with nothing lost on the way.
#![allow(clippy::unwrap_used, reason = "a test may fail")]

mod support;

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use link::message::Slot;
use link::upload::Phase;
use link::{BASE_BAUD, Rates};
use sim::{
    Adapter, BoardSettings, CableSettings, Images, Journal, Memory, Noise, Program, Random, World,
};
use support::{figure, host, said, say, settings};

/// Worlds with an adapter, a cable and a fate of their own.
const WORLDS: u64 = 300;

/// Longest time until everything is said and the speed is found.
const PATIENCE: u64 = 60_000_000;

/// All rates at both ends.
fn fast(adapter: Adapter) -> (CableSettings, BoardSettings) {
    let cable = CableSettings { rates: Rates::ALL, adapter, ..CableSettings::default() };
    (cable, BoardSettings { rates: Rates::ALL, ..BoardSettings::default() })
}

fn start((cable, board): (CableSettings, BoardSettings), seed: u64, journal: Journal) -> World {
    World::new(&cable, board, &Images::tiny(seed % 8), seed, journal).unwrap()
}

#[test]
fn bootloader_and_firmware_get_the_best_rate() {
    for (latency_micros, name) in [(1000, "quick"), (16_000, "slow")] {
        let (cable, mut board) = fast(Adapter::Honest);
        // Long enough in the bootloader to see it there.
        board.hash_micros = 50_000;
        let mut world =
            start((CableSettings { latency_micros, ..cable }, board), 1, Journal::silent());
        world
            .run_until("the bootloader", PATIENCE, |world| {
                world.host.as_ref().is_some_and(|host| host.session().peer().is_some())
            })
            .unwrap();
        let met = world.now;
        world.run_until("3 Mbaud", PATIENCE, |world| world.baud() == Some(3_000_000)).unwrap();
        assert!(matches!(world.board.program(), Program::Loader(_)));
        figure(&format!("sim_baud_agreed_{name}_adapter"), world.now.micros_since(met), "us");
        world.run_until("the persona", PATIENCE, World::is_online).unwrap();
        let met = world.now;
        world.run_until("3 Mbaud", PATIENCE, |world| world.baud() == Some(3_000_000)).unwrap();
        assert!(world.now.micros_since(met) < 400_000);
        assert_eq!(host(&mut world).session().counters().fallbacks, 0);
    }
}

/// Whatever ends a program, the next one begins at the first rate and is found there.
#[test]
fn every_restart_begins_at_the_first_rate() {
    let mut world = start(fast(Adapter::Honest), 1, Journal::silent());
    let at_best = |world: &World| world.is_online() && world.baud() == Some(3_000_000);
    world.run_until("the start", PATIENCE, at_best).unwrap();
    let mut worst = 0;
    for round in 0..12u32 {
        world.run_for(11_000_000);
        match round % 4 {
            0 => world.reset_board(),
            1 => {
                world.cut_power(0);
                world.run_for(2_000_000);
                world.give_power();
            }
            2 => {
                world.kill_host();
                world.start_host(Memory::Kept).unwrap();
            }
            _ => {
                world.unplug();
                world.run_for(3_000_000);
                world.plug();
            }
        }
        let begin = world.now;
        world.run_for(1_000);
        world.run_until("the best rate", PATIENCE, at_best).unwrap();
        worst = worst.max(world.now.micros_since(begin));
    }
    figure("sim_baud_back_after_restart_at_most", worst, "us");
    assert!(worst < 4_000_000, "{worst}");
}

/// An adapter, and whether it says what it does.
fn draw_adapter(random: &mut Random) -> Adapter {
    let limits = [BASE_BAUD, 230_400, 460_800, 921_600, 1_000_000, 2_000_000];
    let limit = limits[random.below(limits.len() as u64) as usize];
    match random.below(6) {
        0 => Adapter::Honest,
        1 => Adapter::KeepsAbove(limit),
        2 => Adapter::LosesAbove(limit),
        3 => Adapter::SticksUpTo(limit),
        4 => Adapter::SticksUpTo(3_000_000),
        _ => Adapter::RoundsAbove(limit),
    }
}

fn draw_rates(random: &mut Random) -> Rates {
    match random.below(3) {
        0 => Rates::of(|_| random.percent(50)),
        _ => Rates::ALL,
    }
}

/// One world: a chat with obstacles, then peace. Both ends tell the same story, with every message
/// once, at the best rate that there is.
fn live(case: u64, journal: Journal) -> Result<Option<u32>, String> {
    let mut random = Random::new(case);
    let adapter = draw_adapter(&mut random);
    let (mut cable, mut board) = fast(adapter);
    cable.rates = draw_rates(&mut random);
    board.rates = draw_rates(&mut random);
    cable.latency_micros = [100, 1000, 16_000][random.below(3) as usize];
    board.has_card = random.percent(30);
    // Bad enough at 3 Mbaud in a third of the worlds; nothing at all at 115,200.
    cable.fading = if random.percent(33) { 3_000_000 } else { 0 };
    if random.percent(33) {
        cable = cable.with_noise(Noise::bit_errors(5_000));
    }
    let is_clean = cable.fading == 0 && cable.to_host == Noise::default();
    journal.note(link::Instant(0), || format!("{cable:?} {board:?}"));
    let mut world = start((cable, board), case, journal);
    world.run_until("the start", PATIENCE, World::is_online)?;
    host(&mut world).conversation_mut().configure(settings(8));
    let mut texts = Vec::new();
    for round in 0..4 {
        for _ in 0..3 {
            texts.push(format!("m{}", char::from(b'a' + texts.len() as u8)));
            say(&mut world, texts.last().unwrap());
            world.run_for(random.below(700_000));
        }
        match random.below(8) {
            0 => {
                world.kill_host();
                world.run_for(random.below(1_000_000));
                world.start_host(Memory::Kept).map_err(|error| format!("{error:?}"))?;
            }
            1 => world.reset_board(),
            2 => {
                world.unplug();
                world.run_for(random.below(4_000_000));
                world.plug();
            }
            3 => {
                world.cut_power(0);
                world.run_for(random.below(2_000_000));
                world.give_power();
            }
            _ => {}
        }
        world.note(|| format!("round {round} is over"));
        world.run_until_quiet(PATIENCE)?;
    }
    world.check_agreement()?;
    if said(&world) != texts {
        return Err(format!("{:?} instead of {texts:?}", said(&world)));
    }
    // A program that remembers no obstacles, and all attempts there may be.
    world.kill_host();
    world.start_host(Memory::Kept).map_err(|error| format!("{error:?}"))?;
    world.run_for(20_000_000);
    world.run_until("a quiet line", PATIENCE, |world| {
        world.is_settled() && world.baud().is_some()
    })?;
    let sessions = host(&mut world).sessions();
    world.run_for(30_000_000);
    if host(&mut world).sessions() != sessions {
        return Err("sessions end without a reason".to_string());
    }
    let baud = world.baud().ok_or("the ends do not agree")?;
    if baud > adapter.best().max(BASE_BAUD) {
        return Err(format!("{baud} baud over {adapter:?}"));
    }
    // Where nothing comes by chance, it is known which one is the best.
    let both = cable.rates.both(board.rates);
    let best = Rates::of(|rate| both.contains(rate) && rate <= adapter.best()).highest();
    let best = best.unwrap_or(BASE_BAUD);
    let is_sticky = matches!(adapter, Adapter::SticksUpTo(_));
    if is_clean && !is_sticky && baud != best {
        return Err(format!("{baud} baud instead of {best} over {adapter:?}"));
    }
    Ok(is_clean.then_some(baud))
}

#[test]
fn any_adapter_on_any_cable_ends_well() {
    let rates = Mutex::new(std::collections::BTreeMap::new());
    let worlds = sim::replay::sweep("baud", WORLDS, |case, journal| {
        let baud = live(case, journal)?;
        *rates.lock().unwrap().entry(baud).or_insert(0) += 1;
        Ok(())
    });
    figure("sim_baud_worlds", worlds, "runs");
    println!("{:?}", rates.into_inner().unwrap());
}

/// A line whose errors grow with the speed gets one at which it carries most, or next to that.
#[test]
fn a_line_that_fades_gets_a_rate_that_it_carries() {
    for (fading, expected) in [
        (100, 3_000_000..=3_000_000),
        (1_000_000, 1_000_000..=2_000_000),
        (100_000_000, 230_400..=921_600),
    ] {
        let (cable, mut board) = fast(Adapter::Honest);
        board.persona_bytes = 400_000;
        let images = Images::bulk(400_000);
        let cable = CableSettings { fading, ..cable };
        let mut world = World::new(&cable, board, &images, 1, Journal::silent()).unwrap();
        world
            .run_until("the upload", 120_000_000, |world| {
                world
                    .host
                    .as_ref()
                    .is_some_and(|host| host.upload(Slot::Persona).phase() == Phase::Verifying)
            })
            .unwrap();
        let baud = host(&mut world).session().counters().baud;
        println!("bit errors at 3 Mbaud {fading} of 10^9: {baud} baud, {} us", world.now.0);
        assert!(expected.contains(&baud), "{baud}");
        assert_eq!(host(&mut world).sessions(), 1);
    }
}

/// From power to the last chunk of 3 MB, with the negotiation or without it.
#[test]
fn an_upload_is_as_fast_as_the_rate() {
    const BYTES: usize = 3_000_000;
    let images = Images::bulk(BYTES);
    let seconds = [(Rates::NONE, "115200"), (Rates::ALL, "negotiated")].map(|(rates, name)| {
        let (cable, board) = fast(Adapter::Honest);
        let cable = CableSettings { rates, queue_bytes: 256, ..cable };
        let board = BoardSettings { persona_bytes: BYTES, ..board };
        let mut world = World::new(&cable, board, &images, 1, Journal::silent()).unwrap();
        world
            .run_until("the upload", 600_000_000, |world| {
                world
                    .host
                    .as_ref()
                    .is_some_and(|host| host.upload(Slot::Persona).phase() == Phase::Verifying)
            })
            .unwrap();
        let tenths = world.now.0 / 100_000;
        let seconds = format!("{}.{}", tenths / 10, tenths % 10);
        figure(&format!("sim_upload_3_mb_{name}"), seconds, "simulated_seconds");
        tenths
    });
    assert!(seconds[1] * 15 < seconds[0], "{seconds:?} tenths");
}

/// A program that is busy for longer than the port's ring lasts loses bytes; what was in them is sent
/// again, and the chat is the same. With the real ring there is nothing to lose: both lanes' windows
/// are hardly more.
#[test]
fn overruns_cost_time_and_nothing_else() {
    let outcomes = [16 * 1024, 32, 24].map(|receive_ring| {
        let (cable, board) = fast(Adapter::Honest);
        let board = BoardSettings { receive_ring, slice_micros: 10_000, ..board };
        let mut world = start((cable, board), 1, Journal::silent());
        world.run_until("the start", PATIENCE, World::is_online).unwrap();
        host(&mut world).conversation_mut().configure(settings(8));
        let mut texts = Vec::new();
        for round in 0..60u8 {
            texts.push(format!(
                "m{}{}",
                char::from(b'a' + round / 26),
                char::from(b'a' + round % 26)
            ));
            say(&mut world, texts.last().unwrap());
            world.run_for(15_000 * u64::from(round % 4));
            if round % 3 == 2 {
                world.run_until_quiet(PATIENCE).unwrap();
            }
        }
        world.run_until_quiet(PATIENCE).unwrap();
        world.check_agreement().unwrap();
        assert_eq!(said(&world), texts);
        let lost = world.board.overrun_bytes();
        println!("ring of {receive_ring} bytes: {lost} lost, {} us", world.now.0);
        lost
    });
    assert_eq!(outcomes[0], 0);
    assert!(outcomes[1] > 0 && outcomes[2] > outcomes[1], "{outcomes:?}");
}

/// All worlds together, for what they must have met.
#[test]
fn the_worlds_are_bad_enough() {
    let liars = AtomicU64::new(0);
    for case in 0..WORLDS {
        let adapter = draw_adapter(&mut Random::new(case));
        liars.fetch_add(u64::from(adapter != Adapter::Honest), Ordering::Relaxed);
    }
    assert!(liars.into_inner() > WORLDS / 2);
}
