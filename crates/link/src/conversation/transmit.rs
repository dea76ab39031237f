//! What goes to the board, and when: nothing that rests on what is not stored yet.

use super::orders::Task;
use super::transcript::{MessageState, restored_text};
use super::{Conversation, Given, Phase, set_state};
use crate::message::HostMessage;
use crate::{SendError, Session};

/// What comes next on the cable.
enum Outgoing {
    Seen(u32),
    Settings,
    Manners,
    RestoreSilence { first: usize, gap_seconds: u32 },
    RestoreBegin { first: usize },
    RestoreMessage { first: usize, given: usize },
    Order { place: usize, id: u32, task: Task },
}

impl Conversation {
    /// Sends what can be sent. Call it after anything else here, and when the session may have
    /// room again.
    pub fn transmit(&mut self, session: &mut Session) {
        self.transmit_with(|message| session.send_host(message));
    }

    /// [`Self::transmit`] for anything that takes messages. Stops at the first that is not taken.
    pub fn transmit_with(
        &mut self,
        mut send: impl FnMut(&HostMessage<'_>) -> Result<(), SendError>,
    ) {
        while let Some(next) = self.next_outgoing() {
            let Some(message) = self.compose(&next) else { return };
            if send(&message).is_err() {
                return;
            }
            self.was_sent(&next);
        }
    }

    fn next_outgoing(&self) -> Option<Outgoing> {
        match self.phase {
            Phase::Down | Phase::Greeting { .. } => return None,
            Phase::Restoring { .. } | Phase::Ready => {}
        }
        // What the board takes as stored, or cannot un-hear, waits until a restart of this program
        // would know of it.
        let is_stored = self.is_stored();
        if let (true, true, Some(next)) = (self.seen_due, is_stored, self.next_event) {
            return Some(Outgoing::Seen(next.wrapping_sub(1)));
        }
        if self.settings_due && self.settings.is_some() {
            return Some(Outgoing::Settings);
        }
        if self.manners_due && self.manners.is_some() {
            return Some(Outgoing::Manners);
        }
        match self.phase {
            Phase::Restoring { .. } if !is_stored => None,
            Phase::Restoring { first, given } => Some(match given {
                Given::Nothing { silence } => {
                    Outgoing::RestoreSilence { first, gap_seconds: silence }
                }
                Given::Silence => Outgoing::RestoreBegin { first },
                Given::Messages(given) => Outgoing::RestoreMessage { first, given },
            }),
            _ => {
                let (place, id, task) = self.orders.next(is_stored)?;
                Some(Outgoing::Order { place, id, task })
            }
        }
    }

    fn compose(&self, next: &Outgoing) -> Option<HostMessage<'_>> {
        Some(match *next {
            Outgoing::Seen(event) => HostMessage::Seen { event },
            Outgoing::Settings => self.settings?,
            Outgoing::Manners => HostMessage::Manners(self.manners?),
            Outgoing::RestoreSilence { gap_seconds, .. } => {
                HostMessage::RestoreSilence { gap_seconds }
            }
            Outgoing::RestoreBegin { first } => HostMessage::RestoreBegin {
                messages: self.restored_count(first),
                last_id: self.orders.base(),
                pending: self.transcript.is_pending(),
            },
            Outgoing::RestoreMessage { first, given } => {
                let message = self.transcript.known().get(first.saturating_add(given))?;
                HostMessage::RestoreMessage {
                    speaker: message.speaker,
                    gap_seconds: message.gap_seconds,
                    text: restored_text(&message.text),
                }
            }
            Outgoing::Order { id, task, .. } => match task {
                Task::Say(key) => {
                    let message = self.transcript.get(key)?;
                    let gap_seconds = message.gap_seconds;
                    HostMessage::Say { id, gap_seconds, text: &message.text }
                }
                Task::Regenerate => HostMessage::Regenerate { id },
                Task::TakeBack => HostMessage::TakeBack { id },
                Task::Forget(_) => HostMessage::Forget { id },
                Task::Signal(signal) => signal,
            },
        })
    }

    fn was_sent(&mut self, next: &Outgoing) {
        match *next {
            Outgoing::Seen(_) => self.seen_due = false,
            Outgoing::Settings => self.settings_due = false,
            Outgoing::Manners => self.manners_due = false,
            Outgoing::RestoreSilence { first, .. } => {
                self.phase = Phase::Restoring { first, given: Given::Silence };
            }
            Outgoing::RestoreBegin { first } => self.restored_so_far(first, 0),
            Outgoing::RestoreMessage { first, given } => {
                self.restored_so_far(first, given.saturating_add(1));
            }
            Outgoing::Order { place, id, task } => {
                if let Task::Say(key) = task {
                    let Self { transcript, updates, .. } = self;
                    set_state(transcript, updates, key, MessageState::Sent);
                }
                self.orders.sent(place, id);
            }
        }
    }
}
