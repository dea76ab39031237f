//! A day of chat on a cable that is pulled a thousand times: nothing is lost, and no memory is.
#![allow(clippy::unwrap_used, reason = "a test may fail")]

mod support;

use link::conversation::MessageState;
use link::message::Speaker;
use sim::{BoardSettings, CableSettings, Images, Journal, Noise, Random, World, transcript};
use support::{figure, host, lines, said, say, settings};

const HOUR: u64 = 3_600_000_000;
const DAY: u64 = 24 * HOUR;
const DISCONNECTS: u64 = 1000;

/// How often memory is looked at.
const PARTS: u64 = 20;

/// Longest time until the board has a message after the cable is whole again.
const READY_MICROS: u64 = 2_000_000;
const ANSWER_MICROS: u64 = 60_000_000;

/// The text of a message in the conversation, and its copy on the disk, rounded up generously. Two
/// hundred bytes lost with each disconnect would be twice as much.
const BYTES_OF_MESSAGE: i64 = 64;

struct Day {
    world: World,
    random: Random,
    /// What the friend has written.
    texts: Vec<String>,
}

impl Day {
    fn begin() -> Self {
        let mut board = BoardSettings::default();
        board.options.engine.context = 256;
        let noise = Noise { dropped: 2_000, ..Noise::bit_errors(1_000) };
        let cable = CableSettings::default().with_noise(noise);
        let world = World::new(&cable, board, &Images::tiny(1), 1, Journal::silent()).unwrap();
        let mut day = Self { world, random: Random::new(5), texts: Vec::new() };
        day.world.run_until("the first start", READY_MICROS, World::is_online).unwrap();
        host(&mut day.world).conversation_mut().configure(settings(8));
        day
    }

    /// Some talk and some silence; somewhere in it the cable is out for a while.
    fn pull_once(&mut self, until: u64) {
        let random = &mut self.random;
        let silence = random.below(until.saturating_sub(self.world.now.0) / 2);
        let into_the_talk = random.below(2_000_000);
        let out = if random.percent(50) { random.below(100_000) } else { random.below(20_000_000) };
        self.world.run_for(silence);
        self.say();
        self.world.run_for(into_the_talk);
        self.world.unplug();
        self.world.run_for(out);
        self.world.plug();
        let key = self.say();
        self.world
            .run_until("Received", READY_MICROS, |world| {
                let message = world.host.as_ref().and_then(|it| it.conversation().message(key));
                let state = message.map(|message| message.state);
                !matches!(state, None | Some(MessageState::Waiting | MessageState::Sent))
            })
            .unwrap();
        self.world.run_until_quiet(ANSWER_MICROS).unwrap();
        let rest = until.saturating_sub(self.world.now.0);
        self.world.run_for(rest);
    }

    fn say(&mut self) -> link::conversation::MessageKey {
        let mut number = self.texts.len();
        let mut text = String::from("m");
        while number > 0 {
            text.push(char::from(b'a' + (number % 26) as u8));
            number /= 26;
        }
        let key = say(&mut self.world, &text);
        self.texts.push(text);
        key
    }
}

#[test]
fn a_day_with_a_thousand_disconnects_costs_no_message_and_no_memory() {
    let mut day = Day::begin();
    let mut growth = Vec::new();
    for part in 0..PARTS {
        let before = lines(&day.world).len();
        let memory = allocation_counter::measure(|| {
            let each = DISCONNECTS / PARTS;
            for number in part * each..(part + 1) * each {
                day.pull_once((number + 1) * (DAY / DISCONNECTS));
            }
            host(&mut day.world).forget_records();
        });
        let messages = lines(&day.world).len() - before;
        growth.push((memory.bytes_current, messages as i64));
    }
    assert!(day.world.now.0 >= DAY);
    assert_eq!(said(&day.world), day.texts, "what was said is there once, and in order");
    let board = day.world.board.lines().unwrap();
    let all = lines(&day.world);
    // The board remembers the end.
    transcript::agree(&all[all.len() - board.len()..], &board).unwrap();
    let replies = all.iter().filter(|line| line.speaker == Speaker::Wisp).count();
    assert!(replies > 100, "{replies} replies");
    // Lists grow by doubling: in most parts none does, and these show what a message takes.
    let mut each: Vec<_> = growth.iter().map(|(bytes, messages)| bytes / messages).collect();
    each.sort_unstable();
    let median = each[each.len() / 2];
    assert!(median <= BYTES_OF_MESSAGE, "{median} bytes for a message: {growth:?}");
    figure("day_disconnects", DISCONNECTS, "disconnects");
    figure("day_messages", all.len(), "messages");
    figure("day_memory_per_message", median, "bytes");
}
