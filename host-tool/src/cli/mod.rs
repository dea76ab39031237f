//! The command line: one file per verb.

mod bench;
mod browser;
mod cable_noise;
mod chat;
mod chat_text;
mod completions;
mod demo;
mod doctor;
mod history;
mod interrupt;
mod load;
mod log_words;
mod monitor;
mod options;
mod out;
mod ports;
mod progress;
mod qemu;
mod report;
mod sdcard;
mod self_test;
mod serve;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::errors::Result;

/// Wisp: a small persona on a Raspberry Pi Zero, and the way to it.
#[derive(Debug, Parser)]
#[command(name = "wisp", version, about, propagate_version = true)]
#[command(after_help = "No board at hand? `wisp demo` shows it all in an emulated one.")]
pub struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// List the serial ports, and say of each whether it can be used and why not.
    Ports,
    /// Start an emulated board, load it and chat with it here.
    Qemu(qemu::QemuArguments),
    /// Bring firmware and persona on the board up to date, and start them.
    Load(load::LoadArguments),
    /// Chat in the terminal.
    Chat(chat::ChatArguments),
    /// Chat in the browser: serve the page on this computer.
    Serve(serve::ServeArguments),
    /// List, search, export or delete what was said.
    History(history::HistoryArguments),
    /// Show the board's logs and counters.
    Monitor(monitor::MonitorArguments),
    /// Look at ports, emulator, toolchain, persona and history, and say what is wrong.
    Doctor(doctor::DoctorArguments),
    /// Write what helps with a bug report to a file; nothing of what was said is in it.
    Report(report::ReportArguments),
    /// Print what lets a shell complete this program's words.
    Completions(completions::CompletionsArguments),
    /// Measure how fast a board reads and writes, and write the figures to a folder.
    Bench(bench::BenchArguments),
    /// Have the board test all memory that its persona may use, which takes some seconds; it forgets its conversation meanwhile.
    SelfTest(self_test::SelfTestArguments),
    /// Make an SD card from which a board starts alone, and write it.
    Sdcard(sdcard::SdCardArguments),
    /// Show it all without a board: emulate one, load it, open the page.
    Demo(demo::DemoArguments),
}

/// Runs the program with the arguments it was given.
///
/// # Errors
/// Whatever the verb ran into; see [`crate::errors`].
pub fn run(arguments: Arguments) -> Result<ExitCode> {
    match arguments.verb {
        // It does not fail when it finds something; its status tells.
        Verb::Doctor(arguments) => return doctor::run(&arguments),
        Verb::Ports => ports::run(),
        Verb::Qemu(arguments) => qemu::run(arguments),
        Verb::Load(arguments) => load::run(arguments),
        Verb::Chat(arguments) => chat::run(arguments),
        Verb::Serve(arguments) => serve::run(arguments),
        Verb::History(arguments) => history::run(arguments),
        Verb::Monitor(arguments) => monitor::run(arguments),
        Verb::Bench(arguments) => bench::run(arguments),
        Verb::SelfTest(arguments) => self_test::run(&arguments),
        Verb::Sdcard(arguments) => sdcard::run(&arguments),
        Verb::Demo(arguments) => demo::run(arguments),
        Verb::Report(arguments) => report::run(&arguments),
        Verb::Completions(arguments) => completions::run(&arguments),
    }?;
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Arguments::command().debug_assert();
    }
}
