//! A board with a card, whose plug and reset button nobody treats well: it is back by itself each
//! time, nothing is ever sent, and a friend who comes later finds the conversation.
#![allow(clippy::unwrap_used, reason = "a test may fail")]

mod support;

use sim::{BoardSettings, CableSettings, Images, Journal, Memory, Random, World};
use support::{figure, host, said, say, settings};

/// From power to the persona, with nobody at the cable: the loader waits for a host and hashes.
const ALONE_MICROS: u64 = 2_000_000;

const LIMIT: u64 = 60_000_000;

const STARTS: u64 = 300;

#[test]
fn a_board_with_a_card_is_always_back() {
    let mut random = Random::new(5);
    let board = BoardSettings { has_card: true, ..BoardSettings::default() };
    let cable = CableSettings::default();
    let images = Images::tiny(1);
    let mut world = World::new(&cable, board, &images, random.bits(), Journal::silent()).unwrap();
    let mut texts = Vec::new();
    let mut cuts = 0;
    for start in 0..STARTS {
        if start % 3 == 0 {
            world.start_host(Memory::Kept).unwrap();
            world.run_until("the persona", LIMIT, World::is_online).unwrap();
            host(&mut world).conversation_mut().configure(settings(8));
            let text = format!("m{}", "abcdefghij".repeat(1 + start as usize % 3));
            say(&mut world, &text);
            texts.push(text);
            world.run_until_quiet(LIMIT).unwrap();
            assert_eq!(said(&world), texts);
            assert_eq!(host(&mut world).chunks_sent(), 0, "the card has everything");
            world.kill_host();
        }
        // In the boot stage, while hashing, while waiting, or long after.
        world.run_for(random.below(ALONE_MICROS));
        let launches = world.board.launches();
        if random.percent(50) {
            world.cut_power(random.below(101));
            world.run_for(random.below(ALONE_MICROS));
            world.give_power();
            cuts += 1;
        } else {
            world.reset_board();
        }
        if random.percent(30) {
            continue;
        }
        // A firmware that was reset before it had run for long counts as one that crashed.
        if world.run_until("the start", ALONE_MICROS, |it| it.board.launches() > launches).is_err()
        {
            world.cut_power(100);
            world.give_power();
            world
                .run_until("the start", ALONE_MICROS, |it| it.board.launches() > launches)
                .unwrap();
            cuts += 1;
        }
    }
    assert!(cuts > STARTS / 3);
    figure("card_starts", STARTS, "starts");
}
