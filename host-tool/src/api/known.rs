//! Which of the messages that a client sends along does the conversation have?
//!
//! Clients of OpenAI's API send all that was said each time. Here it is in the persona's memory
//! already, or it is not and cannot be put there: the board has one conversation.

use link::message::Speaker;

use crate::client::ChatMessage;

/// One message, or several in a row of the same speaker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Turn {
    /// The friend's, or the persona's.
    pub is_friend: bool,
    /// The words; of several messages, joined by line breaks as the API hands them out.
    pub text: String,
}

/// How many of the messages that a client believes were said are not the end of the conversation.
pub fn count_unknown(believed: &[Turn], conversation: &[ChatMessage]) -> usize {
    // A reply of nothing is how silence is told.
    let believed = believed.iter().filter(|turn| !turn.text.trim().is_empty());
    let believed = grouped(believed.map(|turn| (turn.is_friend, turn.text.as_str())));
    let said = conversation
        .iter()
        .rev()
        .map(|message| (message.speaker == Speaker::You, message.text.as_str()));
    // As many messages as the client has lines at most: a conversation may be long.
    let enough: usize = believed.iter().map(|(turn, _)| turn.text.lines().count() + 1).sum();
    let mut said: Vec<_> = said.take(enough.saturating_mul(2)).collect();
    said.reverse();
    let said = grouped(said.into_iter());
    let matching = believed
        .iter()
        .rev()
        .zip(said.iter().rev())
        .take_while(|((believed, _), (said, _))| is_end_of(believed, said))
        .count();
    let unknown = believed.len().saturating_sub(matching);
    believed.iter().take(unknown).map(|(_, messages)| messages).sum()
}

/// Joins neighbours of the same speaker, and counts them.
fn grouped<'a>(messages: impl Iterator<Item = (bool, &'a str)>) -> Vec<(Turn, usize)> {
    let mut turns: Vec<(Turn, usize)> = Vec::new();
    for (is_friend, text) in messages {
        match turns.last_mut() {
            Some((turn, count)) if turn.is_friend == is_friend => {
                turn.text.push('\n');
                turn.text.push_str(text);
                *count = count.saturating_add(1);
            }
            _ => turns.push((Turn { is_friend, text: text.to_string() }, 1)),
        }
    }
    turns
}

/// The client may have come in the middle of what one of both said in a row.
fn is_end_of(believed: &Turn, said: &Turn) -> bool {
    let (end, all) = (believed.text.trim(), said.text.trim());
    let is_whole = all == end;
    let is_end = || all.strip_suffix(end).is_some_and(|rest| rest.ends_with('\n'));
    believed.is_friend == said.is_friend && (is_whole || is_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn believed(turns: &[(bool, &str)]) -> Vec<Turn> {
        turns.iter().map(|&(is_friend, text)| Turn { is_friend, text: text.into() }).collect()
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
        let count = |turns: &[(bool, &str)]| count_unknown(&believed(turns), &said);
        assert_eq!(count(&[]), 0);
        assert_eq!(count(&[(true, "A red one.")]), 0);
        let all = [(true, "Hi"), (false, "Hello!\nWhat's new?"), (true, "A bike."), (false, "")];
        assert_eq!(count(&[&all[..], &[(true, "A red one.")]].concat()), 0, "silence in between");
        assert_eq!(count(&all), 3, "it has missed the last message");
        assert_eq!(count(&[(false, "Invented."), (true, "A red one.")]), 1);
        assert_eq!(count(&[(true, "x"), (true, "y"), (false, "z")]), 3);
        assert_eq!(count_unknown(&believed(&[(true, "Hi")]), &[]), 1);
        assert_eq!(count(&[(true, "red one.")]), 1, "half a message is none");
    }
}
