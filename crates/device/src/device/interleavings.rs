//! Every order of a friend's, a clock's, a cable's and a board's doings, by model checking of the
//! real code: the device without its session, and the host's conversation.
//!
//! Between any two pieces of the board's work the friend may write, ask for another answer, stop or
//! type, a moment of the silence may come, the cable may be cut and mended, and the board may lose its
//! memory. While the cable is cut each end believes for a while that it is not: what it sends is lost.

use std::hash::{Hash, Hasher};
use std::string::{String, ToString};
use std::vec::Vec;
use std::{format, vec};

use engine::Portable;
use link::conversation::{Conversation, Message, MessageKey, MessageState};
use link::message::{DeviceMessage, HostMessage, Identity, Role, Speaker, Stats};
use link::{DownReason, Instant, Session, SessionEvent};
use model_format::{AlignedBytes, Model as File};
use stateright::{Checker, Model, Property};

use super::{Device, Options};
use crate::test_model::{CHAT, bigram};
use persona::Style;

const SECOND: u64 = 1_000_000;

/// Token of the letter a in the tiny vocabulary.
const LETTER_A: u32 = 18;

/// What may happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Act {
    Say,
    /// The last message is said anew.
    Edit,
    Regenerate,
    Stop,
    Type,
    /// The board does one piece of work.
    Think,
    /// A moment of the silence comes.
    Wake,
    Cut,
    Mend,
    /// The board's program starts anew.
    Reset,
}

/// Those that come from outside; how many of them there may be decides how much there is to check.
const EVENTS: [Act; 8] =
    [Act::Say, Act::Edit, Act::Regenerate, Act::Stop, Act::Type, Act::Wake, Act::Cut, Act::Reset];

/// A board and a host, and what was said between them.
struct World<'m> {
    file: &'m [u8],
    device: Device<'m, Portable>,
    host: Conversation,
    is_cut: bool,
    /// Whether the last piece of work left nothing to do.
    is_idle: bool,
    boot: u32,
    now: u64,
    /// What is to be there in the end.
    said: Vec<String>,
    letters: u8,
}

fn identity(role: Role, boot: u32) -> Identity {
    Identity { role, boot, version: [0, 1, 0], persona: None }
}

/// A persona that writes "xy", or does not.
fn file() -> AlignedBytes {
    let Style::Chat { you, wisp, end, gaps, .. } = CHAT else { panic!("a chat") };
    let (x, y) = (LETTER_A + 23, LETTER_A + 24);
    bigram(CHAT, 512, None, |token| match token {
        _ if token == end => gaps.into_iter().zip([0.7, 0.1, 0.1, 0.05, 0.05]).collect(),
        _ if gaps.contains(&token) => vec![(wisp, 0.7), (you, 0.3)],
        _ if token == wisp => vec![(x, 1.0)],
        _ if token == x => vec![(y, 1.0)],
        _ => vec![(end, 1.0)],
    })
}

impl<'m> World<'m> {
    fn new(file: &'m [u8]) -> Self {
        let mut world = Self {
            file,
            device: Self::start(file, 1),
            host: Conversation::new(),
            is_cut: true,
            is_idle: true,
            boot: 1,
            now: 0,
            said: Vec::new(),
            letters: 0,
        };
        world.act(Act::Mend);
        world
    }

    fn start(file: &'m [u8], boot: u32) -> Device<'m, Portable> {
        let session = Session::new(identity(Role::Firmware, boot), boot);
        // With these dice it stays silent after some messages and breaks that silence later.
        let options = Options { slice: u32::MAX, seed: 8, ..Options::default() };
        Device::new(&File::open(file).unwrap(), Portable, session, options).unwrap()
    }

    fn unix(&self) -> u64 {
        1_800_000_000 + self.now / SECOND
    }

    fn can(&self, act: Act) -> bool {
        match act {
            Act::Think => !self.is_idle,
            Act::Mend => self.is_cut,
            Act::Cut => !self.is_cut,
            Act::Wake => self.is_idle && self.device.mind.wakes().is_some(),
            Act::Edit => self.last_said().is_some(),
            Act::Say | Act::Regenerate | Act::Stop | Act::Type | Act::Reset => true,
        }
    }

    fn act(&mut self, act: Act) {
        let unix = self.unix();
        match act {
            Act::Say => {
                let letter = self.next_letter();
                self.host.say(&letter, unix).unwrap();
                self.said.push(letter);
            }
            Act::Edit => {
                let letter = self.next_letter();
                let Some(old) = self.last_said() else { return };
                self.host.say_instead(old, &letter, unix).unwrap();
                self.said.pop();
                self.said.push(letter);
            }
            Act::Regenerate => self.host.regenerate(),
            Act::Stop => self.host.stop(),
            Act::Type => self.host.typing(),
            Act::Think => {
                let Device { mind, desk, .. } = &mut self.device;
                self.is_idle = !mind.think(Instant(self.now), &mut desk.outbox);
            }
            Act::Wake => {
                self.now = self.device.mind.wakes().map_or(self.now, |due| due.0);
                self.is_idle = false;
            }
            Act::Cut => self.is_cut = true,
            Act::Mend => self.connect(),
            Act::Reset => {
                self.boot += 1;
                self.device = Self::start(self.file, self.boot);
                self.is_idle = true;
                self.connect();
            }
        }
        self.deliver();
    }

    /// Each message is another letter: the tiny vocabulary has no more.
    fn next_letter(&mut self) -> String {
        self.letters += 1;
        char::from(b'a' + self.letters - 1).to_string()
    }

    fn last_said(&self) -> Option<MessageKey> {
        let yours = |message: &&Message| message.speaker == Speaker::You;
        self.host.messages().iter().rev().find(yours).map(|message| message.key)
    }

    /// A new session: both ends drop what was under way in the old one.
    fn connect(&mut self) {
        self.is_cut = false;
        let unix = self.unix();
        self.host.handle_session(&SessionEvent::Down { reason: DownReason::Timeout });
        self.host.handle_session(&SessionEvent::Up { peer: identity(Role::Firmware, self.boot) });
        self.device.session_came();
        let state = self.device.mind.chat_state();
        self.host.handle_message(&state, unix);
    }

    /// Hands over all that either end sends, or loses it.
    fn deliver(&mut self) {
        let (unix, now, is_cut) = (self.unix(), Instant(self.now), self.is_cut);
        loop {
            let mut sent = Vec::new();
            self.host.transmit_with(|message| {
                sent.push(postcard::to_stdvec(message).unwrap());
                Ok(())
            });
            let Device { mind, desk, card, .. } = &mut self.device;
            for bytes in sent.iter().filter(|_| !is_cut) {
                desk.handle(&HostMessage::decode(bytes).unwrap(), mind, now);
                self.is_idle = false;
            }
            let mut is_quiet = sent.is_empty();
            while let Some(answer) = desk.outbox.next(Stats::default, Default::default, card) {
                is_quiet = false;
                if !is_cut {
                    self.host.handle_message(&answer, unix);
                }
                desk.outbox.sent();
            }
            while let Some((event, what)) = mind.log.next_unsent() {
                is_quiet = false;
                if !is_cut {
                    self.host.handle_message(&DeviceMessage::Happened { event, what }, unix);
                }
                mind.log.mark_sent();
            }
            while self.host.poll_update().is_some() {}
            if is_quiet {
                return;
            }
        }
    }

    /// Lets everything come to its end. What is wrong then, if anything.
    fn settle(&mut self) -> Option<String> {
        if self.is_cut {
            self.act(Act::Mend);
        }
        for _ in 0..10_000 {
            if self.is_idle {
                return self.wrong();
            }
            self.act(Act::Think);
        }
        Some("never comes to rest".to_string())
    }

    fn wrong(&self) -> Option<String> {
        let messages = self.host.messages();
        if !self.host.is_settled() {
            return Some("the host waits for something".to_string());
        }
        if self.device.mind.log.len() > 0 {
            return Some("the board believes that something was not seen".to_string());
        }
        let yours = messages.iter().filter(|message| message.speaker == Speaker::You);
        if !yours.map(|message| &message.text).eq(&self.said) {
            return Some("not every message is there once and in order".to_string());
        }
        let is_final = |state: MessageState| {
            use MessageState::{Answered, Complete, Interrupted, Unanswered};
            matches!(state, Answered | Unanswered | Complete(_) | Interrupted)
        };
        if let Some(message) = messages.iter().find(|message| !is_final(message.state)) {
            return Some(format!("{message:?}"));
        }
        let written = messages.iter().map(|message| (message.speaker, message.text.clone()));
        let (heard, written) = (self.heard(), written.collect::<Vec<_>>());
        (heard != written).then(|| format!("the model knows {heard:?}, the host {written:?}"))
    }

    /// What the model has read and written, in words.
    fn heard(&self) -> Vec<(Speaker, String)> {
        let Style::Chat { wisp, end, .. } = CHAT else { return Vec::new() };
        let tokens = &self.device.tokens()[1..];
        let messages = tokens.split(|token| *token == end).filter(|message| message.len() > 2);
        // A gap, a speaker, and a text with a blank before what the friend wrote.
        let letter = |token: &u32| {
            let place = u8::try_from(token.checked_sub(LETTER_A)?).ok()?;
            Some(char::from(b'a' + place))
        };
        messages
            .map(|message| {
                let speaker = if message[1] == wisp { Speaker::Wisp } else { Speaker::You };
                (speaker, message[2..].iter().filter_map(letter).collect())
            })
            .collect()
    }
}

/// A state is how it came about; two are the same when nothing that decides what follows differs.
#[derive(Clone, Debug)]
struct State {
    history: Vec<Act>,
    events: usize,
    essence: String,
    can: Vec<Act>,
    has_spoken_first: bool,
    wrong: Option<String>,
}

impl PartialEq for State {
    fn eq(&self, other: &Self) -> bool {
        (self.events, &self.essence) == (other.events, &other.essence)
    }
}

impl Hash for State {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (self.events, &self.essence).hash(state);
    }
}

struct Chat {
    file: AlignedBytes,
    most_events: usize,
}

impl Chat {
    fn replay(&self, history: Vec<Act>) -> State {
        let mut world = World::new(&self.file);
        history.iter().for_each(|act| world.act(*act));
        let events = history.iter().filter(|act| EVENTS.contains(act)).count();
        let mut can: Vec<Act> =
            [Act::Think, Act::Mend].into_iter().filter(|act| world.can(*act)).collect();
        if events < self.most_events {
            can.extend(EVENTS.into_iter().filter(|act| world.can(*act)));
        }
        let World { is_cut, is_idle, now, said, letters, device, host, .. } = &world;
        let essence = format!(
            "{is_cut} {is_idle} {now} {said:?} {letters} {:?} {host:?} {}",
            device.desk.outbox,
            device.mind.essence()
        );
        let has_spoken_first = host.messages().iter().any(|message| {
            message.speaker == Speaker::Wisp && message.gap_seconds > 60 && message.text == "xy"
        });
        State { history, events, essence, can, has_spoken_first, wrong: world.settle() }
    }
}

impl Model for Chat {
    type State = State;
    type Action = Act;

    fn init_states(&self) -> Vec<State> {
        vec![self.replay(vec![Act::Say])]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Act>) {
        actions.extend(&state.can);
    }

    fn next_state(&self, state: &State, act: Act) -> Option<State> {
        Some(self.replay([&state.history[..], &[act]].concat()))
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always("nothing is lost, doubled or out of order", |_, state: &State| {
                if let Some(wrong) = &state.wrong {
                    std::eprintln!("{wrong} after {:?}", state.history);
                }
                state.wrong.is_none()
            }),
            Property::sometimes("the persona speaks first", |_, state: &State| {
                state.has_spoken_first
            }),
        ]
    }
}

#[test]
fn no_order_of_events_loses_doubles_or_reorders_a_message() {
    let model = Chat { file: file(), most_events: 4 };
    let checker = model.checker().threads(2).spawn_bfs().join();
    checker.assert_properties();
    std::println!("wisp: chat_model_states {} states", checker.unique_state_count());
}
