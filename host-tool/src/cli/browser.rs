//! Opens a link in the friend's browser.

use std::process::{Command, Stdio};

use super::out;

/// Tries to; the link was printed, so nothing is lost when there is no browser.
pub(super) fn open(link: &str) {
    let opener = if cfg!(target_os = "macos") { "open" } else { "xdg-open" };
    let started = Command::new(opener)
        .arg(link)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    match started {
        // Somebody has to take note of its end.
        Ok(mut process) => drop(std::thread::spawn(move || process.wait())),
        Err(_) => out::line("No browser could be opened here: open the link yourself."),
    }
}
