//! Options that several verbs share.

use std::path::{Path, PathBuf};

use clap::Args;

use crate::board::{Artefacts, Board, BoardOptions};
use crate::board_kind::BoardKind;
use crate::client::{Choices, Keeping, LocalHours, Wanted};
use crate::errors::Result;
use crate::history::{History, place};
use crate::image;
use crate::port::{AutoConnector, Connector, FixedConnector, PortAddress, Speed};

/// Where the board is.
#[derive(Debug, Clone, Args)]
pub(super) struct PortOptions {
    /// Where the board is: a serial device, unix:PATH or tcp:HOST:PORT [default: the serial port
    /// on which a board answers]
    #[arg(long, value_name = "PORT")]
    pub port: Option<String>,
    /// Speed of the serial line: it begins with 115200 bits per second and finds the best that adapter
    /// and board can do, at most this
    #[arg(long, default_value_t = Speed::Auto)]
    pub baud: Speed,
}

impl PortOptions {
    pub(super) fn connector(&self) -> Result<Box<dyn Connector>> {
        Ok(match &self.port {
            Some(text) => Box::new(FixedConnector::new(text.parse::<PortAddress>()?, self.baud)),
            None => Box::new(AutoConnector::new(self.baud)),
        })
    }
}

/// Where the conversation is kept.
#[derive(Debug, Clone, Args)]
pub(super) struct HistoryOptions {
    /// Keep the conversation in this file [default: one in your data folder; of a
    /// demo, none]
    #[arg(long, value_name = "FILE")]
    pub history: Option<PathBuf>,
    /// Keep the conversation only as long as this program runs
    #[arg(long, conflicts_with = "history")]
    pub no_history: bool,
}

impl HistoryOptions {
    /// In the named file, or in the user's own.
    ///
    /// # Errors
    /// Another program writes to it, it cannot be opened, it is damaged, or of a newer version.
    pub(super) fn keeping(&self) -> Result<Keeping> {
        if self.no_history {
            return Ok(Keeping::Memory);
        }
        let path = self.history.clone().map_or_else(place::usual, Ok)?;
        Ok(Keeping::History(Box::new(History::open(&path)?)))
    }

    /// In the named file, or nowhere: an emulated board is for trying out, and begins anew each time.
    ///
    /// # Errors
    /// As [`Self::keeping`].
    pub(super) fn keeping_if_named(&self) -> Result<Keeping> {
        if self.history.is_some() { self.keeping() } else { Ok(Keeping::Memory) }
    }
}

/// How the persona behaves.
#[derive(Debug, Clone, Args)]
pub(super) struct MannersOptions {
    /// How talkative the persona is, 0 to 10: by how much its odds of speaking are multiplied
    /// [default: 1, as it was learned]
    #[arg(long, value_name = "NUMBER", value_parser = thousandths)]
    pub talkativeness: Option<u16>,
    /// How many messages in a row the persona may write, 1 to 8 [default: as it was learned, but at
    /// most 4]
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u8).range(1..=8))]
    pub most_unanswered: Option<u8>,
    /// When the persona does not speak first, by your clock, like 22:00-07:30
    #[arg(long, value_name = "FROM-TO", value_parser = hours)]
    pub quiet: Option<LocalHours>,
    /// How freely the persona chooses its words, 0 to 2 [default: as its file says]
    #[arg(long, value_name = "NUMBER", value_parser = temperature)]
    pub temperature: Option<u16>,
}

impl MannersOptions {
    /// What was asked for.
    pub(super) fn choices(&self) -> Choices {
        Choices {
            talkativeness_milli: self.talkativeness,
            most_unanswered: self.most_unanswered,
            temperature_milli: self.temperature,
            quiet: self.quiet,
        }
    }
}

/// Two times of the day.
fn hours(text: &str) -> std::result::Result<LocalHours, String> {
    let minute = |time: &str| {
        let (hour, minute) = time.split_once(':').unwrap_or((time, "0"));
        let (hour, minute): (u16, u16) = (hour.trim().parse().ok()?, minute.trim().parse().ok()?);
        (hour < 24 && minute < 60).then_some(hour * 60 + minute)
    };
    let times = text.split_once('-');
    let hours =
        times.and_then(|(from, to)| Some(LocalHours { from: minute(from)?, to: minute(to)? }));
    let hours = hours.filter(|hours| hours.from != hours.to);
    hours.ok_or_else(|| "it is two different times of the day, like 22:00-07:30".into())
}

/// A number from 0 to 2, in thousandths.
fn temperature(text: &str) -> std::result::Result<u16, String> {
    match text.parse::<f32>() {
        // At most 2,000.
        Ok(number) if (0.0..=2.0).contains(&number) => Ok((number * 1000.0).round() as u16),
        _ => Err("it is a number from 0 (always the likeliest word) to 2 (wild)".into()),
    }
}

/// A number from 0 to 10, in thousandths.
fn thousandths(text: &str) -> std::result::Result<u16, String> {
    match text.parse::<f32>() {
        // At most 10,000.
        Ok(number) if (0.0..=10.0).contains(&number) => Ok((number * 1000.0).round() as u16),
        _ => Err("it is a number from 0 (never speaks) to 10, and 1 is as it was learned".into()),
    }
}

/// What is to run on the board.
#[derive(Debug, Clone, Args)]
pub(super) struct ImageOptions {
    /// The firmware: its ELF file, or a raw image
    #[arg(long, value_name = "FILE")]
    pub firmware: Option<PathBuf>,
    /// The persona: a .wisp file
    #[arg(long, value_name = "FILE")]
    pub persona: Option<PathBuf>,
}

impl ImageOptions {
    /// What was named, and nothing else: the board may have the rest already.
    pub(super) fn named(&self) -> Result<Wanted> {
        Ok(Wanted {
            firmware: self.firmware.as_deref().map(image::firmware).transpose()?,
            persona: self.persona.as_deref().map(image::persona).transpose()?,
            always_compare: self.firmware.is_some(),
        })
    }

    /// These options with what the build made for what was not named.
    ///
    /// # Errors
    /// The build did not make it, or the firmware is for another board.
    pub(super) fn completed(&self, board: BoardKind) -> Result<Self> {
        let artefacts = Artefacts::discover();
        let named = self.firmware.clone();
        let firmware = named.map_or_else(|| artefacts.firmware_for(board), Ok)?;
        image::expect_board(&firmware, board)?;
        Ok(Self {
            firmware: Some(firmware),
            persona: Some(self.persona.clone().map_or_else(|| artefacts.persona(), Ok)?),
        })
    }

    /// What was named, and what the build made for the rest.
    pub(super) fn complete(&self, board: BoardKind) -> Result<Wanted> {
        self.completed(board)?.named()
    }
}

/// Which board it is.
#[derive(Debug, Clone, Copy, Args)]
pub(super) struct KindOption {
    /// Which board it is
    #[arg(long = "board", value_name = "BOARD", value_enum, default_value_t)]
    pub kind: BoardKind,
}

/// The emulated board.
#[derive(Debug, Clone, Args)]
pub(super) struct BoardArguments {
    #[command(flatten)]
    pub board: KindOption,
    /// The bootloader: its ELF file, or a raw kernel.img
    #[arg(long, value_name = "FILE")]
    pub bootloader: Option<PathBuf>,
    /// One more argument for QEMU; may be repeated
    #[arg(long = "qemu-arg", value_name = "ARGUMENT", allow_hyphen_values = true)]
    pub extra: Vec<String>,
}

impl BoardArguments {
    /// The same board with a persona in memory from the start, as the Pi's boot stage brings it from an
    /// SD card: an upload then finds everything there already.
    fn with_persona(&self, persona: &Path) -> Self {
        // QEMU ends a value at a comma, unless there are two.
        let file = persona.display().to_string().replace(',', ",,");
        let address = image::PERSONA_ADDRESS;
        let mut board = self.clone();
        board.extra.push("-device".to_string());
        board.extra.push(format!("loader,file={file},addr={address:#x},force-raw=on"));
        board
    }

    /// The same board with the wanted persona in memory, unless that is to come over the cable.
    pub(super) fn with_wanted(&self, images: &ImageOptions, upload: bool) -> Self {
        match &images.persona {
            Some(persona) if !upload => self.with_persona(persona),
            _ => self.clone(),
        }
    }

    pub(super) fn start(&self, socket: Option<PathBuf>) -> Result<Board> {
        let KindOption { kind } = self.board;
        let named = self.bootloader.clone();
        let kernel = named.map_or_else(|| Artefacts::discover().bootloader_for(kind), Ok)?;
        image::expect_board(&kernel, kind)?;
        let mut options = BoardOptions::new(kernel);
        options.extra.clone_from(&self.extra);
        options.socket = socket;
        Board::start(&options)
    }
}
