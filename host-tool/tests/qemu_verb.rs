//! `wisp qemu`: its persona is in the board's memory from the start, or comes over the cable.
#![allow(clippy::unwrap_used)]

#[allow(dead_code)] // Other tests use the rest.
#[path = "common/built.rs"]
mod built;

use std::process::{Command, Stdio};

/// What it says from the start of the board to the end of a chat in which nothing is said.
fn said(options: &[&str]) -> Option<String> {
    let [bootloader, firmware, persona] = built::images("target/personas/stories260K-fp8.wisp")?;
    let output = Command::new(env!("CARGO_BIN_EXE_wisp"))
        .arg("qemu")
        .arg("--bootloader")
        .arg(bootloader)
        .arg("--firmware")
        .arg(firmware)
        .arg("--persona")
        .arg(persona)
        .args(options)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said).into_owned();
    assert!(output.status.success(), "{said}");
    Some(said)
}

#[test]
fn a_persona_is_there_from_the_start() {
    let Some(said) = said(&[]) else { return };
    assert!(said.contains("firmware: sent and verified"), "{said}");
    assert!(said.contains("persona Stories: up to date, nothing sent"), "{said}");
}

#[test]
fn a_persona_is_sent_if_that_is_wanted() {
    let Some(said) = said(&["--upload"]) else { return };
    assert!(said.contains("persona Stories: sent and verified"), "{said}");
}
