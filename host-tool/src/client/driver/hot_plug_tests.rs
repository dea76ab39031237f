//! A port that vanishes and comes back, in the driver's own time: how long until the chat goes on.

use std::collections::VecDeque;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex};

use super::*;

/// The most that a friend is to wait once the port is there again.
const MOST_MICROS: u64 = 2_000_000;

/// What a byte takes at 115200 baud.
const BYTE_MICROS: u64 = 87;

/// Time that passes only when the driver waits, or sends.
#[derive(Clone)]
struct MadeUp(Arc<AtomicU64>);

impl Clock for MadeUp {
    fn now(&self) -> Instant {
        Instant(self.0.load(Ordering::SeqCst))
    }

    fn pause(&self, duration: Duration) {
        self.0.fetch_add(duration.as_micros() as u64, Ordering::SeqCst);
    }
}

/// The machine: which ports are plugged in, and the board at one of them.
struct Machine {
    /// Each port, and from when on it is there.
    ports: Vec<(&'static str, Instant)>,
    board_at: &'static str,
    board: Session,
    known: Vec<&'static str>,
}

impl Machine {
    fn there(&self, now: Instant) -> Vec<&'static str> {
        self.ports.iter().filter(|(_, from)| *from <= now).map(|(name, _)| *name).collect()
    }
}

type Shared = Arc<Mutex<Machine>>;

struct ToMachine {
    machine: Shared,
    clock: MadeUp,
    turn: VecDeque<&'static str>,
    last: &'static str,
}

impl Connector for ToMachine {
    fn connect(&mut self) -> Result<Box<dyn Port>> {
        let mut machine = self.machine.lock().unwrap();
        let ports = machine.there(self.clock.now());
        let new = ports.iter().find(|name| !machine.known.contains(name)).copied();
        self.turn.retain(|name| ports.contains(name));
        for name in &ports {
            if !self.turn.contains(name) {
                self.turn.push_back(name);
            }
        }
        machine.known = ports;
        self.turn.rotate_left(usize::from(!self.turn.is_empty()));
        let name = new.or(self.turn.back().copied()).ok_or(WispError::NoPort)?;
        self.last = name;
        drop(machine);
        Ok(Box::new(Line { name, machine: self.machine.clone(), clock: self.clock.clone() }))
    }

    fn describe(&self) -> String {
        self.last.to_string()
    }

    fn has_alternatives(&self) -> bool {
        self.machine.lock().unwrap().known.len() > 1
    }

    fn has_news(&self) -> bool {
        let machine = self.machine.lock().unwrap();
        machine.there(self.clock.now()).iter().any(|name| !machine.known.contains(name))
    }
}

struct Line {
    name: &'static str,
    machine: Shared,
    clock: MadeUp,
}

impl Port for Line {
    fn receive(&mut self, buffer: &mut [u8], patience: Duration) -> io::Result<usize> {
        let mut machine = self.machine.lock().unwrap();
        let now = self.clock.now();
        if !machine.there(now).contains(&self.name) {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        machine.board.handle_timeout(now);
        while machine.board.poll_event().is_some() {}
        if machine.board_at == self.name {
            let count = machine.board.poll_transmit(now, buffer);
            if count > 0 {
                self.clock.pause(Duration::from_micros(BYTE_MICROS * count as u64));
                return Ok(count);
            }
        }
        self.clock.pause(patience.max(Duration::from_micros(100)));
        Ok(0)
    }

    fn send(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut machine = self.machine.lock().unwrap();
        let now = self.clock.now();
        if !machine.there(now).contains(&self.name) {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        self.clock.pause(Duration::from_micros(BYTE_MICROS * bytes.len() as u64));
        if machine.board_at == self.name {
            machine.board.handle_timeout(now);
            machine.board.handle_bytes(now, bytes);
        }
        Ok(bytes.len())
    }
}

/// A driver on a machine, and what it has shown.
struct World {
    driver: Driver,
    machine: Shared,
    clock: MadeUp,
    updates: Receiver<Update>,
    phase: Phase,
    _commands: Sender<Command>,
}

impl World {
    fn new(ports: &[&'static str], board_at: &'static str) -> Self {
        let clock = MadeUp(Arc::default());
        let machine = Arc::new(Mutex::new(Machine {
            ports: ports.iter().map(|name| (*name, Instant(0))).collect(),
            board_at,
            board: board(1),
            known: Vec::new(),
        }));
        let (turn, last) = (VecDeque::new(), "");
        let connector = ToMachine { machine: machine.clone(), clock: clock.clone(), turn, last };
        let (commands, their_commands) = mpsc::channel();
        let (their_updates, updates) = mpsc::channel();
        let options = ClientOptions::default();
        let mut driver =
            Driver::new(Box::new(connector), options, their_commands, their_updates).unwrap();
        driver.clock = Box::new(clock.clone());
        let phase = Phase::Searching;
        Self { driver, machine, clock, updates, phase, _commands: commands }
    }

    fn turn(&mut self) {
        assert!(self.driver.turn().is_ok());
        for update in self.updates.try_iter() {
            if let Update::Link { link } = update {
                self.phase = link.phase;
            }
        }
    }

    /// Runs for so long.
    fn run_for(&mut self, micros: u64) {
        let end = self.clock.now().plus_micros(micros);
        while self.clock.now() < end {
            self.turn();
        }
    }

    /// Runs until the chat goes on, and says how long after `since` that was.
    fn run_until_online(&mut self, since: Instant) -> u64 {
        while self.phase != Phase::Online || self.driver.session.peer().is_none() {
            self.turn();
            assert!(self.clock.now().micros_since(since) < 60_000_000, "never");
        }
        self.clock.now().micros_since(since)
    }

    /// Pulls one port out, and plugs one in after a while; says when that will be.
    fn move_board(&mut self, from: &str, to: &'static str, gap: u64) -> Instant {
        let back = self.clock.now().plus_micros(gap);
        {
            let mut machine = self.machine.lock().unwrap();
            machine.ports.retain(|(port, _)| *port != from);
            machine.ports.push((to, back));
            machine.board_at = to;
        }
        self.turn();
        assert_ne!(self.phase, Phase::Online, "the loss was not noticed");
        back
    }
}

fn board(boot: u32) -> Session {
    let persona = Some([7; 32]);
    Session::new(Identity { role: Role::Firmware, boot, version: [0; 3], persona }, 40 + boot)
}

/// Gaps of all lengths, so that they fall on every state of both ends' timers.
fn gaps() -> impl Iterator<Item = u64> {
    (0..60).map(|step| 37_000 + step * 71_000).chain([60_000_000])
}

#[test]
fn a_port_that_comes_back_is_used_within_two_seconds() {
    let mut worst = 0;
    for gap in gaps() {
        for restarts in [false, true] {
            let mut world = World::new(&["ttyUSB0"], "ttyUSB0");
            world.run_until_online(Instant(0));
            world.run_for(300_000);
            let back = world.move_board("ttyUSB0", "ttyUSB0", gap);
            if restarts {
                world.machine.lock().unwrap().board = board(2);
            }
            worst = worst.max(world.run_until_online(back));
            // It stays so: no timer of the gap is left.
            world.run_for(10_000_000);
            assert_eq!(world.phase, Phase::Online, "later, after {gap} µs, restarts: {restarts}");
        }
    }
    println!("wisp: reconnect_worst {} ms", worst / 1000);
    assert!(worst <= MOST_MICROS, "{worst} µs");
}

#[test]
fn a_board_that_comes_back_under_another_name_is_found_within_two_seconds() {
    let mut worst = 0;
    for gap in gaps() {
        let mut world = World::new(&["ttyS0", "ttyUSB0"], "ttyUSB0");
        world.run_until_online(Instant(0));
        // Meanwhile the driver listens on the other port, where nobody is.
        let back = world.move_board("ttyUSB0", "ttyUSB1", gap);
        worst = worst.max(world.run_until_online(back));
    }
    println!("wisp: reconnect_elsewhere_worst {} ms", worst / 1000);
    assert!(worst <= MOST_MICROS, "{worst} µs");
}

#[test]
fn a_board_that_is_plugged_in_late_is_found_beside_a_port_where_nobody_is() {
    let mut world = World::new(&["ttyS0"], "nowhere");
    world.run_for(30_000_000);
    assert_eq!(world.phase, Phase::Waiting);
    let back = world.move_board("nowhere", "ttyUSB0", 123_456);
    let took = world.run_until_online(back);
    assert!(took <= MOST_MICROS, "{took} µs");
}
