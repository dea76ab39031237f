//! `wisp report`: what helps whoever looks into a bug, and nothing of what was said.

mod redaction;
mod system;

use serde::Serialize;

pub use redaction::Redaction;
pub use system::System;

use crate::doctor::{Finding, Level};
use crate::text::utc;

/// Said in the report itself, and to whoever has it written.
pub const CONTENTS: &str = "It holds the doctor's findings, versions, the kind of computer, and the \
    log of a board that answered. It has no chat text in it, no name of a user, of this computer or \
    of the persona, and no folder of your home. Please look through it before you send it.";

/// All of a report. Its texts are redacted already.
#[derive(Debug, Serialize)]
pub struct Report {
    contents: &'static str,
    date: String,
    wisp: &'static str,
    protocol: u8,
    persona_format: u16,
    system: System,
    findings: Vec<Finding>,
    board_log: Vec<String>,
}

impl Report {
    /// Puts a report together. `board_log` is decoded; what is secret is taken out here.
    pub fn new(
        unix_seconds: u64,
        system: System,
        findings: Vec<Finding>,
        board_log: Vec<String>,
        redaction: &Redaction,
    ) -> Self {
        let findings = findings.into_iter().map(|finding| Finding {
            message: redaction.apply(&finding.message),
            help: redaction.apply(&finding.help),
            ..finding
        });
        Self {
            contents: CONTENTS,
            date: utc(unix_seconds),
            wisp: env!("CARGO_PKG_VERSION"),
            protocol: link::PROTOCOL_VERSION,
            persona_format: model_format::FORMAT_VERSION,
            system,
            findings: findings.collect(),
            board_log: board_log.iter().map(|line| redaction.apply(line)).collect(),
        }
    }

    /// The report for people, in Markdown.
    pub fn markdown(&self) -> String {
        let System { name, kernel, processor, processors } = &self.system;
        let mut text = format!(
            "# Report of wisp {}\n\n{}\n\n- written {}\n- protocol {}, persona format {}\n\
             - {name}, kernel {kernel}, {processor}, {processors} processors\n\n## Findings\n\n",
            self.wisp, self.contents, self.date, self.protocol, self.persona_format
        );
        for Finding { area, level, code, message, help } in &self.findings {
            let mark = match level {
                Level::Fine => "ok",
                Level::Note => "note",
                Level::Wrong => "**wrong**",
            };
            text.push_str(&format!("- {mark} `{code}` {area}: {message}\n"));
            if !help.is_empty() {
                text.push_str(&format!("  - {help}\n"));
            }
        }
        text.push_str("\n## The board's log\n\n");
        if self.board_log.is_empty() {
            text.push_str("None was heard. `wisp monitor --restart` shows it from the start.\n");
        }
        // Indented, so that nothing in it is taken for Markdown.
        self.board_log.iter().for_each(|line| text.push_str(&format!("    {line}\n")));
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Area;
    use crate::errors::WispError;

    #[test]
    fn it_says_what_it_holds_and_leaves_out_what_it_must() {
        let system = System {
            name: "Debian 12".into(),
            kernel: "6.1".into(),
            processor: "x86_64".into(),
            processors: 2,
        };
        let error = WispError::PortNotFound { path: "unix:/home/ann/board".into() };
        let findings = vec![Finding::of(Area::Port, Level::Wrong, &error)];
        let log = vec!["INFO built in /home/ann/wisp".to_string()];
        let redaction = Redaction::new([("/home/ann".to_string(), "~")]);
        let report = Report::new(0, system, findings, log, &redaction);
        let json = serde_json::to_string(&report).unwrap();
        for text in [report.markdown(), json] {
            assert!(text.contains("no chat text"), "{text}");
            assert!(text.contains("1970-01-01") && text.contains("Debian 12"), "{text}");
            assert!(text.contains("wisp::port::not_found"), "{text}");
            assert!(text.contains("unix:~/board") && text.contains("built in ~/wisp"), "{text}");
            assert!(!text.contains("ann"), "{text}");
        }
    }
}
