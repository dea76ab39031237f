//! The memory report tells a persona that knows its chats by heart from one that does not.
#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use engine::SamplerSettings;
use model_format::AlignedBytes;
use safetensors::SafeTensors;
use wisp_model::chats::{Message, canonical};
use wisp_model::conversation::style_of;
use wisp_model::memory_report::command::{FILES, write};
use wisp_model::memory_report::exposure::Candidates;
use wisp_model::memory_report::material::Material;
use wisp_model::memory_report::prompter::Prompter;
use wisp_model::memory_report::prompting::{self, Rivals};
use wisp_model::memory_report::report::Report;
use wisp_model::memory_report::rows::{Row, rows};
use wisp_model::memory_report::verdict::Verdict;
use wisp_model::memory_report::{Amounts, Request, report, terminal};
use wisp_model::{Error, persona_file};

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/memory").join(name)
}

fn request(model: &str) -> Request {
    Request {
        model: fixture(model),
        chats: fixture("chats.jsonl"),
        persona: "Wisp".into(),
        without: Vec::new(),
        amounts: Amounts { messages: 150, words: 60, replies: 40, seed: 1 },
    }
}

fn made(request: &Request) -> Report {
    report(request, &AtomicBool::new(false), &|_, _| {}).unwrap()
}

fn code(result: wisp_model::Result<Report>) -> String {
    let error: Error = result.unwrap_err();
    miette::Diagnostic::code(&error).unwrap().to_string()
}

/// A model with its prompts.
struct Place {
    file: AlignedBytes,
    path: PathBuf,
    material: Material,
}

impl Place {
    fn new(model: &str) -> Self {
        let path = fixture(model);
        let messages = canonical::read(&fixture("chats.jsonl")).unwrap();
        let material = Material::new(messages, "Wisp");
        Self { file: persona_file::read(&path).unwrap(), path, material }
    }

    fn prompter(&self) -> (Prompter<'_>, Vec<Row>) {
        let (model, tokenizer) = persona_file::open(&self.path, &self.file).unwrap();
        let style = style_of(&model).unwrap();
        let rows = rows(&self.material, &tokenizer, model.architecture().context);
        (Prompter::new(&self.path, &model, tokenizer, style).unwrap(), rows)
    }
}

/// The tokens of each message of a row: those before its text, its text. The end belongs to the next.
fn tokens_of(prompter: &mut Prompter<'_>, material: &Material, row: &Row) -> Vec<[Vec<u32>; 2]> {
    let mut all = Vec::new();
    for (place, item) in row.items.iter().enumerate() {
        let mut before: Vec<u32> = Vec::new();
        if place > 0 {
            before.extend(prompter.style.after_message());
        }
        if item.is_opened {
            before.push(prompter.style.opening());
        }
        let text = material.text(&item.line);
        let (lead, text) = prompter.message(item.line.speaker, item.line.gap_seconds, text);
        before.extend(lead);
        all.push([before, text]);
    }
    all
}

#[test]
fn what_is_known_by_heart_is_found_and_what_is_not_is_not() {
    let heart = made(&request("heart.wisp"));
    let summary = &heart.summary;
    assert_eq!(summary.verdict, Verdict::Remembers);
    assert!(summary.whole.tried >= 150 && summary.whole.rate() > 0.5, "{:?}", summary.whole);
    assert_eq!(summary.whole.guessed, 0);
    assert!(summary.words.rate() > 0.5 && summary.words.base_rate() < 0.1, "{:?}", summary.words);
    let [trained, held_back] = summary.bits_per_token.map(Option::unwrap);
    assert!(trained < held_back / 2.0, "{trained} {held_back}");
    let [trained, held_back] = summary.exposure.map(Option::unwrap);
    assert!(trained > held_back + 3.0, "{trained} {held_back}");
    // What was planted is searched first.
    let planted = ["7391", "428", "16", "17:52"];
    let told =
        |number: &&&str| heart.words.iter().any(|it| it.word == **number && it.worst_rank == 1);
    let told = planted.iter().filter(told).count();
    assert!(told >= 3, "{told} of {planted:?}");

    let fresh = made(&request("fresh.wisp"));
    let summary = &fresh.summary;
    assert_ne!(summary.verdict, Verdict::Remembers);
    assert!(summary.whole.tried >= 150);
    assert_eq!((summary.whole.repeated, summary.numbers.repeated), (0, 0));
    assert!(fresh.messages.is_empty() && fresh.words.iter().all(|word| word.worst_rank > 1));
    let [trained, held_back] = summary.bits_per_token.map(Option::unwrap);
    assert!(trained < summary.counting_bits_per_token && trained > 0.8 * held_back);
}

/// What is said as often of chats that were held back is no sign of a good memory. All that was
/// repeated is there all the same, so that a reader can choose what to mind.
#[test]
fn where_nothing_is_above_chance_everything_repeated_is_there_to_choose_from() {
    let folder = tempfile::tempdir().unwrap();
    let mut request = request("heart.wisp");
    let mut chats = canonical::read(&request.chats).unwrap();
    // The first conversations become the last, the ones that a report takes for held back.
    let later = chats.last().unwrap().time_ms - chats[0].time_ms + 864_000_000;
    let first = chats.windows(2).skip(70).position(|it| it[1].time_ms - it[0].time_ms > 21_600_000);
    for message in &mut chats[..=first.unwrap() + 70] {
        message.time_ms += later;
    }
    chats.sort_by_key(|message| message.time_ms);
    request.chats = folder.path().join("chats.jsonl");
    canonical::write(&mut std::fs::File::create(&request.chats).unwrap(), &chats).unwrap();

    let report = made(&request);
    assert_ne!(report.summary.verdict, Verdict::Remembers);
    let words = report.words.iter().map(|word| &word.message);
    let repeated: Vec<_> =
        report.messages.iter().map(|found| &found.message).chain(words).collect();
    assert!(repeated.len() > 100);
    assert!(repeated.iter().all(|message| report.to_leave_out.contains(message)));
    assert!(terminal::page(&report.summary).contains("keep its line in remember.jsonl"));
}

#[test]
fn the_folder_is_private_and_the_terminal_shows_no_text() {
    let request = request("heart.wisp");
    let report = made(&request);
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().join("report");
    write(&folder, &report).unwrap();
    for name in FILES {
        let path = folder.join(name);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = std::fs::metadata(&path).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600, "{name}");
        }
        let text = std::fs::read_to_string(&path).unwrap();
        let first = text.lines().next().unwrap();
        assert!(name == "remember.jsonl" || first.contains("Private"), "{first}");
    }
    let json: serde_json::Value =
        serde_json::from_slice(&std::fs::read(folder.join("memory.json")).unwrap()).unwrap();
    assert_eq!(json["summary"]["verdict"], "remembers");
    let html = std::fs::read_to_string(folder.join("memory.html")).unwrap();
    assert!(html.contains("7391"));

    let page = terminal::page(&report.summary);
    let figures = serde_json::to_string(&report.summary).unwrap();
    let all = canonical::read(&request.chats).unwrap();
    let long = all.iter().filter(|message| message.text.split(' ').count() > 2);
    for Message { text, .. } in long {
        assert!(!page.contains(text.as_str()) && !figures.contains(text.as_str()), "{text}");
    }
    assert!(page.contains("WARNING"), "{page}");

    // What is to be left out are records of the chats, and `prepare` leaves them out.
    let listed = canonical::read(&folder.join("remember.jsonl")).unwrap();
    assert_eq!(listed, report.to_leave_out);
    assert!(listed.len() > 100 && listed.iter().all(|record| all.contains(record)));
    let mut request = request;
    request.without = vec![folder.join("remember.jsonl")];
    let again = made(&request);
    let found = again.messages.iter().map(|found| &found.message);
    assert_eq!(found.filter(|message| listed.contains(message)).count(), 0);
}

#[test]
fn first_guesses_are_what_the_model_writes_by_itself() {
    let place = Place::new("heart.wisp");
    let (mut prompter, rows) = place.prompter();
    let (mut repeated, mut other) = (0, 0);
    for row in rows.iter().filter(|row| !row.is_held_back).step_by(12) {
        let rivals = Rivals::default();
        let results = prompting::row(&mut prompter, &place.material, row, &rivals).unwrap();
        let tokens = tokens_of(&mut prompter, &place.material, row);
        for result in results {
            let Some(tried) = result.text else { continue };
            let at = row.items.iter().position(|item| item.line.message == result.message).unwrap();
            let mut before = tokens[..at].concat().concat();
            before.extend(&tokens[at][0]);
            prompter.rollback(0);
            let longest = u32::try_from(tokens[at][1].len()).unwrap();
            let drawn = prompter.draw(&before, SamplerSettings::GREEDY, longest, 0).unwrap();
            let text = place.material.text(&row.items[at].line);
            assert_eq!(drawn == text, tried.is_repeated, "{drawn} {text}");
            if tried.is_repeated { repeated += 1 } else { other += 1 }
        }
    }
    assert!(repeated > 5 && other > 0, "{repeated} {other}");
}

#[test]
fn prompts_are_the_rows_that_prepare_packs() {
    let folder = tempfile::tempdir().unwrap();
    let wanted = wisp_model::stream::prepare::Request {
        chats: fixture("chats.jsonl"),
        persona: "Wisp".into(),
        corpora: Vec::new(),
        without: Vec::new(),
        apart: Vec::new(),
        context: Some(128),
        vocabulary: Some(384),
        like: None,
        licences: String::new(),
        output: folder.path().join("data"),
    };
    wisp_model::stream::prepare::prepare(&wanted, &mut |_| {}).unwrap();
    let packed = std::fs::read(wanted.output.join("dataset.safetensors")).unwrap();
    let tensors = SafeTensors::deserialize(&packed).unwrap();
    let numbers = |name: &str| -> Vec<u32> {
        let tensor = tensors.tensor(name).unwrap();
        let pairs = tensor.data().chunks_exact(2);
        pairs.map(|pair| u16::from_le_bytes([pair[0], pair[1]]).into()).collect()
    };
    let (all, lengths) = (numbers("train.chats"), numbers("train.chats.lengths"));
    let place = Place::new("heart.wisp");
    let (mut prompter, rows) = place.prompter();
    let rows: Vec<&Row> = rows.iter().filter(|row| !row.is_held_back).collect();
    assert_eq!(rows.len(), lengths.len());
    for ((row, packed), length) in rows.iter().zip(all.chunks(129)).zip(lengths) {
        let mut tokens = tokens_of(&mut prompter, &place.material, row).concat().concat();
        tokens.push(1);
        let packed = &packed[..length as usize];
        // How the chat goes on may stand behind the last message: nobody is asked for that.
        let messages = packed.iter().rposition(|token| *token == 1).unwrap() + 1;
        assert!([0, 2].contains(&(packed.len() - messages)));
        assert_eq!(tokens, packed[..messages]);
    }
    // Each message is tried once at most, and all that are long and rare are.
    let tried = rows.iter().flat_map(|row| &row.items).filter(|item| item.is_tried);
    let mut tried: Vec<usize> = tried.map(|item| item.line.message).collect();
    let count = tried.len();
    tried.sort_unstable();
    tried.dedup();
    assert_eq!(tried.len(), count);
    assert!(count > 400, "{count}");
}

#[test]
fn exposure_is_the_rank_among_all_candidates() {
    let place = Place::new("heart.wisp");
    let (mut prompter, rows) = place.prompter();
    let words: Vec<Vec<u32>> =
        ["spoon", "spoons", "7391", "moth", "cactus", "a", "gravy", "sister"]
            .map(|word| prompter.encode(word))
            .to_vec();
    let candidates = Candidates::new(words.clone());
    let row = rows.iter().find(|row| row.items.len() > 4).unwrap();
    let before = tokens_of(&mut prompter, &place.material, row)[..4].concat().concat();
    let mut logarithms = Vec::new();
    for word in &words {
        prompter.rollback(0);
        let mut logarithm = 0.0;
        let mut read = before.as_slice();
        for token in word {
            logarithm += prompter.ask(read).unwrap()[*token as usize];
            read = std::slice::from_ref(token);
        }
        logarithms.push(logarithm);
    }
    let mut ranks = Vec::new();
    for (word, own) in words.iter().zip(&logarithms) {
        prompter.rollback(0);
        let rank = 1 + logarithms.iter().filter(|other| *other > own).count();
        let exposure = candidates.exposure(&mut prompter, &before, word).unwrap();
        let expected = (words.len() as f64 / rank as f64).log2();
        assert!((exposure.unwrap() - expected).abs() < 1e-9, "{exposure:?} {expected}");
        assert_eq!(prompter.position(), 0);
        ranks.push(rank);
    }
    ranks.sort_unstable();
    assert_eq!(ranks, (1..=words.len()).collect::<Vec<_>>());
    let stranger = prompter.encode("zebra");
    assert_eq!(candidates.exposure(&mut prompter, &before, &stranger).unwrap(), None);
}

#[test]
fn the_same_seed_gives_the_same_report_and_a_stop_gives_a_part() {
    let mut request = request("heart.wisp");
    request.amounts = Amounts { messages: 40, words: 10, replies: 10, seed: 5 };
    let whole = made(&request);
    // Not `assert_eq`: it would print pages.
    assert!(whole.json() == made(&request).json());
    assert!(whole.summary.is_complete);

    let stop = AtomicBool::new(false);
    let part =
        report(&request, &stop, &|done, _| stop.store(done >= 6, Ordering::Relaxed)).unwrap();
    let [done, all] = part.summary.done;
    assert!(!part.summary.is_complete && done >= 6 && done < all, "{done} of {all}");
    assert!(part.summary.whole.tried > 0 && part.summary.whole.tried < whole.summary.whole.tried);
    assert!(terminal::page(&part.summary).contains("Stopped early"));

    let stopped = report(&request, &AtomicBool::new(true), &|_, _| {});
    assert_eq!(code(stopped), "wisp_model::memory::stopped");
}

#[test]
fn what_cannot_be_reported_on_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, content: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, content).unwrap();
        path
    };
    let never = AtomicBool::new(false);
    let fails = |request: &Request| code(report(request, &never, &|_, _| {}));

    let stories = folder.path().join("stories.wisp");
    let bytes = common::import(&common::checkpoint(), "f32").unwrap();
    std::fs::write(&stories, &*bytes).unwrap();
    assert_eq!(fails(&Request { model: stories, ..request("") }), "wisp_model::memory::story");

    let wrong = Request { persona: "Nobody".into(), ..request("heart.wisp") };
    let error = report(&wrong, &never, &|_, _| {}).unwrap_err();
    assert_eq!(
        miette::Diagnostic::code(&error).unwrap().to_string(),
        "wisp_model::prepare::persona"
    );
    let help = miette::Diagnostic::help(&error).unwrap().to_string();
    assert!(help.contains("Wisp (") && help.contains("Friend ("), "{help}");

    let empty = Request { chats: file("empty.jsonl", ""), ..request("heart.wisp") };
    assert_eq!(fails(&empty), "wisp_model::chats::no_messages");

    let lines = [("Wisp", "one"), ("Friend", "two")].map(|(sender, text)| {
        serde_json::json!({"time": 1_700_000_000_000i64, "sender": sender, "text": text, "chat": "c"})
            .to_string()
    });
    let short = Request { chats: file("short.jsonl", &lines.join("\n")), ..request("heart.wisp") };
    assert_eq!(fails(&short), "wisp_model::memory::nothing_held_back");

    let other = file("other.jsonl", &lines[0]);
    let other = Request { without: vec![other], ..request("heart.wisp") };
    assert_eq!(fails(&other), "wisp_model::prepare::nothing_left_out");
}
