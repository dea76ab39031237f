//! `wisp history`: what the program prints and writes. In a file of its own, because a process that
//! is being started holds the locks of this one for a moment.
#![allow(clippy::unwrap_used, clippy::panic)] // Helpers of tests are tests to us, not to clippy.

use std::path::Path;
use std::process::{Command, Output};

use link::conversation::{Conversation, Saved};
use wisp::history::History;

fn wisp(folder: &Path, arguments: &[&str]) -> Output {
    let history = folder.join("history");
    Command::new(env!("CARGO_BIN_EXE_wisp"))
        .args(["history", "--history"])
        .arg(history)
        .args(arguments)
        .stdin(std::process::Stdio::null())
        .output()
        .unwrap()
}

fn printed(output: &Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn it_can_be_listed_searched_exported_and_deleted() {
    let folder = tempfile::tempdir().unwrap();
    let mut history = History::open(&folder.path().join("history")).unwrap();
    history.take_up(Some(&[7; 32]), "Wisp").unwrap();
    let said = ["Hello Über-Ghost", "the \x1b[2Jlighthouse <b>*keeper*</b>\nis \"here\""];
    let mut conversation = Conversation::resume(Saved::default());
    for text in said {
        conversation.say(text, 1_700_000_000).unwrap();
    }
    history.store(&conversation.unsaved().unwrap(), 1).unwrap();
    drop(history);
    let folder = folder.path();

    let list = printed(&wisp(folder, &["list"]));
    assert!(list.contains("   1  Wisp (persona 070707070707): 2 messages"), "{list}");
    let found = printed(&wisp(folder, &["search", "über", "HELLO"]));
    assert_eq!(found, "2023-11-14T22:13:20Z  You: Hello Über-Ghost\n");
    let found = printed(&wisp(folder, &["search", "lighthouse"]));
    assert!(found.contains("the \u{fffd}[2Jlighthouse") && !found.contains('\x1b'), "{found:?}");
    let nothing = wisp(folder, &["search", "hello", "lighthouse"]);
    assert_eq!(printed(&nothing), "");
    assert!(String::from_utf8_lossy(&nothing.stderr).contains("No message has all of these words"));

    let file = folder.join("out.jsonl");
    let name = file.to_str().unwrap();
    printed(&wisp(folder, &["export", "--output", name]));
    let canonical = wisp_model::chats::canonical::read(&file).unwrap();
    let texts: Vec<_> = canonical.iter().map(|message| message.text.as_str()).collect();
    assert_eq!(texts, [said[0], &said[1].replace('\x1b', "\u{fffd}")]);
    assert_eq!((canonical[0].time_ms, canonical[0].sender.as_str()), (1_700_000_000_000, "You"));
    let again = wisp(folder, &["export", "--output", name]);
    let words = String::from_utf8_lossy(&again.stderr).into_owned();
    assert!(!again.status.success() && words.contains("wisp::history::export"), "{words}");

    let html = printed(&wisp(folder, &["export", "--format", "html"]));
    assert!(html.contains("&lt;b&gt;*keeper*&lt;/b&gt;") && !html.contains("<script"), "{html}");
    let markdown = printed(&wisp(folder, &["export", "--format", "md"]));
    assert!(markdown.contains(r#"\<b\>\*keeper\*\</b\>"#), "{markdown}");

    let refused = wisp(folder, &["delete"]);
    let words = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(words.contains("wisp::history::not_confirmed"), "{words}");
    let unknown = wisp(folder, &["delete", "--yes", "--chat", "5"]);
    let words = String::from_utf8_lossy(&unknown.stderr).into_owned();
    assert!(words.contains("wisp::history::which_chat"), "{words}");
    printed(&wisp(folder, &["delete", "--yes"]));
    assert!(printed(&wisp(folder, &["list"])).contains("0 messages"));
}
