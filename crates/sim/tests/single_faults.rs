//! Every single fault at every byte of a whole session: hello, upload, start, chat.
//!
//! What must come out is the very conversation of the undisturbed session, no later than five
//! seconds after it. That is stricter than "or a named error": there is no error that one fault
//! on the cable could excuse.
#![allow(clippy::unwrap_used, reason = "a test may fail")]

mod support;

use link::Instant;
use sim::transcript::{Line, tell};
use sim::{
    BoardSettings, ByteFault, CableSettings, Direction, Images, Journal, PlannedFault, World,
};
use support::{figure, host, lines, say, settings};

/// What the friend writes.
const TEXTS: [&str; 2] = ["hello wisp", "go on"];

/// How much longer than the undisturbed session a disturbed one may take, in microseconds.
const PATIENCE: u64 = 5_000_000;

/// Bytes that the session must have at least, both ways together.
const LEAST_BYTES: u64 = 4096;

/// One session from power-on to the last answer.
struct Session {
    world: World,
    end: Instant,
}

impl Session {
    fn new(images: &Images, fault: Option<(Direction, PlannedFault)>, journal: Journal) -> Self {
        let mut board = BoardSettings::default();
        board.options.slice = 2000;
        let mut world = World::new(&CableSettings::default(), board, images, 1, journal).unwrap();
        host(&mut world).conversation_mut().configure(settings(4));
        if let Some((direction, fault)) = fault {
            world.cable.line(direction).plan(fault);
        }
        Self { world, end: Instant(u64::MAX / 2) }
    }

    /// Runs the script; `Err` when it hangs.
    fn run(&mut self) -> Result<(), String> {
        self.wait("the start", |world| world.is_online() && world.is_settled())?;
        for text in TEXTS {
            say(&mut self.world, text);
            self.wait("the answer", World::is_settled)?;
        }
        Ok(())
    }

    fn wait(&mut self, what: &str, done: impl FnMut(&World) -> bool) -> Result<(), String> {
        let left = self.end.micros_since(self.world.now);
        Ok(self.world.run_until(what, left, done)?)
    }
}

/// The undisturbed session.
struct Clean {
    end: Instant,
    lines: Vec<Line>,
    bytes: [u64; 2],
}

fn clean(images: &Images) -> Clean {
    let mut session = Session::new(images, None, Journal::silent());
    session.run().unwrap();
    // The last events are still on their way when both ends have come to rest.
    session.world.run_until_quiet(PATIENCE).unwrap();
    let lines = lines(&session.world);
    session.world.check_agreement().unwrap();

    let mut again = Session::new(images, None, Journal::silent());
    again.run().unwrap();
    again.wait("the last events", |world| support::lines(world) == lines).unwrap();
    let end = again.world.now;
    let bytes = Direction::BOTH.map(|direction| again.world.cable.line(direction).position());
    Clean { end, lines, bytes }
}

fn disturbed(
    images: &Images,
    clean: &Clean,
    direction: Direction,
    fault: PlannedFault,
    journal: Journal,
) -> Result<(), String> {
    let mut session = Session::new(images, Some((direction, fault)), journal);
    session.end = clean.end.plus_micros(PATIENCE);
    session.run()?;
    let arrived = session.wait("the last events", |world| lines(world) == clean.lines);
    let told = lines(&session.world);
    arrived.map_err(|stuck| format!("{stuck}; the host has {}", tell(&told)))?;
    // Nothing may come after that: no doubled message, no late error.
    session.world.run_until_quiet(PATIENCE)?;
    let told = lines(&session.world);
    if told != clean.lines {
        return Err(format!("afterwards the host has {}", tell(&told)));
    }
    session.world.check_agreement()?;
    match host(&mut session.world).refusals() {
        [] => Ok(()),
        refusals => Err(format!("refused: {refusals:?}")),
    }
}

#[test]
fn every_fault_at_every_byte() {
    let images = Images::tiny(1);
    let clean = clean(&images);
    assert!(clean.lines.len() >= 3, "{}", tell(&clean.lines));
    let [to_board, to_host] = clean.bytes;
    assert!(to_board + to_host >= LEAST_BYTES, "{to_board} + {to_host} bytes");

    let faults = ByteFault::ALL.len() as u64;
    let runs =
        sim::replay::sweep("single_faults", (to_board + to_host) * faults, |case, journal| {
            let (position, fault) = (case / faults, ByteFault::ALL[(case % faults) as usize]);
            let (direction, position) = match position.checked_sub(to_board) {
                None => (Direction::ToBoard, position),
                Some(position) => (Direction::ToHost, position),
            };
            let fault = PlannedFault { position, fault };
            journal.note(Instant(0), || format!("{direction:?} {fault:?}"));
            disturbed(&images, &clean, direction, fault, journal)
                .map_err(|cause| format!("{direction:?} {fault:?}: {cause}"))
        });
    figure("fault_session_bytes", to_board + to_host, "bytes");
    figure("fault_runs", runs, "runs");
}
