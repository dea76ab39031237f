//! The real program, the real board in QEMU and a real browser: a chat that everything happens to.
#![allow(clippy::unwrap_used, clippy::panic)] // Helpers of tests are tests to us, not to clippy.

#[allow(dead_code)] // Each test file uses its part.
#[path = "common/built.rs"]
mod built;
#[path = "common/browser.rs"]
mod driver;
#[path = "common/proxy.rs"]
mod proxy;

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{SystemTime, UNIX_EPOCH};

use driver::Browser;
use link::conversation::{Message, MessageKey, MessageState, Standing, Unsaved};
use link::message::Speaker;
use proxy::Proxy;
use wisp::board::{Board, BoardOptions};
use wisp::history::History;

/// A program that ends with this value, at once and without a word.
struct Program(Child);

impl Program {
    fn start(arguments: &[&str]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_wisp"));
        command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        Self(command.spawn().unwrap())
    }

    /// The link that it prints.
    fn link(&mut self) -> String {
        let mut lines = BufReader::new(self.0.stdout.take().unwrap()).lines();
        let said = "Wisp is at ";
        let link = lines.by_ref().find_map(|line| Some(line.ok()?.strip_prefix(said)?.to_owned()));
        // Whoever closes a pipe ends the program that writes to it.
        std::thread::spawn(move || lines.for_each(drop));
        link.unwrap()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

/// Tells children's stories, and takes a moment to load.
const STORIES: &str = "target/personas/stories260K-fp8.wisp";

/// The persona of the project, which has learned when people write.
const SHIPPED: &str = "models/wisp-3m.wisp";

const MESSAGES: &str = "document.querySelectorAll('.message').length";

const IS_WRITING: &str = "document.querySelector('.message.writing') !== null";

/// What is on the page: who, and which words.
async fn messages(browser: &Browser) -> Vec<(String, String)> {
    let script = "return [...document.querySelectorAll('.message')].map((row) => \
                  [row.classList.contains('you') ? 'You' : 'Stories', \
                   row.querySelector('.words').textContent])";
    let rows = browser.client.execute(script, vec![]).await.unwrap();
    serde_json::from_value(rows).unwrap()
}

async fn say(browser: &Browser, text: &str) {
    browser.write(text).await;
    browser.click("#send").await;
}

/// Waits until this is being answered. A short answer may be over before anybody looks.
async fn until_writing(browser: &Browser, text: &str) {
    browser.until(&format!("{IS_WRITING} || {}", is_answered(text))).await;
}

/// Waits until this was answered, and nothing more comes.
async fn until_answered(browser: &Browser, text: &str) {
    browser.until(&is_answered(text)).await;
}

fn is_answered(text: &str) -> String {
    format!(
        "(() => {{ const rows = [...document.querySelectorAll('.message')]; \
         const said = rows.findLastIndex((row) => row.querySelector('.words').textContent === '{text}'); \
         return said >= 0 && said + 1 < rows.length && document.getElementById('stop').hidden \
         && document.getElementById('status').textContent.startsWith('online'); }})()"
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_chat_survives_all_that_can_happen_to_it() {
    let Some([bootloader, firmware, persona]) = built::images(STORIES) else { return };
    let Some(browser) = Browser::start().await else { return };
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let (line, history) = (path("line"), path("history"));
    let [firmware, persona] = [firmware, persona].map(|path| path.display().to_string());
    let socket = folder.path().join("serial");
    let options = BoardOptions { socket: Some(socket.clone()), ..BoardOptions::new(bootloader) };
    let start_board = || Board::start(&options).unwrap();
    let port = format!("unix:{line}");
    let start_program = || {
        let arguments = ["serve", "--no-browser", "--port", &port, "--history", &history];
        // The likeliest words: the same in each run, as far as it is interrupted at the same places.
        let images = ["--firmware", &firmware, "--persona", &persona, "--temperature", "0"];
        Program::start(&[&arguments[..], &images].concat())
    };
    let mut board = start_board();
    let cable = Proxy::start(Path::new(&line), &socket);
    let mut program = start_program();
    browser.client.goto(&program.link()).await.unwrap();
    say(&browser, "Once upon a time").await;
    until_answered(&browser, "Once upon a time").await;

    // Two at once: what is written is finished, then the second is read.
    say(&browser, "Tim saw a dog").await;
    until_writing(&browser, "Tim saw a dog").await;
    say(&browser, "The dog was sad").await;
    until_answered(&browser, "The dog was sad").await;

    say(&browser, "Lily went home").await;
    until_writing(&browser, "Lily went home").await;
    browser.client.refresh().await.unwrap();
    until_answered(&browser, "Lily went home").await;
    let here = messages(&browser).await;
    let first = browser.client.window().await.unwrap();
    let address = browser.client.current_url().await.unwrap();
    let second = browser.client.new_window(true).await.unwrap();
    browser.client.switch_to_window(second.handle).await.unwrap();
    browser.client.goto(address.as_str()).await.unwrap();
    until_answered(&browser, "Lily went home").await;
    assert_eq!(messages(&browser).await, here, "two tabs");
    browser.client.close_window().await.unwrap();
    browser.client.switch_to_window(first).await.unwrap();

    // The cable is cut in the middle of a reply. What is said meanwhile waits.
    say(&browser, "The sun was hot").await;
    until_writing(&browser, "The sun was hot").await;
    cable.cut();
    browser.text_when("#status", |words| words.contains("line")).await;
    say(&browser, "A bird sang").await;
    browser.screenshot("cable-cut").await;
    cable.mend();
    until_answered(&browser, "A bird sang").await;

    // The program is killed in the middle of a reply.
    say(&browser, "They had fun").await;
    until_writing(&browser, "They had fun").await;
    drop(program);
    browser.text_when("#status", |words| words.contains("not answering")).await;
    program = start_program();
    browser.client.goto(&program.link()).await.unwrap();
    until_answered(&browser, "They had fun").await;

    // Somebody pulls the plug of the board in the middle of a reply.
    say(&browser, "Then it rained").await;
    until_writing(&browser, "Then it rained").await;
    drop(board);
    browser.text_when("#status", |words| words.contains("listening")).await;
    board = start_board();
    say(&browser, "The end").await;
    until_answered(&browser, "The end").await;
    browser.screenshot("after-everything").await;

    let here = messages(&browser).await;
    let yours = here.iter().filter(|(who, _)| who == "You").map(|(_, words)| words.as_str());
    let said = [
        "Once upon a time",
        "Tim saw a dog",
        "The dog was sad",
        "Lily went home",
        "The sun was hot",
        "A bird sang",
        "They had fun",
        "Then it rained",
        "The end",
    ];
    assert_eq!(yours.collect::<Vec<_>>(), said, "once, and in order");
    let pairs: Vec<_> = here.iter().map(|(who, _)| who.as_str()).collect();
    assert_eq!(pairs.len(), 2 * said.len(), "each was answered once: {here:#?}");
    assert!(pairs.as_chunks().0.iter().all(|pair| *pair == ["You", "Stories"]), "{pairs:?}");
    let console = browser.console().await;
    let own = console.iter().filter(|line| !line.contains("net::ERR")).collect::<Vec<_>>();
    assert!(own.is_empty(), "{own:#?}");
    drop((program, board));

    // The file has what the page showed.
    let output = Command::new(env!("CARGO_BIN_EXE_wisp"))
        .args(["history", "--history", &history, "export", "--format", "jsonl"])
        .output()
        .unwrap();
    let kept: Vec<(String, String)> = String::from_utf8(output.stdout)
        .unwrap()
        .lines()
        .map(|line| {
            let record: serde_json::Value = serde_json::from_str(line).unwrap();
            let word = |name: &str| record[name].as_str().unwrap().to_owned();
            (word("sender"), word("text"))
        })
        .collect();
    assert_eq!(kept, here);
    browser.close().await;
}

/// A conversation with this persona in which this was said so many seconds ago, read, and not
/// answered.
fn remember(history: &Path, persona: &Path, text: &str, seconds: u64) {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let said = Message {
        key: MessageKey(0),
        speaker: Speaker::You,
        text: text.into(),
        state: MessageState::Unanswered,
        unix_seconds: now - seconds,
        gap_seconds: 0,
        timing: None,
        reply: None,
    };
    let standing = Standing { next_key: 1, ..Standing::default() };
    let mut history = History::open(history).unwrap();
    let digest = wisp::image::persona(persona).unwrap().info.digest;
    history.take_up(Some(&digest), "Wisp").unwrap();
    history.store(&Unsaved { from: 0, messages: &[said], standing }, now).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn left_alone_for_an_hour_the_persona_writes_first() {
    let Some([_, firmware, persona]) = built::images(SHIPPED) else { return };
    let Some(browser) = Browser::start().await else { return };
    let folder = tempfile::tempdir().unwrap();
    let (socket, history) = (folder.path().join("serial"), folder.path().join("history"));
    // The emulator puts the persona into memory, as the Pi's boot stage does from a card.
    let address = wisp::image::PERSONA_ADDRESS;
    let loaded = format!("loader,file={},addr={address:#x},force-raw=on", persona.display());
    let options = BoardOptions {
        socket: Some(socket.clone()),
        extra: vec!["-device".into(), loaded],
        ..BoardOptions::new(firmware)
    };
    let port = format!("unix:{}", socket.display());
    let arguments = ["serve", "--no-browser", "--port", &port, "--history"];
    let start_program = || {
        // Always the likelier, and its odds of speaking are the highest that can be chosen.
        let manners = ["--temperature", "0", "--talkativeness", "10"];
        Program::start(&[&arguments[..], &[history.to_str().unwrap()], &manners].concat())
    };
    // Almost an hour ago something was said and read, and not answered.
    remember(&history, &persona, "i have to go to the dentist now", 59 * 60);
    let mut program = start_program();
    browser.client.goto(&program.link()).await.unwrap();
    browser.text_when(".message .words", |words| words.contains("dentist")).await;
    browser.until("document.querySelector('.ticks').dataset.delivery === 'read'").await;
    // Somebody looks at another window meanwhile.
    let look_away = "(() => { Object.defineProperty(document, 'hidden', \
                     { configurable: true, get: () => true }); return true; })()";
    browser.until(look_away).await;
    let _board = Board::start(&options).unwrap();
    browser.until(&format!("{MESSAGES} > 1")).await;
    browser.until("document.title.startsWith('(')").await;
    browser.text_when("#status", |words| words.starts_with("online")).await;
    browser.screenshot("writes-first").await;
    let messages = messages(&browser).await;
    let (asked, first) = messages.split_first().unwrap();
    assert_eq!(asked.0, "You");
    assert!(first.iter().all(|(who, words)| who != "You" && !words.is_empty()), "{first:?}");
    drop(program);
    browser.close().await;
}
