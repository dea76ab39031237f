//! What happened in the conversation, kept until the host has stored it.
//!
//! Nothing is dropped: when the log is full, the conversation waits ([`EventLog::has_room`]).

use alloc::collections::VecDeque;
use alloc::string::String;
use link::message::Event;

/// Events the log holds.
const CAPACITY: usize = 256;

/// Entries kept free for what one step may add: the conversation goes on only while there is room.
const RESERVE: usize = 8;

/// Longest text of one delta in bytes.
const MAX_DELTA: usize = 512;

/// An event; the text of a delta is kept in one string with that of the others.
#[derive(Clone, Copy, Debug)]
struct Entry {
    what: Event<'static>,
    text_bytes: usize,
}

/// Numbered events: unseen, and of those the ones that were not handed to the session yet.
#[derive(Debug)]
pub(crate) struct EventLog {
    entries: VecDeque<Entry>,
    text: String,
    text_capacity: usize,
    /// Text that one step may add at most.
    text_reserve: usize,
    /// Number of the first entry.
    first: u32,
    /// Entries before this one were handed to the session.
    cursor: usize,
    /// Entries before this one were handed to some session: the host may know them, so they must
    /// not change any more.
    fixed: usize,
}

impl EventLog {
    /// A log for steps that add up to `text_reserve` bytes of text each.
    pub(crate) fn new(text_reserve: usize) -> Self {
        let text_capacity = text_reserve.saturating_mul(4).max(8192);
        Self {
            entries: VecDeque::with_capacity(CAPACITY),
            text: String::with_capacity(text_capacity),
            text_capacity,
            text_reserve,
            first: 1,
            cursor: 0,
            fixed: 0,
        }
    }

    /// Number the next event will have.
    pub(crate) fn next_number(&self) -> u32 {
        self.number_of(self.entries.len())
    }

    /// Events that were not seen yet.
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether one more step may be done.
    pub(crate) fn has_room(&self) -> bool {
        self.entries.len().saturating_add(RESERVE) <= CAPACITY
            && self.text.len().saturating_add(self.text_reserve) <= self.text_capacity
    }

    /// Adds an event without text.
    pub(crate) fn push(&mut self, what: Event<'static>) {
        self.entries.push_back(Entry { what, text_bytes: 0 });
    }

    /// Adds a piece of a reply, to the last event if that is a piece of it nobody has seen.
    pub(crate) fn push_delta(&mut self, reply: u32, offset: u32, text: &str) {
        let mut offset = offset;
        let mut rest = text;
        while let Some(piece) = first_piece(rest) {
            let fits = self.last_open_delta(reply, piece.len());
            if let Some(entry) = fits {
                entry.text_bytes = entry.text_bytes.saturating_add(piece.len());
            } else {
                let what = Event::Delta { reply, offset, text: "" };
                self.entries.push_back(Entry { what, text_bytes: piece.len() });
            }
            self.text.push_str(piece);
            // A piece is no longer than MAX_DELTA.
            offset = offset.wrapping_add(piece.len() as u32);
            rest = rest.get(piece.len()..).unwrap_or_default();
        }
    }

    /// The last entry, if `bytes` more of this reply's text may be added to it.
    fn last_open_delta(&mut self, reply: u32, bytes: usize) -> Option<&mut Entry> {
        let index = self.entries.len().checked_sub(1)?;
        if index < self.fixed {
            return None;
        }
        self.entries.back_mut().filter(|entry| {
            matches!(entry.what, Event::Delta { reply: of, .. } if of == reply)
                && entry.text_bytes.saturating_add(bytes) <= MAX_DELTA
        })
    }

    /// The next event for the session, with its number.
    pub(crate) fn next_unsent(&self) -> Option<(u32, Event<'_>)> {
        let entry = self.entries.get(self.cursor)?;
        let what = match entry.what {
            Event::Delta { reply, offset, .. } => {
                let start = self.text_before(self.cursor);
                let end = start.saturating_add(entry.text_bytes);
                Event::Delta { reply, offset, text: self.text.get(start..end).unwrap_or_default() }
            }
            other => other,
        };
        Some((self.number_of(self.cursor), what))
    }

    /// The event of [`Self::next_unsent`] was handed to the session.
    pub(crate) fn mark_sent(&mut self) {
        self.cursor = self.cursor.saturating_add(1).min(self.entries.len());
        self.fixed = self.fixed.max(self.cursor);
    }

    /// A new session: all unseen events are to be sent again.
    pub(crate) fn restart(&mut self) {
        self.cursor = 0;
    }

    /// The host has stored all events up to this one. `false` if it cannot know that event.
    pub(crate) fn seen(&mut self, event: u32) -> bool {
        // How many entries from the first one on. Far beyond the log: before its first entry.
        let count = event.wrapping_sub(self.first).wrapping_add(1);
        let before_first = self.first.wrapping_sub(event) <= i32::MAX as u32;
        if before_first && event != self.first {
            return true;
        }
        let Some(count) = usize::try_from(count).ok().filter(|count| *count <= self.fixed) else {
            return false;
        };
        let bytes = self.text_before(count);
        self.entries.drain(..count);
        self.text.drain(..bytes);
        self.first = event.wrapping_add(1);
        self.cursor = self.cursor.saturating_sub(count);
        self.fixed = self.fixed.saturating_sub(count);
        true
    }

    fn text_before(&self, index: usize) -> usize {
        self.entries.iter().take(index).map(|entry| entry.text_bytes).sum()
    }

    fn number_of(&self, index: usize) -> u32 {
        // The log holds far fewer entries than u32 counts.
        self.first.wrapping_add(index as u32)
    }
}

/// As much of a text as one delta holds, cut between characters. `None` of an empty text.
fn first_piece(text: &str) -> Option<&str> {
    let end = (0..=text.len().min(MAX_DELTA)).rev().find(|end| text.is_char_boundary(*end))?;
    text.get(..end).filter(|piece| !piece.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    fn unsent(log: &mut EventLog) -> Vec<(u32, String)> {
        let mut all = Vec::new();
        while let Some((number, what)) = log.next_unsent() {
            let text = if let Event::Delta { offset, text, .. } = what {
                alloc::format!("{offset}:{text}")
            } else {
                String::new()
            };
            all.push((number, text));
            log.mark_sent();
        }
        all
    }

    fn entry(number: u32, text: &str) -> (u32, String) {
        (number, String::from(text))
    }

    #[test]
    fn deltas_join_until_they_are_sent() {
        let mut log = EventLog::new(64);
        log.push(Event::Thinking { reply: 1 });
        log.push_delta(1, 0, "a");
        log.push_delta(1, 1, "b");
        assert_eq!(unsent(&mut log), [entry(1, ""), entry(2, "0:ab")]);
        log.push_delta(1, 2, "c");
        assert_eq!(unsent(&mut log), [entry(3, "2:c")]);
        // Sent in an earlier session: fixed, though it is to be sent again.
        log.restart();
        log.push_delta(1, 3, "d");
        assert_eq!(log.next_number(), 5);
        assert_eq!(
            unsent(&mut log),
            [entry(1, ""), entry(2, "0:ab"), entry(3, "2:c"), entry(4, "3:d")]
        );
    }

    #[test]
    fn seen_events_go_and_their_text_with_them() {
        let mut log = EventLog::new(64);
        log.push_delta(1, 0, "one");
        log.push(Event::Withdrawn { reply: 1 });
        log.push_delta(2, 0, "two");
        assert!(!log.seen(1), "not sent yet");
        unsent(&mut log);
        assert!(log.seen(2));
        assert!(log.seen(1), "an old one again");
        assert!(log.seen(0));
        assert!(!log.seen(4));
        log.restart();
        assert_eq!(unsent(&mut log), [entry(3, "0:two")]);
        assert!(log.seen(3));
        log.restart();
        assert!(unsent(&mut log).is_empty());
        assert_eq!(log.next_number(), 4);
        assert!(log.text.is_empty());
    }

    #[test]
    fn long_text_is_cut_between_characters() {
        let mut log = EventLog::new(4096);
        let text = "é".repeat(600);
        log.push_delta(1, 0, &text);
        let pieces = unsent(&mut log);
        let joined: String = pieces.iter().filter_map(|(_, text)| text.split(':').nth(1)).collect();
        assert_eq!(joined, text);
        assert!(pieces.iter().all(|(_, text)| text.len() <= MAX_DELTA + 5));
        assert_eq!(pieces[1].1.split(':').next(), Some("512"));
    }

    #[test]
    fn a_full_log_has_no_room_and_never_grows() {
        let mut log = EventLog::new(64);
        let capacity = (log.entries.capacity(), log.text.capacity());
        let mut offset = 0;
        while log.has_room() {
            log.push_delta(1, offset, &"x".repeat(64));
            offset += 64;
        }
        assert!(log.text.len() >= 8192 - 64);
        let mut log = EventLog::new(64);
        while log.has_room() {
            log.push(Event::Forgotten);
        }
        for _ in 0..RESERVE - 1 {
            log.push(Event::Forgotten);
        }
        assert_eq!((log.entries.capacity(), log.text.capacity()), capacity);
    }

    #[test]
    fn numbers_may_wrap() {
        let mut log = EventLog::new(64);
        log.first = u32::MAX;
        log.push(Event::Forgotten);
        log.push(Event::Forgotten);
        unsent(&mut log);
        assert!(log.seen(u32::MAX));
        assert!(log.seen(0));
        assert_eq!(log.next_number(), 1);
    }
}
