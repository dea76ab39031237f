//! The same message twice: in the classic and the encrypted export, in two downloads that overlap.

use std::collections::HashMap;

use super::Reason;
use crate::chats::export::Chat;

/// Marks every line that repeats one of another chat of the same two people, or, where times are
/// exact, of its own chat.
///
/// Two lines are the same if sender and text are, and their times as far as both exports write
/// them. Where times are minutes, one may well write "ok" twice in a minute: each line of one
/// export repeats at most one line of another, and none of its own.
pub fn mark_duplicates(chats: &mut [&mut Chat]) {
    let coarsest = chats.iter().map(|chat| chat.resolution_ms).max().unwrap_or(1).max(1);
    // The longest export is taken whole, the others fill it up.
    let mut order: Vec<usize> = (0..chats.len()).collect();
    order.sort_by_key(|index| chats.get(*index).map_or(0, |chat| usize::MAX - chat.lines.len()));

    let mut seen: HashMap<(&str, &str, i64), Vec<Entry>> = HashMap::new();
    let mut repeated = Vec::new();
    for export in order {
        let Some(chat) = chats.get(export) else { continue };
        let resolution_ms = chat.resolution_ms.max(1);
        for (at, line) in chat.lines.iter().enumerate().filter(|(_, line)| line.mark.is_none()) {
            let key = (&*line.sender, line.text.as_str(), line.time_ms.div_euclid(coarsest));
            let entries = seen.entry(key).or_default();
            let one = Entry { export, time_ms: line.time_ms, resolution_ms, count: 1, used: None };
            if entries.iter_mut().any(|known| known.takes(&one)) {
                repeated.push((export, at));
            } else if let Some(known) = entries.iter_mut().find(|known| known.is_like(&one)) {
                known.count += 1;
            } else {
                entries.push(one);
            }
        }
    }
    for (export, at) in repeated {
        if let Some(line) = chats.get_mut(export).and_then(|chat| chat.lines.get_mut(at)) {
            line.mark = Some(Reason::Duplicate);
        }
    }
}

/// Lines of one export with the same sender, text and time.
struct Entry {
    export: usize,
    time_ms: i64,
    resolution_ms: i64,
    count: usize,
    /// The last export that repeats them, and how many.
    used: Option<(usize, usize)>,
}

impl Entry {
    /// Whether these are lines of the same export and time.
    fn is_like(&self, other: &Self) -> bool {
        self.export == other.export && self.time_ms == other.time_ms
    }

    /// Takes a line that repeats one of these; whether it does.
    fn takes(&mut self, other: &Self) -> bool {
        if self.export == other.export {
            return self.resolution_ms == 1 && self.time_ms == other.time_ms;
        }
        let common = self.resolution_ms.max(other.resolution_ms);
        let used = self.used.map_or(0, |(by, used)| if by == other.export { used } else { 0 });
        let same = self.time_ms.div_euclid(common) == other.time_ms.div_euclid(common);
        if same && used < self.count {
            self.used = Some((other.export, used + 1));
        }
        same && used < self.count
    }
}

#[cfg(test)]
mod tests {
    use super::mark_duplicates;
    use crate::chats::clean::Reason;
    use crate::chats::export::{Chat, Line, Service};

    fn chat(resolution_ms: i64, lines: &[(i64, &str, &str)]) -> Chat {
        let line = |(time_ms, sender, text): &(i64, &str, &str)| Line {
            time_ms: *time_ms,
            sender: (*sender).into(),
            text: (*text).into(),
            mark: None,
        };
        let lines = lines.iter().map(line).collect();
        Chat { resolution_ms, lines, ..Chat::new(Service::Messenger) }
    }

    fn kept(chats: &mut [Chat]) -> Vec<usize> {
        mark_duplicates(&mut chats.iter_mut().collect::<Vec<_>>());
        let unmarked = |chat: &Chat| chat.lines.iter().filter(|line| line.mark.is_none()).count();
        let marks = chats.iter().flat_map(|chat| &chat.lines).filter_map(|line| line.mark);
        assert!(marks.into_iter().all(|mark| mark == Reason::Duplicate));
        chats.iter().map(unmarked).collect()
    }

    #[test]
    fn exact_times() {
        let first =
            chat(1, &[(1, "A", "x"), (1, "A", "x"), (1, "A", "y"), (1, "B", "x"), (2, "A", "x")]);
        let second = chat(1, &[(2, "A", "x"), (3, "A", "x")]);
        assert_eq!(kept(&mut [second, first]), [1, 4]);
    }

    #[test]
    fn whole_minutes_are_no_proof_inside_an_export() {
        let android =
            chat(60_000, &[(60_000, "A", "ok"), (60_000, "A", "ok"), (60_000, "A", "ok")]);
        let again = chat(60_000, &[(60_000, "A", "ok"), (60_000, "A", "ok")]);
        let iphone = chat(1000, &[(61_000, "A", "ok"), (119_000, "A", "ok"), (120_000, "A", "ok")]);
        assert_eq!(kept(&mut [android.clone()]), [3]);
        assert_eq!(kept(&mut [android.clone(), again]), [3, 0]);
        assert_eq!(kept(&mut [android, iphone]), [3, 1]);
    }
}
