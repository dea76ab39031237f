//! `wisp sdcard`: makes the card that a board starts from alone, and writes it.

use std::fs::File;
use std::io::{IsTerminal, Read, Seek};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};

use super::interrupt::Interrupt;
use super::options::{ImageOptions, KindOption};
use super::out;
use super::progress::amount;
use crate::board::Artefacts;
use crate::errors::{Result, WispError};
use crate::image;
use crate::sdcard::boot_files::BootFiles;
use crate::sdcard::contents::Contents;
use crate::sdcard::drives::{Drive, drives, find};
use crate::sdcard::image::{SECTOR, is_card};
use crate::sdcard::judgement::{is_candidate, judge};
use crate::sdcard::writing::{self, Step};
use crate::sdcard::{SdCardError, image as card_image};

/// What only says what an image is made of.
const WHAT_IS_MADE: [&str; 5] = ["kind", "firmware", "persona", "bootloader", "without_persona"];

/// Arguments of `wisp sdcard`.
#[derive(Debug, Args)]
pub(super) struct SdCardArguments {
    #[command(flatten)]
    board: KindOption,
    #[command(flatten)]
    images: ImageOptions,
    /// The bootloader: its ELF file
    #[arg(long, value_name = "FILE")]
    bootloader: Option<PathBuf>,
    /// Leave the persona to the cable
    #[arg(long, conflicts_with = "persona")]
    without_persona: bool,
    /// The Raspberry Pi's own boot files, as scripts/boot-files fetches them
    #[arg(long, value_name = "FOLDER", default_value = "target/boot-files")]
    boot_files: PathBuf,
    /// The card's image
    #[arg(long, short, value_name = "FILE", default_value = "wisp-sd.img")]
    output: PathBuf,
    /// Only write the card's files, to a new folder, for a FAT32 card of yours
    #[arg(long, value_name = "FOLDER", conflicts_with_all = ["list", "write"])]
    folder: Option<PathBuf>,
    /// List the drives that may be cards, and say of each whether it can be written to
    #[arg(long, conflicts_with_all = WHAT_IS_MADE, conflicts_with = "write")]
    list: bool,
    /// Write the image that was made before over all that is on this drive (sdb, /dev/sdb)
    #[arg(long, value_name = "DRIVE", conflicts_with_all = WHAT_IS_MADE)]
    write: Option<PathBuf>,
    /// Do not ask before writing
    #[arg(long, requires = "write")]
    yes: bool,
}

/// Does what was asked for.
pub(super) fn run(arguments: &SdCardArguments) -> Result<()> {
    if arguments.list {
        return list();
    }
    match &arguments.write {
        Some(drive) => write(arguments, drive),
        None => make(arguments),
    }
}

fn make(arguments: &SdCardArguments) -> Result<()> {
    let artefacts = Artefacts::discover();
    let board = arguments.board.kind;
    let named = |path: &Option<PathBuf>, built: Result<PathBuf>| path.clone().map_or(built, Ok);
    let bootloader = named(&arguments.bootloader, artefacts.bootloader_for(board))?;
    let firmware = named(&arguments.images.firmware, artefacts.firmware_for(board))?;
    for program in [&bootloader, &firmware] {
        image::expect_board(program, board)?;
    }
    let firmware = image::firmware(&firmware)?;
    let persona = match arguments.without_persona {
        true => None,
        false => Some(image::persona(&named(&arguments.images.persona, artefacts.persona())?)?),
    };
    let boot = BootFiles::read(&arguments.boot_files)?;
    let name = persona.as_ref().map(|persona| persona.name.clone());
    let contents = Contents::new(board, boot, &image::kernel(&bootloader)?, &firmware, persona)?;
    for file in &contents.0 {
        out::line(&format!("  {:18} {:>9}", file.name, amount(file.bytes.len() as u64)));
    }
    out::line(&format!("  The card is for a {board}."));
    match name {
        Some(name) => out::line(&format!("  The persona is {name}.")),
        None => out::line("  No persona: `wisp load` brings one, each time after power was off."),
    }
    if let Some(folder) = &arguments.folder {
        contents.write_to(folder)?;
        let folder = folder.display();
        out::line(&format!("Copy all of {folder} onto a FAT32 card, into no folder."));
    } else {
        let bytes = card_image::write(&contents, &arguments.output)?;
        let output = arguments.output.display();
        out::line(&format!("wrote {output} ({})", amount(bytes as u64)));
        // As it was started: it need not be where shells look.
        let program = std::env::args().next().unwrap_or_else(|| "wisp".to_string());
        out::line("Put a card in, see which drive it is, and write it; drives belong to root:");
        out::line(&format!("  {program} sdcard --list"));
        out::line(&format!("  sudo {program} sdcard --output {output} --write DRIVE"));
    }
    Ok(())
}

fn list() -> Result<()> {
    let drives = drives(Path::new("/"))?;
    let mut candidates = drives.iter().filter(|drive| is_candidate(drive)).peekable();
    if candidates.peek().is_none() {
        out::line("There is no drive that could be a card. Put one in.");
    }
    for drive in candidates {
        let verdict = match judge(drive, 0) {
            Ok(()) => "can be written to".to_string(),
            Err(error) => error.to_string(),
        };
        out::line(&format!("{}\n  {verdict}", describe(drive)));
    }
    Ok(())
}

fn describe(drive: &Drive) -> String {
    format!("{:10} {:>9}  {}", drive.name, amount(drive.bytes), drive.model)
}

fn write(arguments: &SdCardArguments, wanted: &Path) -> Result<()> {
    let path = &arguments.output;
    let (mut image, bytes) = open_image(path)?;
    let drive = find(Path::new("/"), wanted)?;
    judge(&drive, bytes)?;
    out::line(&describe(&drive));
    out::line("All that is on it will be gone.");
    if !arguments.yes {
        confirm(&drive)?;
    }
    let interrupt = Interrupt::listen()?;
    let mut device = writing::open(&drive.path)?;
    let bar = Bar::new(bytes);
    let mut watch = |step, done| {
        bar.show(step, done);
        match interrupt.is_raised() {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        }
    };
    let result = writing::write(&mut image, &mut device, &drive.path, &mut watch);
    bar.bar.finish_and_clear();
    let digest = result?;
    let digest: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    out::line(&format!("Written and read back, SHA-256 {digest}."));
    out::line("Take the card out, put it into the Pi and give it power.");
    Ok(())
}

/// The image, and its size.
fn open_image(path: &Path) -> Result<(File, u64)> {
    let foreign = |cause: String| SdCardError::ForeignImage { path: path.to_path_buf(), cause };
    let unreadable = |cause: std::io::Error| foreign(cause.to_string());
    let mut image = File::open(path).map_err(unreadable)?;
    let bytes = image.metadata().map_err(unreadable)?.len();
    let mut sector = [0; SECTOR];
    image.read_exact(&mut sector).map_err(unreadable)?;
    if !is_card(&sector) {
        return Err(foreign("it does not begin like one".to_string()).into());
    }
    image.rewind().map_err(unreadable)?;
    Ok((image, bytes))
}

fn confirm(drive: &Drive) -> Result<()> {
    out::note(&format!("Type {} to go on:", drive.name));
    let mut typed = String::new();
    std::io::stdin().read_line(&mut typed).map_err(|cause| WispError::Terminal { cause })?;
    if typed.trim() == drive.name {
        return Ok(());
    }
    let typed = format!("`{}`", crate::sanitise::one_line(typed.trim()));
    Err(SdCardError::NotConfirmed { name: drive.name.clone(), typed }.into())
}

/// What is shown while writing.
struct Bar {
    bar: ProgressBar,
}

impl Bar {
    fn new(bytes: u64) -> Self {
        let bar = match std::io::stderr().is_terminal() {
            true => ProgressBar::new(bytes),
            false => ProgressBar::hidden(),
        };
        let style = ProgressStyle::with_template("{bar:30} {percent:>3} % {msg}, {eta} left");
        Self { bar: bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar())) }
    }

    fn show(&self, step: Step, done: u64) {
        let words = match step {
            Step::Writing => "writing",
            Step::Reading => "reading back",
        };
        if self.bar.message() != words {
            if self.bar.is_hidden() {
                out::note(words);
            }
            self.bar.reset_eta();
            self.bar.set_message(words);
        }
        self.bar.set_position(done);
    }
}
