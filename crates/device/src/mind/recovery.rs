//! How a conversation that the board lost comes back.

use engine::Kernels;
use link::Instant;
use link::message::{Event, Speaker as Who};
use persona::Speaker;

use super::{AT_ONCE, Mind, Phase, Question};
use crate::restore::Restore;

impl<K: Kernels> Mind<'_, K> {
    /// A transcript is announced: it replaces the conversation.
    pub(crate) fn begin_restore(&mut self, mut restore: Restore) {
        self.empty();
        self.inbox.restart(restore.last_id);
        self.stop = None;
        self.last_read = restore.last_id;
        self.next_reply = 1;
        restore.silence = core::mem::take(&mut self.coming_silence);
        self.phase = Phase::Restoring(restore);
    }

    /// One message of it. `false` when none was announced.
    pub(crate) fn restore_message(&mut self, who: Who, gap_seconds: u32, text: &str) -> bool {
        let Phase::Restoring(restore) = &mut self.phase else { return false };
        if restore.is_complete() {
            return false;
        }
        restore.message_arrived();
        let (speaker, reply) = match who {
            Who::You => (Speaker::You, 0),
            Who::Wisp => {
                // Both ends count Wisp's messages, so that both know which one is taken back.
                let reply = self.next_reply;
                self.next_reply = reply.wrapping_add(1);
                (Speaker::Wisp, reply)
            }
        };
        self.add_message(speaker, gap_seconds, reply, text);
        true
    }

    pub(super) fn read_restored(&mut self, now: Instant, restore: Restore) {
        if self.caught_up(false) {
            self.end_restore(now, restore);
        }
    }

    /// The conversation is read, or as far as it is going to be now.
    pub(super) fn end_restore(&mut self, now: Instant, restore: Restore) {
        self.work.end_reading(now, self.computation.tokens());
        self.log.push(Event::Restored { messages: self.context.messages_kept() });
        let friend_spoke_last =
            self.context.last().is_some_and(|message| message.speaker == Speaker::You);
        if self.context.last().is_none() {
            // Nothing was ever said: there is no silence to break.
            self.phase = Phase::Idle;
            return;
        }
        self.silence.begin_late(now.0, restore.silence, self.dice());
        let moment = self.silence.moment(now.0);
        self.phase = if restore.pending && friend_spoke_last {
            Phase::Deciding(Question { asked: true, ..Question::new(moment) })
        } else {
            if moment.number == AT_ONCE.number {
                // That one was decided on before.
                self.silence.go_on(moment, self.dice());
            }
            Phase::Idle
        };
    }

    /// The session is gone. Half a transcript is none: the host begins again in the next one.
    pub(crate) fn session_lost(&mut self) {
        self.coming_silence = 0;
        if let Phase::Restoring(restore) = &self.phase
            && !restore.is_complete()
        {
            self.empty();
            self.inbox.restart(0);
            self.stop = None;
        }
    }
}
