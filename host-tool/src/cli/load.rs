//! `wisp load`: brings firmware and persona on the board up to date, and starts them.

use clap::Args;

use super::interrupt::Interrupt;
use super::options::{ImageOptions, KindOption, PortOptions};
use super::out;
use super::progress::Progress;
use crate::client::{Choices, Client, ClientOptions, Keeping};
use crate::errors::Result;

/// Arguments of `wisp load`.
#[derive(Debug, Args)]
pub(super) struct LoadArguments {
    #[command(flatten)]
    port: PortOptions,
    #[command(flatten)]
    images: ImageOptions,
    #[command(flatten)]
    board: KindOption,
}

/// Loads and ends. What is on the board already does not travel, so running it again after
/// Ctrl-C goes on where it stopped.
pub(super) fn run(arguments: LoadArguments) -> Result<()> {
    let wanted = arguments.images.complete(arguments.board.kind)?;
    let connector = arguments.port.connector()?;
    let interrupt = Interrupt::listen()?;
    let client = Client::start(
        connector,
        ClientOptions { wanted, keeping: Keeping::Bystander, choices: Choices::default() },
    )?;
    Progress::new().wait_until_online(&client, &interrupt)?;
    out::line("The persona is awake. `wisp chat` or `wisp serve` talks to it.");
    Ok(())
}
