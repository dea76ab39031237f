//! Pauses, batches, interruptions, rollbacks and shifts change nothing: bit for bit.
#![allow(clippy::unwrap_used)]

mod common;

use common::{PATHS, Path, bits};
use engine::{Engine, EngineError, Portable, Step};
use model_format::synthetic::tiny_architecture;
use model_format::{AlignedBytes, ArchitectureSpec, Model};
use proptest::prelude::*;

const VOCABULARY: u32 = 67;
const CONTEXT: usize = 40;
const BATCH: usize = 6;

fn tiny(path: &Path) -> AlignedBytes {
    common::random(&tiny_architecture(false), path.format, 3)
}

fn finish(engine: &mut Engine<'_>, budgets: &[u32]) {
    let mut budgets = budgets.iter().chain(std::iter::repeat(budgets.last().unwrap_or(&0)));
    while engine.step(*budgets.next().unwrap()) == Step::Working {}
}

/// What made the cache as it is.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Event {
    Token(u32),
    Shift(usize, usize),
    /// A token that was rolled back.
    Undone,
}

/// The history that an engine ought to have, and where its tokens are in it.
#[derive(Default)]
struct History {
    events: Vec<Event>,
    live: Vec<usize>,
    opening_is_gone: bool,
}

impl History {
    fn token(&mut self, token: u32) {
        self.live.push(self.events.len());
        self.events.push(Event::Token(token));
    }

    fn rollback(&mut self, position: usize) {
        for place in self.live.split_off(position.min(self.live.len())) {
            self.events[place] = Event::Undone;
        }
        if self.live.is_empty() {
            *self = Self::default();
        }
    }

    /// Whether it is possible.
    fn shift(&mut self, keep: usize, drop: usize) -> bool {
        if keep + drop > self.live.len() || (keep == 1 && self.opening_is_gone) {
            return false;
        }
        if drop > 0 {
            self.live.drain(keep..keep + drop);
            self.opening_is_gone |= keep == 0;
            self.events.push(Event::Shift(keep, drop));
        }
        if self.live.is_empty() {
            *self = Self::default();
        }
        true
    }

    /// Logits after the last token when it all happens at once, one token at a time.
    fn logits(&self, path: &Path, model: &Model<'_>) -> Vec<u32> {
        let mut engine = path.engine(model, CONTEXT);
        for event in &self.events {
            match *event {
                Event::Token(token) => {
                    engine.run(token).unwrap();
                }
                Event::Shift(keep, drop) => engine.shift(keep, drop).unwrap(),
                Event::Undone => {}
            }
        }
        assert_eq!(engine.position(), self.live.len());
        bits(engine.logits())
    }
}

/// What a chat does to an engine.
#[derive(Clone, Debug)]
enum Action {
    /// Tokens, in steps of these budgets (the last one repeats).
    Tokens { tokens: Vec<u32>, budgets: Vec<u32>, want_logits: bool },
    /// Tokens that are interrupted after some steps.
    Interrupted { tokens: Vec<u32>, budget: u32, steps: u32 },
    /// Back by some positions.
    Rollback(usize),
    /// Drops tokens at the beginning, in steps of this budget; after the first, back by some
    /// positions.
    Shift { keep: usize, drop: usize, budget: u32, back: usize },
}

fn action() -> impl Strategy<Value = Action> {
    let tokens = prop::collection::vec(0..VOCABULARY, 1..=BATCH);
    let budget = prop_oneof![Just(0u32), 1..300u32, Just(5_000), Just(u32::MAX)];
    prop_oneof![
        6 => (tokens.clone(), prop::collection::vec(budget.clone(), 1..5), any::<bool>())
            .prop_map(|(tokens, budgets, want_logits)| Action::Tokens { tokens, budgets, want_logits }),
        2 => (tokens, budget, 0..60u32)
            .prop_map(|(tokens, budget, steps)| Action::Interrupted { tokens, budget, steps }),
        2 => (0..9usize).prop_map(Action::Rollback),
        3 => (0..3usize, 0..12usize, any::<bool>(), 0..4usize).prop_map(|(keep, drop, slowly, back)| {
            Action::Shift { keep: keep.min(1), drop, budget: if slowly { 0 } else { u32::MAX }, back }
        }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn any_history_equals_what_is_left_of_it_from_scratch(
        path in prop::sample::select(PATHS.to_vec()),
        actions in prop::collection::vec(action(), 1..32),
    ) {
        let file = tiny(&path);
        let model = Model::open(&file).unwrap();
        let mut engine = Engine::new(&model, Portable, path.options(CONTEXT, BATCH)).unwrap();
        let mut history = History::default();
        for action in actions {
            match action {
                Action::Tokens { tokens, budgets, want_logits } => {
                    if history.live.len() + tokens.len() > CONTEXT {
                        let refused = engine.begin(&tokens, want_logits);
                        prop_assert_eq!(refused, Err(EngineError::ContextFull));
                        continue;
                    }
                    engine.begin(&tokens, want_logits).unwrap();
                    finish(&mut engine, &budgets);
                    for token in tokens {
                        history.token(token);
                    }
                    if want_logits {
                        prop_assert_eq!(bits(engine.logits()), history.logits(&path, &model));
                    }
                }
                Action::Interrupted { tokens, budget, steps } => {
                    if engine.begin(&tokens, true).is_ok() {
                        for _ in 0..steps {
                            let _ = engine.step(budget);
                        }
                    }
                    // Even if they were finished by then.
                    engine.rollback(history.live.len());
                }
                Action::Rollback(positions) => {
                    history.rollback(history.live.len().saturating_sub(positions));
                    engine.rollback(history.live.len());
                }
                Action::Shift { keep, drop, budget, back } => {
                    let expected = history.shift(keep, drop);
                    prop_assert_eq!(engine.begin_shift(keep, drop).is_ok(), expected);
                    let is_moving = engine.step(budget) == Step::Working;
                    history.rollback(history.live.len().saturating_sub(back));
                    engine.rollback(history.live.len());
                    // What is at work is the rest of the shift, if there is something to move.
                    prop_assert_eq!(engine.is_busy(), is_moving && !history.live.is_empty());
                    finish(&mut engine, &[budget]);
                }
            }
            prop_assert_eq!(engine.position(), history.live.len());
            prop_assert!(!engine.is_busy());
        }
    }
}

#[test]
fn every_small_budget_gives_the_same_logits() {
    for path in &PATHS {
        let file = tiny(path);
        let model = Model::open(&file).unwrap();
        let mut expected = path.engine(&model, 64);
        for token in [4, 8, 15] {
            expected.run(token).unwrap();
        }
        for budget in (0..150).chain([1000, 3000, 20_000]) {
            let mut engine = Engine::new(&model, Portable, path.options(64, 2)).unwrap();
            for tokens in [&[4, 8][..], &[15]] {
                engine.begin(tokens, true).unwrap();
                finish(&mut engine, &[budget]);
            }
            let (logits, expected) = (bits(engine.logits()), bits(expected.logits()));
            assert_eq!(logits, expected, "{}, budget {budget}", path.name);
        }
    }
}

#[test]
fn a_chat_can_shift_until_rotations_run_out() {
    for path in [&PATHS[0], &PATHS[7]] {
        let file = common::random(
            &ArchitectureSpec { hidden: vec![8], ..tiny_architecture(true) },
            path.format,
            1,
        );
        let model = Model::open(&file).unwrap();
        let mut engine = Engine::new(&model, Portable, path.options(CONTEXT, 32)).unwrap();
        let piece: Vec<u32> = (0..29).collect();
        let mut tokens = 0;
        let refusal = loop {
            engine.begin(&piece, false).unwrap();
            finish(&mut engine, &[u32::MAX]);
            tokens += piece.len();
            // Room for the next piece, and not a token more: whatever slots are dead in between.
            let drop = (engine.position() + piece.len()).saturating_sub(CONTEXT);
            if let Err(refusal) = engine.shift(1, drop) {
                break refusal;
            }
        };
        assert_eq!(refusal, EngineError::PositionsExhausted);
        assert!((65_536 - CONTEXT - 29..=65_536).contains(&tokens), "{tokens}");
        // As it says: clear, and read again.
        engine.rollback(0);
        engine.begin(&piece, false).unwrap();
        finish(&mut engine, &[u32::MAX]);
        assert_eq!(engine.shift(1, 5), Ok(()));
    }
}

#[test]
fn a_shift_needs_something_to_drop() {
    let file = tiny(&PATHS[7]);
    let model = Model::open(&file).unwrap();
    let mut engine = PATHS[7].engine(&model, CONTEXT);
    assert_eq!(engine.shift(0, 0), Ok(()));
    assert_eq!(engine.shift(1, 0), Err(EngineError::BadShift));
    assert_eq!(engine.shift(0, 1), Err(EngineError::BadShift));
    engine.run(1).unwrap();
    engine.run(2).unwrap();
    assert_eq!(engine.shift(1, 2), Err(EngineError::BadShift));
    assert_eq!(engine.shift(2, 0), Err(EngineError::BadShift));
    assert_eq!(engine.shift(1, usize::MAX), Err(EngineError::BadShift));
    engine.begin(&[1], true).unwrap();
    assert_eq!(engine.shift(1, 1), Err(EngineError::Busy));
    engine.rollback(2);
    assert_eq!(engine.begin_shift(1, 1), Ok(()));
    assert_eq!(engine.begin(&[1], true), Err(EngineError::Busy));
    assert_eq!(engine.shift(1, 0), Err(EngineError::Busy));
    engine.rollback(0);
    engine.run(1).unwrap();
    engine.run(2).unwrap();
    assert_eq!(engine.shift(1, 0), Ok(()));
    assert_eq!(engine.shift(1, 1), Ok(()));
    assert_eq!(engine.position(), 1);
    assert_eq!(engine.shift(0, 1), Ok(()));
    assert_eq!(engine.position(), 0);
    // All is forgotten: the next token is an opening again.
    engine.run(1).unwrap();
    engine.run(2).unwrap();
    assert_eq!(engine.shift(1, 1), Ok(()));
}
