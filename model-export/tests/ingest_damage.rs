//! Exports that are damaged at random: an error or messages, but never a panic, whatever the bytes.
//!
//! Here and not among the targets of libFuzzer: these readers belong to a program whose hundreds of
//! libraries would all be built with the sanitizer.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::path::{Path, PathBuf};

use jiff::tz::TimeZone;
use proptest::prelude::*;
use wisp_model::chats::clean::Options;
use wisp_model::chats::ingest::{Gathered, Request, digest, gather};
use wisp_model::chats::readers::{DateOrder, Format, HEAD_BYTES, Hints, Place, Reader, detect};
use wisp_model::chats::senders::senders;
use wisp_model::report::{html, terminal};

/// Every fixture with its format.
fn fixtures() -> Vec<(PathBuf, Vec<u8>, Format)> {
    let mut waiting = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures")];
    let mut found = Vec::new();
    while let Some(folder) = waiting.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                waiting.push(path);
            } else if let Ok(bytes) = std::fs::read(&path)
                && let Some(format) = detect(&bytes[..bytes.len().min(HEAD_BYTES)])
            {
                found.push((path, bytes, format));
            }
        }
    }
    found.sort_by(|one, other| one.0.cmp(&other.0));
    assert!(found.len() >= 14, "{}", found.len());
    found
}

fn request(order: Option<DateOrder>) -> Request {
    let zone = TimeZone::get("America/New_York").unwrap();
    Request {
        paths: Vec::new(),
        output: None,
        hints: Hints { zone, date_order: order, owner: "Me".into() },
        options: Options::default(),
        groups: true,
        without: Vec::new(),
    }
}

/// Reads bytes as a format and takes what comes out through everything after it.
fn take_through(format: Format, path: &Path, bytes: &[u8], order: Option<DateOrder>) {
    let request = request(order);
    let label = path.display().to_string();
    let place = Place { path: label.clone(), label };
    let mut reader = Reader::new(request.hints.clone());
    if let Err(trouble) = reader.read(format, &place, &mut &bytes[..]) {
        let _ = trouble.in_file(&place.label).to_string();
    }
    let (chats, notes) = reader.finish();
    let Some(name) = senders(&chats, true).first().map(|sender| sender.name.clone()) else {
        return;
    };
    let gathered = Gathered { chats, looked: Default::default(), notes };
    if let Ok((messages, report)) = digest(&request, gathered, &[name]) {
        let left_out: u64 = report.left_out.values().map(|count| count.lines).sum();
        let dropped: u64 = report.dropped.values().sum();
        assert_eq!(report.read, report.kept + dropped + left_out);
        assert_eq!(report.kept, messages.len() as u64);
        assert!(messages.iter().all(|message| !message.text.contains(['\u{0}', '\u{1b}'])));
        assert!(!html::page(&report).contains('\u{1b}'));
        assert!(!terminal::page(&report).contains('\u{1b}'));
    }
}

/// One change of a file.
#[derive(Clone, Debug)]
enum Change {
    Flip(usize, u8),
    Cut(usize),
    Remove(usize, usize),
    Insert(usize, Vec<u8>),
    Repeat(usize, usize),
}

fn change() -> impl Strategy<Value = Change> {
    let pieces: Vec<&[u8]> = vec![
        b"\"",
        b"{",
        b"]",
        b"null",
        b"-1",
        b"1e999",
        b"99999999999999999999",
        b": ",
        b"\n",
        b"\xff",
        b"\xe2\x80\x8e",
        b"\xe2\x80\xaf",
        b"&#55357;",
        b"&#x110000;",
        b"<",
        b"/>",
        b"[1/2/3, 4:05:06] ",
        b"\\ud800",
        b"\x1b[2J",
        b"\0",
        b"99/99/9999, 99:99 - ",
        b"\"timestamp_ms\":-9223372036854775808,",
    ];
    let piece = proptest::sample::select(pieces).prop_map(<[u8]>::to_vec);
    prop_oneof![
        (any::<usize>(), any::<u8>()).prop_map(|(at, bits)| Change::Flip(at, bits)),
        any::<usize>().prop_map(Change::Cut),
        (any::<usize>(), 1..40_usize).prop_map(|(at, count)| Change::Remove(at, count)),
        (any::<usize>(), piece).prop_map(|(at, piece)| Change::Insert(at, piece)),
        (any::<usize>(), 1..200_usize).prop_map(|(at, count)| Change::Repeat(at, count)),
    ]
}

fn apply(bytes: &mut Vec<u8>, change: &Change) {
    let place = |at: usize, bytes: &[u8]| at % (bytes.len() + 1);
    match change {
        Change::Flip(at, bits) => {
            let at = place(*at, bytes);
            if let Some(byte) = bytes.get_mut(at) {
                *byte ^= bits;
            }
        }
        Change::Cut(at) => bytes.truncate(place(*at, bytes)),
        Change::Remove(at, count) => {
            let at = place(*at, bytes);
            bytes.drain(at..bytes.len().min(at + count));
        }
        Change::Insert(at, piece) => {
            let at = place(*at, bytes);
            bytes.splice(at..at, piece.iter().copied());
        }
        Change::Repeat(at, count) => {
            let at = place(*at, bytes);
            let piece = bytes[at..bytes.len().min(at + count)].to_vec();
            bytes.splice(at..at, piece);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(800))]

    #[test]
    fn damaged_exports(
        which in any::<prop::sample::Index>(),
        changes in prop::collection::vec(change(), 1..6),
        order in prop::option::of(prop::sample::select(vec![DateOrder::Dmy, DateOrder::Mdy, DateOrder::Ymd])),
    ) {
        let fixtures = fixtures();
        let (path, bytes, format) = which.get(&fixtures);
        let mut bytes = bytes.clone();
        changes.iter().for_each(|change| apply(&mut bytes, change));
        let _ = detect(&bytes[..bytes.len().min(HEAD_BYTES)]);
        take_through(*format, path, &bytes, order);
    }

    #[test]
    fn any_bytes(bytes in prop::collection::vec(any::<u8>(), 0..300), text in "(\\PC|\n){0,80}") {
        let formats = [
            Format::Meta, Format::Telegram, Format::Discord, Format::WhatsApp, Format::Sms, Format::JsonLines,
        ];
        for format in formats {
            take_through(format, Path::new("x"), &bytes, None);
            take_through(format, Path::new("x"), text.as_bytes(), None);
        }
        let _ = detect(&bytes);
    }

    #[test]
    fn any_text_is_cleaned(text in "(\\PC|[0-9+. @:/-]|http://){0,60}") {
        let line = serde_json::json!({"time": 1_700_000_000_000_i64, "sender": "A", "text": text, "chat": "c"});
        let other = serde_json::json!({"time": 1_700_000_000_001_i64, "sender": "B", "text": "ok", "chat": "c"});
        take_through(Format::JsonLines, Path::new("x"), format!("{line}\n{other}").as_bytes(), None);
    }
}

/// Every place at which a file can be cut off.
#[test]
fn every_beginning_of_every_fixture() {
    for (path, bytes, format) in fixtures() {
        for end in 0..bytes.len() {
            take_through(format, &path, &bytes[..end], None);
        }
    }
}

/// A damaged archive, cut and flipped at every place.
#[test]
fn damaged_archives() {
    use std::io::Write;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.zip");
    let mut archive = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    archive.start_file("a/_chat.txt", zip::write::SimpleFileOptions::default()).unwrap();
    archive.write_all(b"31.12.23, 21:08 - A: hello\n31.12.23, 21:08 - B: hello back\n").unwrap();
    let bytes = archive.finish().unwrap().into_inner();
    let mut request = request(None);
    request.paths = vec![path.clone()];
    for place in 0..bytes.len() {
        for flip in [0x01, 0x80, 0xff] {
            let mut damaged = bytes.clone();
            damaged[place] ^= flip;
            std::fs::write(&path, damaged).unwrap();
            let _ = gather(&request, &mut |_| ());
        }
        std::fs::write(&path, &bytes[..place]).unwrap();
        assert!(gather(&request, &mut |_| ()).is_err());
    }
}
