//! What the friend orders, and what an order may interrupt.

use engine::Kernels;
use link::Instant;
use link::message::{Event, Refusal};
use persona::Speaker;

use super::{AT_ONCE, Mind, Phase, Question};
use crate::inbox::Order;
use crate::outbox::{Answer, Outbox};

impl<K: Kernels> Mind<'_, K> {
    /// Ends at once what the friend wants ended. `false` when there is nothing, or it takes a moment.
    pub(super) fn carry_out_stop(&mut self, now: Instant, last: u32) -> bool {
        let is_idle = matches!(self.phase, Phase::Idle);
        match self.phase {
            // A message was delivered, so it stays. What is not read of it is read with the next one.
            Phase::Reading { id } => self.end_reading(now, id),
            Phase::Restoring(restore) if restore.is_complete() => self.end_restore(now, restore),
            Phase::Restoring(_) | Phase::TakingBack { .. } => return false,
            Phase::Idle | Phase::Deciding(_) | Phase::Replying { .. } => {}
        }
        match &self.phase {
            Phase::Replying { .. } => self.stop_reply(now),
            Phase::Deciding(Question { moment, asked, .. }) => {
                let (moment, asked) = (*moment, *asked);
                self.cancel_trial();
                self.stay_silent(moment, asked);
            }
            _ => {}
        }
        if self.inbox.front().is_none_or(|(id, _)| id > last) {
            self.stop = None;
        }
        !is_idle
    }

    /// Begins to carry out the order whose turn it is, if it may interrupt what is going on.
    pub(super) fn take_order(&mut self, now: Instant, answers: &mut Outbox) -> bool {
        let Some((id, order)) = self.inbox.front() else { return false };
        let may_interrupt = match (&self.phase, order) {
            (Phase::Restoring(_) | Phase::TakingBack { .. }, _) => false,
            // Whatever is going on is going to be forgotten.
            (_, Order::Forget) => true,
            (Phase::Reading { .. }, _) => false,
            (Phase::Replying { reply, .. }, Order::Say { .. }) => !reply.is_shown(),
            (Phase::Replying { .. }, Order::Regenerate | Order::TakeBack) => true,
            (Phase::Idle | Phase::Deciding(_), _) => true,
        };
        if !may_interrupt {
            return false;
        }
        let Some((_, order)) = self.inbox.pop() else { return false };
        self.cancel_trial();
        match order {
            Order::Say { gap_seconds, text } => {
                self.withdraw_running();
                self.begin_reading(now, id, gap_seconds, &text);
            }
            Order::Regenerate => {
                if self.context.message_count() == 0 {
                    answers.push(Answer::Refused(Refusal::NothingToRegenerate, id));
                    self.log.push(Event::Read { id });
                } else {
                    self.phase = Phase::TakingBack { id, with_question: false };
                }
            }
            Order::TakeBack => self.phase = Phase::TakingBack { id, with_question: true },
            Order::Forget => {
                self.empty();
                self.log.push(Event::Forgotten);
                self.log.push(Event::Read { id });
            }
        }
        true
    }

    /// Takes the silence on trial out again: what really follows is something else.
    pub(super) fn cancel_trial(&mut self) {
        if let Phase::Deciding(question) = &mut self.phase
            && question.trial.take().is_some()
        {
            self.context.truncate(self.context.tokens().len().saturating_sub(1));
        }
    }

    /// Takes the running reply back as if it had never been begun.
    pub(super) fn withdraw_running(&mut self) {
        if let Phase::Replying { reply, .. } = &self.phase {
            self.log.push(Event::Withdrawn { reply: reply.number });
            self.context.take_back_message();
            self.phase = Phase::Idle;
        }
    }

    pub(super) fn take_back(&mut self, now: Instant, id: u32, with_question: bool) {
        match self.context.last() {
            Some(message) if message.speaker == Speaker::Wisp => {
                self.context.take_back_message();
                self.log.push(Event::Withdrawn { reply: message.reply });
            }
            question if with_question => {
                if question.is_some() {
                    self.context.take_back_message();
                }
                self.work.end_reading(now, self.computation.tokens());
                self.log.push(Event::TakenBack { id });
                // What is said instead comes right after.
                self.silence.end();
                self.phase = Phase::Idle;
            }
            _ => {
                self.work.end_reading(now, self.computation.tokens());
                self.log.push(Event::Read { id });
                self.roll = self.roll.wrapping_add(1);
                self.silence.begin(now.0, 0, self.dice());
                self.phase = Phase::Deciding(Question { forced: true, ..Question::new(AT_ONCE) });
            }
        }
    }
}
