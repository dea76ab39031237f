//! The conversation: what is read, when it is answered, and what may interrupt what.
//!
//! ```text
//!            Say                     read               <wisp>
//!   Idle ───────────► Reading ───────────► Deciding ───────────► Replying
//!    ▲  Regenerate                           │ ▲  ▲                 │ end
//!    ├────────────► TakingBack ──────────────│─┘  └── burst ────────┤
//!    └───────────────────────────────────────┴── <you> ─────────────┘
//! ```
//! The rule for text that arrives while Wisp thinks: it enters the model at a message boundary
//! only. While nothing of the running reply has been shown there is a boundary right before that
//! reply: it is withdrawn and thought again. Once some has been shown, it is finished first.

use engine::{Kernels, Sampler};
use link::Instant;
use link::message::{EndReason, Event, Refusal, Settings, Speaker as Who};
use persona::{Decision, Dice, Purpose, ReplyEnd, Speaker, decide};

use crate::computation::{Computation, Progress};
use crate::context::Context;
use crate::event_log::EventLog;
use crate::inbox::{Inbox, Order};
use crate::outbox::{Answer, Outbox};
use crate::reply::{REPETITION_WINDOW, Reply};
use crate::restore::Restore;
use crate::settings;
use crate::words::Words;

/// Most messages in a row without a word from the friend.
const MAX_BURST: u32 = 4;

/// What is going on.
enum Phase {
    /// Nothing.
    Idle,
    /// A lost conversation comes back and is read.
    Restoring(Restore),
    /// A message of the friend is being read.
    Reading { id: u32 },
    /// The last answer is being taken back, message by message, for the `Regenerate` with this id.
    TakingBack { id: u32 },
    /// Speak or wait?
    Deciding {
        /// Messages that Wisp has written since the friend's last.
        burst: u32,
        /// The friend insists on an answer.
        forced: bool,
        /// Whether the silence to try stands at the end of the context.
        trial: bool,
    },
    /// A message of Wisp is being written.
    Replying { reply: Reply, burst: u32 },
}

/// The conversation with everything that it needs.
pub(crate) struct Mind<'m, K> {
    pub(crate) inbox: Inbox,
    pub(crate) log: EventLog,
    pub(crate) settings: Settings,
    words: Words<'m>,
    computation: Computation<'m, K>,
    context: Context,
    sampler: Sampler,
    phase: Phase,
    /// The friend wants no answer, or no more of the running one.
    stop: bool,
    seed: u64,
    /// How often the current answer was taken back by `Regenerate`.
    roll: u32,
    next_reply: u32,
    /// Id of the last message of the friend that was read.
    last_read: u32,
    /// Tokens computed when the last reply ended.
    tokens_at_last_end: u32,
}

impl<'m, K: Kernels> Mind<'m, K> {
    pub(crate) fn new(
        words: Words<'m>,
        computation: Computation<'m, K>,
        context: Context,
        sampler: Sampler,
        settings: Settings,
        seed: u64,
    ) -> Self {
        Self {
            inbox: Inbox::new(),
            log: EventLog::new(crate::reply::MAX_SHOWN_PER_TOKEN),
            settings,
            words,
            computation,
            context,
            sampler,
            phase: Phase::Idle,
            stop: false,
            seed,
            roll: 0,
            next_reply: 1,
            last_read: 0,
            tokens_at_last_end: 0,
        }
    }

    /// The conversation's tokens.
    pub(crate) fn context(&self) -> &Context {
        &self.context
    }

    /// Tokens computed since the start.
    pub(crate) fn tokens_computed(&self) -> u32 {
        self.computation.tokens()
    }

    /// Takes new settings; a running reply keeps the old ones.
    pub(crate) fn configure(&mut self, wanted: Settings) {
        self.settings = settings::sane(wanted);
        if let Some(seed) = wanted.seed {
            self.seed = seed;
        }
    }

    /// The friend wants no more of the running reply, and no answer to what waits to be read.
    pub(crate) fn stop(&mut self) {
        self.stop = !(matches!(self.phase, Phase::Idle) && self.inbox.is_empty());
    }

    /// Does one bounded piece of work. `false` when there is nothing to do, or no room to note
    /// what happens.
    pub(crate) fn think(&mut self, now: Instant, answers: &mut Outbox) -> bool {
        if self.stop && self.carry_out_stop(now) {
            return true;
        }
        if !self.log.has_room() {
            return false;
        }
        if self.take_order(answers) {
            return true;
        }
        match &self.phase {
            Phase::Idle => return false,
            Phase::Restoring(restore) if !restore.is_complete() => return false,
            Phase::Restoring(restore) => {
                let restore = *restore;
                self.read_restored(restore);
            }
            Phase::Reading { id } => {
                let id = *id;
                self.read(id);
            }
            Phase::TakingBack { id } => {
                let id = *id;
                self.take_back(id);
            }
            Phase::Deciding { .. } => self.decide(now),
            Phase::Replying { .. } => self.speak(now),
        }
        true
    }

    /// Ends what the friend wants ended. `false` when that is not possible yet.
    fn carry_out_stop(&mut self, now: Instant) -> bool {
        match &self.phase {
            Phase::Replying { .. } => self.stop_reply(now),
            Phase::Deciding { burst, .. } => {
                let unanswered = *burst == 0;
                self.cancel_trial();
                self.phase = Phase::Idle;
                if unanswered {
                    self.log.push(Event::StayedSilent { after: self.last_read });
                }
            }
            Phase::Idle if self.inbox.is_empty() => {}
            _ => return false,
        }
        self.stop = false;
        true
    }

    /// Begins to carry out the order whose turn it is, if it may interrupt what is going on.
    fn take_order(&mut self, answers: &mut Outbox) -> bool {
        let Some((id, order)) = self.inbox.front() else { return false };
        let may_interrupt = match (&self.phase, order) {
            (Phase::Restoring(_) | Phase::TakingBack { .. }, _) => false,
            // Whatever is going on is going to be forgotten.
            (_, Order::Forget) => true,
            (Phase::Reading { .. }, _) => false,
            (Phase::Replying { reply, .. }, Order::Say { .. }) => !reply.is_shown(),
            (Phase::Replying { .. }, Order::Regenerate) => true,
            (Phase::Idle | Phase::Deciding { .. }, _) => true,
        };
        if !may_interrupt {
            return false;
        }
        let Some((_, order)) = self.inbox.pop() else { return false };
        self.cancel_trial();
        match order {
            Order::Say { gap_seconds, text } => {
                self.withdraw_running();
                self.begin_reading(id, gap_seconds, &text);
            }
            Order::Regenerate => {
                if self.context.message_count() == 0 {
                    answers.push(Answer::Refused(Refusal::NothingToRegenerate, id));
                    self.log.push(Event::Read { id });
                } else {
                    self.phase = Phase::TakingBack { id };
                }
            }
            Order::Forget => {
                self.empty();
                self.log.push(Event::Forgotten);
                self.log.push(Event::Read { id });
            }
        }
        true
    }

    fn empty(&mut self) {
        self.context.clear();
        self.phase = Phase::Idle;
        self.stop = false;
        self.roll = 0;
        self.last_read = 0;
    }

    /// Takes the silence on trial out again: what really follows is something else.
    fn cancel_trial(&mut self) {
        if let Phase::Deciding { trial, .. } = &mut self.phase
            && core::mem::take(trial)
        {
            self.context.truncate(self.context.tokens().len().saturating_sub(1));
        }
    }

    /// Takes the running reply back as if it had never been begun.
    fn withdraw_running(&mut self) {
        if let Phase::Replying { reply, .. } = &self.phase {
            self.log.push(Event::Withdrawn { reply: reply.number });
            self.context.take_back_message();
            self.phase = Phase::Idle;
        }
    }

    fn begin_reading(&mut self, id: u32, gap_seconds: u32, text: &str) {
        let dropped = self.add_message(Speaker::You, gap_seconds, 0, text);
        self.note_shift(dropped);
        self.roll = 0;
        self.phase = Phase::Reading { id };
    }

    /// Adds a whole message to the context. Returns how many tokens had to go for it.
    fn add_message(&mut self, speaker: Speaker, gap_seconds: u32, reply: u32, text: &str) -> u32 {
        let longest = self.context.longest_text();
        let (cut, tokens) = self.words.encode(text, longest);
        let dropped = self.context.make_room(tokens.clone().count(), 0).unwrap_or_default();
        self.context.begin_message(speaker, gap_seconds, reply, 0);
        tokens.for_each(|token| self.context.push(token));
        self.context.end_message(false);
        // Both are bounded by the length of a message and of the context.
        dropped.saturating_add(cut as u32)
    }

    fn note_shift(&mut self, dropped: u32) {
        if dropped > 0 {
            self.log.push(Event::Shifted { dropped });
        }
    }

    fn read(&mut self, id: u32) {
        if self.caught_up(false) {
            self.log.push(Event::Read { id });
            self.last_read = id;
            self.phase = Phase::Deciding { burst: 0, forced: false, trial: false };
        }
    }

    fn take_back(&mut self, id: u32) {
        match self.context.last() {
            Some(message) if message.speaker == Speaker::Wisp => {
                self.context.take_back_message();
                self.log.push(Event::Withdrawn { reply: message.reply });
            }
            _ => {
                self.log.push(Event::Read { id });
                self.roll = self.roll.wrapping_add(1);
                self.phase = Phase::Deciding { burst: 0, forced: true, trial: false };
            }
        }
    }

    /// Works on what is not read yet; `true` when the model is up to date.
    fn caught_up(&mut self, want_logits: bool) -> bool {
        match self.computation.catch_up(&mut self.context, want_logits) {
            Progress::Working => false,
            Progress::Done => true,
            Progress::Failed => {
                // A conversation the model cannot read is of no use: better none than a hang.
                self.empty();
                self.log.push(Event::Forgotten);
                false
            }
        }
    }

    fn dice(&self) -> Dice {
        Dice { seed: self.seed, message: self.context.message_count(), roll: self.roll }
    }

    fn decide(&mut self, now: Instant) {
        let Phase::Deciding { burst, forced, trial } = self.phase else { return };
        let silence = self.words.style.before_decision(0);
        let (Some(silence), Some((wisp, you)), false) =
            (silence, self.words.style.candidates(), forced)
        else {
            return self.begin_reply(burst, 0, now);
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
            Decision::Speak => self.begin_reply(burst, 1, now),
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
    fn begin_reply(&mut self, burst: u32, trial: usize, now: Instant) {
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
        let reply = Reply::new(number, lead, self.words.style, &self.settings, now);
        self.log.push(Event::Thinking { reply: number });
        self.phase = Phase::Replying { reply, burst };
    }

    /// Draws one token of the running reply, once the model is ready.
    fn speak(&mut self, now: Instant) {
        if !self.caught_up(true) {
            return;
        }
        let Phase::Replying { reply, .. } = &mut self.phase else { return };
        let computed = self.computation.tokens();
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
        let token = self.sampler.sample(logits, recent);
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
        self.phase = if self.words.style.has_bursts() && burst < MAX_BURST {
            Phase::Deciding { burst, forced: false, trial: false }
        } else {
            Phase::Idle
        };
    }

    /// Ends the running reply where it is: what was shown stays in the conversation.
    fn stop_reply(&mut self, now: Instant) {
        let Phase::Replying { reply, .. } = &self.phase else { return };
        if !reply.is_shown() {
            return self.withdraw_running();
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

    /// A transcript is announced: it replaces the conversation.
    pub(crate) fn begin_restore(&mut self, restore: Restore) {
        self.empty();
        self.inbox.restart(restore.last_id);
        self.last_read = restore.last_id;
        self.next_reply = 1;
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

    fn read_restored(&mut self, restore: Restore) {
        if !self.caught_up(false) {
            return;
        }
        self.log.push(Event::Restored { messages: self.context.messages_kept() });
        let friend_spoke_last =
            self.context.last().is_some_and(|message| message.speaker == Speaker::You);
        self.phase = if restore.pending && friend_spoke_last {
            Phase::Deciding { burst: 0, forced: false, trial: false }
        } else {
            Phase::Idle
        };
    }

    /// The session is gone. Half a transcript is none: the host begins again in the next one.
    pub(crate) fn session_lost(&mut self) {
        if let Phase::Restoring(restore) = &self.phase
            && !restore.is_complete()
        {
            self.empty();
            self.inbox.restart(0);
        }
    }
}

#[cfg(test)]
#[path = "mind_tests.rs"]
mod tests;
