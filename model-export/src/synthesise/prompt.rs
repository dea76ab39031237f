//! What the teacher is asked: the form, the persona, examples, and what to write about.

use std::fmt::Write;

use sha2::{Digest, Sha256};

use super::material::Material;
use crate::stream::dice::Dice;
use crate::stream::turn::Turn;

/// The names of the two speakers in what is sent and answered. Nobody's own name is sent.
pub const FRIEND: &str = "friend";
/// See [`FRIEND`].
pub const PERSONA: &str = "persona";

/// Begins a conversation.
pub const BEGINS: &str = "===";

/// Most conversations that are asked for at once: more, and the last ones get careless.
pub const AT_ONCE: usize = 4;

/// A request's words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prompt {
    /// How to write.
    pub system: String,
    /// Description, examples and what to write.
    pub user: String,
    /// Texts of the chats in it.
    pub private: Vec<String>,
}

/// Writes prompts.
#[derive(Clone, Debug)]
pub struct Prompter<'a> {
    /// The chats.
    pub material: &'a Material,
    /// What the user says about the persona.
    pub description: Option<&'a str>,
    /// Examples in a request.
    pub examples: usize,
    /// Decides examples and topics.
    pub seed: u64,
}

impl Prompter<'_> {
    /// The prompt of the request with this number, for `count` conversations.
    pub fn prompt(&self, number: u64, count: usize) -> Prompt {
        let mut dice = Dice::new(self.seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ number);
        let examples = self.material.draw(self.examples, &mut dice);
        let mut user = String::new();
        if let Some(description) = self.description {
            user += &format!("About the persona:\n\n{}\n\n", description.trim());
        }
        if !examples.is_empty() {
            user += "Examples of real conversations:\n\n";
            examples.iter().for_each(|example| show(&mut user, example));
        }
        let topics: Vec<&str> = (0..count).filter_map(|_| topic(&mut dice)).collect();
        user += &format!(
            "Write {count} new conversations. Let them touch on: {}. In {} of them the persona \
             writes first.",
            topics.join("; "),
            self.begun_by_persona(count, &mut dice),
        );
        let texts = examples.iter().flat_map(|example| example.iter());
        let private = texts.map(|turn| turn.text.clone()).collect();
        Prompt { system: self.system(), user, private }
    }

    /// As many as in the chats, on average.
    fn begun_by_persona(&self, count: usize, dice: &mut Dice) -> usize {
        let rate = self.material.rhythm.first_speech_rate();
        (0..count).filter(|_| (dice.below(1000) as f64) < 1000.0 * rate).count()
    }

    fn system(&self) -> String {
        let rhythm = &self.material.rhythm;
        format!(
            "You write chat messages between two people, called {FRIEND} and {PERSONA}. A small \
             language model will learn from them to speak as the {PERSONA}, so the {PERSONA} must \
             always sound the same: its voice, its words, its length, its spelling.\n\
             \n\
             Write exactly in this form, as plain text, and nothing else:\n\
             \n\
             {BEGINS} two to four words\n\
             {FRIEND} 40000: first message\n\
             {PERSONA} 9: answer\n\
             {PERSONA} 3: second message in a row\n\
             {FRIEND} 15: and so on\n\
             \n\
             - One message on a line: who writes, seconds since the message before, colon, text.\n\
             - The seconds of a conversation's first message are the silence before it, 4000 to \
             90000. An answer takes 2 to 60, messages in a row 1 to 10. When somebody is away in \
             the middle: 600 to 20000.\n\
             - A conversation has 6 to 24 messages, a message at most {} characters. An empty line \
             between conversations.\n\
             - Of the {FRIEND}'s messages {:.0} in 100 get an answer of their own; the {PERSONA} \
             writes {:.1} messages in a row on average.\n\
             - Same voice as in the examples and the same language, but other situations and other \
             words: copy nothing, and do not repeat yourself.\n\
             - No links, e-mail addresses, telephone numbers, codes or full names. No notes, \
             numbering or markup.",
            self.material.longest,
            100.0 * rhythm.reply_rate(),
            rhythm.burst_length(),
        )
    }

    /// SHA-256 of all that is the same in every request.
    pub fn digest(&self) -> String {
        let fixed = [self.system().as_str(), self.description.unwrap_or_default()].join("\0");
        Sha256::digest(fixed).iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

/// Writes a conversation in the form that is asked for.
pub fn show(text: &mut String, turns: &[Turn]) {
    *text += BEGINS;
    *text += "\n";
    for turn in turns {
        let speaker = match turn.speaker {
            persona::Speaker::You => FRIEND,
            persona::Speaker::Wisp => PERSONA,
        };
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{speaker} {}: {}", turn.gap_seconds, turn.text);
    }
    *text += "\n";
}

fn topic(dice: &mut Dice) -> Option<&'static str> {
    TOPICS.get(dice.below(TOPICS.len() as u64) as usize).copied()
}

/// What people chat about: without a hint, a model writes about the same three things.
const TOPICS: [&str; 64] = [
    "a bad night's sleep",
    "rain that does not stop",
    "cooking that went wrong",
    "something lost and found",
    "being bored",
    "a small victory",
    "a dream somebody had",
    "a cold",
    "waiting for somebody",
    "an apology",
    "a promise",
    "a silly bet",
    "a story told in several messages",
    "good morning",
    "good night",
    "coming back after days away",
    "a word game",
    "a riddle",
    "would you rather",
    "a pun and the groan after it",
    "an animal seen outside",
    "what is for dinner",
    "a song that stays in the head",
    "a film seen half",
    "a book never finished",
    "work that was too much",
    "a meeting nobody needed",
    "an exam",
    "a day off",
    "the neighbours",
    "a noise at night",
    "a power cut",
    "something broken",
    "something new that was bought",
    "no money until Friday",
    "a birthday",
    "a present",
    "plans for the weekend",
    "a plan that fell through",
    "a walk",
    "a late bus",
    "the heat",
    "snow",
    "a memory from childhood",
    "the family",
    "a friend who is difficult",
    "feeling sad without a reason",
    "being angry and calming down",
    "being nervous before something",
    "being proud",
    "missing somebody",
    "a compliment",
    "a misunderstanding",
    "teasing",
    "a secret wish",
    "a question nobody can answer",
    "not knowing something and saying so",
    "something mean that is turned down kindly",
    "a typing error",
    "very short answers",
    "small talk about nothing",
    "who are you, really",
    "advice that is not taken",
    "a cup of tea",
];

#[cfg(test)]
mod tests {
    use super::{Prompter, show};
    use crate::chats::Message;
    use crate::synthesise::material::Material;
    use crate::synthesise::reading::{Draft, read};

    fn material() -> Material {
        let message = |place: i64| Message {
            time_ms: 1_700_000_000_000 + place * 5000 + place / 5 * 20_000_000,
            sender: if place % 5 % 2 == 0 { "Ada Example" } else { "Moth" }.into(),
            text: format!("line {place}"),
            chat: "ada".into(),
        };
        Material::of(&(0..100).map(message).collect::<Vec<_>>(), "Moth", &[]).unwrap()
    }

    #[test]
    fn a_prompt_has_examples_but_no_names_and_says_what_is_private() {
        let material = material();
        let prompter = Prompter { material: &material, description: None, examples: 2, seed: 1 };
        let prompt = prompter.prompt(7, 3);
        assert_eq!(prompt.private.len(), 10);
        assert!(prompt.private.iter().all(|text| prompt.user.contains(text)));
        assert!(prompt.user.contains("Write 3 new conversations"));
        for name in ["Ada", "Moth"] {
            assert!(!prompt.user.contains(name) && !prompt.system.contains(name));
        }
        assert_eq!(prompt, prompter.prompt(7, 3));
        assert_ne!(prompt.user, prompter.prompt(8, 3).user);
        assert_ne!(prompt.user, Prompter { seed: 2, ..prompter }.prompt(7, 3).user);
    }

    #[test]
    fn without_examples_no_text_is_sent() {
        let material = material();
        let description = Some("A moth.");
        let prompter = Prompter { material: &material, description, examples: 0, seed: 1 };
        let prompt = prompter.prompt(0, 4);
        assert!(prompt.private.is_empty());
        assert!(!prompt.user.contains("line ") && prompt.user.contains("A moth."));
        let other = Prompter { description: None, ..prompter.clone() };
        assert_eq!(prompter.digest().len(), 64);
        assert_ne!(prompter.digest(), other.digest());
    }

    #[test]
    fn examples_have_the_form_that_is_asked_for() {
        let material = material();
        let mut shown = String::new();
        material.examples.iter().for_each(|example| show(&mut shown, example));
        let drafts = read(&shown, false);
        assert_eq!(drafts.len(), material.examples.len());
        for (draft, example) in drafts.iter().zip(&material.examples) {
            assert!(matches!(draft, Draft::Whole(turns) if turns == example));
        }
    }
}
