//! `wisp image`: writes the bootloader as the `kernel.img` of an SD card.

use std::path::PathBuf;

use clap::Args;

use super::out;
use crate::board::Artefacts;
use crate::errors::{Result, WispError};
use crate::image;

/// Arguments of `wisp image`.
#[derive(Debug, Args)]
pub(super) struct ImageArguments {
    /// The bootloader's ELF file
    #[arg(long, value_name = "FILE")]
    bootloader: Option<PathBuf>,
    /// Where to write
    #[arg(long, short, value_name = "FILE", default_value = "kernel.img")]
    output: PathBuf,
}

/// Writes the image.
pub(super) fn run(arguments: ImageArguments) -> Result<()> {
    let ImageArguments { bootloader, output } = arguments;
    let elf = bootloader.map_or_else(|| Artefacts::discover().bootloader(), Ok)?;
    let bytes = image::kernel(&elf)?;
    std::fs::write(&output, &bytes)
        .map_err(|cause| WispError::FileWrite { path: output.clone(), cause })?;
    out::line(&format!("wrote {} ({} bytes)", output.display(), bytes.len()));
    Ok(())
}
