//! The real program, the real board in QEMU and a real browser: a chat that everything happens to.
#![allow(clippy::unwrap_used, clippy::panic)] // Helpers of tests are tests to us, not to clippy.

#[path = "common/browser.rs"]
mod driver;
#[path = "common/proxy.rs"]
mod proxy;

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use driver::Browser;
use proxy::Proxy;

/// What the build made: bootloader, firmware, persona; `None`, with a word, when it was not built.
fn artefacts() -> Option<[PathBuf; 3]> {
    let target = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("target");
    let bare = target.join("firmware/armv6-none-eabihf/firmware");
    let persona = target.join("personas/stories260K-fp8.wisp");
    let all = [bare.join("bootloader"), bare.join("firmware"), persona];
    if let Some(missing) = all.iter().find(|path| !path.exists()) {
        assert!(std::env::var_os("WISP_REQUIRE_ALL").is_none(), "no {}", missing.display());
        println!("skipped: {} was not built (make build)", missing.display());
        return None;
    }
    Some(all)
}

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
    // On a machine that is busy it has come to no end once, and why is not known yet.
    if std::env::var_os("WISP_TORTURE").is_none() {
        return println!("skipped: a chat that everything happens to (set WISP_TORTURE=1)");
    }
    let Some([bootloader, firmware, persona]) = artefacts() else { return };
    let Some(browser) = Browser::start().await else { return };
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let (socket, line, history) = (path("serial"), path("line"), path("history"));
    let [bootloader, firmware, persona] =
        [bootloader, firmware, persona].map(|path| path.display().to_string());
    let start_board =
        || Program::start(&["qemu", "--bare", "--socket", &socket, "--bootloader", &bootloader]);
    let port = format!("unix:{line}");
    let start_program = || {
        let arguments = ["serve", "--no-browser", "--port", &port, "--history", &history];
        // The likeliest words: the same in each run, as far as it is interrupted at the same places.
        let images = ["--firmware", &firmware, "--persona", &persona, "--temperature", "0"];
        Program::start(&[&arguments[..], &images].concat())
    };
    let mut board = start_board();
    let cable = Proxy::start(Path::new(&line), Path::new(&socket));
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
    browser.text_when("#status", |words| !words.starts_with("online")).await;
    std::fs::remove_file(&socket).ok();
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
