//! The chat as plain text: what to print when something changes.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use link::message::Speaker;

use crate::client::{Activity, ChatMessage, Delivery, Phase, ReplyState, Update};
use crate::sanitise;

/// Messages of an earlier chat that are printed when it goes on.
const LATEST: usize = 10;

/// Remembers what was printed, so that each thing is printed once.
#[derive(Debug, Default)]
pub(super) struct ChatText {
    deliveries: BTreeMap<u64, Delivery>,
    /// The reply being printed, and how many characters of it were.
    writing: Option<(u64, usize)>,
    name: String,
    is_line_open: bool,
    words: String,
    /// Messages said that the persona has not read.
    unread: u32,
    /// Something was read, or is to be answered again, and there is no answer yet.
    is_awaited: bool,
}

impl ChatText {
    pub(super) fn new(name: &str) -> Self {
        Self { name: sanitise::one_line(name), ..Self::default() }
    }

    /// Takes note that something was said.
    pub(super) fn note_said(&mut self) {
        self.unread += 1;
    }

    /// The friend's last message.
    pub(super) fn last_said(&self) -> Option<u64> {
        self.deliveries.last_key_value().map(|(key, _)| *key)
    }

    /// Takes note that another answer was asked for.
    pub(super) fn note_asked_again(&mut self) {
        self.is_awaited = true;
    }

    /// Whether everything said was answered, or read and left at that.
    pub(super) fn is_settled(&self) -> bool {
        self.unread == 0 && !self.is_awaited && self.writing.is_none()
    }

    /// What to print.
    pub(super) fn show(&mut self, update: &Update) -> String {
        let mut out = String::new();
        match update {
            Update::History { messages } => {
                // The keys of a conversation with another persona, shown before, mean nothing here.
                if !self.deliveries.is_empty() {
                    self.deliveries.clear();
                    self.writing = None;
                    self.status(&mut out, "this is another persona; what was said with it:");
                }
                self.show_latest(&mut out, messages);
            }
            Update::Card { card } if !card.name.is_empty() => {
                self.name = sanitise::one_line(&card.name);
            }
            Update::Message { message, .. } if message.speaker == Speaker::You => {
                self.show_delivery(&mut out, message);
            }
            Update::Message { message, .. } => self.show_reply(&mut out, message),
            Update::Withdrawn { key }
                if self.writing.is_some_and(|(writing, _)| writing == *key) =>
            {
                self.writing = None;
                self.status(&mut out, "taken back");
            }
            Update::Withdrawn { key } => {
                let before = self.deliveries.remove(key);
                let was_unread = before.is_some_and(|before| before != Delivery::Read);
                self.unread = self.unread.saturating_sub(u32::from(was_unread));
            }
            Update::Lost { .. } => {
                self.unread = self.unread.saturating_sub(1);
                self.status(&mut out, "not changed: your last message is another by now");
            }
            // Stopped before its first word, or there is nothing to answer again.
            Update::Activity { activity: Activity::Idle } => self.is_awaited = false,
            Update::Activity { activity: Activity::Thinking } => {
                self.status(&mut out, &format!("{} is thinking…", self.name));
            }
            Update::Activity { activity: Activity::Silent } => {
                self.is_awaited = false;
                self.status(&mut out, "read, and left at that");
            }
            Update::Forgotten => {
                self.deliveries.clear();
                self.writing = None;
                self.is_awaited = false;
                self.unread = 0;
                self.status(&mut out, "everything is forgotten");
            }
            Update::Notice { notice } | Update::Crashed { notice } => {
                // What was refused is not answered.
                self.is_awaited &= !matches!(update, Update::Notice { .. });
                self.status(&mut out, &format!("{} [{}]", notice.message, notice.code));
                if !notice.help.is_empty() {
                    self.status(&mut out, &notice.help);
                }
            }
            Update::Link { link } if link.words != self.words => {
                let is_first = self.words.is_empty();
                self.words.clone_from(&link.words);
                if !(is_first && link.phase == Phase::Online) {
                    self.status(&mut out, &sanitise::one_line(&link.words));
                }
            }
            _ => {}
        }
        out
    }

    /// Prints the end of what was said before.
    fn show_latest(&mut self, out: &mut String, messages: &[ChatMessage]) {
        let known = messages.iter().filter_map(|it| Some((it.key, it.delivery?)));
        self.deliveries.extend(known);
        let first = messages.len().saturating_sub(LATEST);
        for message in messages.get(first..).unwrap_or_default() {
            let name = if message.speaker == Speaker::You { "You" } else { &self.name };
            let _ = writeln!(out, "{name}: {}", sanitise::text(&message.text));
        }
    }

    fn show_delivery(&mut self, out: &mut String, message: &ChatMessage) {
        let Some(delivery) = message.delivery else { return };
        if self.deliveries.insert(message.key, delivery) == Some(delivery) {
            return;
        }
        match delivery {
            Delivery::Waiting => self.status(out, "waiting for the board"),
            // That it thinks about it, or does not answer, says the rest.
            Delivery::Sent | Delivery::Received => {}
            Delivery::Read => {
                self.unread = self.unread.saturating_sub(1);
                self.is_awaited = true;
            }
        }
    }

    /// Prints what is new of a reply.
    fn show_reply(&mut self, out: &mut String, message: &ChatMessage) {
        let printed = match self.writing {
            Some((key, printed)) if key == message.key => printed,
            _ if message.reply != Some(ReplyState::Writing) && message.text.is_empty() => return,
            _ => {
                self.end_line(out);
                let _ = write!(out, "{}: ", self.name);
                self.is_line_open = true;
                0
            }
        };
        let fresh: String = message.text.chars().skip(printed).collect();
        out.push_str(&sanitise::text(&fresh));
        // A tick may have ended the line in the middle of the reply: this opens another.
        self.is_line_open |= !fresh.is_empty();
        let printed = printed + fresh.chars().count();
        if message.reply == Some(ReplyState::Writing) {
            self.writing = Some((message.key, printed));
            return;
        }
        self.writing = None;
        self.is_awaited = false;
        match message.reply {
            Some(ReplyState::Stopped) => out.push_str(" (stopped)"),
            Some(ReplyState::Interrupted) => out.push_str(" (the board restarted here)"),
            Some(ReplyState::Length) => out.push_str(" (cut at the longest length)"),
            _ => {}
        }
        self.end_line(out);
    }

    fn status(&mut self, out: &mut String, text: &str) {
        self.end_line(out);
        let _ = writeln!(out, "  · {text}");
    }

    fn end_line(&mut self, out: &mut String) {
        if self.is_line_open {
            out.push('\n');
            self.is_line_open = false;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(text: &str, state: ReplyState) -> Update {
        Update::Message {
            message: ChatMessage {
                key: 2,
                speaker: Speaker::Wisp,
                text: text.to_string(),
                unix_seconds: 0,
                delivery: None,
                reply: Some(state),
                timing: None,
            },
            after: None,
        }
    }

    fn said(delivery: Delivery) -> Update {
        Update::Message {
            message: ChatMessage {
                key: 1,
                speaker: Speaker::You,
                text: "hi".to_string(),
                unix_seconds: 0,
                delivery: Some(delivery),
                reply: None,
                timing: None,
            },
            after: None,
        }
    }

    #[test]
    fn a_whole_exchange_reads_like_a_chat() {
        let mut chat = ChatText::new("Wisp");
        chat.note_said();
        let mut out = String::new();
        for update in [
            said(Delivery::Sent),
            said(Delivery::Received),
            said(Delivery::Received),
            said(Delivery::Read),
            Update::Activity { activity: Activity::Thinking },
            reply("Hel", ReplyState::Writing),
            reply("Hello", ReplyState::Writing),
        ] {
            out.push_str(&chat.show(&update));
            assert!(!chat.is_settled());
        }
        out.push_str(&chat.show(&reply("Hello\x1b[2J", ReplyState::Stopped)));
        assert!(chat.is_settled());
        assert_eq!(out, "  · Wisp is thinking…\nWisp: Hello\u{fffd}[2J (stopped)\n");
    }

    #[test]
    fn news_in_the_middle_of_a_reply_has_a_line_of_its_own() {
        let mut chat = ChatText::new("Wisp");
        let mut out = chat.show(&reply("Once", ReplyState::Writing));
        out.push_str(&chat.show(&said(Delivery::Waiting)));
        out.push_str(&chat.show(&reply("Once upon", ReplyState::Writing)));
        out.push_str(&chat.show(&said(Delivery::Read)));
        assert_eq!(out, "Wisp: Once\n  · waiting for the board\n upon");
    }

    #[test]
    fn of_an_earlier_chat_only_news_is_told_and_the_last_message_can_be_edited() {
        let mut chat = ChatText::new("Wisp");
        let old = |key| {
            let Update::Message { message, .. } = said(Delivery::Read) else { panic!() };
            ChatMessage { key, ..message }
        };
        // More than are printed.
        let messages: Vec<_> = (0..30).map(old).collect();
        let first = messages[0].clone();
        let shown = chat.show(&Update::History { messages });
        assert_eq!(shown.lines().count(), LATEST);
        assert_eq!(chat.show(&Update::Message { message: first, after: None }), "");
        assert_eq!(chat.last_said(), Some(29));
    }

    #[test]
    fn another_personas_conversation_takes_the_place_of_the_one_before() {
        let mut chat = ChatText::new("Wisp");
        let said = |key, text: &str| {
            let Update::Message { message, .. } = said(Delivery::Read) else { panic!() };
            ChatMessage { key, text: text.to_string(), ..message }
        };
        chat.show(&Update::History { messages: vec![said(500, "to one")] });
        let shown = chat.show(&Update::History { messages: vec![said(20, "to the other")] });
        assert_eq!(
            shown,
            "  · this is another persona; what was said with it:\nYou: to the other\n"
        );
        assert_eq!(chat.last_said(), Some(20));
    }

    #[test]
    fn what_was_said_anew_or_not_is_no_longer_waited_for() {
        let mut chat = ChatText::new("Wisp");
        // Edited before it left.
        for _ in 0..2 {
            chat.note_said();
        }
        chat.show(&said(Delivery::Waiting));
        assert_eq!(chat.show(&Update::Withdrawn { key: 1 }), "");
        chat.show(&said(Delivery::Read));
        chat.show(&Update::Activity { activity: Activity::Silent });
        assert!(chat.is_settled());
        // Edited too late.
        chat.note_said();
        assert!(!chat.is_settled());
        let out = chat.show(&Update::Lost { tag: "edit".into() });
        assert_eq!(out, "  · not changed: your last message is another by now\n");
        assert!(chat.is_settled());
    }

    #[test]
    fn a_reply_that_is_taken_back_says_so() {
        let mut chat = ChatText::new("Wisp");
        let mut out = chat.show(&reply("Once", ReplyState::Writing));
        out.push_str(&chat.show(&Update::Withdrawn { key: 2 }));
        assert_eq!(out, "Wisp: Once\n  · taken back\n");
    }
}
