//! Whether a conversation says something new: not the chats again, and not an earlier one.
//!
//! Both compare words in small letters without signs, over message borders, so that short messages
//! count too. Copies: the share of a conversation's stretches of five words that stand in the chats.
//! Near duplicates: Jaccard's coefficient of the sets of stretches of three words (Broder 1997,
//! "On the resemblance and containment of documents").

use std::collections::{HashMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};

use super::rules::Rejection;
use crate::chats::Message;
use crate::stream::turn::Turn;

/// Words of a stretch that is looked for in the chats.
const COPY: usize = 5;

/// Words of a stretch that two conversations are compared by.
const ALIKE: usize = 3;

/// Share of a conversation's stretches that may stand in the chats. Of 2,682 conversations of one
/// chat, each against the others, one in a hundred has more than 0.10, and none more than 0.23.
const MOST_COPIED: f64 = 0.25;

/// Above this coefficient two conversations are the same in other words. Of the same 2,682, none
/// comes above 0.09 with any other.
const MOST_ALIKE: f64 = 0.25;

/// What is known already.
#[derive(Debug, Default)]
pub struct Novelty {
    chats: HashSet<u64>,
    whole: HashSet<u64>,
    /// Which conversations have a stretch.
    stretches: HashMap<u64, Vec<u32>>,
    /// How many stretches a conversation has.
    sizes: Vec<u32>,
}

impl Novelty {
    /// Knows these chats, which are sorted by time within each.
    pub fn of(chats: &[Message]) -> Self {
        let mut novelty = Self::default();
        for chat in chats.chunk_by(|one, other| one.chat == other.chat) {
            let words = words(chat.iter().map(|message| message.text.as_str()));
            novelty.chats.extend(stretches(&words, COPY));
        }
        novelty
    }

    /// Takes a conversation if it is new.
    ///
    /// # Errors
    /// Why it is not.
    pub fn take(&mut self, turns: &[Turn]) -> Result<(), Rejection> {
        let words = words(turns.iter().map(|turn| turn.text.as_str()));
        if self.copied(&words) > MOST_COPIED {
            return Err(Rejection::Copied);
        }
        if !self.whole.insert(digest(&words)) {
            return Err(Rejection::Duplicate);
        }
        if self.alike(&words) > MOST_ALIKE {
            return Err(Rejection::NearDuplicate);
        }
        self.add(&words);
        Ok(())
    }

    /// Knows a conversation of an earlier run.
    pub fn know(&mut self, turns: &[Turn]) {
        let words = words(turns.iter().map(|turn| turn.text.as_str()));
        self.whole.insert(digest(&words));
        self.add(&words);
    }

    fn add(&mut self, words: &[String]) {
        let stretches: HashSet<u64> = stretches(words, ALIKE).collect();
        // There are never more than thousands.
        let place = self.sizes.len() as u32;
        self.sizes.push(stretches.len() as u32);
        for stretch in stretches {
            self.stretches.entry(stretch).or_default().push(place);
        }
    }

    /// The share of the stretches that stand in the chats.
    fn copied(&self, words: &[String]) -> f64 {
        let (mut known, mut all) = (0u32, 0u32);
        for stretch in stretches(words, COPY) {
            known += u32::from(self.chats.contains(&stretch));
            all += 1;
        }
        f64::from(known) / f64::from(all.max(1))
    }

    /// Jaccard's coefficient with the conversation that is most alike.
    fn alike(&self, words: &[String]) -> f64 {
        let own: HashSet<u64> = stretches(words, ALIKE).collect();
        let mut common: HashMap<u32, u32> = HashMap::new();
        for place in own.iter().filter_map(|stretch| self.stretches.get(stretch)).flatten() {
            *common.entry(*place).or_default() += 1;
        }
        let coefficient = |(place, common): (u32, u32)| {
            let other = self.sizes.get(place as usize).copied().unwrap_or(0);
            let union = f64::from(other) + own.len() as f64 - f64::from(common);
            f64::from(common) / union.max(1.0)
        };
        common.into_iter().map(coefficient).fold(0.0, f64::max)
    }
}

fn words<'a>(texts: impl Iterator<Item = &'a str>) -> Vec<String> {
    let is_sign = |it: char| !it.is_alphanumeric() && it != '\'';
    let lower: Vec<String> = texts.map(str::to_lowercase).collect();
    let words = lower.iter().flat_map(|text| text.split(is_sign));
    words.filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

fn stretches(words: &[String], length: usize) -> impl Iterator<Item = u64> {
    words.windows(length).map(digest)
}

fn digest(words: &[String]) -> u64 {
    // The same in every run of a program; it is never stored.
    let mut hasher = DefaultHasher::new();
    words.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use persona::Speaker;

    use super::Novelty;
    use crate::chats::Message;
    use crate::stream::turn::Turn;
    use crate::synthesise::rules::Rejection;

    fn talk(texts: &[&str]) -> Vec<Turn> {
        let turn =
            |text: &&str| Turn { speaker: Speaker::You, gap_seconds: 5, text: (*text).into() };
        texts.iter().map(turn).collect()
    }

    const CHAT: [&str; 4] =
        ["i burnt the soup again", "how, it is water", "i was reading", "about soup i hope"];

    fn novelty() -> Novelty {
        let message = |(place, text): (usize, &&str)| Message {
            time_ms: place as i64,
            sender: "Ada".into(),
            text: (*text).to_owned(),
            chat: "c".into(),
        };
        Novelty::of(&CHAT.iter().enumerate().map(message).collect::<Vec<_>>())
    }

    #[test]
    fn copies_are_found_over_the_borders_of_messages() {
        assert_eq!(novelty().take(&talk(&CHAT)), Err(Rejection::Copied));
        let cut = ["I burnt the", "soup again. How?", "It is water! I", "was reading about soup"];
        assert_eq!(novelty().take(&talk(&cut)), Err(Rejection::Copied));
        let new = ["i burnt the toast", "how, it is bread", "i was singing", "about toast maybe"];
        assert_eq!(novelty().take(&talk(&new)), Ok(()));
    }

    #[test]
    fn duplicates_exact_and_near() {
        let first = [
            "there is a moth on the lamp and it will not leave",
            "maybe it lives there",
            "it pays no rent though",
            "neither do i",
        ];
        let mut near = first;
        near[3] = "neither do we";
        let mut far = first;
        far[0] = "somebody left a bicycle in front of our door";
        far[2] = "with a note on it, for gerald";
        let mut novelty = novelty();
        assert_eq!(novelty.take(&talk(&first)), Ok(()));
        assert_eq!(novelty.take(&talk(&first)), Err(Rejection::Duplicate));
        assert_eq!(novelty.take(&talk(&near)), Err(Rejection::NearDuplicate));
        assert_eq!(novelty.take(&talk(&far)), Ok(()));
        assert_eq!(novelty.take(&talk(&["ok"])), Ok(()));
        assert_eq!(novelty.take(&talk(&["OK!"])), Err(Rejection::Duplicate));
        let mut later = Novelty::default();
        later.know(&talk(&first));
        assert_eq!(later.take(&talk(&first)), Err(Rejection::Duplicate));
        assert_eq!(later.take(&talk(&near)), Err(Rejection::NearDuplicate));
    }
}
