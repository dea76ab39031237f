//! How Wisp answers: the decision, the words, and the end of a message.

use engine::Kernels;
use link::Instant;
use link::message::{EndReason, Event};
use persona::{
    Decision, Moment, Purpose, REPETITION_WINDOW, ReplyEnd, Speaker, chance_of_gap, chance_of_wisp,
    decide, gap_bucket,
};

use super::{AT_ONCE, Mind, Phase, Question};
use crate::reply::Reply;
use crate::settings;

impl<K: Kernels> Mind<'_, K> {
    /// Nothing is going on: has a moment come at which Wisp may speak first?
    pub(super) fn listen_to_silence(&mut self, now: Instant) -> bool {
        if !self.may_speak() {
            return false;
        }
        let Some(moment) = self.silence.take(now.0, &self.manners) else { return false };
        self.work.end_reading(now, self.computation.tokens());
        self.phase = Phase::Deciding(Question::new(moment));
        true
    }

    /// Asks the model two things, and draws once: how likely the silence ends in the bucket that it
    /// has come to, and how likely it is then Wisp who ends it. So Wisp speaks in each bucket as
    /// often as in the chats it has learned from, if the friend does.
    pub(super) fn decide(&mut self) {
        let Phase::Deciding(question) = self.phase else { return };
        let Question { moment, asked, forced, trial } = question;
        let style = self.words.style;
        let silence = style.before_decision(moment.gap_seconds);
        let (Some(silence), Some(gaps), Some((wisp, you)), false) =
            (silence, style.gaps(), style.candidates(), forced)
        else {
            return self.begin_reply(moment, 0);
        };
        if trial.is_none() {
            // Before anything is asked: both answers are about the same past.
            match self.context.make_room_to_speak() {
                Some(dropped) => self.note_shift(dropped),
                // All that it remembers is what it wrote since: enough said.
                None => return self.stay_silent(moment, asked),
            }
        }
        if !self.caught_up(true) {
            return;
        }
        let logits = self.computation.take_logits();
        let logit = |token: u32| {
            let index = usize::try_from(token).unwrap_or(usize::MAX);
            logits.get(index).copied().unwrap_or(f32::NEG_INFINITY)
        };
        let Some(chance) = trial else {
            let chance = chance_of_gap(&gaps.map(logit), gap_bucket(moment.gap_seconds));
            self.context.push(silence);
            self.phase = Phase::Deciding(Question { trial: Some(chance), ..question });
            return;
        };
        let chance = self.manners.chance(chance * chance_of_wisp(logit(wisp), logit(you)));
        let greedy = self.settings.temperature_milli == 0;
        let dice = self.dice().at(moment.number);
        match decide(chance, (!greedy).then(|| dice.draw(Purpose::Decision))) {
            Decision::Speak => self.begin_reply(moment, 1),
            Decision::Wait => {
                self.cancel_trial();
                self.stay_silent(moment, asked);
            }
        }
    }

    /// This moment passes without a word. The host is told only if the friend's message is open
    /// there: `asked`.
    pub(super) fn stay_silent(&mut self, moment: Moment, asked: bool) {
        self.phase = Phase::Idle;
        self.silence.go_on(moment, self.dice());
        if asked && self.context.unanswered() == 0 {
            self.log.push(Event::StayedSilent { after: self.last_read });
        }
    }

    /// Begins a message of Wisp, whose lead may stand at the end of the context in part.
    fn begin_reply(&mut self, moment: Moment, trial: usize) {
        if trial == 0 {
            let dropped = self.context.make_room_to_speak().unwrap_or_default();
            self.note_shift(dropped);
        }
        let number = self.next_reply;
        self.next_reply = number.wrapping_add(1);
        let Moment { number: moment_number, gap_seconds } = moment;
        let dice = self.dice().at(moment_number);
        let seed = dice.seed_for(Purpose::Words);
        let before = self.context.tokens().len().saturating_sub(trial);
        self.context.begin_message(Speaker::Wisp, gap_seconds, number, trial);
        let lead = self.context.tokens().len().saturating_sub(before);
        self.sampler.set_settings(settings::for_sampler(&self.settings));
        self.sampler.seed(seed);
        let all_read = self.work.all_read();
        let reply = Reply::new(number, lead, self.words.style, &self.settings, all_read);
        self.work.begin_reply();
        self.log.push(match gap_bucket(gap_seconds) {
            0 => Event::Thinking { reply: number },
            _ => Event::BreaksSilence { reply: number, gap_seconds },
        });
        self.phase = Phase::Replying { reply, moment };
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
        match self.context.make_room_to_speak() {
            Some(dropped) => self.note_shift(dropped),
            None => self.end_reply(ReplyEnd::Length, now),
        }
    }

    /// Ends the running reply as the model or its length want it.
    fn end_reply(&mut self, end: ReplyEnd, now: Instant) {
        let Phase::Replying { reply, moment } = &self.phase else { return };
        let (closed, moment) = (end == ReplyEnd::Closed, *moment);
        if !reply.is_shown() {
            // An empty message is none. Withdrawing it opens the friend's message again.
            self.withdraw_running();
            self.context.close_last(closed);
            return self.stay_silent(moment, true);
        }
        let reason = if end == ReplyEnd::Length { EndReason::Length } else { EndReason::Finished };
        self.log.push(Event::End { reply: reply.number, reason, timing: reply.timing(now) });
        self.context.end_message(closed);
        self.tokens_at_last_end = self.computation.tokens();
        self.work.end_reading(now, self.tokens_at_last_end);
        self.silence.begin(now.0, 0, self.dice());
        self.phase = match self.may_speak() {
            true => Phase::Deciding(Question::new(AT_ONCE)),
            false => Phase::Idle,
        };
    }

    /// Ends the running reply where it is: what was shown stays in the conversation.
    pub(super) fn stop_reply(&mut self, now: Instant) {
        let Phase::Replying { reply, moment } = &self.phase else { return };
        let moment = *moment;
        if !reply.is_shown() {
            self.withdraw_running();
            // Or the host would ask for the answer again after a crash.
            return self.stay_silent(moment, true);
        }
        let timing = reply.timing(now);
        self.log.push(Event::End { reply: reply.number, reason: EndReason::Stopped, timing });
        let start = self.context.last().map_or(0, |message| message.start);
        let kept = start.saturating_add(reply.lead).saturating_add(reply.shown_tokens);
        self.context.truncate(kept);
        self.context.end_message(false);
        self.tokens_at_last_end = self.computation.tokens();
        self.phase = Phase::Idle;
        // It was told to be silent, so it says nothing more right now.
        self.silence.begin(now.0, 1, self.dice());
    }
}
