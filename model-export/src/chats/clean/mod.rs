//! Cleaning: what a persona must not or need not learn from.
//!
//! A message is dropped whole where cutting would leave a broken sentence or a hint (phone numbers,
//! addresses, codes); only links are cut out of a text, because what is around them reads on.
//! Dropping a message lengthens the gap to the next, and can shorten a burst or take away a reply.

mod duplicates;
mod links;
mod numbers;
mod reason;
mod secrets;

use std::collections::BTreeSet;

pub use duplicates::mark_duplicates;
pub use reason::{Keep, Reason};

use super::export::Line;

/// What is kept against the defaults.
#[derive(Clone, Debug)]
pub struct Options {
    /// What is not dropped.
    pub keep: BTreeSet<Keep>,
    /// The longest text, in characters.
    pub longest: usize,
}

/// A chat message is seldom longer; half a window of the model's context at about 4 bytes a token.
pub const LONGEST: usize = 500;

impl Default for Options {
    fn default() -> Self {
        Self { keep: BTreeSet::new(), longest: LONGEST }
    }
}

/// What becomes of a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is a message with this text.
    Kept {
        /// What is left of it.
        text: String,
        /// Whether links were cut out.
        links_cut: bool,
    },
    /// It is not.
    Dropped(Reason),
}

impl Options {
    /// Whether this reason drops nothing.
    pub fn keeps(&self, reason: Reason) -> bool {
        self.keep.iter().any(|keep| keep.reason() == reason)
    }

    /// Decides about a line whose text is tidy.
    pub fn decide(&self, line: &Line) -> Outcome {
        if let Some(mark) = line.mark.filter(|mark| !self.keeps(*mark)) {
            return Outcome::Dropped(mark);
        }
        let text = line.text.as_str();
        if text.is_empty() {
            return Outcome::Dropped(Reason::Empty);
        }
        // What phones put into a text in place of a picture.
        if text.chars().all(|it| it == '\u{fffc}' || it.is_whitespace()) {
            return Outcome::Dropped(Reason::Media);
        }
        // An address of a page is full of numbers: they are looked for beside it.
        let without_links = links::cut(text);
        let words = without_links.as_deref().unwrap_or(text);
        let private = [
            (Reason::Email, links::has_email as fn(&str) -> bool),
            (Reason::Code, secrets::has_code),
            (Reason::Phone, numbers::has_phone),
        ];
        let found = private.iter().find(|(reason, has)| !self.keeps(*reason) && has(words));
        if let Some((reason, _)) = found {
            return Outcome::Dropped(*reason);
        }
        let links_cut = without_links.is_some() && !self.keeps(Reason::Link);
        let text = if links_cut { words } else { text };
        if text.is_empty() {
            return Outcome::Dropped(Reason::Link);
        }
        if text.chars().count() > self.longest && !self.keeps(Reason::Long) {
            return Outcome::Dropped(Reason::Long);
        }
        Outcome::Kept { text: text.to_owned(), links_cut }
    }
}

#[cfg(test)]
mod tests {
    use super::{Keep, Options, Outcome, Reason};
    use crate::chats::export::Line;

    fn decide(options: &Options, text: &str, mark: Option<Reason>) -> Outcome {
        options.decide(&Line { time_ms: 0, sender: "A".into(), text: text.into(), mark })
    }

    fn kept(text: &str, links_cut: bool) -> Outcome {
        Outcome::Kept { text: text.into(), links_cut }
    }

    #[test]
    fn each_reason() {
        let options = Options { longest: 20, ..Options::default() };
        let dropped = |text: &str| match decide(&options, text, None) {
            Outcome::Dropped(reason) => Some(reason),
            Outcome::Kept { .. } => None,
        };
        assert_eq!(dropped(""), Some(Reason::Empty));
        assert_eq!(dropped("\u{fffc}"), Some(Reason::Media));
        assert_eq!(dropped("https://a.example/1"), Some(Reason::Link));
        assert_eq!(dropped("a@b.example"), Some(Reason::Email));
        assert_eq!(dropped("+49 170 1234567"), Some(Reason::Phone));
        assert_eq!(dropped("code 482913"), Some(Reason::Code));
        assert_eq!(dropped("twenty-one characters"), Some(Reason::Long));
        assert_eq!(dropped("exactly äöü 20 chars"), None);
        assert_eq!(decide(&options, "hi", Some(Reason::Unsent)), Outcome::Dropped(Reason::Unsent));
        assert_eq!(decide(&options, "look https://a.example/12345678", None), kept("look", true));
    }

    #[test]
    fn what_is_to_be_kept_is_kept() {
        let all = [
            Keep::Links,
            Keep::Phones,
            Keep::Emails,
            Keep::Codes,
            Keep::Forwarded,
            Keep::Duplicates,
            Keep::Long,
        ];
        let options = Options { keep: all.into_iter().collect(), longest: 3 };
        for text in ["https://a.example", "a@b.example", "+49 170 1234567", "code 482913"] {
            assert_eq!(decide(&options, text, None), kept(text, false));
        }
        assert_eq!(decide(&options, "hello", Some(Reason::Forwarded)), kept("hello", false));
        let system = decide(&options, "hello", Some(Reason::System));
        assert_eq!(system, Outcome::Dropped(Reason::System));
        // Keeping links does not keep what else is in the text.
        let options = Options { keep: [Keep::Links].into(), longest: 99 };
        let phone = decide(&options, "https://a.example or 0170 1234567", None);
        assert_eq!(phone, Outcome::Dropped(Reason::Phone));
    }
}
