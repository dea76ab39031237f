//! From what a teacher wrote to conversations. Anything may come; nothing of it is believed.

use persona::Speaker;

use super::prompt::{BEGINS, FRIEND, PERSONA};
use super::rules::Rejection;
use crate::chats::export::tidy_text;
use crate::stream::turn::Turn;

/// A conversation as it was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Draft {
    /// It has the right form.
    Whole(Vec<Turn>),
    /// It has not.
    Broken(Rejection),
}

/// What a thinking model writes before its answer ends with this.
const THOUGHT: &str = "</think>";

/// Finds the conversations. `cut`: the model was stopped in the middle of the last one.
pub fn read(answer: &str, cut: bool) -> Vec<Draft> {
    let answer = answer.rsplit_once(THOUGHT).map_or(answer, |(_, answer)| answer);
    let mut reader = Reader::default();
    answer.lines().for_each(|line| reader.line(line.trim()));
    if cut {
        reader.broken = Some(Rejection::CutOff);
    }
    reader.end();
    reader.drafts
}

#[derive(Default)]
struct Reader {
    drafts: Vec<Draft>,
    /// The conversation that is read.
    turns: Vec<Turn>,
    broken: Option<Rejection>,
    /// After an empty line.
    apart: bool,
}

impl Reader {
    fn line(&mut self, line: &str) {
        if line.starts_with(BEGINS) {
            self.end();
        } else if line.is_empty() || line.starts_with("```") {
            self.apart = true;
        } else if let Some(turn) = message(line) {
            // Some leave a line empty after every message.
            self.apart = false;
            self.turns.push(turn);
        } else if self.apart {
            // Polite words around the conversations.
            self.end();
        } else if !self.turns.is_empty() {
            self.broken = Some(Rejection::Malformed);
        }
    }

    fn end(&mut self) {
        let turns = std::mem::take(&mut self.turns);
        let broken = self.broken.take();
        self.apart = false;
        if !turns.is_empty() {
            self.drafts.push(broken.map_or(Draft::Whole(turns), Draft::Broken));
        }
    }
}

/// What models decorate lines with.
const DECORATION: [char; 6] = ['*', '-', '_', '`', '>', ' '];

/// `friend 12: text`, also as `- **friend (12 s):** text`.
fn message(line: &str) -> Option<Turn> {
    let (head, text) = line.trim_start_matches(DECORATION).split_once(':')?;
    let head = head.to_ascii_lowercase();
    let (speaker, seconds) = match head.strip_prefix(FRIEND) {
        Some(rest) => (Speaker::You, rest),
        None => (Speaker::Wisp, head.strip_prefix(PERSONA)?),
    };
    let around = |it: char| " ()[]*_".contains(it);
    let seconds = seconds.trim_matches(around);
    let seconds = seconds.strip_suffix('s').unwrap_or(seconds).trim_end();
    let is_number = !seconds.is_empty() && seconds.bytes().all(|it| it.is_ascii_digit());
    let gap_seconds = is_number.then(|| seconds.parse().unwrap_or(u32::MAX))?;
    let text = tidy_text(text.trim_start_matches(['*', '_']));
    Some(Turn { speaker, gap_seconds, text: unquoted(&text).to_owned() })
}

/// Quotation marks around a whole message are the teacher's, not the speaker's.
fn unquoted(text: &str) -> &str {
    let inner = text.strip_prefix('"').and_then(|text| text.strip_suffix('"'));
    inner.filter(|inner| !inner.contains('"')).map_or(text, str::trim)
}

#[cfg(test)]
mod tests {
    use persona::Speaker;

    use super::{Draft, read};
    use crate::stream::turn::Turn;
    use crate::synthesise::rules::Rejection;

    fn turn(speaker: Speaker, gap_seconds: u32, text: &str) -> Turn {
        Turn { speaker, gap_seconds, text: text.into() }
    }

    #[test]
    fn the_form_that_is_asked_for() {
        let answer =
            "=== rain\nfriend 4000: hi: you\npersona 5: \"hello\"\n\n=== tea\npersona 0: x\n";
        let first = vec![turn(Speaker::You, 4000, "hi: you"), turn(Speaker::Wisp, 5, "hello")];
        let second = vec![turn(Speaker::Wisp, 0, "x")];
        assert_eq!(read(answer, false), [Draft::Whole(first.clone()), Draft::Whole(second)]);
        let cut = [Draft::Whole(first), Draft::Broken(Rejection::CutOff)];
        assert_eq!(read(answer, true), cut);
    }

    #[test]
    fn what_models_make_of_it() {
        let expected = vec![turn(Speaker::You, 4000, "hi"), turn(Speaker::Wisp, 5, "oh")];
        for answer in [
            "Sure! Here they are:\n\n=== a\nfriend 4000: hi\npersona 5: oh\n\nI hope this helps!",
            "<think>friend 1: no</think>\n```\nfriend 4000: hi\npersona 5: oh\n```",
            "- **Friend 4000:** hi\n- **Persona (5s):** oh",
            "friend [4000]: hi\r\n\r\npersona 5 s: oh\r\n",
        ] {
            assert_eq!(read(answer, false), [Draft::Whole(expected.clone())], "{answer}");
        }
    }

    #[test]
    fn what_is_no_conversation() {
        let broken = [Draft::Broken(Rejection::Malformed)];
        for answer in ["friend 1: hi\npersona: no number", "friend 1: hi\nsomebody 3: else\n"] {
            assert_eq!(read(answer, false), broken, "{answer}");
        }
        for answer in ["", "===", "friendly 3: hi", "persona -3: hi", "friend 3 4: hi", "{}"] {
            assert_eq!(read(answer, false), [], "{answer}");
        }
        let endless = read("friend 99999999999999999999: hi", false);
        assert_eq!(endless, [Draft::Whole(vec![turn(Speaker::You, u32::MAX, "hi")])]);
    }
}
