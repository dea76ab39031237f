//! The same conversation as its two ends know it.
//!
//! The host has a transcript, the board has tokens. Read from both, they must tell the same story:
//! the sharpest test of "nothing lost, nothing doubled", because neither end can fool it.

use link::conversation::{Conversation, MessageState};
use link::message::Speaker;
use model_format::Style;
use tokenizer::{Kind, Tokenizer};

/// One message: who wrote it, and what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// Who wrote it.
    pub speaker: Speaker,
    /// What, with blanks as the persona's text filter leaves them.
    pub text: String,
}

impl Line {
    fn new(speaker: Speaker, text: &str) -> Self {
        let words: Vec<_> = text.split_whitespace().collect();
        Self { speaker, text: words.join(" ") }
    }
}

/// What the host believes was said, as far as the persona has read or written it.
pub fn of_host(conversation: &Conversation) -> Vec<Line> {
    let messages = conversation.messages().iter();
    messages
        .filter(|message| message.is_known() && message.state != MessageState::Thinking)
        .map(|message| Line::new(message.speaker, &message.text))
        .collect()
}

/// What the board has in its context, which may begin late in the conversation.
pub fn of_board(tokens: &[u32], style: Style, tokenizer: &Tokenizer<'_>) -> Vec<Line> {
    let Style::Chat { you, wisp, end, .. } = style else { return Vec::new() };
    let mut lines = Vec::new();
    let mut open: Option<(Speaker, Vec<u8>)> = None;
    for token in tokens.iter().copied() {
        if token == you || token == wisp {
            let speaker = if token == you { Speaker::You } else { Speaker::Wisp };
            open = Some((speaker, Vec::new()));
        } else if token == end {
            lines.extend(open.take());
        } else if tokenizer.kind(token) != Some(Kind::Control)
            && let Some((_, text)) = &mut open
        {
            text.extend_from_slice(tokenizer.bytes(token));
        }
    }
    lines.extend(open);
    lines
        .into_iter()
        .map(|(speaker, text)| Line::new(speaker, &String::from_utf8_lossy(&text)))
        .collect()
}

/// Whether the board's conversation is the end of the host's.
///
/// # Errors
/// Both, when they differ.
pub fn agree(host: &[Line], board: &[Line]) -> Result<(), String> {
    if host.ends_with(board) && (host.is_empty() == board.is_empty()) {
        return Ok(());
    }
    Err(format!("the ends disagree\n  host:  {}\n  board: {}", tell(host), tell(board)))
}

/// A conversation on one line.
pub fn tell(lines: &[Line]) -> String {
    let lines = lines.iter().map(|line| format!("{:?} {:?}", line.speaker, line.text));
    lines.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Images;
    use crate::images::STYLE;
    use model_format::Model;

    fn line(speaker: Speaker, text: &str) -> Line {
        Line::new(speaker, text)
    }

    #[test]
    fn tokens_become_lines() {
        let images = Images::tiny(1);
        let model = Model::open(images.persona).unwrap();
        let tokenizer = Tokenizer::open(model.tokenizer()).unwrap();
        // "<s> <0> <you> ab </s> <0> <wisp> _c_ </s> <0>"
        let tokens = [1, 5, 2, 11, 12, 4, 5, 3, 10, 13, 10, 4, 5];
        let lines = of_board(&tokens, STYLE, &tokenizer);
        assert_eq!(lines, [line(Speaker::You, "ab"), line(Speaker::Wisp, "c")]);
    }

    #[test]
    fn only_the_beginning_may_be_missing() {
        let [a, b, c] = ["a", "b", "c"].map(|text| line(Speaker::You, text));
        let host = [a.clone(), b.clone(), c.clone()];
        assert!(agree(&host, &host).is_ok());
        assert!(agree(&host, &[b.clone(), c.clone()]).is_ok());
        assert!(agree(&host, &[a.clone(), b.clone()]).is_err());
        assert!(agree(&host, &[a, c.clone(), c]).is_err());
        assert!(agree(&host, &[]).is_err());
        assert!(agree(&[], &[b]).is_err());
    }
}
