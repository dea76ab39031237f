//! Which of the messages that a client sends along does the conversation have?
//!
//! Clients of OpenAI's API send all that was said each time. Here it is in the persona's memory
//! already, or it is not and cannot be put there: the board has one conversation.

use link::message::Speaker;

use crate::client::ChatMessage;

/// Messages of the conversation that are looked at, from its end: more than any board remembers.
const LOOKED_AT: usize = 1000;

/// A message that a client believes was said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Believed {
    /// The friend's, or the persona's.
    pub is_friend: bool,
    /// The words; of several messages of the persona, joined by line breaks as the API hands them
    /// out.
    pub text: String,
}

/// How many of these messages the conversation does not have, in their order.
pub fn count_unknown(believed: &[Believed], conversation: &[ChatMessage]) -> usize {
    let first = conversation.len().saturating_sub(LOOKED_AT);
    let turns = turns(conversation.get(first..).unwrap_or_default());
    let mut not_later = turns.len();
    let mut unknown = 0usize;
    // A reply of nothing is how silence is told.
    for message in believed.iter().rev().filter(|message| !message.text.trim().is_empty()) {
        let before = turns.get(..not_later).unwrap_or_default();
        match before.iter().rposition(|turn| has(turn, message)) {
            Some(place) => not_later = place.saturating_add(1),
            None => unknown = unknown.saturating_add(1),
        }
    }
    unknown
}

/// What one of both wrote in a row, between line breaks.
struct Turn {
    is_friend: bool,
    text: String,
}

fn turns(conversation: &[ChatMessage]) -> Vec<Turn> {
    let mut turns: Vec<Turn> = Vec::new();
    for message in conversation {
        let is_friend = message.speaker == Speaker::You;
        if turns.last().is_none_or(|turn| turn.is_friend != is_friend) {
            turns.push(Turn { is_friend, text: "\n".to_string() });
        }
        if let Some(turn) = turns.last_mut() {
            turn.text.push_str(message.text.trim());
            turn.text.push('\n');
        }
    }
    turns
}

fn has(turn: &Turn, message: &Believed) -> bool {
    turn.is_friend == message.is_friend
        && turn.text.contains(&format!("\n{}\n", message.text.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn believed(messages: &[(bool, &str)]) -> Vec<Believed> {
        messages
            .iter()
            .map(|&(is_friend, text)| Believed { is_friend, text: text.into() })
            .collect()
    }

    fn conversation(messages: &[(bool, &str)]) -> Vec<ChatMessage> {
        let message = |(key, &(is_friend, text)): (usize, &(bool, &str))| ChatMessage {
            key: key as u64,
            speaker: if is_friend { Speaker::You } else { Speaker::Wisp },
            text: text.to_string(),
            unix_seconds: 1,
            delivery: None,
            reply: None,
            timing: None,
        };
        messages.iter().enumerate().map(message).collect()
    }

    #[test]
    fn what_the_conversation_has_is_recognised() {
        let said = conversation(&[
            (true, "before"),
            (true, "Hi"),
            (false, "Hello!"),
            (false, "What's new?"),
            (true, "A bike."),
            (true, "A red one."),
        ]);
        let count = |messages: &[(bool, &str)]| count_unknown(&believed(messages), &said);
        assert_eq!(count(&[]), 0);
        assert_eq!(count(&[(true, "A red one.")]), 0);
        let all = [(true, "Hi"), (false, "Hello!\nWhat's new?"), (true, "A bike."), (false, "")];
        assert_eq!(count(&[&all[..], &[(true, "A red one.")]].concat()), 0, "silence in between");
        assert_eq!(count(&all), 0, "it has missed the last message");
        assert_eq!(count(&[(true, "Hi"), (false, "Hello!")]), 0, "it was told the first only");
        assert_eq!(count(&[(true, "Hi"), (false, "Invented."), (true, "A red one.")]), 1);
        assert_eq!(count(&[(true, "x"), (true, "y"), (false, "z")]), 3);
        assert_eq!(count(&[(true, "A bike."), (false, "Hello!")]), 1, "in another order");
        assert_eq!(count(&[(false, "Hi")]), 1, "somebody else said it");
        assert_eq!(count(&[(true, "red one.")]), 1, "half a message is none");
        assert_eq!(count_unknown(&believed(&[(true, "Hi")]), &[]), 1);
    }
}
