//! `wisp qemu`: an emulated board, loaded, and a chat with it.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::cable_noise::CableNoiseOptions;
use super::chat;
use super::chat_text::ChatText;
use super::interrupt::Interrupt;
use super::options::{BoardArguments, ImageOptions};
use super::out;
use super::progress::Progress;
use crate::client::{Client, ClientOptions};
use crate::errors::{Result, WispError};

/// Arguments of `wisp qemu`.
#[derive(Debug, Args)]
pub(super) struct QemuArguments {
    #[command(flatten)]
    board: BoardArguments,
    #[command(flatten)]
    images: ImageOptions,
    #[command(flatten)]
    noise: CableNoiseOptions,
    /// Send the persona over the emulated cable, instead of starting with it as from an SD card
    #[arg(long, conflicts_with = "bare")]
    upload: bool,
    /// Only run the board; other verbs reach it with --port unix:PATH
    #[arg(long)]
    bare: bool,
    /// Where the board's serial line appears [default: a place that vanishes with it]
    #[arg(long, value_name = "PATH")]
    socket: Option<PathBuf>,
}

/// Runs the board until the friend leaves.
pub(super) fn run(arguments: QemuArguments) -> Result<()> {
    let kind = arguments.board.board.kind;
    let mut board = arguments.board.clone();
    let mut wanted = None;
    if !arguments.bare {
        let images = arguments.images.completed(kind)?;
        wanted = Some(images.named()?);
        board = board.with_wanted(&images, arguments.upload);
    }
    // Before the board starts: a Ctrl-C in between would leave it behind.
    let interrupt = Interrupt::listen()?;
    let mut board = board.start(arguments.socket)?;
    out::line(&format!("An emulated {kind} runs; its serial line is {}", board.address()));
    let Some(wanted) = wanted else {
        out::line(&format!(
            "Reach it with `wisp load --port {}`. Ctrl-C ends it.",
            board.address()
        ));
        while !interrupt.is_raised() {
            board.check()?;
            std::thread::sleep(Duration::from_millis(100));
        }
        return Ok(());
    };
    let name = wanted.name().to_string();
    let (connector, noise) = arguments.noise.on(Box::new(board.connector()));
    let mut client =
        Client::start(connector, ClientOptions { wanted, ..ClientOptions::default() })?;
    Progress::new().wait_until_online(&client, &interrupt).map_err(without_emulator)?;
    chat::talk(&mut client, ChatText::new(&name), &interrupt, noise)
}

/// What an error on the way to an emulated board means when the board ends with this program.
pub(super) fn without_emulator(error: WispError) -> WispError {
    match error {
        WispError::Interrupted { .. } | WispError::Cancelled => WispError::QemuCancelled,
        error => error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_promised_of_a_board_that_is_gone() {
        let told = |error| without_emulator(error).code_text();
        assert_eq!(told(WispError::Interrupted { kept: 1, total: 2 }), "wisp::qemu::cancelled");
        assert_eq!(told(WispError::Cancelled), "wisp::qemu::cancelled");
        assert_eq!(told(WispError::DriverGone), "wisp::host::driver");
    }
}
