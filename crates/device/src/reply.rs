//! The running reply: tokens become text, and text is shown.

use heapless::String;
use link::Instant;
use link::message::{Settings, Timing};
use persona::{ReplyRule, Style, TextFilter};
use tokenizer::Utf8Stream;

/// Most bytes of text that one token shows; what a longer token says beyond is not shown.
pub(crate) const MAX_SHOWN_PER_TOKEN: usize = 1024;

/// Text that became visible.
pub(crate) type Shown = String<MAX_SHOWN_PER_TOKEN>;

/// Everything that belongs to one reply while it is being made.
pub(crate) struct Reply {
    /// Its number.
    pub number: u32,
    /// Tokens of its lead, before its text.
    pub lead: usize,
    /// When it ends.
    pub rule: ReplyRule,
    /// Tokens of its text whose text has been shown.
    pub shown_tokens: usize,
    /// Bytes shown.
    pub shown_bytes: u32,
    utf8: Utf8Stream,
    filter: TextFilter,
    all_read: Instant,
    first_token: Option<Instant>,
    prompt_tokens: u32,
}

impl Reply {
    /// A reply to what was all read at `all_read`.
    pub(crate) fn new(
        number: u32,
        lead: usize,
        style: Style,
        settings: &Settings,
        all_read: Instant,
    ) -> Self {
        Self {
            number,
            lead,
            rule: ReplyRule::new(style, u32::from(settings.max_reply_tokens)),
            shown_tokens: 0,
            shown_bytes: 0,
            utf8: Utf8Stream::new(),
            filter: TextFilter::new(),
            all_read,
            first_token: None,
            prompt_tokens: 0,
        }
    }

    /// Whether any of it has been shown.
    pub(crate) fn is_shown(&self) -> bool {
        self.shown_bytes > 0
    }

    /// The first token was drawn, after this many tokens were read.
    pub(crate) fn note_first_token(&mut self, now: Instant, prompt_tokens: impl FnOnce() -> u32) {
        if self.first_token.is_none() {
            self.first_token = Some(now);
            self.prompt_tokens = prompt_tokens();
        }
    }

    /// Turns the bytes of the next token into what is to be shown now.
    pub(crate) fn show(&mut self, bytes: &[u8]) -> Shown {
        let mut shown = Shown::new();
        let filter = &mut self.filter;
        self.utf8.push(bytes, |piece| {
            // Text beyond the limit is left out.
            filter.push(piece, |character| _ = shown.push(character));
        });
        shown
    }

    /// `shown` was shown, and with it the text of all `tokens` so far.
    pub(crate) fn mark_shown(&mut self, shown: &Shown, tokens: usize) {
        // A piece is at most MAX_SHOWN_PER_TOKEN long.
        self.shown_bytes = self.shown_bytes.saturating_add(shown.len() as u32);
        self.shown_tokens = tokens;
    }

    /// What it cost.
    pub(crate) fn timing(&self, now: Instant) -> Timing {
        let first = self.first_token.unwrap_or(now);
        Timing {
            prompt_tokens: self.prompt_tokens,
            reply_tokens: self.rule.tokens(),
            first_token_micros: micros(self.all_read, first),
            decode_micros: micros(first, now),
        }
    }
}

/// Microseconds between two moments, as many as a message can carry.
fn micros(from: Instant, to: Instant) -> u32 {
    u32::try_from(to.0.saturating_sub(from.0)).unwrap_or(u32::MAX)
}
