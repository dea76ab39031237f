//! Once it lives, a device takes no memory: not for a token, not for a message, not ever.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "for tests only")]

mod support;

use device::{Device, Machine, Options, Plan};
use engine::{Placement, Portable};
use link::Session;
use link::conversation::{MessageState, Update};
use link::message::{EndReason, Role, Speaker};
use model_format::{Model, WeightFormat};
use support::model::{CHAT, stories260k, tiny_in};
use support::world::{World, identity};

/// Stops the reply in its middle, if there is one.
fn stop_when_writing(world: &mut World<'_>) {
    for _ in 0..3000 {
        world.tick();
        let last = world.conversation.messages().last();
        if last.is_some_and(|message| message.state == MessageState::Writing) {
            return world.conversation.stop();
        }
    }
}

#[test]
fn a_chat_with_everything_in_it_allocates_nothing() {
    // Lane-shared weights and cache, as on the board; and the reference's.
    for format in [WeightFormat::Fp8E4M3, WeightFormat::Int4, WeightFormat::F32] {
        let file = tiny_in(format, CHAT, 96, 3);
        let mut world = World::new(&file, CHAT, 500, 1);
        world.measure = |work| allocation_counter::measure(work).bytes_total;
        for number in 0..12 {
            world.say(&format!("say something about number {number} and this"));
            if number == 3 {
                // The next message comes while this one is read.
                continue;
            }
            world.settle();
            if number == 8 {
                world.reopen_port();
                world.settle();
                world.conversation.request_stats();
            }
            // Who is asked again does answer.
            for _ in 0..2 {
                world.conversation.regenerate();
                if number % 2 == 1 {
                    stop_when_writing(&mut world);
                }
                world.settle();
            }
            world.device.log(&[7; 600]);
        }
        // It really was a chat with everything in it.
        let messages = || world.conversation.messages().iter();
        let wisps = messages().filter(|message| message.speaker == Speaker::Wisp).count();
        assert!(wisps > 3, "{wisps} replies");
        let stopped = MessageState::Complete(EndReason::Stopped);
        assert!(messages().any(|message| message.state == stopped), "no stop");
        let seen = |wanted: fn(&Update) -> bool| world.updates.iter().any(wanted);
        assert!(seen(|update| matches!(update, Update::Shifted { .. })), "no shift");
        assert!(seen(|update| matches!(update, Update::Stats(_))), "no counters");
        assert!(seen(|update| matches!(update, Update::Withdrawn { .. })), "nothing again");
        assert_eq!(world.taken, 0, "bytes allocated while chatting, {format:?}");
    }
}

#[test]
fn the_plan_covers_what_a_device_takes() {
    for file in [stories260k(WeightFormat::Fp8E4M3), tiny_in(WeightFormat::Int8, CHAT, 2000, 3)] {
        let model = Model::open(&file).unwrap();
        for placement in [Placement::Lanes, Placement::InPlace] {
            let wanted = engine::Options { placement, ..engine::Options::default() };
            let plan = Plan::new(&model, &wanted, u64::MAX).unwrap();
            let session = Session::new(identity(Role::Firmware, 1), 1);
            let options = Options { engine: plan.options, ..Options::default() };
            let allocated = allocation_counter::measure(|| {
                drop(Device::new(&model, Portable, session, options).unwrap());
            });
            let taken = allocated.bytes_total;
            assert!(taken <= plan.total(), "{taken} of {} bytes", plan.total());
            assert!(taken > plan.engine.total(), "the engine is not all");
        }
    }
}
