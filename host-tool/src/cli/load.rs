//! `wisp load`: brings firmware and persona on the board up to date, and starts them.

use clap::Args;

use super::interrupt::Interrupt;
use super::options::{ImageOptions, KindOption, PortOptions};
use super::out;
use super::progress::Progress;
use crate::client::{Choices, Client, ClientOptions, Keeping, Update};
use crate::errors::Result;
use crate::port::{PortState, list};

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
    let mut named = arguments.port.port.clone();
    let connector = arguments.port.connector()?;
    let interrupt = Interrupt::listen()?;
    let client = Client::start(
        connector,
        ClientOptions { wanted, keeping: Keeping::Bystander, choices: Choices::default() },
    )?;
    Progress::new().wait_and_tell(&client, &interrupt, &mut |update| {
        if let Update::Met { port, .. } = update
            && has_several_ports()
        {
            named = Some(port.clone());
        }
        Ok(())
    })?;
    let option = named.map(|port| format!(" --port {port}")).unwrap_or_default();
    out::line(&format!(
        "The persona is awake. `wisp chat{option}` or `wisp serve{option}` talks to it."
    ));
    Ok(())
}

/// Whether the next program would have to look for the board.
fn has_several_ports() -> bool {
    list().iter().filter(|port| port.state != PortState::Missing).count() > 1
}
