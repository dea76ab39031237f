//! The demo as a newcomer sees it: the real programs in QEMU, the page in a real browser.
#![allow(clippy::unwrap_used)] // Helpers of tests are tests to us, not to clippy.

#[path = "common/browser.rs"]
mod driver;

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use driver::Browser;
use wisp::board::{Artefacts, QEMU};

/// The running program; it ends with this value.
struct Demo(Child);

impl Drop for Demo {
    fn drop(&mut self) {
        // Ctrl-C, so that it takes QEMU along.
        let _ = Command::new("kill").args(["-INT", &self.0.id().to_string()]).status();
        let _ = self.0.wait();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_newcomer_types_a_message_and_the_model_answers() {
    let artefacts = Artefacts::discover();
    let built = artefacts.bootloader().and(artefacts.firmware());
    // It answers whatever is said, and travels in seconds; the shipped one is in shipped_persona.rs.
    let persona =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/personas/stories260K-fp8.wisp");
    let must_run = std::env::var_os("WISP_REQUIRE_ALL").is_some();
    if let Err(missing) = built {
        assert!(!must_run, "{missing}");
        println!("skipped: {missing} ({})", missing.help_text());
        return;
    }
    if !persona.is_file() {
        assert!(!must_run, "no {}", persona.display());
        println!("skipped: no {} (make personas)", persona.display());
        return;
    }
    if Command::new(QEMU).arg("--version").stdout(Stdio::null()).status().is_err() {
        assert!(!must_run, "no {QEMU}");
        println!("skipped: no {QEMU} here (apt install qemu-system-arm)");
        return;
    }
    let Some(browser) = Browser::start().await else { return };
    let mut program = Command::new(env!("CARGO_BIN_EXE_wisp"))
        .args(["demo", "--no-browser", "--upload", "--persona"])
        .arg(persona)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let output = BufReader::new(program.stdout.take().unwrap());
    let _demo = Demo(program);
    let link = output
        .lines()
        .map_while(Result::ok)
        .find_map(|line| Some(line[line.find("http://127.0.0.1:")?..].to_string()))
        .expect("the demo printed no link");

    browser.client.goto(&link).await.unwrap();
    browser.text_when("#progress-words", |text| text.contains("Sending")).await;
    browser.screenshot("demo-loading").await;
    browser.text_when("#status", |text| text == "online").await;

    browser.write("Once upon a time").await;
    browser.click("#send").await;
    browser.text_when(".wisp .words", |text| text.split_whitespace().count() > 3).await;
    browser.until("document.querySelector('.you .ticks').dataset.delivery === 'read'").await;
    browser.until("document.querySelector('.wisp:not(.writing)') !== null").await;
    browser.screenshot("demo-answered").await;
    browser.close().await;
}
