//! `wisp`, the program: see the library for what it does.
#![forbid(unsafe_code)]

use clap::Parser;

fn main() -> miette::Result<std::process::ExitCode> {
    Ok(wisp::cli::run(wisp::cli::Arguments::parse())?)
}
