//! How Wisp answers: the decision, the words, and the end of a message.

use engine::Kernels;
use link::Instant;
use link::message::{EndReason, Event};
use persona::{Decision, Dice, Purpose, ReplyEnd, Speaker, decide};

use super::{Mind, Phase};
use crate::reply::{REPETITION_WINDOW, Reply};
use crate::settings;

/// Most messages in a row without a word from the friend.
const MAX_BURST: u32 = 4;

impl<K: Kernels> Mind<'_, K> {
    fn dice(&self) -> Dice {
        Dice { seed: self.seed, message: self.context.message_count(), roll: self.roll }
    }

    pub(super) fn decide(&mut self) {
        let Phase::Deciding { burst, forced, trial } = self.phase else { return };
        let silence = self.words.style.before_decision(0);
        let (Some(silence), Some((wisp, you)), false) =
            (silence, self.words.style.candidates(), forced)
        else {
            return self.begin_reply(burst, 0);
        };
        if !trial {
            let dropped = self.context.make_room(1, 1).unwrap_or_default();
            self.note_shift(dropped);
            self.context.push(silence);
            self.phase = Phase::Deciding { burst, forced, trial: true };
        }
        if !self.caught_up(true) {
            return;
        }
        let greedy = self.settings.temperature_milli == 0;
        let draw = (!greedy).then(|| self.dice().draw(Purpose::Decision));
        let logits = self.computation.take_logits();
        let logit = |token: u32| {
            let index = usize::try_from(token).unwrap_or(usize::MAX);
            logits.get(index).copied().unwrap_or(f32::NEG_INFINITY)
        };
        match decide(logit(wisp), logit(you), draw) {
            Decision::Speak => self.begin_reply(burst, 1),
            Decision::Wait => {
                self.cancel_trial();
                self.phase = Phase::Idle;
                if burst == 0 {
                    self.log.push(Event::StayedSilent { after: self.last_read });
                }
            }
        }
    }

    /// Begins a message of Wisp, whose lead may stand at the end of the context in part.
    fn begin_reply(&mut self, burst: u32, trial: usize) {
        if trial == 0 {
            let dropped = self.context.make_room(1, 1).unwrap_or_default();
            self.note_shift(dropped);
        }
        let number = self.next_reply;
        self.next_reply = number.wrapping_add(1);
        let seed = self.dice().seed_for(Purpose::Words);
        let before = self.context.tokens().len().saturating_sub(trial);
        self.context.begin_message(Speaker::Wisp, 0, number, trial);
        let lead = self.context.tokens().len().saturating_sub(before);
        self.sampler.set_settings(settings::for_sampler(&self.settings));
        self.sampler.seed(seed);
        let all_read = self.work.all_read();
        let reply = Reply::new(number, lead, self.words.style, &self.settings, all_read);
        self.work.begin_reply();
        self.log.push(Event::Thinking { reply: number });
        self.phase = Phase::Replying { reply, burst };
    }

    /// Draws one token of the running reply, once the model is ready.
    pub(super) fn speak(&mut self, now: Instant) {
        if !self.caught_up(true) {
            return;
        }
        let Phase::Replying { reply, .. } = &mut self.phase else { return };
        let computed = self.computation.tokens();
        self.work.draw(now);
        reply.note_first_token(now, || computed.wrapping_sub(self.tokens_at_last_end));

        let start = self.context.last().map_or(0, |message| message.start);
        let text_start = start.saturating_add(reply.lead);
        let text = self.context.tokens().get(text_start..).unwrap_or_default();
        let recent = text.get(text.len().saturating_sub(REPETITION_WINDOW)..).unwrap_or_default();
        let logits = self.computation.take_logits();
        for mark in self.words.style.forbidden_in_text() {
            if let Some(logit) = usize::try_from(mark).ok().and_then(|mark| logits.get_mut(mark)) {
                *logit = f32::NEG_INFINITY;
            }
        }
        let token = self.computation.sample(&mut self.sampler, recent);
        if let Some(end) = reply.rule.before_token(token) {
            return self.end_reply(end, now);
        }

        let previous = self.context.tokens().last().copied().unwrap_or_default();
        self.context.push(token);
        let bytes = self.words.tokenizer.decode(previous, token);
        let shown = reply.show(bytes);
        if !shown.is_empty() {
            self.log.push_delta(reply.number, reply.shown_bytes, &shown);
            let tokens = self.context.tokens().len().saturating_sub(text_start);
            reply.mark_shown(&shown, tokens);
        }
        if let Some(end) = reply.rule.after_token(bytes) {
            return self.end_reply(end, now);
        }
        // Rather forget the distant past than what was just said.
        match self.context.make_room(1, 2).or_else(|| self.context.make_room(1, 1)) {
            Some(dropped) => self.note_shift(dropped),
            None => self.end_reply(ReplyEnd::Length, now),
        }
    }

    /// Ends the running reply as the model or its length want it.
    fn end_reply(&mut self, end: ReplyEnd, now: Instant) {
        let Phase::Replying { reply, burst } = &self.phase else { return };
        let closed = end == ReplyEnd::Closed;
        if !reply.is_shown() {
            // An empty message is none.
            let burst = *burst;
            self.withdraw_running();
            self.context.close_last(closed);
            if burst == 0 {
                self.log.push(Event::StayedSilent { after: self.last_read });
            }
            return;
        }
        let reason = if end == ReplyEnd::Length { EndReason::Length } else { EndReason::Finished };
        self.log.push(Event::End { reply: reply.number, reason, timing: reply.timing(now) });
        let burst = burst.saturating_add(1);
        self.context.end_message(closed);
        self.tokens_at_last_end = self.computation.tokens();
        self.work.end_reading(now, self.tokens_at_last_end);
        self.phase = if self.words.style.has_bursts() && burst < MAX_BURST {
            Phase::Deciding { burst, forced: false, trial: false }
        } else {
            Phase::Idle
        };
    }

    /// Ends the running reply where it is: what was shown stays in the conversation.
    pub(super) fn stop_reply(&mut self, now: Instant) {
        let Phase::Replying { reply, burst } = &self.phase else { return };
        if !reply.is_shown() {
            let unanswered = *burst == 0;
            self.withdraw_running();
            if unanswered {
                // Or the host would ask for the answer again after a crash.
                self.log.push(Event::StayedSilent { after: self.last_read });
            }
            return;
        }
        let timing = reply.timing(now);
        self.log.push(Event::End { reply: reply.number, reason: EndReason::Stopped, timing });
        let start = self.context.last().map_or(0, |message| message.start);
        let kept = start.saturating_add(reply.lead).saturating_add(reply.shown_tokens);
        self.context.truncate(kept);
        self.context.end_message(false);
        self.tokens_at_last_end = self.computation.tokens();
        self.phase = Phase::Idle;
    }
}
