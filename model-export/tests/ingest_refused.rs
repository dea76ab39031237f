//! What cannot be read is a clear error, and the tool as a user meets it.
#![allow(clippy::unwrap_used, clippy::panic)]

#[path = "common/ingesting.rs"]
mod ingesting;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use ingesting::{error, fixture, ingest, request};
use wisp_model::chats::ChatError;
use wisp_model::chats::ingest::gather;
use wisp_model::chats::readers::DateOrder;

#[test]
fn every_error_says_which() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path
    };
    let of = |path: PathBuf, names: &[&str]| error(&request(&[path]), names);
    let read = |name: &str| std::fs::read(fixture(name)).unwrap();

    let classic =
        read("messenger/your_facebook_activity/messages/inbox/annaberg_1001/message_1.json");
    let cut = of(write("cut.json", &classic[..classic.len() - 40]), &["Ben Holm"]);
    assert!(matches!(cut, ChatError::Truncated { line, .. } if line > 10), "{cut}");
    let text = String::from_utf8(classic).unwrap();
    let damaged = write("damaged.json", text.replace("\"title\":", "\"title\"").as_bytes());
    assert!(matches!(of(damaged, &["Ben Holm"]), ChatError::Json { .. }));
    let shape = write("shape.json", br#"{"participants":[{"name":"A"}],"messages":[{"sender_name":"A"}],"participants":"secret words"}"#);
    let shape = of(shape, &["A"]);
    assert!(matches!(shape, ChatError::Json { line: 1, .. }), "{shape}");
    assert!(!format!("{shape:?}").contains("secret"), "{shape:?}");
    let xml = read("sms/sms-20240102.xml");
    let xml = of(write("cut.xml", &xml[..xml.len() - 30]), &["Hedda"]);
    assert!(matches!(xml, ChatError::Xml { offset, .. } if offset > 1000), "{xml}");
    let latin = write("latin.txt", b"31.12.23, 21:08 - A: caf\xe9\n");
    assert!(matches!(of(latin, &["A"]), ChatError::NotText { line: 1, .. }));
    let dates = write("dates.txt", b"3/4/23, 21:08 - A: x\n3/5/23, 21:08 - B: y\n");
    assert!(matches!(of(dates.clone(), &["A"]), ChatError::DateOrder { .. }));
    let mut said = request(&[dates]);
    said.hints.date_order = Some(DateOrder::Mdy);
    let messages = ingest(&said, &["A"]).unwrap().0;
    assert_eq!(messages[1].time_ms - messages[0].time_ms, 86_400_000);
    said.hints.date_order = Some(DateOrder::Ymd);
    assert!(matches!(error(&said, &["A"]), ChatError::MixedDates { line: 1, .. }));
    let mixed = write("mixed.txt", b"31/1/23, 21:08 - A: x\n1/31/23, 21:08 - B: y\n");
    assert!(matches!(of(mixed, &["A"]), ChatError::MixedDates { line: 2, .. }));
    let page = write("message_1.html", b"<html><body>Ben Holm</body></html>");
    assert!(matches!(of(page, &["A"]), ChatError::Html { .. }));
    // Nobody points to a page: the folder or the archive is what a service gave.
    let pages = folder.path().join("pages");
    std::fs::create_dir_all(pages.join("inbox/ben")).unwrap();
    std::fs::write(pages.join("photo.jpg"), "x").unwrap();
    std::fs::write(pages.join("inbox/ben/message_1.html"), "<html>").unwrap();
    let found = of(pages, &["A"]);
    assert!(matches!(&found, ChatError::Html { file } if file.ends_with("ben/message_1.html")));
    let mut archive = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    archive
        .start_file("inbox/ben/message_1.HTML", zip::write::SimpleFileOptions::default())
        .unwrap();
    let archive = write("pages.zip", archive.finish().unwrap().get_ref());
    let found = of(archive, &["A"]);
    assert!(matches!(&found, ChatError::Html { file } if file.ends_with("ben/message_1.HTML")));
    let other = write("notes.txt", b"buy soup");
    assert!(matches!(of(other, &["A"]), ChatError::NothingFound { looked_at: 1 }));
    let empty =
        write("empty.json", br#"{"participants":[{"name":"A"},{"name":"B"}],"messages":[]}"#);
    assert!(matches!(of(empty, &["A"]), ChatError::Empty));
    let media = write("media.txt", b"31.12.23, 21:08 - A: <Media omitted>\n31.12.23, 21:08 - B: 0170 1234567\n31.12.23, 21:09 - A: a@b.example\n");
    assert!(matches!(of(media, &["A"]), ChatError::NothingKept { read: 3 }));
    let alone = write("alone.txt", b"31.12.23, 21:08 - A: hello?\n31.12.23, 22:08 - A: anybody?\n");
    assert!(matches!(of(alone, &["A"]), ChatError::OneSided { chats: 1, .. }));
    let unknown = error(&request(&[fixture("discord")]), &["Nobody"]);
    let ChatError::UnknownPersona { name, senders, names } = unknown else { panic!("{unknown}") };
    assert_eq!((&*name, senders, &*names), ("Nobody", 2, "Ben (2), Jorun (2)"));
    let none = gather(&request(&[folder.path().join("none")]), &mut |_| ());
    assert!(matches!(none, Err(wisp_model::Error::Read { .. })));
}

fn run(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_wisp-model"));
    command.arg("ingest").current_dir(folder).args(arguments).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    let text = String::from_utf8(bytes.to_vec()).unwrap();
    let words = text.split_whitespace().filter(|word| *word != "│" && *word != "╰─▶");
    words.collect::<Vec<_>>().join(" ")
}

#[test]
fn a_folder_is_written_and_holds_no_message_in_its_reports() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let exports = fixture("messenger");
    let exports = exports.to_str().unwrap();
    let arguments = [exports, "--persona", "Ben Holm", "-o", "out", "--time-zone", "UTC"];
    let output = run(folder, &arguments);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let page = text(&output.stdout);
    for part in ["kept 7 of 19 lines", "phone numbers 1", "annaberg_1001 17 7 2023-11-14"] {
        assert!(page.contains(part), "{part} in {page}");
    }
    let read = |name: &str| std::fs::read_to_string(folder.join("out").join(name)).unwrap();
    let chats = read("chats.jsonl");
    assert!(chats.starts_with("{\"time\":1700000000000,\"sender\":\"Anna Bérg\",\"text\":\"hej!"));
    let (html, json) = (read("report.html"), read("report.json"));
    for message in ["vaken", "nearly", "warm", "bluemoon", "912", "anna@", "morning"] {
        for report in [&html, &json, &page, &text(&output.stderr)] {
            assert!(!report.contains(message), "{message} in {report}");
        }
    }
    for outside in ["http://www.w3.org/2000/svg", "<script", "@import", "url("] {
        let allowed = outside.starts_with("http");
        assert_eq!(html.contains(outside), allowed, "{outside}");
    }
    assert_eq!(html.matches("://").count(), html.matches("www.w3.org").count());
    let plots =
        ["Messages per month", "dropped, and why", "Time from one message", "in a row, in %"];
    for plot in plots {
        assert!(html.contains(plot), "{plot}");
    }
    assert_eq!(html.matches("<svg").count(), 4);
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["dropped"]["phone"], 1);
    assert_eq!(json["rhythm"]["own"], 5);
    // Once more beside it, with the output inside of what is read: it is not read back.
    let again = run(folder, &[".", exports, "--persona", "Ben Holm", "-o", "out", "--json"]);
    assert!(again.status.success(), "{}", text(&again.stderr));
    let json: serde_json::Value = serde_json::from_slice(&again.stdout).unwrap();
    assert_eq!(json["read"], 19);
}

#[test]
fn a_failure_leaves_nothing_and_says_no_message() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let exports = fixture("messenger");
    let exports = exports.to_str().unwrap();
    let zones = [exports, "--persona", "Ben Holm", "-o", "out", "--time-zone", "Mars/Base"];
    for (arguments, parts) in [
        (
            &[exports, "-o", "out"][..],
            &["chats::no_persona", "2 people write", "Anna Bérg (7), Ben Holm (5)"][..],
        ),
        (
            &[exports, "-o", "out", "--persona", "Zoe"],
            &["chats::unknown_persona", "nobody called `Zoe`", "2 others"],
        ),
        (&["none", "-o", "out"], &["file::read", "none"]),
        (&zones, &["chats::time_zone", "Mars/Base"]),
        (&[exports, "-o", "file/out", "--persona", "Ben Holm"], &["file::write"]),
    ] {
        std::fs::write(folder.join("file"), "in the way").unwrap();
        let output = run(folder, arguments);
        let message = text(&output.stderr);
        assert_eq!((output.status.code(), output.stdout.len()), (Some(1), 0), "{message}");
        for part in parts {
            assert!(message.contains(part), "{part} in {message}");
        }
        assert!(!message.contains("vaken"), "{message}");
        assert!(!folder.join("out").exists());
    }
}

#[test]
#[cfg(target_os = "linux")]
fn a_full_disk_leaves_nothing() {
    // A file may not grow beyond this: for the writer the same as a full disk.
    let folder = tempfile::tempdir().unwrap();
    let exports = fixture("messenger");
    let tool = env!("CARGO_BIN_EXE_wisp-model");
    let line = "trap '' XFSZ; ulimit -f 1; exec \"$0\" ingest \"$1\" --persona 'Ben Holm' -o out";
    let mut shell = Command::new("bash");
    shell.current_dir(&folder).args(["-c", line, tool]).arg(exports);
    let output = shell.output().unwrap();
    let message = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{message}");
    assert!(message.contains("wisp_model::file::write"), "{message}");
    assert!(!folder.path().join("out").exists());
}
