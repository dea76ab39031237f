//! Conversations that a persona writes, unedited: to read whether it makes sense.
//!
//! By itself it writes both sides: how long the silence is, who speaks, and the words. With given
//! messages of a friend it decides whether to answer each, and what. Everything follows from the
//! file and a seed.

pub mod command;
mod error;
mod markdown;
mod opening;
mod voice;

use persona::{Decision, Speaker};

use crate::Result;
use crate::chats::turn_taking::{Next, TurnTaking};
pub use error::SampleError;
pub use markdown::{About, page, summary};
pub use opening::{Opening, read_openings};
pub use voice::{MAX_BURST, Text, Voice};

/// Attempts at a message of which nothing is to be seen, before the conversation is left at that.
const ATTEMPTS: u32 = 8;

/// A message of a conversation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// Who wrote it.
    pub speaker: Speaker,
    /// The bucket of the silence before it.
    pub gap: usize,
    /// What was written.
    pub text: String,
    /// Whether it was ended by its length.
    pub is_cut: bool,
    /// Whether the persona was asked for an answer to it and gave none.
    pub is_unanswered: bool,
}

impl Line {
    fn new(speaker: Speaker, gap: usize, text: Text) -> Self {
        Line { speaker, gap, text: text.shown, is_cut: text.is_cut, is_unanswered: false }
    }
}

/// One conversation.
pub type Talk = Vec<Line>;

/// A conversation of up to `messages` messages of which the persona writes both sides. After
/// [`MAX_BURST`] messages in a row the friend has the word, as the board would wait then.
///
/// # Errors
/// When the engine fails.
pub fn alone(voice: &mut Voice<'_>, seed: u64, messages: usize) -> Result<Talk> {
    voice.begin(seed);
    let (mut talk, mut burst, mut attempts) = (Talk::new(), 0, 0);
    while talk.len() < messages && attempts < ATTEMPTS {
        // The board writes the first message of a chat with no silence before it.
        let gap = if talk.is_empty() { 0 } else { voice.draw_silence()? };
        let speaker = match voice.decide(gap)? {
            Decision::Speak if burst < MAX_BURST => Speaker::Wisp,
            Decision::Speak | Decision::Wait => Speaker::You,
        };
        let Some(text) = voice.write(speaker, gap)? else {
            attempts += 1;
            continue;
        };
        attempts = 0;
        burst = if speaker == Speaker::Wisp { burst + 1 } else { 0 };
        talk.push(Line::new(speaker, gap, text));
    }
    Ok(talk)
}

/// A conversation in which the friend's messages are given, and the persona answers or does not, as
/// on the board: it is asked right after each message, and after each of its own.
///
/// # Errors
/// When the engine fails.
pub fn answers(
    voice: &mut Voice<'_>,
    seed: u64,
    opening: &Opening,
    messages: usize,
) -> Result<Talk> {
    voice.begin(seed);
    let mut talk = Talk::new();
    for said in opening {
        if talk.len() >= messages {
            break;
        }
        voice.read(0, said)?;
        let text = Text { shown: said.clone(), is_cut: false };
        talk.push(Line::new(Speaker::You, 0, text));
        let asked = talk.len();
        for _ in 0..MAX_BURST {
            if talk.len() >= messages {
                return Ok(talk);
            }
            if voice.decide_at_once()? == Decision::Wait {
                break;
            }
            // An empty message is none: the board is silent then.
            let Some(text) = voice.write(Speaker::Wisp, 0)? else { break };
            talk.push(Line::new(Speaker::Wisp, 0, text));
        }
        if let (true, Some(said)) = (talk.len() == asked, talk.last_mut()) {
            said.is_unanswered = true;
        }
    }
    Ok(talk)
}

/// How the persona takes turns in conversations. What would come after the last message of each is
/// not known, so that is not counted.
pub fn rhythm(talks: &[Talk]) -> TurnTaking {
    let mut turn_taking = TurnTaking::default();
    for pair in talks.iter().flat_map(|talk| talk.windows(2)) {
        let [line, next] = pair else { continue };
        let own = |line: &Line| line.speaker == Speaker::Wisp;
        let persona = f64::from(u8::from(own(next)));
        turn_taking.add(own(line), Some(Next { gap: next.gap, persona }));
    }
    // But where the friend's messages are given, an answer that was not given is known.
    let last = talks.iter().filter_map(|talk| talk.last());
    last.filter(|line| line.is_unanswered).for_each(|_| turn_taking.add(false, None));
    turn_taking
}
