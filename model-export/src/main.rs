//! The command line tool `wisp-model`.

#![forbid(unsafe_code)]

use clap::Parser;
use wisp_model::cli::Arguments;

fn main() -> miette::Result<()> {
    let arguments = Arguments::parse();
    let mut output = std::io::stdout().lock();
    arguments.run(&mut output)?;
    Ok(())
}
