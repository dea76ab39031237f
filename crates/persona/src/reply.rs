//! When a reply has come to its end.

use crate::Style;

/// Tokens of a reply that the repetition penalty looks back on.
pub const REPETITION_WINDOW: usize = 64;

/// Why a reply ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReplyEnd {
    /// The model said so: the text is closed.
    Closed,
    /// A sentence ended and the reply was long enough: a story pauses here.
    Sentence,
    /// The reply is as long as it may be.
    Length,
}

/// Counts the tokens of one reply and says when it ends.
#[derive(Clone, Copy, Debug)]
pub struct ReplyRule {
    style: Style,
    longest: u32,
    tokens: u32,
}

impl ReplyRule {
    /// For a reply of at most `longest` tokens; at least one is always allowed.
    pub fn new(style: Style, longest: u32) -> Self {
        Self { style, longest: longest.max(1), tokens: 0 }
    }

    /// Tokens of text so far.
    pub fn tokens(&self) -> u32 {
        self.tokens
    }

    /// Looks at a drawn token before it becomes part of the reply: `Some` when it is not text.
    pub fn before_token(&self, token: u32) -> Option<ReplyEnd> {
        self.style.ends_text(token).then_some(ReplyEnd::Closed)
    }

    /// Counts a token that has become part of the reply and printed `text`.
    ///
    /// A model of plain text never stops by itself before the story is over, so it pauses at the
    /// end of a sentence once three quarters of the length are used.
    pub fn after_token(&mut self, text: &[u8]) -> Option<ReplyEnd> {
        self.tokens = self.tokens.saturating_add(1);
        if self.tokens >= self.longest {
            return Some(ReplyEnd::Length);
        }
        let long_enough = self.tokens >= self.longest - self.longest / 4;
        let sentence_ends = matches!(text.last(), Some(b'.' | b'!' | b'?'));
        let pauses = matches!(self.style, Style::Story { .. }) && long_enough && sentence_ends;
        pauses.then_some(ReplyEnd::Sentence)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STORY: Style = Style::Story { begin: 1, end: 2 };
    const CHAT: Style = Style::Chat { begin: 1, you: 3, wisp: 4, end: 5, gaps: [6, 7, 8, 9, 10] };

    #[test]
    fn the_end_token_closes_the_text() {
        assert_eq!(ReplyRule::new(STORY, 10).before_token(1), Some(ReplyEnd::Closed));
        assert_eq!(ReplyRule::new(STORY, 10).before_token(5), None);
        assert_eq!(ReplyRule::new(CHAT, 10).before_token(5), Some(ReplyEnd::Closed));
        assert_eq!(ReplyRule::new(CHAT, 10).before_token(2), None);
    }

    #[test]
    fn a_story_pauses_at_a_sentence_after_three_quarters() {
        let mut rule = ReplyRule::new(STORY, 8);
        for _ in 0..5 {
            assert_eq!(rule.after_token(b"."), None);
        }
        assert_eq!(rule.after_token(b" on"), None);
        assert_eq!(rule.after_token(b" end."), Some(ReplyEnd::Sentence));
        assert_eq!(rule.tokens(), 7);
    }

    #[test]
    fn a_chat_message_may_have_many_sentences() {
        let mut rule = ReplyRule::new(CHAT, 3);
        assert_eq!(rule.after_token(b"."), None);
        assert_eq!(rule.after_token(b"."), None);
        assert_eq!(rule.after_token(b"."), Some(ReplyEnd::Length));
    }

    #[test]
    fn no_length_at_all_still_means_one_token() {
        assert_eq!(ReplyRule::new(CHAT, 0).after_token(b"x"), Some(ReplyEnd::Length));
    }
}
