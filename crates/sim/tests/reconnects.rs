//! A chat that goes on through ten thousand reconnects of every kind, in every order.
//!
//! After each: within two seconds of the last obstacle's end the board has what the friend then
//! writes. Whenever both ends come to rest: the same conversation at both, and every text in it
//! exactly once.
#![allow(clippy::unwrap_used, reason = "a test may fail")]

mod support;

use std::sync::atomic::{AtomicU64, Ordering};

use link::conversation::{MessageKey, MessageState};
use link::message::Speaker;
use link::{Instant, Rates};
use sim::transcript::{self, Line, tell};
use sim::{
    BoardSettings, CableSettings, Direction, Images, Journal, Memory, Noise, Program, Random, World,
};
use support::{figure, host, lines, say, settings};

const CASES: u64 = 500;
const RECONNECTS: u64 = 20;

/// Longest time from the end of the last obstacle until the board has a new message.
const READY_MICROS: u64 = 2_000_000;

/// The same where the line's rate is negotiated: an end that believes in a higher one hears nothing for
/// 0.85 s before it gives it up, and then a rate has to be found for the bootloader and the firmware.
const READY_WITH_RATES_MICROS: u64 = 5_000_000;

/// Longest time until all that was said is answered: the persona may have to read everything again.
const ANSWER_MICROS: u64 = 60_000_000;

/// What the friend wants at most before all of it is carried out. The host has eight orders under
/// way at a time: more would wait there, however good the cable is.
const MOST_ORDERS: u64 = 6;

/// When the watchdog steps in, and when a board that starts looks at its cable.
const HANG_MICROS: u64 = 12_000_000;

/// What happens, and what ends it.
#[derive(Clone, Copy, Debug)]
enum Action {
    Unplug,
    Plug,
    KillHost,
    StartHost(Memory),
    ResetBoard,
    HangBoard,
    CutPower { decay_percent: u64 },
    GivePower,
    Garbage(Direction),
}

/// A chat, and what must have become of it.
struct Chat {
    world: World,
    random: Random,
    /// Texts said ever: each is another.
    count: u64,
    /// What the friend wanted since all of it was last carried out.
    orders: u64,
    /// What was said since the host last lost its memory.
    said: Vec<String>,
    /// Whether the host has lost its memory: then the board may know what it does not.
    has_forgotten: bool,
    has_rates: bool,
    worst_micros: u64,
    kills: u64,
    power_cuts: u64,
}

impl Chat {
    fn new(case: u64, journal: Journal) -> Result<Self, String> {
        let mut random = Random::new(case);
        let mut board = BoardSettings::default();
        board.options.engine.context = 256;
        // Some 40 ms for a token on a fast cable, or some 8 ms on one that is slow to tell: either
        // way most obstacles come in the middle of something.
        let (slice_micros, baud, latency_micros) = match case % 4 {
            0 | 1 => (10_000, 460_800, 1000),
            _ => (2000, 115_200, 16_000),
        };
        board.slice_micros = slice_micros;
        // A board with a card starts alone, with or without a host.
        board.has_card = case % 3 == 2;
        // Every other case has a slightly bad cable on top.
        let noise = match case % 2 {
            0 => Noise::default(),
            _ => Noise {
                dropped: 20_000,
                pauses: 50_000,
                longest_pause: 30_000,
                ..Noise::bit_errors(5_000)
            },
        };
        // Every fourth negotiates a faster one, each time anew.
        let rates = if case % 4 == 3 { Rates::ALL } else { Rates::NONE };
        board.rates = rates;
        let cable = CableSettings { baud, latency_micros, rates, ..CableSettings::default() };
        let cable = cable.with_noise(noise);
        let images = Images::tiny(case % 8);
        let world = World::new(&cable, board, &images, random.bits(), journal).unwrap();
        let mut chat = Self {
            world,
            random,
            count: 0,
            orders: 0,
            said: Vec::new(),
            has_forgotten: false,
            has_rates: rates != Rates::NONE,
            worst_micros: 0,
            kills: 0,
            power_cuts: 0,
        };
        chat.world.run_until("the first start", chat.patience(), World::is_online)?;
        host(&mut chat.world).conversation_mut().configure(settings(8));
        Ok(chat)
    }

    fn patience(&self) -> u64 {
        if self.has_rates { READY_WITH_RATES_MICROS } else { READY_MICROS }
    }

    fn say(&mut self) -> MessageKey {
        let mut text = String::from("m");
        let mut number = self.count + 1;
        while number > 0 {
            text.push(char::from(b'a' + (number % 26) as u8));
            number /= 26;
        }
        self.count += 1;
        self.world.note(|| format!("the friend says {text}"));
        let key = say(&mut self.world, &text);
        self.said.push(text);
        key
    }

    /// Whether the friend has something to say: not while much is still to be carried out.
    fn may_order(&mut self) -> bool {
        if self.world.is_settled() {
            self.orders = 0;
        }
        let may = self.world.host.is_some() && self.orders < MOST_ORDERS;
        self.orders += u64::from(may);
        may
    }

    fn may_say(&mut self) {
        if self.may_order() {
            self.say();
        }
    }

    /// Some talk, which may be in full swing when it returns.
    fn talk(&mut self) {
        for _ in 0..self.random.below(3) {
            self.may_say();
            self.run_a_while();
            if !self.may_order() {
                continue;
            }
            let conversation = host(&mut self.world).conversation_mut();
            match self.random.below(20) {
                0..3 => conversation.regenerate(),
                3..5 => conversation.stop(),
                5 => {
                    conversation.forget();
                    self.said.clear();
                }
                _ => continue,
            }
            host(&mut self.world).write_down();
            self.run_a_while();
        }
    }

    fn run_a_while(&mut self) {
        let pause = self.random.below(400_000);
        self.world.run_for(pause);
    }

    /// A few obstacles at once, each with its end, in the order of time.
    fn obstacles(&mut self) -> Vec<(Instant, Action)> {
        let mut actions = Vec::new();
        let kinds = self.random.between(1, 7);
        let now = self.world.now;
        let mut add = |random: &mut Random, begin, end| {
            let at = now.plus_micros(random.below(500_000));
            // Short and long ones: shorter than any timer, and longer than all.
            let longest = if random.percent(50) { 50_000 } else { 6_000_000 };
            actions.push((at, begin));
            if let Some(end) = end {
                actions.push((at.plus_micros(random.between(1000, longest)), end));
            }
        };
        let random = &mut self.random;
        if kinds & 1 != 0 {
            add(random, Action::Unplug, Some(Action::Plug));
        }
        if kinds & 2 != 0 {
            let memory = if random.percent(80) { Memory::Kept } else { Memory::Lost };
            add(random, Action::KillHost, Some(Action::StartHost(memory)));
        }
        if kinds & 4 != 0 {
            match random.below(10) {
                0..5 => add(random, Action::ResetBoard, None),
                5 => add(random, Action::HangBoard, None),
                _ => {
                    let decay_percent = random.between(0, 2) * 50;
                    add(random, Action::CutPower { decay_percent }, Some(Action::GivePower));
                }
            }
        }
        if random.percent(20) {
            let direction = Direction::BOTH[random.below(2) as usize];
            add(random, Action::Garbage(direction), None);
        }
        actions.sort_by_key(|(at, _)| *at);
        actions
    }

    /// Does it; returns when the obstacle it is part of is over.
    fn act(&mut self, action: Action) -> Instant {
        let world = &mut self.world;
        let starting = BoardSettings::default().start_micros;
        match action {
            Action::Unplug => world.unplug(),
            Action::Plug => world.plug(),
            Action::KillHost => {
                self.kills += 1;
                world.kill_host();
            }
            Action::StartHost(memory) => {
                world.start_host(memory).unwrap();
                if memory == Memory::Lost {
                    self.said.clear();
                    self.has_forgotten = true;
                }
                host(world).conversation_mut().configure(settings(8));
            }
            Action::ResetBoard => {
                world.reset_board();
                return world.now.plus_micros(starting);
            }
            Action::HangBoard => {
                if matches!(world.board.program(), Program::Firmware(_)) {
                    world.note(|| "the board hangs".to_string());
                    world.board.hang(world.now);
                    return world.now.plus_micros(HANG_MICROS + starting);
                }
            }
            Action::CutPower { decay_percent } => {
                self.power_cuts += 1;
                world.cut_power(decay_percent);
            }
            Action::GivePower => {
                world.give_power();
                return world.now.plus_micros(starting);
            }
            Action::Garbage(direction) => {
                let mut bytes = vec![0; self.random.between(1, 4096) as usize];
                bytes.fill_with(|| self.random.bits() as u8);
                world.garbage(direction, &bytes);
            }
        }
        world.now
    }

    fn reconnect(&mut self) -> Result<(), String> {
        if self.orders > MOST_ORDERS {
            self.world.run_until("all answers", ANSWER_MICROS, World::is_settled)?;
            self.orders = 0;
        }
        let mut over = self.world.now;
        for (at, action) in self.obstacles() {
            let wait = at.micros_since(self.world.now);
            self.world.run_for(wait);
            // Sometimes a message has only just been sent.
            if self.random.percent(30) {
                self.may_say();
                let pause = self.random.below(30_000);
                self.world.run_for(pause);
            }
            over = over.max(self.act(action));
            // The friend does not know and goes on writing.
            if self.random.percent(30) {
                self.may_say();
            }
        }
        let wait = over.micros_since(self.world.now);
        self.world.run_for(wait);
        let key = self.say();
        self.orders += 1;
        self.world.run_until("Received", self.patience(), |world| has_received(world, key))?;
        self.worst_micros = self.worst_micros.max(self.world.now.micros_since(over));
        Ok(())
    }

    /// A long time in which nothing happens must not end the session.
    fn silence(&mut self) -> Result<(), String> {
        let sessions = host(&mut self.world).sessions();
        let micros = self.random.between(5_000_000, 30_000_000);
        self.world.run_for(micros);
        match host(&mut self.world).sessions() - sessions {
            0 => Ok(()),
            new => Err(format!("{new} new sessions in {micros} us of silence")),
        }
    }

    fn check(&mut self) -> Result<(), String> {
        if self.said.is_empty() {
            self.say();
        }
        self.world.run_until_quiet(ANSWER_MICROS)?;
        let host = since(lines(&self.world), &self.said);
        let mut board = self.world.board.lines().ok_or("no persona")?;
        if self.has_forgotten {
            board = since(board, &self.said);
        }
        transcript::agree(&host, &board)?;
        let read = texts_of_friend(&host);
        if read != self.said {
            return Err(format!("said {:?}, but the persona has read {read:?}", self.said));
        }
        let mut all = texts_of_friend(&self.world.board.lines().unwrap_or_default());
        all.sort();
        let count = all.len();
        all.dedup();
        match count - all.len() {
            0 => Ok(()),
            doubled => Err(format!("{doubled} doubled texts at the board: {}", tell(&board))),
        }
    }
}

/// Whether the friend sees that the board has a message.
fn has_received(world: &World, key: MessageKey) -> bool {
    let host = world.host.as_ref();
    let message = host.and_then(|host| host.conversation().message(key));
    let state = message.map(|message| message.state);
    world.is_online() && !matches!(state, None | Some(MessageState::Waiting | MessageState::Sent))
}

/// What was told since the first of these texts, or everything when it is not there.
fn since(lines: Vec<Line>, said: &[String]) -> Vec<Line> {
    let first = lines.iter().position(|line| Some(&line.text) == said.first());
    lines.into_iter().skip(first.unwrap_or(0)).collect()
}

fn texts_of_friend(lines: &[Line]) -> Vec<String> {
    let friend = lines.iter().filter(|line| line.speaker == Speaker::You);
    friend.map(|line| line.text.clone()).collect()
}

#[test]
fn ten_thousand_reconnects() {
    let [worst, worst_with_rates, kills, power_cuts] = [const { AtomicU64::new(0) }; 4];
    let cases = sim::replay::sweep("reconnects", CASES, |case, journal| {
        let mut chat = Chat::new(case, journal)?;
        for _ in 0..RECONNECTS {
            chat.talk();
            chat.reconnect()?;
            if chat.random.percent(50) {
                chat.check()?;
                if case % 2 == 0 && chat.random.percent(20) {
                    chat.silence()?;
                }
            }
        }
        chat.check()?;
        let worst = if chat.has_rates { &worst_with_rates } else { &worst };
        worst.fetch_max(chat.worst_micros, Ordering::Relaxed);
        kills.fetch_add(chat.kills, Ordering::Relaxed);
        power_cuts.fetch_add(chat.power_cuts, Ordering::Relaxed);
        Ok(())
    });
    figure("reconnects", cases * RECONNECTS, "reconnects");
    figure("reconnect_host_kills", kills.into_inner(), "kills");
    figure("reconnect_power_cuts", power_cuts.into_inner(), "cuts");
    figure("reconnect_worst", worst.into_inner() / 1000, "ms");
    figure("reconnect_worst_with_rates", worst_with_rates.into_inner() / 1000, "ms");
}
