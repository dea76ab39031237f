//! The verb `synthesise`: what is sent, what is written, and how it goes on.
#![cfg(feature = "synthesise")]
#![allow(clippy::unwrap_used, clippy::panic)]

#[path = "common/teacher.rs"]
mod teacher;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;
use teacher::{Reply, Request, Teacher, conversation, good, sentence, status};

const VARIABLE: &str = "TEST_TEACHER_KEY";

/// Forty conversations between Ada and Moth.
fn chats(folder: &Path) {
    let mut lines = String::new();
    for number in 0..40u64 {
        for place in 0..6 {
            let sender = if place % 2 == 0 { "Ada Quill" } else { "Moth" };
            let record = serde_json::json!({
                "time": 1_700_000_000_000u64 + number * 30_000_000 + place * 9000,
                "sender": sender, "text": sentence(number * 6 + place), "chat": "ada",
            });
            lines += &format!("{record}\n");
        }
    }
    std::fs::write(folder.join("chats.jsonl"), lines).unwrap();
}

struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        chats(folder.path());
        Self(folder)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn command(&self, url: &str, more: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_wisp-model"));
        command.current_dir(self.0.path()).env_remove(VARIABLE).stdin(Stdio::null());
        // A proxy must not be asked, whatever the environment says.
        command.env("http_proxy", "http://127.0.0.1:1").env("ALL_PROXY", "http://127.0.0.1:1");
        command.args(["synthesise", "--chats", "chats.jsonl", "--persona", "Moth"]);
        command.args(["--teacher", url, "--model", "tiny:1b", "-o", "out.jsonl"]);
        command.args(["--api-key-env", VARIABLE]).args(more);
        command
    }

    fn works(&self, url: &str, more: &[&str]) -> String {
        let output = self.command(url, more).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// A run that must fail: its message without the frame and line breaks.
    fn fails(&self, url: &str, more: &[&str]) -> String {
        let output = self.command(url, more).output().unwrap();
        assert_eq!(output.status.code(), Some(1));
        assert_eq!(output.stdout, b"");
        let said = String::from_utf8(output.stderr).unwrap();
        let words = said.split_whitespace().filter(|it| !["│", "╰─▶"].contains(it));
        words.collect::<Vec<_>>().join(" ")
    }

    fn records(&self) -> Vec<Value> {
        let text = std::fs::read_to_string(self.path("out.jsonl")).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    fn origin(&self) -> Value {
        serde_json::from_slice(&std::fs::read(self.path("out.origin.json")).unwrap()).unwrap()
    }
}

/// A conversation's number and how many messages it says it has, for each message.
fn marks(records: &[Value]) -> Vec<(u64, u64)> {
    let number = |it: &Value, field: &str| it["origin"][field].as_u64().unwrap();
    records.iter().map(|it| (number(it, "conversation"), number(it, "messages"))).collect()
}

/// Every conversation is there once and whole.
fn assert_whole(records: &[Value], conversations: u64) {
    let marks = marks(records);
    for number in 1..=conversations {
        let of: Vec<_> = marks.iter().filter(|mark| mark.0 == number).collect();
        assert!(!of.is_empty() && of.iter().all(|mark| mark.1 == of.len() as u64), "{number}");
    }
    assert!(marks.iter().all(|mark| mark.0 <= conversations) && marks.is_sorted());
}

/// Two conversations an answer.
fn fruitful() -> Teacher {
    Teacher::new(|number, _| {
        let number = number as u64 * 2;
        good(&(conversation(number) + &conversation(number + 1)))
    })
}

#[test]
fn what_is_left_out_of_the_training_is_not_shown_to_the_teacher() {
    let shown = |more: &[&str]| -> usize {
        let place = Place::new();
        let chats = std::fs::read_to_string(place.path("chats.jsonl")).unwrap();
        // The second message of each conversation.
        let unwanted: Vec<&str> = chats.lines().skip(1).step_by(6).collect();
        std::fs::write(place.path("remember.jsonl"), unwanted.join("\n")).unwrap();
        let teacher = fruitful();
        place.works(&teacher.url(), &[&["--yes", "--conversations", "8"], more].concat());
        let bodies: String = teacher.seen().into_iter().map(|request| request.body).collect();
        (0..40).filter(|number| bodies.contains(&sentence(number * 6 + 1))).count()
    };
    assert!(shown(&[]) > 0);
    assert_eq!(shown(&["--without", "remember.jsonl"]), 0);
}

#[test]
fn conversations_are_written_marked_and_gone_on_with() {
    let place = Place::new();
    let teacher = fruitful();
    let page = place.works(&teacher.url(), &["--yes", "--conversations", "5", "--seed", "7"]);
    assert!(page.contains("out.jsonl: 5 conversations, 40 messages"), "{page}");
    assert!(page.contains("--apart out.jsonl=0.5"), "{page}");
    let first = place.records();
    assert_whole(&first, 5);
    assert_eq!(teacher.seen().len(), 3);
    for (record, next) in first.iter().zip(&first[1..]) {
        assert_eq!(record["chat"], "synthetic/tiny:1b");
        assert_eq!(record["origin"]["teacher"], "tiny:1b");
        assert!(["Moth", "friend"].contains(&record["sender"].as_str().unwrap()));
        let gap = next["time"].as_i64().unwrap() - record["time"].as_i64().unwrap();
        let same = record["origin"]["conversation"] == next["origin"]["conversation"];
        assert!(if same { gap > 3000 && gap < 12_000 } else { gap == 5_000_000 }, "{gap}");
    }
    let origin = place.origin();
    let run = &origin["runs"][0];
    assert_eq!((&run["model"], &run["teacher"]), (&"tiny:1b".into(), &teacher.url().into()));
    assert_eq!((&run["requests"], &run["tokens_read"]), (&3.into(), &300.into()));
    assert_eq!((&run["conversations"], &run["messages"]), (&5.into(), &40.into()));
    assert_eq!((&run["seed"], &run["examples"]), (&7.into(), &3.into()));

    // Enough is enough.
    place.works(&teacher.url(), &["--yes", "--conversations", "5"]);
    assert_eq!(teacher.seen().len(), 3);
    place.works(&teacher.url(), &["--yes", "--conversations", "8"]);
    let second = place.records();
    assert_whole(&second, 8);
    assert_eq!(second[..40], first[..]);
    assert!(second.is_sorted_by_key(|record| record["time"].as_i64()));
    assert_eq!(place.origin()["runs"].as_array().unwrap().len(), 2);
    let bodies: std::collections::BTreeSet<_> =
        teacher.seen().into_iter().map(|it| it.body).collect();
    assert_eq!(bodies.len(), teacher.seen().len(), "no two requests are the same");

    let mut prepare = Command::new(env!("CARGO_BIN_EXE_wisp-model"));
    prepare.current_dir(place.0.path()).args(["prepare", "--chats", "chats.jsonl", "--persona"]);
    prepare.args(["Moth", "--apart", "out.jsonl=0.5", "--vocabulary", "300", "-o", "dataset"]);
    let output = prepare.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let about = std::fs::read(place.path("dataset/dataset.json")).unwrap();
    let about: Value = serde_json::from_slice(&about).unwrap();
    let source = &about["sources"][1];
    assert_eq!((&source["name"], &source["weight"]), (&"chats_out".into(), &0.5.into()));
    assert_eq!(source["teachers"], serde_json::json!(["tiny:1b"]));
    assert_eq!(source["train"]["documents"], 7);
    assert_eq!(about["sources"][0]["train"]["documents"], 38);
    assert!(about["sources"][0].get("teachers").is_none());
    assert_eq!(about["statistics"]["counts"]["own"], 120, "only the person's own messages count");
}

#[test]
fn nothing_is_sent_without_consent() {
    let place = Place::new();
    let teacher = fruitful();
    let said = place.fails(&teacher.url(), &[]);
    for part in
        ["synthesise::consent", "give --yes", "3 conversations of chats.jsonl", &teacher.url()]
    {
        assert!(said.contains(part), "{part} in {said}");
    }
    assert!(teacher.seen().is_empty());
    assert!(!place.path("out.jsonl").exists() && !place.path("out.origin.json").exists());
}

#[test]
fn what_is_sent() {
    let texts =
        |request: &Request| (0..240).filter(|it| request.body.contains(&sentence(*it))).count();
    let place = Place::new();
    let teacher = fruitful();
    place.works(&teacher.url(), &["--yes", "--conversations", "1", "--examples", "2"]);
    assert_eq!(texts(&teacher.seen()[0]), 12);
    for secret in ["Ada", "Quill", "Moth", "chats.jsonl", "1700"] {
        assert!(!teacher.seen()[0].body.contains(secret), "{secret}");
    }
    std::fs::write(place.path("about.txt"), "A moth that likes lamps.").unwrap();
    let more = ["--yes", "--conversations", "2", "--examples", "0", "--describe", "about.txt"];
    place.works(&teacher.url(), &more);
    assert_eq!(texts(&teacher.seen()[1]), 0);
    assert!(teacher.seen()[1].body.contains("A moth that likes lamps."));
    let said = place.fails(&teacher.url(), &["--yes", "--examples", "0", "--conversations", "9"]);
    assert!(said.contains("synthesise::nothing_to_tell"), "{said}");
}

#[test]
fn the_key_goes_to_the_server_and_nowhere_else() {
    let place = Place::new();
    let teacher = fruitful();
    let run = |url: &str, more: &[&str]| {
        place.command(url, more).env(VARIABLE, "sk-very-secret").output().unwrap()
    };
    let output = run(&teacher.url(), &["--yes", "--conversations", "2", "--json"]);
    assert!(output.status.success());
    assert_eq!(teacher.seen()[0].headers["authorization"], "Bearer sk-very-secret");
    let refusing = Teacher::new(|_, _| {
        status("401 No", "", r#"{"error":{"message":"Incorrect key: sk-very-secret"}}"#)
    });
    let refused = run(&refusing.url(), &["--yes", "--conversations", "4"]);
    assert_eq!(refused.status.code(), Some(1));
    // Nobody is asked there: documentation's own network.
    let plain = run("http://192.0.2.1/v1", &["--yes", "--conversations", "4"]);
    assert_eq!(plain.status.code(), Some(1));
    let said = String::from_utf8_lossy(&plain.stderr);
    assert!(said.contains("synthesise::plain_key"), "{said}");
    for output in [&output, &refused, &plain] {
        for bytes in [&output.stdout, &output.stderr] {
            assert!(!String::from_utf8_lossy(bytes).contains("secret"));
        }
    }
    for file in ["out.jsonl", "out.origin.json"] {
        assert!(!std::fs::read_to_string(place.path(file)).unwrap().contains("secret"));
    }
    assert!(String::from_utf8_lossy(&output.stderr).contains(&format!("from ${VARIABLE}")));
}

#[test]
fn a_killed_run_is_gone_on_with() {
    let place = Place::new();
    let teacher = Teacher::new(|number, _| match number {
        0 => good(&conversation(0)),
        1 => good(&conversation(1)),
        _ => Reply::Silence,
    });
    let mut command = place.command(&teacher.url(), &["--yes", "--conversations", "4"]);
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    while teacher.seen().len() < 3 {
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let before = place.records();
    assert_whole(&before, 2);
    assert_eq!(place.origin()["runs"][0]["conversations"], 2);

    // A crash of the computer can leave any part of the next conversation.
    let bytes = std::fs::read(place.path("out.jsonl")).unwrap();
    let mut torn = bytes.clone();
    torn.extend_from_slice(
        b"{\"time\":1,\"sender\":\"Moth\",\"text\":\"x\",\"chat\":\"synthetic/t\",\
        \"origin\":{\"teacher\":\"t\",\"conversation\":3,\"messages\":9}}\n{\"time\":2,\"sen",
    );
    std::fs::write(place.path("out.jsonl"), torn).unwrap();
    let teacher = Teacher::new(|number, _| good(&conversation(2 + number as u64)));
    place.works(&teacher.url(), &["--yes", "--conversations", "4"]);
    let after = place.records();
    assert_whole(&after, 4);
    assert_eq!(after[..before.len()], before[..]);
}

#[test]
fn what_was_there_of_something_else_stays() {
    let place = Place::new();
    let teacher = fruitful();
    let try_with = |bytes: &[u8], code: &str| {
        std::fs::write(place.path("out.jsonl"), bytes).unwrap();
        let said = place.fails(&teacher.url(), &["--yes", "--conversations", "4"]);
        assert!(said.contains(code), "{said}");
        assert_eq!(std::fs::read(place.path("out.jsonl")).unwrap(), bytes);
    };
    let chats = std::fs::read(place.path("chats.jsonl")).unwrap();
    try_with(&chats, "synthesise::foreign");
    try_with(&chats[..chats.len() - 1], "synthesise::foreign");
    let line = chats.split(|it| *it == b'\n').next().unwrap();
    try_with(line, "synthesise::foreign");
    try_with(b"my diary", "synthesise::foreign");
    try_with(b"my diary\n", "synthesise::foreign");
    let other = "{\"time\":1,\"sender\":\"Bee\",\"text\":\"x\",\"chat\":\"synthetic/t\",\
        \"origin\":{\"teacher\":\"t\",\"conversation\":1,\"messages\":1}}\n";
    try_with(other.as_bytes(), "synthesise::other_persona");
    assert!(teacher.seen().is_empty());

    std::fs::remove_file(place.path("out.jsonl")).unwrap();
    std::fs::write(place.path("out.origin.json"), "{\"about\": 3}").unwrap();
    let said = place.fails(&teacher.url(), &["--yes"]);
    assert!(said.contains("synthesise::origin"), "{said}");
}

#[test]
fn two_at_once_do_not_mix() {
    let place = Place::new();
    let slow = Teacher::new(|number, _| match number {
        0 => good(&conversation(0)),
        _ => Reply::Silence,
    });
    let mut command = place.command(&slow.url(), &["--yes", "--conversations", "4"]);
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    while slow.seen().len() < 2 {
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    let said = place.fails(&fruitful().url(), &["--yes", "--conversations", "4"]);
    assert!(said.contains("synthesise::locked"), "{said}");
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn bad_conversations_are_counted_and_a_useless_teacher_is_left() {
    let place = Place::new();
    let teacher = Teacher::new(|number, _| match number {
        0 => good(&(conversation(0) + &conversation(0))),
        1 => {
            let copied: String = (0..6)
                .map(|it| format!("{} 5: {}\n", ["friend", "persona"][it % 2], sentence(it as u64)))
                .collect();
            let private = conversation(1).replacen(&sentence(1_000_011), "mail a@b.example", 1);
            good(&format!("{copied}\n===\n{private}"))
        }
        2 => status("200 OK", "", "{\"choices\": [{\"mess"),
        _ => good("I cannot help with that.\u{1b}[2J"),
    });
    let said = place.fails(&teacher.url(), &["--yes", "--conversations", "4"]);
    assert!(
        said.contains("synthesise::fruitless") && said.contains("8 answers in a row"),
        "{said}"
    );
    assert!(!said.contains('\u{1b}'));
    assert_whole(&place.records(), 1);
    let rejected = &place.origin()["runs"][0]["rejected"];
    let expected = serde_json::json!({"duplicate": 1, "copied": 1, "private": 1, "no_answer": 7});
    assert_eq!(*rejected, expected);
    assert_eq!(teacher.seen().len(), 9);
}

#[test]
fn several_requests_at_once() {
    let place = Place::new();
    let teacher = Teacher::new(|number, _| {
        let numbers = number as u64 * 4..number as u64 * 4 + 4;
        good(&numbers.map(conversation).collect::<String>())
    });
    let more = ["--yes", "--conversations", "30", "--parallel", "4"];
    place.works(&teacher.url(), &more);
    assert_whole(&place.records(), 30);
    assert_eq!(teacher.seen().len(), 8, "no more is asked for than is needed");
}

#[test]
fn arguments_that_make_no_sense() {
    let place = Place::new();
    let url = "http://127.0.0.1:1/v1";
    let said = place.fails("http://me:secret@localhost/v1", &["--yes"]);
    assert!(said.contains("synthesise::address") && !said.contains("secret"), "{said}");
    let said = place.fails(url, &["--yes", "--show", "nobody"]);
    assert!(said.contains("synthesise::chat") && said.contains("nobody"), "{said}");
    let said = place.fails(url, &["--yes", "--describe", "none.txt"]);
    assert!(said.contains("none.txt"), "{said}");
    std::fs::write(place.path("long.txt"), "x".repeat(20_000)).unwrap();
    let said = place.fails(url, &["--yes", "--describe", "long.txt"]);
    assert!(said.contains("synthesise::description"), "{said}");
    let chats = std::fs::read_to_string(place.path("chats.jsonl")).unwrap();
    std::fs::write(place.path("chats.jsonl"), chats.replace("Moth", "Bee")).unwrap();
    let said = place.fails(url, &["--yes"]);
    assert!(said.contains("synthesise::persona"), "{said}");
    std::fs::write(place.path("chats.jsonl"), chats.replace("Ada Quill", "Moth")).unwrap();
    let said = place.fails(url, &["--yes"]);
    assert!(said.contains("synthesise::examples"), "{said}");
}
