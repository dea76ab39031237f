//! Random conversations with random interruptions, checked against a computation from scratch.

use super::*;
use crate::inbox::Order;
use crate::test_model::{CHAT, Oracle, STORY, Shift, stories260k, tiny};
use engine::{Engine, Portable, SamplerSettings};
use link::message::{Card, CardFigures, EndReason, Event};
use model_format::{Model, WeightFormat};
use persona::{Decision, Dice, Speaker, Style};
use proptest::prelude::*;
use std::string::String as Text;
use std::vec::Vec;
use tokenizer::Tokenizer;

const SEED: u64 = 99;

/// Nobody asks for it here.
const NO_CARD: Card<'static> = Card {
    name: "",
    source: "",
    licences: "",
    weights: "",
    figures: CardFigures {
        format_version: 0,
        bytes: 0,
        parameters: 0,
        layers: 0,
        dim: 0,
        vocabulary: 0,
        context: 0,
        settings: Settings {
            temperature_milli: 0,
            top_p_milli: 0,
            repetition_penalty_milli: 0,
            seed: None,
            max_reply_tokens: 0,
        },
        most_unanswered: 0,
    },
};

/// What the friend does.
#[derive(Clone, Debug)]
enum Act {
    Say(Text, u32),
    Regenerate,
    TakeBack,
    Forget,
    Greet,
    Stop,
    /// Waits for this many pieces of work.
    Wait(u16),
    /// Waits until nothing is left to do.
    Rest,
    /// Lets seconds pass.
    Silence(u32),
    Type,
}

fn acts(context_is_small: bool) -> impl Strategy<Value = Vec<Act>> {
    let length = if context_is_small { 40 } else { 8 };
    let text = proptest::string::string_regex(&std::format!("[a-z .]{{0,{length}}}")).unwrap();
    let act = prop_oneof![
        6 => (text, 0u32..100_000).prop_map(|(text, gap)| Act::Say(text, gap)),
        3 => Just(Act::Regenerate),
        2 => Just(Act::TakeBack),
        1 => Just(Act::Forget),
        1 => Just(Act::Greet),
        2 => Just(Act::Stop),
        6 => (0u16..400).prop_map(Act::Wait),
        3 => Just(Act::Rest),
        3 => prop_oneof![0u32..100, 0u32..1000, 0u32..400_000].prop_map(Act::Silence),
        1 => Just(Act::Type),
    ];
    proptest::collection::vec(act, 1..24)
}

fn mind(file: &[u8], style: Style, slice: u32, settings: Settings) -> Mind<'_, Portable> {
    let model = Model::open(file).unwrap();
    let engine = Engine::new(&model, Portable, engine::Options::default()).unwrap();
    let vocabulary = model.architecture().vocabulary;
    let context = Context::new(style, engine.context()).unwrap();
    Mind::new(
        Words::new(style, Tokenizer::open(model.tokenizer()).unwrap()),
        context,
        Sampler::new(vocabulary, settings::for_sampler(&settings), 0).unwrap(),
        settings,
        Manners::default(),
        SEED,
        || Ok(Computation::new(engine, slice)),
    )
    .unwrap()
}

impl<K: Kernels> Mind<'_, K> {
    /// All that decides what follows.
    pub(crate) fn essence(&self) -> Text {
        let phase = match &self.phase {
            Phase::Idle => "idle".into(),
            Phase::Restoring(restore) => std::format!("{restore:?}"),
            Phase::Reading { id } => std::format!("reading {id}"),
            Phase::TakingBack { id, with_question } => {
                std::format!("taking back {id} {with_question}")
            }
            Phase::Deciding(Question { moment, forced, trial, .. }) => {
                std::format!("{moment:?} {forced} {trial:?}")
            }
            Phase::Replying { reply, moment } => std::format!(
                "{moment:?} {} {} {}",
                reply.number,
                reply.shown_bytes,
                reply.rule.tokens()
            ),
        };
        std::format!(
            "{phase} {:?} {:?} {:?} {:?} {:?} {} {} {} {}",
            self.context,
            self.inbox,
            self.log,
            self.silence,
            self.stop,
            self.roll,
            self.next_reply,
            self.last_read,
            self.coming_silence
        )
    }
}

/// Watches a mind through its events, and checks everything it says.
struct Watcher<'m> {
    mind: Mind<'m, Portable>,
    oracle: Oracle<'m>,
    answers: Outbox,
    /// Orders that were taken; their ids count from 1.
    ordered: Vec<Act>,
    /// The last of them for which there was nothing to do.
    refused: u32,
    roll: u32,
    forced: bool,
    /// Tokens were dropped since the running reply was begun.
    shifted: bool,
    running: Option<(u32, Dice, Text)>,
    decided_silence: u32,
    replies: u32,
    /// Microseconds.
    now: u64,
}

impl<'m> Watcher<'m> {
    fn new(mind: Mind<'m, Portable>, oracle: Oracle<'m>) -> Self {
        Self {
            mind,
            oracle,
            answers: Outbox::new(),
            ordered: Vec::new(),
            refused: 0,
            roll: 0,
            forced: false,
            shifted: false,
            running: None,
            decided_silence: 0,
            replies: 0,
            now: 0,
        }
    }

    fn act(&mut self, act: &Act) {
        let id = self.mind.inbox.last_id() + 1;
        let arrival = match act {
            Act::Say(text, gap_seconds) => {
                let text = heapless::String::try_from(text.as_str()).unwrap();
                self.mind.inbox.arrive(id, || Order::Say { gap_seconds: *gap_seconds, text })
            }
            Act::Regenerate => self.mind.inbox.arrive(id, || Order::Regenerate),
            Act::TakeBack => self.mind.inbox.arrive(id, || Order::TakeBack),
            Act::Forget => self.mind.inbox.arrive(id, || Order::Forget),
            Act::Greet => {
                let _ = self.mind.greet();
                self.forced |=
                    matches!(self.mind.phase, Phase::Deciding(Question { forced: true, .. }));
                return;
            }
            Act::Stop => return self.mind.stop(),
            Act::Silence(seconds) => {
                self.now += u64::from(*seconds) * 1_000_000;
                return;
            }
            Act::Type => return self.mind.friend_types(Instant(self.now)),
            Act::Wait(pieces) => {
                for _ in 0..*pieces {
                    self.work();
                }
                return;
            }
            Act::Rest => {
                let mut pieces = 0;
                while self.work() {
                    pieces += 1;
                    assert!(pieces < 1_000_000, "never comes to rest");
                }
                return;
            }
        };
        if arrival == crate::inbox::Arrival::Taken {
            self.ordered.push(act.clone());
        }
    }

    fn work(&mut self) -> bool {
        let more = self.mind.think(Instant(self.now), &mut self.answers);
        while let Some(answer) = self.answers.next(Default::default, Default::default, &NO_CARD) {
            if let DeviceMessage::Refused { detail, .. } = answer {
                self.refused = detail;
            }
            self.answers.sent();
        }
        let mut events = Vec::new();
        while let Some((number, what)) = self.mind.log.next_unsent() {
            let text = if let Event::Delta { text, .. } = what { text } else { "" };
            events.push((number, kind(&what), Text::from(text)));
            self.mind.log.mark_sent();
        }
        let history = &self.mind.context.history;
        self.oracle.untouched = history.untouched;
        self.oracle.shifts.clear();
        self.oracle.shifts.extend(history.shifts.iter().map(|shift| Shift {
            read: shift.read.clone(),
            untouched: shift.untouched,
            dropped: shift.dropped,
        }));
        for (number, what, text) in events {
            self.check(&what, &text);
            assert!(self.mind.log.seen(number));
        }
        more
    }

    fn dice_before_last(&self) -> Dice {
        let message = self.mind.context.message_count() - 1;
        Dice { seed: SEED, message, roll: self.roll, moment: 0 }
    }

    fn check(&mut self, what: &Event<'static>, text: &str) {
        match *what {
            Event::Read { id } if id == self.refused => {}
            Event::Read { id } => {
                self.forced = matches!(self.ordered[id as usize - 1], Act::Regenerate);
                self.roll = if self.forced { self.roll + 1 } else { 0 };
            }
            Event::Shifted { .. } => self.shifted = true,
            Event::Thinking { reply } => self.check_beginning(reply, None),
            Event::BreaksSilence { reply, gap_seconds } => {
                assert!(!self.forced);
                self.check_beginning(reply, Some(gap_seconds));
            }
            Event::Delta { reply, offset, .. } => {
                let (running, _, shown) = self.running.as_mut().unwrap();
                assert_eq!((*running, shown.len()), (reply, offset as usize));
                shown.push_str(text);
            }
            Event::End { reply, reason, .. } => self.check_reply(reply, reason),
            Event::Withdrawn { reply } => {
                if let Some((running, _, shown)) = &self.running
                    && *running == reply
                {
                    // What was shown is taken back only when the friend asks for it.
                    let asked = matches!(self.mind.phase, Phase::TakingBack { .. });
                    assert!(asked || shown.is_empty());
                    self.running = None;
                }
            }
            Event::StayedSilent { .. } => {
                assert!(self.running.is_none());
                self.decided_silence += 1;
                self.forced = false;
            }
            Event::TakenBack { .. } => {
                assert!(self.running.is_none());
                self.forced = false;
            }
            Event::Forgotten => {
                (self.roll, self.forced, self.running) = (0, false, None);
            }
            Event::Restored { .. } => {}
        }
    }

    /// It was drawn to speak, and at a moment of the silence that the model was told.
    fn check_beginning(&mut self, reply: u32, gap_seconds: Option<u32>) {
        assert!(self.running.is_none());
        let Phase::Replying { moment, .. } = self.mind.phase else { panic!("does not reply") };
        assert!(gap_seconds.is_none_or(|seconds| seconds == moment.gap_seconds && seconds > 60));
        assert!(self.mind.context.unanswered() <= self.mind.manners.most_unanswered.into());
        let dice = self.dice_before_last();
        let start = self.mind.context.last().unwrap().start;
        if !self.forced {
            let before = &self.mind.context.tokens()[..start];
            assert_eq!(self.oracle.decides(before, moment, dice), Decision::Speak);
        }
        self.forced = false;
        self.shifted = false;
        self.running = Some((reply, dice.at(moment.number), Text::new()));
    }

    /// The heart of the matter: the reply is what a fresh computation says at this place.
    fn check_reply(&mut self, reply: u32, reason: EndReason) {
        let (running, dice, shown) = self.running.take().unwrap();
        assert_eq!(running, reply);
        self.replies += 1;
        if self.shifted {
            return;
        }
        let context = &self.mind.context;
        let message = context.last().unwrap();
        let style = self.mind.words.style;
        let lead = style.before_message(Speaker::Wisp, 0, false).len();
        // A story's lead depends on the message before; it is the begin token or nothing.
        let lead = match style {
            Style::Story { begin, .. } => {
                usize::from(context.tokens().get(message.start) == Some(&begin))
            }
            Style::Chat { .. } => lead,
        };
        let text_start = message.start + lead;
        // A running burst has tried the silence after it already, but not in the same step.
        let text = &context.tokens()[text_start..];
        let text = &text[..text.len() - usize::from(style.after_message().is_some())];
        let most = if reason == EndReason::Finished { usize::MAX } else { text.len() };
        if reason == EndReason::Length {
            // Or there was no room for a word more beside the question.
            let longest = self.mind.settings.max_reply_tokens as usize;
            let is_full = context.tokens().len() + 8 > context.capacity();
            assert!(text.len() == longest || is_full, "{} of {longest}", text.len());
        }
        let expected = self.oracle.says(&context.tokens()[..text_start], dice, most);
        assert_eq!(expected.tokens, text);
        assert_eq!(expected.shown, shown);
        assert!(!shown.is_empty());
        assert!(!shown.chars().any(|character| character.is_control() && character != '\n'));
    }
}

fn kind(event: &Event<'_>) -> Event<'static> {
    match *event {
        Event::Read { id } => Event::Read { id },
        Event::Thinking { reply } => Event::Thinking { reply },
        Event::Delta { reply, offset, .. } => Event::Delta { reply, offset, text: "" },
        Event::End { reply, reason, timing } => Event::End { reply, reason, timing },
        Event::Withdrawn { reply } => Event::Withdrawn { reply },
        Event::StayedSilent { after } => Event::StayedSilent { after },
        Event::Shifted { dropped } => Event::Shifted { dropped },
        Event::Restored { messages } => Event::Restored { messages },
        Event::Forgotten => Event::Forgotten,
        Event::BreaksSilence { reply, gap_seconds } => Event::BreaksSilence { reply, gap_seconds },
        Event::TakenBack { id } => Event::TakenBack { id },
    }
}

fn sampling(temperature_milli: u16) -> Settings {
    Settings {
        temperature_milli,
        top_p_milli: 950,
        repetition_penalty_milli: 1100,
        seed: None,
        max_reply_tokens: 12,
    }
}

/// To a model of random weights the shortest of five gaps is one of five: it would answer rarely.
const TALKATIVE: Manners = Manners { talkativeness_milli: 6000, most_unanswered: 4, quiet: None };

fn converse(style: Style, context: usize, slice: u32, temperature: u16, acts: &[Act]) -> u32 {
    let file = tiny(style, context, 3);
    converse_with(&file, style, context, slice, sampling(temperature), acts)
}

fn converse_with(
    file: &[u8],
    style: Style,
    context: usize,
    slice: u32,
    settings: Settings,
    acts: &[Act],
) -> u32 {
    let for_sampler: SamplerSettings = settings::for_sampler(&settings);
    let longest = u32::from(settings.max_reply_tokens);
    let oracle = Oracle::new(file, style, context, for_sampler, longest);
    let mut watcher = Watcher::new(mind(file, style, slice, settings), oracle);
    (watcher.mind.manners, watcher.oracle.manners) = (TALKATIVE, TALKATIVE);
    for act in acts {
        watcher.act(act);
    }
    watcher.act(&Act::Rest);
    assert!(watcher.running.is_none());
    assert!(watcher.mind.inbox.front().is_none());
    assert!(watcher.mind.context.tokens().len() <= context);
    watcher.replies
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_chat_is_as_if_computed_from_scratch(
        acts in acts(false), slice in 500u32..20_000, temperature in prop_oneof![Just(0), Just(900)]
    ) {
        converse(CHAT, 400, slice, temperature, &acts);
    }

    #[test]
    fn any_story_is_as_if_computed_from_scratch(
        acts in acts(false), slice in 500u32..20_000, temperature in prop_oneof![Just(0), Just(900)]
    ) {
        converse(STORY, 400, slice, temperature, &acts);
    }

    #[test]
    fn a_small_context_changes_nothing_but_what_is_forgotten(
        acts in acts(true), slice in 500u32..20_000, chat in any::<bool>()
    ) {
        converse(if chat { CHAT } else { STORY }, 48, slice, 900, &acts);
    }
}

#[test]
fn a_long_chat_has_replies_and_never_ends() {
    let say = |n: u32| [Act::Say(std::format!("hello {n}"), n), Act::Rest];
    let acts: Vec<Act> = (0..60).flat_map(say).collect();
    assert!(converse(CHAT, 48, 10_000, 900, &acts) > 20);
    assert!(converse(STORY, 48, 10_000, 900, &acts) > 20);
}

#[test]
fn any_two_interruptions_at_any_moment_are_as_if_computed_from_scratch() {
    let interruptions =
        [Act::Say(Text::from("b"), 3), Act::Regenerate, Act::TakeBack, Act::Stop, Act::Forget];
    let settings = Settings { max_reply_tokens: 4, ..sampling(900) };
    let mut runs = 0;
    for style in [CHAT, STORY] {
        let file = tiny(style, 200, 3);
        for first in &interruptions {
            for second in &interruptions {
                // Two pieces of work are one token here: the model's, and the choice. The answer
                // takes about 24.
                for moment in 0..28 {
                    for later in 0..6 {
                        let acts = [
                            Act::Say(Text::from("a"), 0),
                            Act::Wait(moment),
                            first.clone(),
                            Act::Wait(later),
                            second.clone(),
                            Act::Rest,
                            Act::Say(Text::from("c"), 0),
                        ];
                        converse_with(&file, style, 200, u32::MAX, settings, &acts);
                        runs += 1;
                    }
                }
            }
        }
    }
    std::println!("wisp: chat_race_interleavings {runs} runs");
}

#[test]
fn a_real_model_goes_on_as_if_computed_from_scratch() {
    let file = stories260k(WeightFormat::F32);
    let style = match Model::open(&file).unwrap().persona().style {
        model_format::Style::Story { begin, end } => Style::Story { begin, end },
        other => panic!("{other:?}"),
    };
    let settings = Settings { max_reply_tokens: 60, ..sampling(900) };
    let say = |text: &str| Act::Say(Text::from(text), 5);
    // About 40 pieces of work a token: the waits end in reading, in thinking and in the reply.
    let acts = [
        say("Once upon a time"),
        Act::Rest,
        Act::Regenerate,
        Act::Wait(300),
        Act::Stop,
        say("The dog was"),
        Act::Wait(20),
        say("very sad. He"),
        Act::Wait(700),
        Act::Regenerate,
        Act::Rest,
        Act::Regenerate,
        Act::Wait(900),
        say("Tim said"),
        Act::Rest,
        Act::Forget,
        say("Lily"),
        Act::Rest,
    ];
    let replies = converse_with(&file, style, 512, 7_000, settings, &acts);
    assert!(replies >= 6, "{replies}");
}

/// A chat that has come to the moment when Wisp writes: with nothing shown yet, or with something.
fn writing<'m>(file: &'m [u8], shown: bool) -> Mind<'m, Portable> {
    let mut mind = mind(file, STORY, 1000, sampling(900));
    let mut answers = Outbox::new();
    let hello = || Order::Say { gap_seconds: 0, text: "hello".try_into().unwrap() };
    assert_eq!(mind.inbox.arrive(1, hello), crate::inbox::Arrival::Taken);
    loop {
        assert!(mind.think(Instant(0), &mut answers), "finished too early");
        if matches!(&mind.phase, Phase::Replying { reply, .. } if reply.is_shown() == shown) {
            return mind;
        }
    }
}

fn events(mind: &mut Mind<'_, Portable>) -> Vec<Event<'static>> {
    let mut events = Vec::new();
    while let Some((_, what)) = mind.log.next_unsent() {
        events.push(kind(&what));
        mind.log.mark_sent();
    }
    events
}

#[test]
fn text_that_arrives_before_anything_is_shown_is_read_first() {
    let file = tiny(STORY, 400, 3);
    let mut mind = writing(&file, false);
    events(&mut mind);
    let more = || Order::Say { gap_seconds: 1, text: "more".try_into().unwrap() };
    mind.inbox.arrive(2, more);
    let mut answers = Outbox::new();
    while mind.think(Instant(0), &mut answers) {}
    let events = events(&mut mind);
    let [Event::Withdrawn { reply: 1 }, Event::Read { id: 2 }, Event::Thinking { reply: 2 }, ..] =
        events[..]
    else {
        panic!("{events:?}");
    };
}

#[test]
fn text_that_arrives_later_is_read_after_the_end() {
    let file = tiny(STORY, 400, 3);
    let mut mind = writing(&file, true);
    events(&mut mind);
    let more = || Order::Say { gap_seconds: 1, text: "more".try_into().unwrap() };
    mind.inbox.arrive(2, more);
    let mut answers = Outbox::new();
    while mind.think(Instant(0), &mut answers) {}
    let events = events(&mut mind);
    let events = events.iter().filter(|event| !matches!(event, Event::Delta { .. }));
    let events: Vec<_> = events.collect();
    let [Event::End { reply: 1, .. }, Event::Read { id: 2 }, Event::Thinking { reply: 2 }, ..] =
        events[..]
    else {
        panic!("{events:?}");
    };
}

#[test]
fn a_full_log_makes_the_mind_wait_and_nothing_is_lost() {
    let file = tiny(STORY, 64, 3);
    let mut settings = sampling(900);
    settings.max_reply_tokens = u16::MAX;
    let mut mind = mind(&file, STORY, 100_000, settings);
    let mut answers = Outbox::new();
    let mut id = 0;
    // Nothing is sent, so nothing is seen; each story adds some events.
    loop {
        id += 1;
        let hello = || Order::Say { gap_seconds: 0, text: "hello".try_into().unwrap() };
        mind.inbox.arrive(id, hello);
        while mind.think(Instant(0), &mut answers) {}
        if !mind.log.has_room() {
            break;
        }
        assert!(id < 10_000, "the log never fills");
    }
    let more = || Order::Say { gap_seconds: 0, text: "more".try_into().unwrap() };
    mind.inbox.arrive(id + 1, more);
    assert!(!mind.think(Instant(0), &mut answers));
    let last = mind.log.next_number() - 1;
    events(&mut mind);
    assert!(mind.log.seen(last));
    while mind.think(Instant(0), &mut answers) {}
    assert!(mind.inbox.front().is_none());
    assert!(mind.log.next_number() > last + 1);
}

mod rhythm;
mod stops;
