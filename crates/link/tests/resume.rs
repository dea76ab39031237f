//! A conversation that outlives its program: put away and taken up again between any two steps,
//! killed at any moment, with a stranger on the board meanwhile.
#![cfg(feature = "host")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod chat;

use chat::{Act, Board, DOWN, World, acts, is_final};
use link::conversation::{Conversation, MessageState, Saved, Standing};
use link::message::Speaker;
use proptest::prelude::*;

/// A conversation that is kept in memory only, as if on a disk.
struct Kept {
    world: World,
    disk: Saved,
}

impl Kept {
    fn new() -> Self {
        let mut world = World::new();
        world.conversation = Conversation::resume(Saved::default());
        world.unix_seconds = 5000;
        world.connect();
        Self { world, disk: Saved::default() }
    }

    /// Writes down what has changed.
    fn save(&mut self) {
        if let Some(unsaved) = self.world.conversation.unsaved() {
            self.disk.apply(&unsaved);
        }
        self.world.conversation.saved();
        assert!(self.world.conversation.unsaved().is_none());
        let mut here = self.world.conversation.messages().to_vec();
        // What is on its way now will have to be sent again then.
        for message in here.iter_mut().filter(|message| message.state == MessageState::Sent) {
            message.state = MessageState::Waiting;
        }
        assert_eq!(Conversation::resume(self.disk.clone()).messages(), here);
    }

    /// The program dies, and another takes up what was written down.
    fn restart(&mut self) {
        self.world.conversation = Conversation::resume(self.disk.clone());
        self.world.connect();
    }

    /// Another program talks to the board. Not if ours has yet to meet that: whoever has nothing to
    /// give joins what is there. Nor if something of ours is between the disk and the board at that
    /// very moment: nobody could tell whose order has its number.
    fn stranger(&mut self, dice: u8) {
        let standing = &self.disk.standing;
        let is_under_way = |id: Option<u32>| id.is_some_and(|id| id > standing.taken);
        if standing.boot != Some(self.world.board.boot)
            || standing.orders.iter().any(|order| is_under_way(order.id))
        {
            return;
        }
        let ours = std::mem::take(&mut self.world.conversation);
        self.world.connect();
        for step in 0..dice % 24 {
            if step % 8 == 4 {
                self.world.conversation.say(&format!("from a stranger {step}"), 0).unwrap();
            }
            self.world.deliver(2, 2);
            self.world.board.work(dice);
        }
        self.world.conversation = ours;
        self.world.conversation.handle_session(&DOWN);
        self.world.connect();
    }

    /// Where it stands on the disk. Who stayed knows what was not sent; who was replaced may learn
    /// it from the board.
    fn standing(&self) -> Standing {
        let mut standing = self.disk.standing.clone();
        for order in &mut standing.orders {
            order.id = order.id.filter(|id| *id <= standing.taken);
        }
        standing
    }

    fn act(&mut self, act: Act, name: usize) {
        match act {
            Act::Say => drop(self.world.conversation.say(&format!("message {name}"), 0).unwrap()),
            Act::Regenerate => self.world.conversation.regenerate(),
            Act::Forget => self.world.conversation.forget(),
            Act::Work(dice) => self.world.board.work(dice),
            Act::Deliver(to_board, to_host) => self.world.deliver(to_board, to_host),
            Act::Cut => {
                self.world.conversation.handle_session(&DOWN);
                self.world.connect();
            }
            Act::Crash => {
                self.world.board = Board::start(self.world.board.boot + 1);
                self.world.connect();
            }
        }
    }

    fn settle(&mut self) {
        for _ in 0..2000 {
            self.save();
            self.world.deliver(9, 9);
            self.world.board.work(200);
        }
        self.save();
        assert!(self.world.conversation.is_settled());
    }

    /// The texts at both ends, which must be the same.
    fn agreed(&self) -> Vec<(Speaker, String)> {
        let here = self.world.conversation.messages().iter();
        assert!(here.clone().all(is_final), "{here:?}");
        let here: Vec<_> = here.map(|it| (it.speaker, it.text.clone())).collect();
        let there: Vec<_> =
            self.world.board.said.iter().map(|(who, text, _)| (*who, text.clone())).collect();
        assert_eq!(here, there);
        here
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]

    /// After every single step: a program that is replaced there goes on exactly as one that only
    /// lost its session, message for message.
    #[test]
    fn taken_up_again_it_goes_on_as_if_nothing_had_been(acts in acts()) {
        for end in 0..acts.len() {
            let [mut stayed, mut replaced] = [Kept::new(), Kept::new()];
            for (step, act) in acts.iter().enumerate() {
                for kept in [&mut stayed, &mut replaced] {
                    kept.act(*act, step);
                    kept.save();
                }
                if step == end {
                    stayed.act(Act::Cut, 0);
                    replaced.restart();
                }
                for kept in [&mut stayed, &mut replaced] {
                    kept.world.transmit();
                    kept.save();
                }
                prop_assert_eq!(&stayed.world.to_board, &replaced.world.to_board);
                let [here, there] = [&stayed, &replaced].map(Kept::standing);
                prop_assert_eq!(here, there);
                let [stayed, replaced] = [&stayed, &replaced].map(|kept| &kept.world.conversation);
                prop_assert_eq!(stayed.messages(), replaced.messages());
            }
        }
    }
}

/// What happens to a conversation beside the usual.
#[derive(Clone, Debug)]
enum Fate {
    Usual(Act),
    Save,
    Kill,
    Stranger(u8),
}

fn fates() -> impl Strategy<Value = Vec<Fate>> {
    let fate = (0u8..40, acts()).prop_map(|(kind, acts)| match kind {
        0..8 => Fate::Save,
        8..12 => Fate::Kill,
        12 => Fate::Stranger(acts.len() as u8 * 3),
        _ => Fate::Usual(acts[0]),
    });
    proptest::collection::vec(fate, 1..120)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, failure_persistence: None, ..ProptestConfig::default() })]

    /// Killed between any two steps, saved or not: what was written down is all there, once, in
    /// order, and nothing else.
    #[test]
    fn killed_at_any_moment_it_loses_and_doubles_nothing(fates in fates()) {
        let mut kept = Kept::new();
        let (mut said, mut forgotten) = (Vec::new(), 0);
        let mut written = (said.clone(), forgotten);
        for (step, fate) in fates.iter().enumerate() {
            match fate {
                Fate::Usual(act) => {
                    if matches!(act, Act::Say) {
                        said.push(format!("message {step}"));
                    } else if matches!(act, Act::Forget) {
                        forgotten = said.len();
                    }
                    kept.act(*act, step);
                }
                Fate::Save => {
                    kept.save();
                    written = (said.clone(), forgotten);
                }
                Fate::Kill => {
                    kept.restart();
                    (said, forgotten) = written.clone();
                }
                Fate::Stranger(dice) => kept.stranger(*dice),
            }
        }
        // That a stranger was told all that happened shows when something else happens.
        kept.act(Act::Say, fates.len());
        said.push(format!("message {}", fates.len()));
        kept.settle();
        let yours = kept.agreed().into_iter().filter(|(who, _)| *who == Speaker::You);
        let yours: Vec<String> = yours.map(|(_, text)| text).collect();
        prop_assert_eq!(yours, &said[forgotten..]);
    }
}
