//! What becomes of one message: the updates of the chat in, the words of the answer out.
//!
//! A machine without input and output: it gets updates and the time, and says until when it waits.
//! The board tells when it has read the message and when it chose to say nothing. It does not tell
//! that no further message follows a finished one, so that is taken for granted after as long as
//! ten words take it: deciding takes as long as about four.

use std::collections::BTreeSet;
use std::collections::VecDeque;
use std::time::Duration;

use link::message::{Speaker, Timing};

use super::error::ApiError;
use crate::client::{Activity, ChatMessage, Delivery, ReplyState, Update};

/// How long nothing may happen before it is given up. A board that computes tells something every
/// few seconds; the slowest emulated one, with a long message to read, takes minutes.
pub const PATIENCE: Duration = Duration::from_secs(300);

/// Bounds of the wait for another message after one has ended.
const SHORTEST_GRACE: Duration = Duration::from_millis(500);
const LONGEST_GRACE: Duration = Duration::from_secs(15);

/// The wait in tokens of the reply that ended.
const GRACE_TOKENS: u32 = 10;

/// What whoever asked is told next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// More of the answer.
    Words(String),
    /// That was all.
    End(Outcome),
    /// There is no answer, or only the beginning of one.
    Failed(ApiError),
}

/// How an answer ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// It was cut at the longest length.
    pub is_cut: bool,
    /// The persona has read the message and says nothing.
    pub is_silent: bool,
    /// Tokens read anew and tokens written, if the board told of all messages.
    pub tokens: Option<(u32, u32)>,
}

/// Follows one message and its answer.
#[derive(Debug)]
pub struct Reply {
    tag: String,
    /// The message's key, once it is stored.
    key: Option<u64>,
    is_read: bool,
    /// The persona's messages that were begun before it had read ours.
    earlier: BTreeSet<u64>,
    /// Its answer.
    parts: Vec<Part>,
    steps: VecDeque<Step>,
    is_over: bool,
    deadline: Duration,
}

#[derive(Debug)]
struct Part {
    key: u64,
    /// What was handed out.
    text: String,
    state: ReplyState,
    timing: Option<Timing>,
}

impl Reply {
    /// Of what was said with this tag, now. Times count from whenever the caller likes.
    pub fn new(tag: String, now: Duration) -> Self {
        Self {
            tag,
            key: None,
            is_read: false,
            earlier: BTreeSet::new(),
            parts: Vec::new(),
            steps: VecDeque::new(),
            is_over: false,
            deadline: now.saturating_add(PATIENCE),
        }
    }

    /// The next to tell.
    pub fn poll_step(&mut self) -> Option<Step> {
        self.steps.pop_front()
    }

    /// Whether nothing more comes after what [`Self::poll_step`] has.
    pub fn is_over(&self) -> bool {
        self.is_over
    }

    /// When [`Self::handle_timeout`] is to be called, if nothing happens.
    pub fn deadline(&self) -> Duration {
        self.deadline
    }

    /// Takes a change of the chat.
    pub fn handle(&mut self, update: &Update, now: Duration) {
        if self.is_over {
            return;
        }
        match update {
            Update::Taken { tag, key } if *tag == self.tag => self.key = Some(*key),
            Update::Message { message, .. } if message.speaker == Speaker::You => {
                self.note_friend(message);
            }
            Update::Message { message, .. } => self.note_persona(message, now),
            Update::Withdrawn { key } => {
                let is_said = self.key == Some(*key);
                if is_said || self.parts.iter().any(|part| part.key == *key) {
                    self.fail(ApiError::Withdrawn);
                }
                self.go_on(now);
            }
            Update::Forgotten | Update::History { .. } => self.fail(ApiError::ConversationGone),
            Update::Activity { activity } => match activity {
                Activity::Silent if self.is_read && self.parts.is_empty() => self.end(),
                Activity::Thinking | Activity::Writing => {
                    self.deadline = now.saturating_add(PATIENCE);
                }
                Activity::Idle | Activity::Silent => self.go_on(now),
            },
            Update::Link { .. } | Update::Transfer { .. } => self.go_on(now),
            _ => {}
        }
    }

    /// The deadline has come.
    pub fn handle_timeout(&mut self, now: Duration) {
        if self.is_over || now < self.deadline {
            return;
        }
        match self.is_answered() {
            true => self.end(),
            false => self.fail(ApiError::Timeout { seconds: PATIENCE.as_secs() }),
        }
    }

    /// Whoever publishes the updates was not listened to for too long.
    pub fn handle_lag(&mut self) {
        if !self.is_over {
            self.fail(ApiError::SlowReader);
        }
    }

    fn note_friend(&mut self, message: &ChatMessage) {
        let Some(key) = self.key else { return };
        if message.delivery != Some(Delivery::Read) {
            return;
        }
        if message.key == key {
            self.is_read = true;
        } else if message.key > key && self.is_answered() {
            // What comes now answers that one.
            self.end();
        }
    }

    fn note_persona(&mut self, message: &ChatMessage, now: Duration) {
        let (true, Some(key)) = (self.is_read, self.key) else {
            self.earlier.insert(message.key);
            return;
        };
        if message.key < key || self.earlier.contains(&message.key) {
            return;
        }
        let is_first = self.parts.is_empty();
        let part = match self.parts.iter_mut().find(|part| part.key == message.key) {
            Some(part) => part,
            None => {
                let (key, state) = (message.key, ReplyState::Writing);
                self.parts.push(Part { key, text: String::new(), state, timing: None });
                if !is_first {
                    self.steps.push_back(Step::Words("\n".to_string()));
                }
                let Some(part) = self.parts.last_mut() else { return };
                part
            }
        };
        let Some(words) = message.text.strip_prefix(part.text.as_str()) else {
            return self.fail(ApiError::Withdrawn);
        };
        if !words.is_empty() {
            part.text.push_str(words);
            self.steps.push_back(Step::Words(words.to_string()));
        }
        part.state = message.reply.unwrap_or(ReplyState::Writing);
        part.timing = message.timing;
        match part.state {
            ReplyState::Stopped => self.end(),
            ReplyState::Interrupted => self.fail(ApiError::Interrupted),
            ReplyState::Writing | ReplyState::Finished | ReplyState::Length => self.go_on(now),
        }
    }

    /// Something has happened: the wait begins anew.
    fn go_on(&mut self, now: Duration) {
        let patience = match self.is_answered() {
            true => self.grace(),
            false => PATIENCE,
        };
        self.deadline = now.saturating_add(patience);
    }

    fn is_answered(&self) -> bool {
        !self.parts.is_empty() && self.parts.iter().all(|part| part.state != ReplyState::Writing)
    }

    /// How long another message may take to begin, at the speed that the board has shown.
    fn grace(&self) -> Duration {
        let timing = self.parts.last().and_then(|part| part.timing).unwrap_or_default();
        let tokens = timing.reply_tokens.max(1);
        let micros = u64::from(timing.decode_micros / tokens).saturating_mul(GRACE_TOKENS.into());
        Duration::from_micros(micros).clamp(SHORTEST_GRACE, LONGEST_GRACE)
    }

    fn end(&mut self) {
        let timings: Option<Vec<_>> = self.parts.iter().map(|part| part.timing).collect();
        let tokens = timings.filter(|timings| !timings.is_empty()).map(|timings| {
            timings.iter().fold((0u32, 0u32), |(read, written), timing| {
                let read = read.saturating_add(timing.prompt_tokens);
                (read, written.saturating_add(timing.reply_tokens))
            })
        });
        self.is_over = true;
        self.steps.push_back(Step::End(Outcome {
            is_cut: self.parts.iter().any(|part| part.state == ReplyState::Length),
            is_silent: self.parts.is_empty(),
            tokens,
        }));
    }

    fn fail(&mut self, error: ApiError) {
        self.is_over = true;
        self.steps.push_back(Step::Failed(error));
    }
}

#[cfg(test)]
mod tests;
