//! `wisp serve`: the conversation in the browser.

use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::time::Duration;

use clap::Args;

use super::browser;
use super::cable_noise::{CableNoise, CableNoiseOptions};
use super::interrupt::Interrupt;
use super::options::{HistoryOptions, ImageOptions, MannersOptions, PortOptions};
use super::out;
use super::progress::Progress;
use crate::client::{Client, ClientOptions, Update};
use crate::errors::{Result, WispError};
use crate::port::Connector;
use crate::relay::Relay;
use crate::relay::hub::Hub;

/// How often Ctrl-C is looked at.
const LOOK: Duration = Duration::from_millis(100);

/// Arguments of `wisp serve`.
#[derive(Debug, Args)]
pub(super) struct ServeArguments {
    #[command(flatten)]
    port: PortOptions,
    #[command(flatten)]
    images: ImageOptions,
    #[command(flatten)]
    history: HistoryOptions,
    #[command(flatten)]
    manners: MannersOptions,
    #[command(flatten)]
    noise: CableNoiseOptions,
    #[command(flatten)]
    page: PageOptions,
}

/// Options of the page.
#[derive(Debug, Clone, Args)]
pub(super) struct PageOptions {
    /// Port of the page on 127.0.0.1 [default: a free one]
    #[arg(long, value_name = "NUMBER", default_value_t = 0, hide_default_value = true)]
    pub http_port: u16,
    /// Only print the link; do not open a browser
    #[arg(long)]
    pub no_browser: bool,
    /// Serve programs too: OpenAI's chat completions, and events for bots
    #[arg(long)]
    pub api: bool,
}

/// Serves until Ctrl-C.
pub(super) fn run(arguments: ServeArguments) -> Result<()> {
    let wanted = arguments.images.named()?;
    let way = arguments.noise.on(arguments.port.connector()?);
    let options = ClientOptions {
        wanted,
        keeping: arguments.history.keeping()?,
        choices: arguments.manners.choices(),
    };
    serve(way, options, &arguments.page, &Interrupt::listen()?, || Ok(()))
}

/// Serves the page for this board until Ctrl-C. `check` is asked now and then whether the board
/// still runs.
///
/// # Errors
/// The page cannot be served, or `check` failed. What goes wrong on the way to the board is shown
/// on the page and does not end this.
pub(super) fn serve(
    (connector, mut noise): (Box<dyn Connector>, CableNoise),
    options: ClientOptions,
    page: &PageOptions,
    interrupt: &Interrupt,
    mut check: impl FnMut() -> Result<()>,
) -> Result<()> {
    let name = options.wanted.name().to_string();
    let client = Client::start(connector, options)?;
    let hub = Hub::new(&name, client.commands());
    let relay = Relay::bind(page.http_port)?;
    out::line(&format!("Wisp is at {}", relay.url()));
    out::line("(The link works once; a fresh one is printed when it was used. Ctrl-C ends.)");
    let relay = if page.api { relay.with_api() } else { relay };
    if page.api {
        let (port, key) = (relay.port(), relay.api_key());
        out::line(&format!("The API is at http://127.0.0.1:{port}/v1, with the key {key}"));
    }
    if !page.no_browser {
        browser::open(&relay.url());
    }
    let (end, ended) = tokio::sync::oneshot::channel();
    let served = hub.clone();
    let (fresh, links) = mpsc::channel();
    let thread = std::thread::spawn(move || serve_blocking(relay, served, fresh, ended));

    let mut progress = Progress::new();
    let mut is_awake = false;
    let outcome = loop {
        if interrupt.is_raised() {
            break Ok(());
        }
        if let Err(error) = check() {
            break Err(error);
        }
        if thread.is_finished() {
            break Ok(());
        }
        for link in links.try_iter() {
            progress.print(&format!("For another browser: {link}"));
        }
        match client.updates()?.recv_timeout(LOOK) {
            Ok(update) => {
                noise.hear(&update);
                // They are for whoever waits for it to wake up. All of it is told at the end.
                if let Some(words) = noise.news().filter(|_| !is_awake) {
                    progress.line(&words);
                }
                progress.show(&update);
                if update == Update::Loaded {
                    is_awake = true;
                    out::line(&format!("{name} is awake: see the page."));
                }
                hub.publish(&update);
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => break Err(WispError::DriverGone),
        }
    };
    if let Some(words) = noise.words() {
        progress.line(&words);
    }
    drop(end);
    match thread.join() {
        Ok(served) => outcome.and(served),
        Err(_) => Err(WispError::DriverGone),
    }
}

fn serve_blocking(
    relay: Relay,
    hub: Arc<Hub>,
    fresh: Sender<String>,
    ended: tokio::sync::oneshot::Receiver<()>,
) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|cause| WispError::Start { what: "the web relay", cause })?;
    // The terminal is gone when nobody takes it.
    let on_fresh_link = Arc::new(move |link: &str| _ = fresh.send(link.to_string()));
    runtime.block_on(relay.run(hub, on_fresh_link, async {
        // Ends when the sender is dropped.
        let _ = ended.await;
    }))
}
