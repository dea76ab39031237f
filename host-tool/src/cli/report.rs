//! `wisp report`: one file for a bug report.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use clap::Args;

use super::doctor::{PatientOptions, summary};
use super::out;
use crate::board::Artefacts;
use crate::board_kind::BoardKind;
use crate::doctor::{Facts, Heard, examine};
use crate::errors::{Result, WispError};
use crate::monitor::LogTable;
use crate::port::PortAddress;
use crate::report::{CONTENTS, Redaction, Report, System};

/// Arguments of `wisp report`.
#[derive(Debug, Args)]
pub(super) struct ReportArguments {
    /// The file, which must not be there yet; `-` for the terminal
    #[arg(value_name = "FILE", default_value = "wisp-report.md")]
    file: PathBuf,
    #[command(flatten)]
    patient: PatientOptions,
    /// Write JSON instead of Markdown
    #[arg(long)]
    json: bool,
}

/// Looks at everything and writes the file.
pub(super) fn run(arguments: &ReportArguments) -> Result<()> {
    let path = &arguments.file;
    let failed = |cause| WispError::FileWrite { path: path.clone(), cause };
    let facts = arguments.patient.gather(&[])?;
    let findings = examine(&facts);
    let verdict = summary(&findings);
    let redaction = Redaction::new(secrets(&arguments.patient, &facts));
    let log = board_log(&facts);
    let now = crate::client::unix_seconds();
    let report = Report::new(now, System::look(), findings, log, &redaction);
    let text = if arguments.json {
        serde_json::to_string_pretty(&report).map_err(|cause| failed(cause.into()))? + "\n"
    } else {
        report.markdown()
    };
    if path == Path::new("-") {
        out::line(text.trim_end());
        return Ok(());
    }
    write_new(path, text.as_bytes()).map_err(|cause| match cause.kind() {
        io::ErrorKind::AlreadyExists => WispError::FileExists { path: path.clone() },
        _ => failed(cause),
    })?;
    out::line(&verdict);
    out::line(&format!("wrote {}. {CONTENTS}", path.display()));
    Ok(())
}

/// All of it or nothing, and nothing over a file that is there.
fn write_new(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let mut file = tempfile::NamedTempFile::new_in(folder.unwrap_or(Path::new(".")))?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    file.persist_noclobber(path).map(|_| ()).map_err(|error| error.error)
}

/// Who and where, as far as it could stand in a finding.
fn secrets(patient: &PatientOptions, facts: &Facts) -> Vec<(String, &'static str)> {
    let variable = |name: &str| std::env::var(name).unwrap_or_default();
    let home = directories::BaseDirs::new()
        .map_or_else(PathBuf::new, |folders| folders.home_dir().to_path_buf());
    let last = |path: &Path| {
        path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
    };
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let mut secrets =
        vec![(home.display().to_string(), "~"), (host.trim().to_string(), "<computer>")];
    for user in [variable("USER"), variable("LOGNAME"), last(&home)] {
        // It is on every computer, and in many an advice.
        if user != "root" {
            secrets.push((user, "<user>"));
        }
    }
    for (path, words) in
        [(&patient.persona, "<persona file>"), (&patient.history, "<history file>")]
    {
        let path = path.as_deref().unwrap_or(Path::new(""));
        secrets.push((path.display().to_string(), words));
    }
    // What the project ships is no secret.
    let named = facts.persona.as_ref().filter(|facts| facts.is_named);
    if let Some(Ok(persona)) = named.map(|facts| &facts.persona) {
        secrets.push((persona.name.clone(), "<persona>"));
    }
    if let Some(Ok(PortAddress::Tcp { host, .. })) = patient.port.port.as_ref().map(|it| it.parse())
    {
        secrets.push((host, "<host>"));
    }
    secrets
}

/// What the boards that answered had in their logs, if the firmware that was built is theirs.
fn board_log(facts: &Facts) -> Vec<String> {
    let ports = facts.ports.iter().flat_map(|facts| &facts.ports);
    let heard = ports.filter_map(|port| port.heard.as_ref().ok());
    heard.filter(|heard| !heard.log.is_empty()).flat_map(log_of).collect()
}

fn log_of(heard: &Heard) -> Vec<String> {
    let kind = heard.board.and_then(|board| BoardKind::of_revision(board.revision));
    let elf = Artefacts::discover().firmware_for(kind.unwrap_or_default());
    match elf.and_then(|elf| LogTable::read(&elf)) {
        Ok(table) => table.decoder().lines(&heard.log).iter().map(ToString::to_string).collect(),
        Err(_) => {
            let bytes = heard.log.len();
            vec![format!("({bytes} bytes came; they need the firmware's ELF file to be read)")]
        }
    }
}
