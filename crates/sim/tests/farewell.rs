//! The bootloader does not leave before the host has heard why, even on a cable that loses one
//! frame in ten: it waits for the acknowledgement, though not for ever.
#![allow(clippy::unwrap_used, reason = "a test may fail")]

mod support;

use std::sync::atomic::{AtomicU64, Ordering};

use sim::{BoardSettings, CableSettings, Heard, Images, Noise, World};
use support::{figure, host};

const STARTS: u64 = 1000;

/// Starts of which the host may not hear, because the bootloader gives up waiting after a quarter
/// of a second: several losses in a row take longer to mend.
const MOST_UNHEARD: u64 = STARTS / 100;

const LIMIT: u64 = 30_000_000;

#[test]
fn launching_is_heard() {
    let images = Images::tiny(1);
    let heard = AtomicU64::new(0);
    let starts = sim::replay::sweep("farewell", STARTS, |case, journal| {
        let cable = CableSettings::default().with_noise(Noise::lost_frames(10));
        let mut world =
            World::new(&cable, BoardSettings::default(), &images, case, journal).unwrap();
        world.run_until("the start", LIMIT, World::is_online)?;
        let launching = |(_, what): &&(link::Instant, Heard)| *what == Heard::Launching;
        match host(&mut world).heard().iter().filter(launching).count() as u64 {
            times @ 0..=1 => {
                heard.fetch_add(times, Ordering::Relaxed);
                Ok(())
            }
            times => Err(format!("Launching was heard {times} times")),
        }
    });
    let unheard = starts - heard.into_inner();
    assert!(unheard <= MOST_UNHEARD, "{unheard} of {starts} starts were unheard of");
    figure("launches_unheard", unheard, "starts");
}
