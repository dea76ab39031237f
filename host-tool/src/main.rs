//! `wisp`, the program: see the library for what it does.
#![forbid(unsafe_code)]

use clap::Parser;

fn main() -> miette::Result<()> {
    Ok(wisp::cli::run(wisp::cli::Arguments::parse())?)
}
