//! The main loop: time, bytes and chores for a machine that knows no registers.

use bcm2835::{Clock, LineCounters, Peripherals, idle_unless};
use boot_core::handover;
use device::{Activity, Governor, Health, Light, Machine, is_lit};
use link::Instant;

use crate::{HEAP, board, log};

/// Bytes moved between the serial port and the machine at a time. In a slice of the machine's work
/// up to 1,500 arrive (5 ms at 3 Mbaud).
const PIECE: usize = 2048;

/// Longest sleep in microseconds: the LED wants to beat.
const LONGEST_SLEEP: u64 = 50_000;

/// Microseconds between two looks at temperature and counters: the second that [`Governor`] wants.
const HEALTH_INTERVAL: u64 = 1_000_000;

/// A firmware that has run for so long, in microseconds, does not crash at every start.
const HEALTHY_AFTER: u64 = 20_000_000;

/// Why the board is to be restarted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Restart {
    /// The host wants to.
    Plain,
    /// All memory is to be tested.
    Test,
}

/// Runs the machine until the board is to be restarted.
pub(crate) fn run(board: &mut Peripherals, machine: &mut impl Machine) -> Restart {
    let mut piece = [0; PIECE];
    let mut chores = Chores::new(board);
    board.watchdog.start();
    loop {
        board.watchdog.pat();
        chores.run(board, machine);

        let received = board.uart.try_read(&mut piece);
        machine.handle_bytes(now(board), piece.get(..received).unwrap_or_default());

        let activity = machine.poll(now(board));

        // No more than the port takes at once: what waits in it can no longer be overtaken.
        let space = board.uart.transmit_space().min(PIECE);
        let room = piece.get_mut(..space).unwrap_or_default();
        let count = machine.poll_transmit(now(board), room);
        board.uart.try_write(room.get(..count).unwrap_or_default());
        let is_changed = set_line(board, machine);

        match activity {
            Activity::Busy => chores.is_working = true,
            Activity::IdleUntil(until) => {
                chores.is_working = false;
                if count == 0 && received == 0 && !is_changed {
                    sleep(board, until);
                }
            }
            Activity::Reboot => return Restart::Plain,
            Activity::TestMemory => return Restart::Test,
            Activity::PlantPanic => plant_panic(),
        }
    }
}

/// Gives the line another rate, when everything at the old one has been handed out.
fn set_line(board: &mut Peripherals, machine: &mut impl Machine) -> bool {
    let Some(baud) = machine.line_to_set() else { return false };
    let made = board.uart.set_baud(baud);
    match made {
        Ok(made) => defmt::info!("line: {=u32} baud, really {=u32}", baud, made),
        Err(_) => defmt::warn!("line: {=u32} baud cannot be made", baud),
    }
    machine.line_set(now(board), made.is_ok());
    true
}

fn now(board: &Peripherals) -> Instant {
    Instant(board.timer.now())
}

/// Sleeps until a byte comes or it is time, whichever is first.
fn sleep(board: &mut Peripherals, until: Option<Instant>) {
    let longest = board.timer.now() + LONGEST_SLEEP;
    let until = until.map_or(longest, |until| until.0.min(longest));
    idle_unless(|| board.uart.has_received() || !board.timer.wake_at(until));
}

#[expect(clippy::panic, reason = "the host wants to see the way back from one")]
fn plant_panic() -> ! {
    defmt::warn!("panic on request");
    panic!("planted by the host")
}

/// What has to be done now and then.
struct Chores {
    is_working: bool,
    next_health: u64,
    lost_frames: u32,
    line: LineCounters,
    is_healthy: bool,
    crash_is_forgotten: bool,
    governor: Governor,
}

impl Chores {
    /// The processor runs as fast as it can.
    fn new(board: &mut Peripherals) -> Self {
        let highest = board.mailbox.clock_rate(Clock::Arm).unwrap_or(0);
        Self {
            is_working: false,
            next_health: 0,
            lost_frames: 0,
            line: LineCounters::default(),
            is_healthy: false,
            crash_is_forgotten: false,
            governor: Governor::new(highest),
        }
    }

    fn run(&mut self, board: &mut Peripherals, machine: &mut impl Machine) {
        let now = board.timer.now();
        let light = Light::of(machine.trouble(), self.is_working);
        board.led.light(is_lit(Instant(now), light));

        let mut frame = [0; 256];
        loop {
            let count = log::take_frame(&mut frame);
            let Some(bytes) = frame.get(..count).filter(|bytes| !bytes.is_empty()) else { break };
            machine.log(bytes);
        }
        if now >= self.next_health {
            self.next_health = now + HEALTH_INTERVAL;
            let health = health(board);
            machine.set_health(health);
            self.mind_heat(board, health.temperature_millidegrees);
            self.mind_line(board);
            let lost = log::dropped_frames();
            if lost != self.lost_frames {
                self.lost_frames = lost;
                defmt::warn!("{=u32} log frames lost since the start", lost);
            }
        }
        if !self.is_healthy && now >= HEALTHY_AFTER {
            self.is_healthy = true;
            board::change_handover(handover::note_healthy);
        }
        if !self.crash_is_forgotten && !machine.has_unseen_crash() {
            self.crash_is_forgotten = true;
            board::forget_crash();
        }
    }

    /// Says what went wrong on the line, if anything did since the last time.
    fn mind_line(&mut self, board: &Peripherals) {
        let line = board.uart.counters();
        if line == self.line {
            return;
        }
        self.line = line;
        let LineCounters { overruns, breaks, parity_errors, framing_errors } = line;
        defmt::warn!(
            "line: {=u32} overruns, {=u32} breaks, {=u32} parity and {=u32} framing errors",
            overruns,
            breaks,
            parity_errors,
            framing_errors
        );
    }

    /// Slows a hot chip down, and lets it be fast again when it has cooled.
    fn mind_heat(&mut self, board: &mut Peripherals, millidegrees: u32) {
        let was_slowed = self.governor.is_slowed();
        let Some(rate) = self.governor.second(millidegrees) else { return };
        if board.mailbox.set_clock_rate(Clock::Arm, rate).is_err() {
            return defmt::warn!("the processor's clock cannot be changed");
        }
        match (was_slowed, self.governor.is_slowed()) {
            (false, true) => defmt::warn!("the chip is hot ({=u32} m°C): slower", millidegrees),
            (true, false) => defmt::info!("the chip has cooled: full speed"),
            _ => {}
        }
    }
}

fn health(board: &mut Peripherals) -> Health {
    let (heap_used, heap_size) = HEAP.usage();
    let line = board.uart.counters();
    Health {
        heap_used: heap_used as u32,
        heap_size: heap_size as u32,
        uart_overruns: line.overruns,
        uart_line_errors: line.breaks + line.parity_errors + line.framing_errors,
        temperature_millidegrees: board.mailbox.temperature().unwrap_or(0),
        arm_clock_hz: board.mailbox.clock_rate(Clock::Arm).unwrap_or(0),
    }
}
