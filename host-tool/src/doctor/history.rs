//! The history: whether it can be read, is whole, and is free to be written to. Nothing of what was
//! said is looked at.

use std::path::PathBuf;

use super::{Area, Finding, Level};
use crate::history::HistoryError;

/// What was found out about the history.
#[derive(Debug)]
pub struct HistoryFacts {
    /// What it is, or why it cannot be used.
    pub history: Result<HistorySummary, HistoryError>,
    /// Whether somebody named it.
    pub is_named: bool,
    /// Whether another program writes to it.
    pub is_busy: bool,
}

/// A history that is whole.
#[derive(Clone, Debug)]
pub struct HistorySummary {
    /// Where it is.
    pub path: PathBuf,
    /// Its size.
    pub bytes: u64,
    /// Conversations in it.
    pub chats: usize,
    /// Messages in it.
    pub messages: u64,
}

/// Says what the facts mean.
pub(super) fn examine(facts: &HistoryFacts) -> Finding {
    let of = |level, error: &HistoryError| Finding::of(Area::History, level, error);
    match &facts.history {
        // It begins with the first chat.
        Err(error @ HistoryError::Missing { .. }) if !facts.is_named => of(Level::Note, error),
        Err(error) => of(Level::Wrong, error),
        Ok(history) if facts.is_busy => {
            of(Level::Note, &HistoryError::Busy { path: history.path.clone() })
        }
        Ok(HistorySummary { path, bytes, chats, messages }) => {
            let words = format!(
                "{}: whole, {chats} conversations, {messages} messages, {bytes} bytes",
                path.display()
            );
            Finding::fine(Area::History, &words)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(
        history: Result<HistorySummary, HistoryError>,
        is_named: bool,
        is_busy: bool,
    ) -> (Level, String) {
        let finding = examine(&HistoryFacts { history, is_named, is_busy });
        (finding.level, finding.code)
    }

    #[test]
    fn each_state_has_its_code() {
        let path = || PathBuf::from("history");
        let whole = || Ok(HistorySummary { path: path(), bytes: 1, chats: 1, messages: 2 });
        let missing = || Err(HistoryError::Missing { path: path() });
        let damaged = Err(HistoryError::Damaged { path: path(), cause: "cause".into() });
        for (told, expected) in [
            (told(whole(), false, false), (Level::Fine, "wisp::history::ok")),
            (told(whole(), false, true), (Level::Note, "wisp::history::busy")),
            (told(missing(), false, false), (Level::Note, "wisp::history::missing")),
            (told(missing(), true, false), (Level::Wrong, "wisp::history::missing")),
            (told(damaged, false, true), (Level::Wrong, "wisp::history::damaged")),
        ] {
            assert_eq!(told, (expected.0, expected.1.to_string()));
        }
    }
}
