//! `wisp doctor`: what is wrong, and the command that mends it.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use serde::Serialize;

use super::options::PortOptions;
use super::out;
use crate::doctor::{Area, Facts, Finding, Level, examine, gather};
use crate::errors::{Result, WispError};
use crate::port::PortAddress;

/// Arguments of `wisp doctor`.
#[derive(Debug, Args)]
pub(super) struct DoctorArguments {
    /// What to look at [default: everything]
    #[arg(value_enum, value_name = "AREA")]
    areas: Vec<Area>,
    #[command(flatten)]
    patient: PatientOptions,
    /// Print the findings as JSON
    #[arg(long)]
    json: bool,
}

/// Whom to look at.
#[derive(Debug, Args)]
pub(super) struct PatientOptions {
    #[command(flatten)]
    pub port: PortOptions,
    /// The persona: a .wisp file [default: the one that the project ships]
    #[arg(long, value_name = "FILE")]
    pub persona: Option<PathBuf>,
    /// The history [default: the one in your data folder]
    #[arg(long, value_name = "FILE")]
    pub history: Option<PathBuf>,
}

impl PatientOptions {
    /// Looks at everything, or at these areas only.
    ///
    /// # Errors
    /// `--port` names no port.
    pub(super) fn gather(&self, areas: &[Area]) -> Result<Facts> {
        let wants = |area| areas.is_empty() || areas.contains(&area);
        let port = self.port.port.as_deref().map(str::parse::<PortAddress>).transpose()?;
        Ok(Facts {
            ports: wants(Area::Port).then(|| gather::ports(port.as_ref(), self.port.baud)),
            emulator: wants(Area::Qemu).then(gather::emulator),
            toolchain: wants(Area::Toolchain).then(gather::toolchain),
            persona: wants(Area::Persona).then(|| gather::persona(self.persona.as_deref())),
            history: wants(Area::History).then(|| gather::history(self.history.as_deref())),
        })
    }
}

/// The findings for programs.
#[derive(Serialize)]
struct Json<'a> {
    wisp: &'static str,
    wrong: usize,
    findings: &'a [Finding],
}

/// Prints the findings. The status is 1 when something is wrong.
pub(super) fn run(arguments: &DoctorArguments) -> Result<ExitCode> {
    let findings = examine(&arguments.patient.gather(&arguments.areas)?);
    let wrong = count(&findings, Level::Wrong);
    if arguments.json {
        let json = Json { wisp: env!("CARGO_PKG_VERSION"), wrong, findings: &findings };
        let text = serde_json::to_string_pretty(&json)
            .map_err(|cause| WispError::Terminal { cause: cause.into() })?;
        out::line(&text);
    } else {
        findings.iter().for_each(|finding| out::line(&describe(finding)));
        out::line(&summary(&findings));
    }
    Ok(if wrong == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn count(findings: &[Finding], level: Level) -> usize {
    findings.iter().filter(|finding| finding.level == level).count()
}

/// A line about what is fine, three about what is not.
fn describe(finding: &Finding) -> String {
    let Finding { area, level, code, message, help } = finding;
    let mark = match level {
        Level::Fine => return format!("ok     {area}: {message}"),
        Level::Note => "note  ",
        Level::Wrong => "WRONG ",
    };
    format!("{mark} {area}: {message}\n       {code}\n       {help}")
}

/// How it stands with the whole.
pub(super) fn summary(findings: &[Finding]) -> String {
    let [fine, notes, wrong] =
        [Level::Fine, Level::Note, Level::Wrong].map(|level| count(findings, level));
    let verdict = match wrong {
        0 => "Nothing is wrong".to_string(),
        1 => "1 thing is wrong".to_string(),
        _ => format!("{wrong} things are wrong"),
    };
    format!("{verdict} ({fine} fine, {notes} to know).")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_fine_is_short_and_what_is_not_says_what_to_do() {
        let fine = Finding::fine(Area::Qemu, "QEMU 7.2");
        assert_eq!(describe(&fine), "ok     qemu: QEMU 7.2");
        let wrong = Finding::of(Area::Port, Level::Wrong, &WispError::NoPort);
        let text = describe(&wrong);
        let lines: Vec<_> = text.lines().map(str::trim).collect();
        assert!(lines[0].starts_with("WRONG  port: there is no usable"), "{text}");
        assert_eq!((lines[1], lines.len()), ("wisp::port::none", 3));
        assert_eq!(summary(std::slice::from_ref(&fine)), "Nothing is wrong (1 fine, 0 to know).");
        assert_eq!(summary(&[fine, wrong]), "1 thing is wrong (1 fine, 0 to know).");
    }
}
