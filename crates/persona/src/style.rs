//! How a conversation is written as tokens.

use heapless::Vec;

/// Number of buckets for the time between two messages.
pub const GAPS: usize = 5;

/// Longest time of each bucket but the last, in seconds: a minute, ten minutes, an hour, six hours.
pub const GAP_LIMITS: [u32; GAPS - 1] = [60, 600, 3600, 6 * 3600];

/// Tokens that come before the text of a message.
pub type Lead = Vec<u32, 2>;

/// Who wrote a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Speaker {
    /// The friend at the keyboard.
    You,
    /// The persona.
    Wisp,
}

/// How a conversation is written as tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// A model of plain text. The friend begins a story or goes on with it, and so does Wisp:
    /// `begin text text text … begin text …`
    Story {
        /// Begins every story.
        begin: u32,
        /// Ends a story; may be the same as `begin`, as in llama2.c.
        end: u32,
    },
    /// A model of conversations:
    /// `begin <gap:k> <you> text <end> <gap:k> <wisp> text <end> …`
    Chat {
        /// Begins every conversation.
        begin: u32,
        /// The friend speaks.
        you: u32,
        /// The persona speaks.
        wisp: u32,
        /// A message ends.
        end: u32,
        /// Time since the message before, by bucket.
        gaps: [u32; GAPS],
    },
}

/// The bucket of a silence of this many seconds, below [`GAPS`].
pub fn gap_bucket(seconds: u32) -> usize {
    GAP_LIMITS.iter().filter(|limit| seconds > **limit).count()
}

impl Style {
    /// The token every conversation begins with. It stays when old messages are dropped.
    pub fn opening(&self) -> u32 {
        match *self {
            Self::Story { begin, .. } | Self::Chat { begin, .. } => begin,
        }
    }

    /// What comes before the text of a message.
    ///
    /// `closed` tells whether the text so far has come to its end: a story that has not is gone on
    /// with, after one that has a new one begins.
    pub fn before_message(&self, speaker: Speaker, gap_seconds: u32, closed: bool) -> Lead {
        let mut lead = Lead::new();
        match *self {
            Self::Story { begin, .. } => {
                if closed {
                    // The lead holds two tokens: there is room for one.
                    let _ = lead.push(begin);
                }
            }
            Self::Chat { you, wisp, gaps, .. } => {
                let _ = lead.extend_from_slice(&[
                    gap_token(&gaps, gap_seconds),
                    match speaker {
                        Speaker::You => you,
                        Speaker::Wisp => wisp,
                    },
                ]);
            }
        }
        lead
    }

    /// What comes after the text of a message, if anything.
    pub fn after_message(&self) -> Option<u32> {
        match *self {
            Self::Story { .. } => None,
            Self::Chat { end, .. } => Some(end),
        }
    }

    /// The token to read before the model is asked who speaks next after this silence.
    /// `None` when Wisp always answers.
    pub fn before_decision(&self, gap_seconds: u32) -> Option<u32> {
        match *self {
            Self::Story { .. } => None,
            Self::Chat { gaps, .. } => Some(gap_token(&gaps, gap_seconds)),
        }
    }

    /// The tokens of the silences by bucket, which the model weighs against each other after each
    /// message.
    pub fn gaps(&self) -> Option<[u32; GAPS]> {
        match *self {
            Self::Story { .. } => None,
            Self::Chat { gaps, .. } => Some(gaps),
        }
    }

    /// The two tokens between which the decision falls: `<wisp>` and `<you>`.
    pub fn candidates(&self) -> Option<(u32, u32)> {
        match *self {
            Self::Story { .. } => None,
            Self::Chat { wisp, you, .. } => Some((wisp, you)),
        }
    }

    /// Whether a token ends the text of a message.
    pub fn ends_text(&self, token: u32) -> bool {
        match *self {
            Self::Story { begin, end } => token == begin || token == end,
            Self::Chat { end, .. } => token == end,
        }
    }

    /// Tokens that never stand inside a text and must not be drawn there.
    pub fn forbidden_in_text(&self) -> impl Iterator<Item = u32> {
        let (own, gaps) = match *self {
            Self::Story { .. } => (None, None),
            Self::Chat { begin, you, wisp, gaps, .. } => (Some([begin, you, wisp]), Some(gaps)),
        };
        own.into_iter().flatten().chain(gaps.into_iter().flatten())
    }

    /// Whether a text goes on right where the one before it ended, with no blank between them: a
    /// story may be handed over in the middle of a sentence.
    pub fn joins(&self, text: &str) -> bool {
        let closes = text.starts_with(['.', ',', '!', '?', ';', ':']);
        matches!(self, Self::Story { .. }) && closes
    }

    /// Whether Wisp may write several messages in a row.
    pub fn has_bursts(&self) -> bool {
        matches!(self, Self::Chat { .. })
    }

    /// Whether every token of the style is below `vocabulary`.
    pub fn fits(&self, vocabulary: usize) -> bool {
        let known = |token: u32| usize::try_from(token).is_ok_and(|token| token < vocabulary);
        match *self {
            Self::Story { begin, end } => known(begin) && known(end),
            Self::Chat { end, .. } => known(end) && self.forbidden_in_text().all(known),
        }
    }
}

/// The token of a silence. The bucket is below the number of gaps by construction.
fn gap_token(gaps: &[u32; GAPS], seconds: u32) -> u32 {
    gaps.get(gap_bucket(seconds)).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHAT: Style =
        Style::Chat { begin: 1, you: 10, wisp: 11, end: 12, gaps: [20, 21, 22, 23, 24] };
    const STORY: Style = Style::Story { begin: 1, end: 2 };

    #[test]
    fn a_silence_belongs_to_the_bucket_up_to_its_limit() {
        let seconds = [0, 60, 61, 600, 601, 3600, 3601, 21_600, 21_601, u32::MAX];
        assert_eq!(seconds.map(gap_bucket), [0, 0, 1, 1, 2, 2, 3, 3, 4, 4]);
    }

    #[test]
    fn a_chat_message_is_led_by_silence_and_speaker() {
        assert_eq!(CHAT.before_message(Speaker::You, 700, true), [22, 10]);
        assert_eq!(CHAT.before_message(Speaker::Wisp, 0, false), [20, 11]);
        assert_eq!(CHAT.after_message(), Some(12));
        assert_eq!(CHAT.before_decision(61), Some(21));
        assert_eq!(CHAT.gaps(), Some([20, 21, 22, 23, 24]));
        assert_eq!(CHAT.candidates(), Some((11, 10)));
    }

    #[test]
    fn a_story_goes_on_until_it_has_ended() {
        assert!(STORY.before_message(Speaker::You, 700, false).is_empty());
        assert_eq!(STORY.before_message(Speaker::You, 0, true), [1]);
        assert_eq!(STORY.after_message(), None);
        assert_eq!(STORY.before_decision(0), None);
        assert!(STORY.ends_text(1) && STORY.ends_text(2) && !STORY.ends_text(3));
    }

    #[test]
    fn only_the_end_may_be_drawn_inside_a_chat_text() {
        assert!(CHAT.forbidden_in_text().eq([1, 10, 11, 20, 21, 22, 23, 24]));
        assert!(CHAT.ends_text(12) && !CHAT.ends_text(11));
        assert_eq!(STORY.forbidden_in_text().count(), 0);
    }

    #[test]
    fn a_story_is_joined_at_its_punctuation() {
        assert!(STORY.joins(", there was"));
        assert!(!STORY.joins("there was") && !STORY.joins("") && !STORY.joins("\"Hi\""));
        assert!(!CHAT.joins("... what?"));
    }

    #[test]
    fn a_style_fits_only_a_vocabulary_with_all_its_tokens() {
        assert!(CHAT.fits(25) && !CHAT.fits(24));
        assert!(STORY.fits(3) && !STORY.fits(2));
        let end_outside = Style::Chat { begin: 1, you: 2, wisp: 3, end: 99, gaps: [4; GAPS] };
        assert!(!end_outside.fits(99));
    }
}
