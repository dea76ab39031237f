//! Exports of every format become the messages that they hold.
#![allow(clippy::unwrap_used, clippy::panic)]

#[path = "common/ingesting.rs"]
mod ingesting;

use ingesting::{error, fixture, ingest, request};
use jiff::tz::TimeZone;
use wisp_model::chats::clean::{Keep, Reason};
use wisp_model::chats::export::Service;
use wisp_model::chats::ingest::gather;
use wisp_model::chats::senders::{list, senders};
use wisp_model::chats::{ChatError, Message, canonical};
use wisp_model::report::{LeftOut, Report};

/// Every line is kept, dropped for a reason, or in a chat that is left out.
fn assert_complete(report: &Report) {
    let dropped: u64 = report.dropped.values().sum();
    let left_out: u64 = report.left_out.values().map(|count| count.lines).sum();
    assert_eq!(report.read, report.kept + dropped + left_out);
    let by_chat: u64 = report.chats.iter().map(|chat| chat.kept).sum();
    let by_month: u64 = report.months.iter().map(|month| month.own + month.others).sum();
    assert_eq!((by_chat, by_month), (report.kept, report.kept));
    assert_eq!(report.rhythm.own + report.rhythm.others, report.kept);
}

/// Ingests a fixture: every message in short, and the report.
fn read(name: &str, persona: &[&str]) -> (Vec<(String, i64, String, String)>, Report) {
    let (messages, report) = ingest(&request(&[fixture(name)]), persona).unwrap();
    assert_complete(&report);
    let short = |it: Message| (it.chat, it.time_ms, it.sender, it.text);
    (messages.into_iter().map(short).collect(), report)
}

fn check(messages: &[(String, i64, String, String)], expected: &[(&str, i64, &str, &str)]) {
    let messages: Vec<_> =
        messages.iter().map(|(chat, time, who, text)| (&**chat, *time, &**who, &**text)).collect();
    assert_eq!(messages, expected);
}

fn dropped(report: &Report) -> Vec<(Reason, u64)> {
    report.dropped.iter().map(|(reason, count)| (*reason, *count)).collect()
}

const T: i64 = 1_700_000_000_000;

#[test]
fn messenger_classic() {
    let (messages, report) = read("messenger", &["Ben Holm"]);
    let chat = "annaberg_1001";
    check(
        &messages,
        &[
            (chat, T, "Anna Bérg", "hej! är du vaken? ☕"),
            (chat, T + 20_000, "Ben Holm", "always"),
            (chat, T + 23_000, "Ben Holm", "well, nearly"),
            (chat, T + 90_000, "Ben Holm", "that looks warm"),
            (chat, T + 4_200_000, "Ben Holm", "read this"),
            (chat, T + 90_000_000, "Ben Holm", "good morning"),
            (chat, T + 90_010_000, "Anna Bérg", "morning"),
        ],
    );
    assert_eq!(
        dropped(&report),
        [
            (Reason::System, 1),
            (Reason::Reaction, 1),
            (Reason::Media, 2),
            (Reason::Unsent, 1),
            (Reason::Duplicate, 1),
            (Reason::Link, 1),
            (Reason::Phone, 1),
            (Reason::Email, 1),
            (Reason::Code, 1),
        ]
    );
    assert_eq!(report.left_out[&LeftOut::Group].chats, 1);
    assert_eq!((report.files, report.unknown_files, report.links_cut), (4, 1, 1));
    // 1, 2 and 10 are there.
    assert!(report.notes.iter().any(|it| it.contains("7 of the files before it are not")));
}

#[test]
fn the_encrypted_export_goes_on_where_the_classic_one_ends() {
    let paths = [fixture("messenger_e2ee"), fixture("messenger")];
    let (messages, report) = ingest(&request(&paths), &["Ben Holm"]).unwrap();
    assert_complete(&report);
    assert_eq!(messages.len(), 9);
    assert!(messages.iter().all(|message| message.chat == "annaberg_1001"));
    let last: Vec<_> = messages.iter().skip(7).map(|it| it.text.as_str()).collect();
    assert_eq!(last, ["this one is encrypted ☕", "now it is a secret"]);
    assert_eq!(report.dropped[&Reason::Duplicate], 3);
    let (alone, report) = read("messenger_e2ee", &["Anna Bérg"]);
    assert_eq!((alone.len(), &*alone[0].0), (4, "Anna Bérg_1"));
    assert_eq!(dropped(&report), [(Reason::Media, 1), (Reason::Unsent, 1)]);
}

#[test]
fn instagram() {
    let (messages, report) = read("instagram", &["Ziça"]);
    let chat = "benholm_77";
    let expected =
        [(chat, T + 4000, "Ziça", "olá ben 😀"), (chat, T + 9000, "ben", "you liked it?")];
    check(&messages, &expected);
    assert_eq!(dropped(&report), [(Reason::Reaction, 1), (Reason::Media, 1)]);
    assert!(report.services.contains_key(&Service::Instagram));
}

const NEW_YEAR: i64 = 1_704_067_200_000;

#[test]
fn whatsapp_android() {
    let (messages, report) = read("whatsapp/WhatsApp Chat with Dana.txt", &["Dana"]);
    let minute = |minutes: i64| NEW_YEAR + minutes * 60_000;
    check(
        &messages,
        &[
            ("Dana", minute(-172), "Dana", "happy almost new year"),
            ("Dana", minute(-172), "Ben", "two hours to go"),
            ("Dana", minute(-171), "Ben", "bring:\n- soup\n\n- a hat"),
            ("Dana", minute(-169), "Dana", "ok"),
            ("Dana", minute(-169), "Dana", "ok"),
            ("Dana", minute(2), "Ben", "happy new year!"),
            ("Dana", minute(3), "Dana", "the sky at midnight"),
        ],
    );
    assert_eq!(dropped(&report), [(Reason::System, 3), (Reason::Media, 1), (Reason::Unsent, 1)]);
}

#[test]
fn whatsapp_iphone_in_another_zone() {
    let mut request = request(&[fixture("whatsapp/_chat.txt")]);
    request.hints.zone = TimeZone::get("Europe/Berlin").unwrap();
    let (messages, report) = ingest(&request, &["Dr: Emil"]).unwrap();
    let first = 1_698_717_550_000; // 2023-10-31 01:59:10 UTC
    let expected: Vec<(i64, &str, &str)> = vec![
        (first, "Dr: Emil", "guten morgen: schon wach?"),
        (first + 20_000, "Ben", "ja: leider"),
        (first + 59_000, "Dr: Emil", "kaffee? ☕"),
        (first + 110_000, "Dr: Emil", "zwei zeilen\nsind zwei"),
        (first + 111_650_000, "Ben", "bis gleich"),
    ];
    let short: Vec<_> =
        messages.iter().map(|it| (it.time_ms, it.sender.as_str(), it.text.as_str())).collect();
    assert_eq!(short, expected);
    assert!(messages.iter().all(|message| message.chat == "Ben"));
    assert_eq!(dropped(&report), [(Reason::System, 1), (Reason::Media, 1), (Reason::Unsent, 1)]);
}

#[test]
fn whatsapp_arabic_digits_and_groups() {
    let (messages, report) = read("whatsapp/arabic.txt", &["Ben"]);
    let time = NEW_YEAR - 172 * 60_000;
    let expected =
        [("سارة", time, "سارة", "مساء الخير"), ("سارة", time + 60_000, "Ben", "مساء النور")];
    check(&messages, &expected);
    assert_eq!(dropped(&report), [(Reason::Unsent, 1)]);

    let mut request = request(&[fixture("whatsapp/group.txt")]);
    let only = error(&request, &["Ben"]);
    assert!(matches!(only, ChatError::OnlyGroups { chats: 1, .. }), "{only}");
    request.groups = true;
    let (messages, _) = ingest(&request, &["Ben"]).unwrap();
    assert_eq!(messages.len(), 3);
}

#[test]
fn whatsapp_names_with_quotation_marks() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("chat.txt");
    let lines = [
        "29.10.23, 12:00 - Bob \"Bear\" Hill: hello",
        "29.10.23, 12:01 - Ann changed the subject to “tea: now”",
        "29.10.23, 12:01 - Ann changed the subject from \"tea: now\" to \"tea: later\"",
        "29.10.23, 12:02 - Ann: hello bear",
    ];
    std::fs::write(&path, lines.join("\n")).unwrap();
    let (messages, report) = ingest(&request(&[path]), &["Ann"]).unwrap();
    let senders: Vec<_> = messages.iter().map(|it| it.sender.as_str()).collect();
    assert_eq!(senders, ["Bob \"Bear\" Hill", "Ann"]);
    assert_eq!(dropped(&report), [(Reason::System, 2)]);
}

#[test]
fn clocks_that_are_set_back_keep_a_chat_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("chat.txt");
    let lines = [
        "29.10.23, 02:30 - A: first half past two",
        "29.10.23, 02:59 - B: still summer",
        "29.10.23, 02:10 - A: winter",
        "29.10.23, 03:10 - B: later",
        "29.10.23, 03:05 - A: delivered late",
    ];
    std::fs::write(&path, lines.join("\n")).unwrap();
    let mut request = request(&[path]);
    request.hints.zone = TimeZone::get("Europe/Berlin").unwrap();
    let (messages, _) = ingest(&request, &["A"]).unwrap();
    let start = messages[0].time_ms;
    let minutes: Vec<_> = messages.iter().map(|it| (it.time_ms - start) / 60_000).collect();
    assert_eq!(minutes, [0, 29, 40, 100, 100]);
    assert_eq!(messages[4].text, "delivered late");
}

#[test]
fn whatsapp_in_an_archive() {
    use std::io::Write;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("WhatsApp Chat - Emil.zip");
    let mut archive = zip::ZipWriter::new(std::fs::File::create(&path).unwrap());
    let options = zip::write::SimpleFileOptions::default();
    archive.start_file("_chat.txt", options).unwrap();
    archive.write_all(&std::fs::read(fixture("whatsapp/_chat.txt")).unwrap()).unwrap();
    archive.start_file("PHOTO-1.jpg", options).unwrap();
    archive.write_all(&[0xff; 1000]).unwrap();
    archive.finish().unwrap();
    let (messages, report) = ingest(&request(&[folder.path().to_owned()]), &["Ben"]).unwrap();
    assert_eq!((messages.len(), report.skipped_files, report.files), (5, 1, 1));

    let whole = std::fs::read(&path).unwrap();
    std::fs::write(&path, &whole[..whole.len() / 2]).unwrap();
    assert!(matches!(error(&request(&[path]), &["Ben"]), ChatError::Zip { .. }));
}

#[test]
fn telegram_one_chat_and_everything() {
    let (messages, report) = read("telegram/result.json", &["Ben"]);
    let first = 1_670_621_139_000;
    check(
        &messages,
        &[
            ("Finn", first, "Finn", "have you read it?"),
            ("Finn", first + 28_000, "Ben", "not yet, tonight"),
            ("Finn", first + 72_000, "Ben", "my desk"),
            // Its clock is taken as UTC here.
            ("Finn", 1_670_621_340_000, "Finn", "an old one, without a zone"),
        ],
    );
    assert_eq!(dropped(&report), [(Reason::System, 1), (Reason::Media, 1), (Reason::Forwarded, 2)]);
    let (messages, report) = read("telegram/everything.json", &["Ben"]);
    let hello = 1_672_567_200_000;
    check(
        &messages,
        &[
            ("Deleted Account", hello, "Deleted Account", "i am gone"),
            ("Deleted Account", hello + 5000, "Ben", "oh no"),
            ("Gro", hello, "Gro", "hello from the full export"),
            ("Gro", hello + 10_000, "Ben", "hello back"),
        ],
    );
    assert_eq!(report.left_out[&LeftOut::Group].chats, 1);
    assert_eq!(report.left_out[&LeftOut::WithoutPersona].chats, 1);
}

#[test]
fn sms() {
    let (messages, report) = read("sms", &["Hedda"]);
    let time = 1_704_103_200_000;
    check(
        &messages,
        &[
            ("Hedda", time, "Hedda", "are you \"there\" & awake? 😂"),
            ("Hedda", time + 10_000, "Me", "yes\nnearly"),
            ("Hedda", time + 50_000, "Hedda", "from my window"),
        ],
    );
    assert_eq!(dropped(&report), [(Reason::Reaction, 1), (Reason::Media, 1), (Reason::Unsent, 1)]);
    assert_eq!(report.services[&Service::Sms].chats, 3);
}

#[test]
fn discord() {
    let (messages, report) = read("discord", &["Ben"]);
    let time = 1_614_888_000_123;
    check(
        &messages,
        &[
            ("jorun", time, "Jorun", "hey :wave:"),
            ("jorun", time + 30_377, "Ben", "hi  <3"),
            ("jorun", time + 179_877, "Ben", "nice one"),
        ],
    );
    assert_eq!(dropped(&report), [(Reason::System, 1), (Reason::Media, 1), (Reason::Empty, 1)]);
}

#[test]
fn json_lines_and_what_ingest_itself_wrote() {
    let (messages, report) = read("json_lines", &["Ben"]);
    let time = 1_704_103_200_000;
    let expected = [("kari", time, "Kari", "first"), ("kari", time + 10_000, "Ben", "second")];
    check(&messages, &expected);
    assert_eq!(dropped(&report), [(Reason::Empty, 1), (Reason::Unreadable, 1)]);

    let (messages, _) = ingest(&request(&[fixture("messenger")]), &["Ben Holm"]).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let mut file = Vec::new();
    canonical::write(&mut file, &messages).unwrap();
    std::fs::write(folder.path().join(canonical::FILE_NAME), file).unwrap();
    assert_eq!(canonical::read(folder.path()).unwrap(), messages);
    let again = ingest(&request(&[folder.path().to_owned()]), &["Ben Holm"]).unwrap().0;
    assert_eq!(again, messages);
}

#[test]
fn json_lines_with_times_as_others_write_them() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("chat.jsonl");
    let times = [
        "1704103200",
        "1704103201.5",
        "1704103202000",
        "\"2024-01-01T11:00:03+01:00\"",
        "\"1704103204\"",
        "\" 1704103205000\"",
    ];
    let lines: Vec<String> = times
        .iter()
        .zip(["Kari", "Ben"].iter().cycle())
        .enumerate()
        .map(|(place, (time, who))| {
            format!(r#"{{"time": {time}, "sender": "{who}", "text": "as {place}", "chat": "c"}}"#)
        })
        .collect();
    std::fs::write(&path, lines.join("\n")).unwrap();
    let (messages, report) = ingest(&request(&[path]), &["Ben"]).unwrap();
    let times: Vec<_> = messages.iter().map(|it| it.time_ms - 1_704_103_200_000).collect();
    assert_eq!(times, [0, 1500, 2000, 3000, 4000, 5000]);
    assert!(dropped(&report).is_empty());
}

#[test]
fn everything_at_once_with_several_names() {
    let (messages, report) = read(".", &["Ben Holm", "ben", "Me", "Kari"]);
    assert!(messages.iter().all(|(_, _, sender, _)| sender != "Ben" && sender != "ben"));
    assert_eq!(report.services.len(), 7);
    let chats: Vec<_> = report.chats.iter().map(|chat| chat.name.as_str()).collect();
    for chat in ["annaberg_1001", "Dana", "Dr: Emil", "Finn", "Gro", "Hedda", "jorun", "سارة"] {
        assert!(chats.contains(&chat), "{chat} in {chats:?}");
    }
    // In the record both sides are the persona now.
    assert_eq!(report.left_out[&LeftOut::OneSided].chats, 1);
}

#[test]
fn names_in_two_services_are_told_apart_and_chats_can_be_left_out() {
    let folder = tempfile::tempdir().unwrap();
    let chat = std::fs::read_to_string(fixture("telegram/result.json")).unwrap();
    let dana = chat.replace("Finn", "Dana");
    std::fs::write(folder.path().join("result.json"), dana).unwrap();
    let paths = [folder.path().to_owned(), fixture("whatsapp/WhatsApp Chat with Dana.txt")];
    let mut request = request(&paths);
    let (_, report) = ingest(&request, &["Ben"]).unwrap();
    let mut names: Vec<_> = report.chats.iter().map(|chat| chat.name.as_str()).collect();
    names.sort_unstable();
    assert_eq!(names, ["Dana (Telegram)", "Dana (WhatsApp)"]);
    request.without = vec!["dana".into()];
    assert!(matches!(error(&request, &["Ben"]), ChatError::NothingKept { .. }));
}

#[test]
fn overlapping_exports_are_read_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = fixture("whatsapp/WhatsApp Chat with Dana.txt");
    let older: Vec<_> =
        std::fs::read_to_string(&path).unwrap().lines().take(9).map(str::to_owned).collect();
    let name = "WhatsApp Chat with Dana.txt";
    std::fs::write(folder.path().join(name), older.join("\n")).unwrap();
    let mut request = request(&[folder.path().to_owned(), path]);
    let (messages, report) = ingest(&request, &["Ben"]).unwrap();
    assert_complete(&report);
    assert_eq!((messages.len(), report.dropped[&Reason::Duplicate]), (7, 4));
    request.options.keep = [Keep::Duplicates].into();
    assert_eq!(ingest(&request, &["Ben"]).unwrap().0.len(), 11);
}

#[test]
fn the_question_lists_who_writes() {
    let gathered = gather(&request(&[fixture("messenger")]), &mut |_| ()).unwrap();
    let senders = senders(&gathered.chats, false);
    assert_eq!(list(&senders), "Anna Bérg (7), Ben Holm (5)");
}
