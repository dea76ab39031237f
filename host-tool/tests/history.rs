//! The history's file: what is stored is there again, is nobody else's business, and can be deleted.
#![allow(clippy::unwrap_used, clippy::panic)] // Helpers of tests are tests to us, not to clippy.

use std::fs;
use std::path::Path;

use link::conversation::{
    Conversation, Message, MessageKey, MessageState, OrderKind, Saved, SavedOrder, Standing,
    Unsaved,
};
use link::message::{Digest, EndReason, Speaker, Timing};
use miette::Diagnostic;
use proptest::prelude::*;
use wisp::history::{History, HistoryError, Reader};

const PERSONA: Digest = [7; 32];

fn states() -> impl Strategy<Value = MessageState> {
    use MessageState::{
        Answered, Complete, Interrupted, Read, Received, Sent, Thinking, Unanswered, Waiting,
        Writing,
    };
    prop::sample::select(vec![
        Waiting,
        Sent,
        Received,
        Read,
        Answered,
        Unanswered,
        Thinking,
        Writing,
        Complete(EndReason::Finished),
        Complete(EndReason::Length),
        Complete(EndReason::Stopped),
        Interrupted,
    ])
}

fn message() -> impl Strategy<Value = Message> {
    let numbers = (0..=i64::MAX as u64, any::<u32>(), any::<Option<u32>>());
    let timing = prop::option::of((any::<u32>(), any::<u32>(), any::<u32>(), any::<u32>()));
    (any::<u64>(), any::<bool>(), any::<String>(), states(), numbers, timing).prop_map(
        |(key, is_yours, text, state, (unix_seconds, gap_seconds, reply), timing)| Message {
            key: MessageKey(key >> 1),
            speaker: if is_yours { Speaker::You } else { Speaker::Wisp },
            text,
            state,
            unix_seconds,
            gap_seconds,
            timing: timing.map(
                |(prompt_tokens, reply_tokens, first_token_micros, decode_micros)| Timing {
                    prompt_tokens,
                    reply_tokens,
                    first_token_micros,
                    decode_micros,
                },
            ),
            reply,
        },
    )
}

fn standing() -> impl Strategy<Value = Standing> {
    let order = (0u8..4, any::<u32>(), any::<Option<u32>>()).prop_map(|(kind, key, id)| {
        let key = MessageKey(u64::from(key));
        let kind = match kind {
            0 => OrderKind::Say(key),
            1 => OrderKind::Regenerate,
            2 => OrderKind::TakeBack,
            _ => OrderKind::Forget(key),
        };
        SavedOrder { kind, id }
    });
    let numbers = (any::<Option<u32>>(), any::<Option<u32>>(), any::<bool>(), any::<u32>());
    (numbers, any::<u32>(), prop::collection::vec(order, 0..9)).prop_map(
        |((boot, next_event, rereading, taken), next_key, orders)| Standing {
            boot,
            next_event,
            rereading,
            taken,
            next_key: u64::from(next_key),
            orders,
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    /// Change upon change, each with its tail of messages: what is read is what was written.
    #[test]
    fn what_is_stored_is_there_again(
        changes in prop::collection::vec((0usize..12, prop::collection::vec(message(), 0..6), standing()), 1..8)
    ) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("history");
        let mut expected = Saved::default();
        for (from, messages, standing) in changes {
            // Opened anew each time: every state of it is on the disk.
            let mut history = History::open(&path).unwrap();
            prop_assert_eq!(&history.take_up(Some(&PERSONA), "Wisp").unwrap(), &expected);
            let from = from.min(expected.messages.len());
            let unsaved = Unsaved { from, messages: &messages, standing };
            history.store(&unsaved, 5).unwrap();
            expected.apply(&unsaved);
        }
        let mut history = History::open(&path).unwrap();
        prop_assert_eq!(history.take_up(Some(&PERSONA), "Wisp").unwrap(), expected);
    }
}

/// A conversation in which something was said.
fn saying(texts: &[&str]) -> Conversation {
    let mut conversation = Conversation::resume(Saved::default());
    for text in texts {
        conversation.say(text, 1_700_000_000).unwrap();
    }
    conversation
}

fn store(history: &mut History, texts: &[&str], unix_seconds: u64) {
    history.store(&saying(texts).unsaved().unwrap(), unix_seconds).unwrap();
}

fn texts(saved: &Saved) -> Vec<&str> {
    saved.messages.iter().map(|message| message.text.as_str()).collect()
}

#[test]
fn what_was_chosen_is_kept_with_the_persona_also_in_a_file_of_the_first_version() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("history");
    let mut history = History::open(&path).unwrap();
    history.take_up(Some(&PERSONA), "Wisp").unwrap();
    store(&mut history, &["hello"], 1);
    drop(history);
    // What version 1 did not have.
    let old = rusqlite::Connection::open(&path).unwrap();
    old.execute_batch("ALTER TABLE chat DROP COLUMN choices; PRAGMA user_version = 1;").unwrap();
    drop(old);
    assert_eq!(Reader::open(&path).unwrap().chats(None).unwrap().len(), 1, "it can be read");

    let mut history = History::open(&path).unwrap();
    let saved = history.take_up(Some(&PERSONA), "Wisp").unwrap();
    assert_eq!((texts(&saved), history.choices()), (vec!["hello"], None));
    history.choose("first", 2).unwrap();
    // Somebody else, to whom nothing was said yet.
    history.meet(&[9; 32], "Other").unwrap();
    assert_eq!(history.choices(), None);
    history.choose("second", 3).unwrap();
    drop(history);
    let mut history = History::open(&path).unwrap();
    for (persona, choices) in [(PERSONA, "first"), ([9; 32], "second")] {
        history.take_up(Some(&persona), "").unwrap();
        assert_eq!(history.choices().as_deref(), Some(choices));
    }
}

#[test]
fn each_persona_has_its_own_conversation() {
    let folder = tempfile::tempdir().unwrap();
    let mut history = History::open(&folder.path().join("deep/inside/history")).unwrap();
    // Said before anybody was there: it is for whoever comes first.
    assert!(history.take_up(None, "Wisp").unwrap().messages.is_empty());
    store(&mut history, &["to the first"], 1);
    assert_eq!(history.meet(&[1; 32], "Wisp").unwrap(), None);
    assert_eq!(history.meet(&[1; 32], "Wisp").unwrap(), None);
    assert!(history.meet(&[2; 32], "Other").unwrap().unwrap().messages.is_empty());
    store(&mut history, &["to the second"], 3);
    let first = history.meet(&[1; 32], "Wisp").unwrap().unwrap();
    assert_eq!(texts(&first), ["to the first"]);
    // Nobody knows who will be there: most likely who was there last.
    let latest = history.take_up(None, "Wisp").unwrap();
    assert_eq!(texts(&latest), ["to the second"]);
    let names: Vec<_> = history.chats().unwrap().into_iter().map(|chat| chat.name).collect();
    assert_eq!(names, ["Wisp", "Other"]);
}

fn code(error: &HistoryError) -> String {
    error.code().unwrap().to_string()
}

#[test]
fn a_history_has_one_writer_and_many_readers() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("history");
    let mut history = History::open(&path).unwrap();
    assert_eq!(code(&History::open(&path).unwrap_err()), "wisp::history::busy");
    history.take_up(Some(&PERSONA), "Wisp").unwrap();
    store(&mut history, &["one", "two"], 9);
    let reader = Reader::open(&path).unwrap();
    let chats = reader.chats(None).unwrap();
    assert_eq!(reader.messages(&chats[0]).unwrap().len(), 2);
    drop(history);
    History::open(&path).unwrap();
}

#[cfg(unix)]
#[test]
fn nobody_else_can_read_it() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("new/history");
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    for _ in 0..2 {
        let mut history = History::open(&path).unwrap();
        history.take_up(None, "Wisp").unwrap();
        store(&mut history, &["secret"], 1);
        assert_eq!(mode(path.parent().unwrap()), 0o700);
        for entry in fs::read_dir(path.parent().unwrap()).unwrap() {
            let file = entry.unwrap().path();
            let is_empty = fs::metadata(&file).unwrap().len() == 0;
            assert!(is_empty || mode(&file) == 0o600, "{}", file.display());
        }
        drop(history);
        // As after a careless copy.
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    }
}

#[test]
fn what_is_not_a_whole_history_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("history");
    let open = |bytes: &[u8]| {
        fs::write(&path, bytes).unwrap();
        let error = History::open(&path).unwrap_err();
        let now = fs::read(&path).unwrap();
        assert_eq!(now, bytes, "{} was changed", code(&error));
        code(&error)
    };
    assert_eq!(
        open(b"Dear diary, this is a text and no database at all."),
        "wisp::history::foreign"
    );

    let other = folder.path().join("other");
    let connection = rusqlite::Connection::open(&other).unwrap();
    connection.execute_batch("CREATE TABLE photos (id INTEGER)").unwrap();
    drop(connection);
    assert_eq!(open(&fs::read(&other).unwrap()), "wisp::history::foreign");

    let ours = folder.path().join("ours");
    let mut history = History::open(&ours).unwrap();
    history.take_up(None, "Wisp").unwrap();
    let many: Vec<_> = (0..500).map(|number| format!("message {number}")).collect();
    store(&mut history, &many.iter().map(String::as_str).collect::<Vec<_>>(), 1);
    drop(history);
    let mut whole = fs::read(&ours).unwrap();
    let page = 4096;
    for byte in &mut whole[4 * page..6 * page] {
        *byte = 0xa5;
    }
    assert_eq!(open(&whole), "wisp::history::damaged");

    let connection = rusqlite::Connection::open(&ours).unwrap();
    connection.pragma_update(None, "journal_mode", "DELETE").unwrap();
    connection.pragma_update(None, "user_version", 1000).unwrap();
    drop(connection);
    assert_eq!(open(&fs::read(&ours).unwrap()), "wisp::history::newer");
    assert_eq!(code(&Reader::open(&path).unwrap_err()), "wisp::history::newer");
    let nothing = folder.path().join("nothing");
    assert_eq!(code(&Reader::open(&nothing).unwrap_err()), "wisp::history::missing");
    assert_eq!(code(&History::open(folder.path()).unwrap_err()), "wisp::history::foreign");
}

/// Whether a text is anywhere in the files of a history.
fn is_on_disk(folder: &Path, text: &str) -> bool {
    let contains = |bytes: &[u8]| bytes.windows(text.len()).any(|part| part == text.as_bytes());
    let mut files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    files.any(|file| contains(&fs::read(file).unwrap()))
}

#[test]
fn what_is_forgotten_is_overwritten() {
    let secret = "nobody may ever know about the lighthouse";
    let folder = tempfile::tempdir().unwrap();
    let mut history = History::open(&folder.path().join("history")).unwrap();
    history.take_up(Some(&PERSONA), "Wisp").unwrap();
    store(&mut history, &["a", secret, "b"], 1);
    assert!(is_on_disk(folder.path(), secret));
    let nothing = Unsaved { from: 0, messages: &[], standing: Standing::default() };
    history.store(&nothing, 2).unwrap();
    assert!(!is_on_disk(folder.path(), secret), "forgotten by the board");

    store(&mut history, &["a", secret], 3);
    assert!(is_on_disk(folder.path(), secret));
    store(&mut history, &["a", "nothing to see"], 3);
    assert!(!is_on_disk(folder.path(), secret), "edited while it waited");

    store(&mut history, &["a", secret, "b"], 3);
    assert!(is_on_disk(folder.path(), secret));
    let chat = history.chats().unwrap().remove(0);
    history.delete(chat.number).unwrap();
    assert!(!is_on_disk(folder.path(), secret), "deleted here");
    // The board is to hear of it.
    let saved = history.take_up(Some(&PERSONA), "Wisp").unwrap();
    let kinds: Vec<_> = saved.standing.orders.iter().map(|order| order.kind).collect();
    assert_eq!(kinds, [OrderKind::Forget(MessageKey(3))]);
}

/// As long as somebody reads, the log of changes stays. It is emptied with the next change, or by the next
/// program.
#[test]
fn what_is_forgotten_while_somebody_reads_is_overwritten_later() {
    let secret = "nobody may ever know about the lighthouse";
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("history");
    let mut history = History::open(&path).unwrap();
    history.take_up(Some(&PERSONA), "Wisp").unwrap();
    let count = "SELECT count(*) FROM message";
    for is_by_the_next_program in [false, true] {
        store(&mut history, &["a", secret], 1);
        let reader = rusqlite::Connection::open(&path).unwrap();
        reader.execute_batch("BEGIN").unwrap();
        assert_eq!(reader.query_row(count, [], |row| row.get(0)), Ok(2));
        store(&mut history, &["a", "nothing to see"], 2);
        assert!(is_on_disk(folder.path(), secret), "the reader still needs it");
        if is_by_the_next_program {
            drop(history);
            history = History::open(&path).unwrap();
            history.take_up(Some(&PERSONA), "Wisp").unwrap();
        }
        drop(reader);
        store(&mut history, &["a", "nothing to see"], 3);
        assert!(!is_on_disk(folder.path(), secret));
    }
}

#[test]
fn a_long_history_is_all_there() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("history");
    let all: Vec<_> = (0..10_000).map(|number| format!("message {number}")).collect();
    let mut history = History::open(&path).unwrap();
    history.take_up(Some(&PERSONA), "Wisp").unwrap();
    store(&mut history, &all.iter().map(String::as_str).collect::<Vec<_>>(), 1);
    drop(history);
    let saved = History::open(&path).unwrap().take_up(Some(&PERSONA), "Wisp").unwrap();
    assert_eq!(texts(&saved), all);
}
