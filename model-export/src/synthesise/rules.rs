//! What a conversation must be like to be learned from.

use std::collections::{BTreeSet, HashSet};

use persona::Speaker;
use serde::{Deserialize, Serialize};

use super::material::Material;
use crate::chats::clean::{Options, Outcome};
use crate::chats::export::{Line, tidy_text};
use crate::chats::rhythm::LONGEST_BURST;
use crate::stream::turn::Turn;

/// Fewest messages.
pub const FEWEST: usize = 4;

/// Most messages.
pub const MOST: usize = 60;

/// Longest time between the first message and the last, in seconds: a day.
pub const LONGEST: u64 = 86_400;

/// Why a conversation is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)] // `meaning` says it.
pub enum Rejection {
    NoAnswer,
    Malformed,
    CutOff,
    OneSided,
    TooShort,
    TooLong,
    Burst,
    Gap,
    LongMessage,
    Sign,
    Private,
    Repetition,
    Copied,
    Duplicate,
    NearDuplicate,
}

impl Rejection {
    /// What it stands for.
    pub fn meaning(self) -> &'static str {
        match self {
            Self::NoAnswer => "answers without a conversation",
            Self::Malformed => "not in the form that was asked for",
            Self::CutOff => "cut off in the middle",
            Self::OneSided => "only one side writes",
            Self::TooShort => "too few messages",
            Self::TooLong => "too many messages",
            Self::Burst => "too many messages in a row",
            Self::Gap => "goes on for more than a day",
            Self::LongMessage => "a message longer than those of the chats",
            Self::Sign => "signs that the chats do not have",
            Self::Private => "a link, an address, a number or a code",
            Self::Repetition => "repeats itself",
            Self::Copied => "copied from the chats",
            Self::Duplicate => "the same as an earlier one",
            Self::NearDuplicate => "nearly the same as an earlier one",
        }
    }
}

/// The conversation with the chats' own signs for what models write in print: `’`, `…`, `—`.
pub fn fitted(turns: Vec<Turn>, signs: &BTreeSet<char>) -> Vec<Turn> {
    let sign = |it: char| match it {
        it if it.is_ascii() || signs.contains(&it) => it.to_string(),
        '‘' | '’' | '‚' | '´' => "'".to_owned(),
        '“' | '”' | '„' | '«' | '»' => "\"".to_owned(),
        '…' => "...".to_owned(),
        '‐' | '‑' | '–' | '—' => "-".to_owned(),
        it => it.to_string(),
    };
    let fit = |turn: Turn| Turn { text: turn.text.chars().map(sign).collect(), ..turn };
    turns.into_iter().map(fit).collect()
}

/// Checks everything but novelty.
///
/// # Errors
/// The first reason not to take it.
pub fn check(turns: &[Turn], material: &Material) -> Result<(), Rejection> {
    let refuse = |is: bool, why| if is { Err(why) } else { Ok(()) };
    refuse(turns.len() < FEWEST, Rejection::TooShort)?;
    refuse(turns.len() > MOST, Rejection::TooLong)?;
    let has = |speaker| turns.iter().any(|turn| turn.speaker == speaker);
    refuse(!has(Speaker::You) || !has(Speaker::Wisp), Rejection::OneSided)?;
    let mut bursts = turns.chunk_by(|one, other| one.speaker == other.speaker);
    refuse(bursts.any(|burst| burst.len() > LONGEST_BURST), Rejection::Burst)?;
    let seconds: u64 = turns.iter().skip(1).map(|turn| u64::from(turn.gap_seconds)).sum();
    refuse(seconds > LONGEST, Rejection::Gap)?;
    for turn in turns {
        let text = turn.text.as_str();
        refuse(text.is_empty() || text.contains('\n'), Rejection::Malformed)?;
        let known = |it: char| matches!(it, ' '..='~') || material.signs.contains(&it);
        refuse(!text.chars().all(known) || tidy_text(text) != text, Rejection::Sign)?;
        refuse(text.chars().count() > material.longest, Rejection::LongMessage)?;
        refuse(!is_clean(text), Rejection::Private)?;
    }
    refuse(repeats(turns), Rejection::Repetition)
}

/// Whether `ingest` would keep it just as it is.
fn is_clean(text: &str) -> bool {
    let line = Line { time_ms: 0, sender: "".into(), text: text.to_owned(), mark: None };
    matches!(Options::default().decide(&line), Outcome::Kept { links_cut: false, .. })
}

/// Words of a text below which repetition is not looked for.
const WORDS: usize = 12;

/// Less than two thirds of the messages are different, or less than a quarter of the words: in
/// chats it is more than a half.
fn repeats(turns: &[Turn]) -> bool {
    let texts: HashSet<String> = turns.iter().map(|turn| turn.text.to_lowercase()).collect();
    let words: Vec<&str> = turns.iter().flat_map(|turn| turn.text.split_whitespace()).collect();
    let different: HashSet<&&str> = words.iter().collect();
    texts.len() * 3 < turns.len() * 2 || words.len() >= WORDS && different.len() * 4 < words.len()
}

#[cfg(test)]
mod tests {
    use persona::Speaker;

    use super::{Rejection, check, fitted};
    use crate::chats::Message;
    use crate::stream::turn::Turn;
    use crate::synthesise::material::Material;

    fn material() -> Material {
        let message = |place: i64| Message {
            time_ms: place * 5000,
            sender: if place % 2 == 0 { "Ada" } else { "Moth" }.into(),
            text: "the moon is out ☕ and it is very round tonight, i think, come and look".into(),
            chat: "ada".into(),
        };
        Material::of(&(0..10).map(message).collect::<Vec<_>>(), "Moth", &[]).unwrap()
    }

    fn talk(texts: &[&str]) -> Vec<Turn> {
        let speaker = |place| if place % 2 == 0 { Speaker::You } else { Speaker::Wisp };
        let turn = |(place, text): (usize, &&str)| Turn {
            speaker: speaker(place),
            gap_seconds: 4000,
            text: (*text).to_owned(),
        };
        texts.iter().enumerate().map(turn).collect()
    }

    const GOOD: [&str; 5] = ["are you up", "always ☕", "the cat sat on me", "lucky cat", "not me"];

    #[test]
    fn each_rule() {
        let material = material();
        let of = |turns: &[Turn]| check(turns, &material);
        let with = |text: &str| of(&talk(&[&GOOD[..4], &[text]].concat()));
        assert_eq!(of(&talk(&GOOD)), Ok(()));
        assert_eq!(of(&talk(&GOOD[..3])), Err(Rejection::TooShort));
        let many: Vec<String> = (0..61).map(|place| format!("line {place}")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        assert_eq!(of(&talk(&many)), Err(Rejection::TooLong));
        let own: Vec<Turn> =
            talk(&GOOD).into_iter().map(|turn| Turn { speaker: Speaker::You, ..turn }).collect();
        assert_eq!(of(&own), Err(Rejection::OneSided));
        let mut burst = talk(&many[..12]);
        burst[..9].iter_mut().for_each(|turn| turn.speaker = Speaker::Wisp);
        assert_eq!(of(&burst), Err(Rejection::Burst));
        let mut long = talk(&GOOD);
        long[0].gap_seconds = u32::MAX;
        assert_eq!(of(&long), Ok(()), "the silence before is no part of it");
        long[1].gap_seconds = u32::MAX;
        long[2].gap_seconds = u32::MAX;
        assert_eq!(of(&long), Err(Rejection::Gap));
        assert_eq!(with(""), Err(Rejection::Malformed));
        assert_eq!(with("a\nb"), Err(Rejection::Malformed));
        for text in ["привет", "\u{1b}[2J", "a\u{202e}b", " blank"] {
            assert_eq!(with(text), Err(Rejection::Sign), "{text:?}");
        }
        assert_eq!(with(&"long ".repeat(16)[..79]), Err(Rejection::LongMessage));
        for text in ["see www.example.org", "a@b.example", "+49 170 1234567", "pin 482913"] {
            assert_eq!(with(text), Err(Rejection::Private), "{text}");
        }
        assert_eq!(of(&talk(&["a", "b", "a", "b", "a"])), Err(Rejection::Repetition));
        let ha = of(&talk(&["ha ha ha ha", "ha ha ha", "ha ha", "ha ha ha ha ha"]));
        assert_eq!(ha, Err(Rejection::Repetition));
    }

    #[test]
    fn printed_signs_become_those_of_the_chats() {
        let text = |turns: Vec<Turn>| turns[0].text.clone();
        let printed = talk(&["it’s “fine” — well… ☕"]);
        assert_eq!(text(fitted(printed.clone(), &material().signs)), "it's \"fine\" - well... ☕");
        let signs = "’—☕".chars().collect();
        assert_eq!(text(fitted(printed, &signs)), "it’s \"fine\" — well... ☕");
    }
}
