//! What can go wrong with SD cards: message, stable code, next step.

use std::io;
use std::path::PathBuf;

use miette::Diagnostic;
use thiserror::Error;

/// Everything that can go wrong with SD cards.
#[derive(Debug, Error, Diagnostic)]
#[non_exhaustive]
#[allow(missing_docs)] // The fields are named in each message.
pub enum SdCardError {
    #[error("the boot file {name} in {folder} cannot be used: {cause}", folder = folder.display())]
    #[diagnostic(
        code(wisp::sdcard::boot_files),
        help(
            "`scripts/boot-files` fetches them, or says what to do; `make sdcard` calls it. Another folder: `--boot-files FOLDER`."
        )
    )]
    BootFiles { folder: PathBuf, name: String, cause: String },

    #[error("bootloader and firmware are {bytes} bytes together; there is room for {limit}")]
    #[diagnostic(
        code(wisp::sdcard::kernel_size),
        help(
            "Build both with `make bootloader firmware` (a Zero 2 W's with `make zero2w`), which makes them small, and give those."
        )
    )]
    KernelTooLarge { bytes: usize, limit: usize },

    #[error("{folder} is not empty", folder = folder.display())]
    #[diagnostic(
        code(wisp::sdcard::folder),
        help(
            "Nothing was changed. Name a folder that is not there yet, and copy what is in it onto the card."
        )
    )]
    FolderInUse { folder: PathBuf },

    #[error("{path} is there already and is no card image", path = path.display())]
    #[diagnostic(
        code(wisp::sdcard::foreign_output),
        help(
            "Nothing was changed. Name a file that is not there, or one that was made here before."
        )
    )]
    ForeignOutput { path: PathBuf },

    #[error("the card's file system cannot be made: {cause}")]
    #[diagnostic(
        code(wisp::sdcard::image),
        help("Please report this, with the sizes of the files. `--folder` does without it.")
    )]
    Image { cause: io::Error },

    #[error("cannot write {path}: {cause}", path = path.display())]
    #[diagnostic(
        code(wisp::sdcard::output),
        help("Check the folder, its permissions and its space. Nothing half-written is left.")
    )]
    Write { path: PathBuf, cause: io::Error },

    #[error("cannot look at this computer's drives in {path}: {cause}", path = path.display())]
    #[diagnostic(
        code(wisp::sdcard::drives),
        help(
            "Writing cards works on Linux only. Elsewhere write the image with another program, or copy the files of `--folder` onto a FAT32 card."
        )
    )]
    Drives { path: PathBuf, cause: io::Error },

    #[error("there is no drive {name}{known}")]
    #[diagnostic(
        code(wisp::sdcard::no_drive),
        help("Put the card in and run `wisp sdcard --list`.")
    )]
    NoDrive { name: String, known: String },

    #[error("{name} is not written to: {reason}")]
    #[diagnostic(code(wisp::sdcard::refused), help("{help}"))]
    Refused { name: String, reason: String, help: String },

    #[error("{path} is no card image: {cause}", path = path.display())]
    #[diagnostic(
        code(wisp::sdcard::foreign_image),
        help("Make one with `make sdcard`, or name it with `--output FILE`.")
    )]
    ForeignImage { path: PathBuf, cause: String },

    #[error("not written: {typed} is not {name}")]
    #[diagnostic(
        code(wisp::sdcard::not_confirmed),
        help("Nothing was changed. Type the drive's name to go on, or give `--yes`.")
    )]
    NotConfirmed { name: String, typed: String },

    #[error("cannot open {path}: {cause}", path = path.display())]
    #[diagnostic(code(wisp::sdcard::open), help("{}", open_help(cause)))]
    Open { path: PathBuf, cause: io::Error },

    #[error("writing to {path} failed at byte {offset}: {cause}", path = path.display())]
    #[diagnostic(
        code(wisp::sdcard::write),
        help("The card cannot be used as it is. Write it again; try another card or reader.")
    )]
    Broken { path: PathBuf, offset: u64, cause: io::Error },

    #[error("{path} does not hold what was written: it differs within 1 MiB of byte {offset}", path = path.display())]
    #[diagnostic(
        code(wisp::sdcard::verify),
        help("The card or its reader is bad, or smaller than it says. Try another.")
    )]
    Differs { path: PathBuf, offset: u64 },

    #[error("interrupted: {path} is written in part", path = path.display())]
    #[diagnostic(
        code(wisp::sdcard::interrupted),
        help("The card cannot be used as it is. Run the same command again.")
    )]
    Interrupted { path: PathBuf },
}

/// How to be permitted to write to a drive.
fn open_help(cause: &io::Error) -> &'static str {
    match cause.kind() {
        io::ErrorKind::PermissionDenied => {
            "Drives belong to root: run the same command with `sudo`. Nothing was changed."
        }
        io::ErrorKind::ResourceBusy => {
            "Something uses it: close its window and unmount it. Nothing was changed."
        }
        _ => "Take the card out, put it in again and run `wisp sdcard --list`.",
    }
}
