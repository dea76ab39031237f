//! The command line tool `wisp-model`.

#![forbid(unsafe_code)]

use clap::Parser;
use wisp_model::cli::Arguments;

/// Tensors of megabytes come and go; with this allocator a model of 3M trains faster (docs/decisions.md, 39).
#[cfg(feature = "training")]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> miette::Result<()> {
    let arguments = Arguments::parse();
    let mut output = std::io::stdout().lock();
    arguments.run(&mut output)?;
    Ok(())
}
