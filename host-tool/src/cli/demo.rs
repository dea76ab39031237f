//! `wisp demo`: everything at once, without a board.

use clap::Args;

use super::cable_noise::CableNoiseOptions;
use super::interrupt::Interrupt;
use super::options::{BoardArguments, HistoryOptions, ImageOptions, MannersOptions};
use super::out;
use super::serve::{PageOptions, serve};
use crate::client::ClientOptions;
use crate::errors::Result;

/// Arguments of `wisp demo`.
#[derive(Debug, Args)]
pub(super) struct DemoArguments {
    #[command(flatten)]
    board: BoardArguments,
    #[command(flatten)]
    images: ImageOptions,
    /// Send the persona over the emulated cable, instead of starting with it as from an SD card
    #[arg(long)]
    upload: bool,
    #[command(flatten)]
    history: HistoryOptions,
    #[command(flatten)]
    manners: MannersOptions,
    #[command(flatten)]
    noise: CableNoiseOptions,
    #[command(flatten)]
    page: PageOptions,
}

/// Emulates a board and serves it until Ctrl-C.
pub(super) fn run(arguments: DemoArguments) -> Result<()> {
    let kind = arguments.board.board.kind;
    let images = arguments.images.completed(kind)?;
    let wanted = images.named()?;
    let options = ClientOptions {
        wanted,
        keeping: arguments.history.keeping_if_named()?,
        choices: arguments.manners.choices(),
    };
    // Before the board starts: a Ctrl-C in between would leave it behind.
    let interrupt = Interrupt::listen()?;
    let mut board = arguments.board.with_wanted(&images, arguments.upload).start(None)?;
    let slow = if arguments.upload { " A persona takes minutes to send." } else { "" };
    out::line(&format!("An emulated {kind} boots the real bootloader.{slow}"));
    let way = arguments.noise.on(Box::new(board.connector()));
    serve(way, options, &arguments.page, &interrupt, move || board.check())
}
