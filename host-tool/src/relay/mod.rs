//! The web relay: serves the page on 127.0.0.1 and carries the chat between browser and board.

pub mod guard;
pub mod hub;
pub mod routes;
pub mod token;

use std::future::Future;
use std::net::{Ipv4Addr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::Semaphore;

use crate::errors::{Result, WispError};
use guard::{Guard, MAX_HEADERS};
use hub::Hub;
use routes::{OnFreshLink, Shared, router};

/// How long a request's headers may take: slow clients are cut off.
const HEADER_PATIENCE: Duration = Duration::from_secs(10);

/// Most connections at once, those that wait for the guard included.
const MAX_CONNECTIONS: usize = 64;

/// Most bytes of a request's headers.
const MAX_HEADER_BYTES: usize = 16 * 1024;

/// A relay that listens and does not answer yet.
pub struct Relay {
    listener: TcpListener,
    guard: Guard,
    has_api: bool,
}

impl Relay {
    /// Listens on 127.0.0.1, and nowhere else. Port 0 takes a free one.
    ///
    /// # Errors
    /// The port is taken, or there are no random numbers for the secrets.
    pub fn bind(port: u16) -> Result<Self> {
        let failed = |cause| WispError::Listen { port, cause };
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).map_err(failed)?;
        listener.set_nonblocking(true).map_err(failed)?;
        let port = listener.local_addr().map_err(failed)?.port();
        Ok(Self { listener, guard: Guard::new(port)?, has_api: false })
    }

    /// The same, with the API for programs.
    pub fn with_api(mut self) -> Self {
        self.guard.open_api();
        Self { has_api: true, ..self }
    }

    /// What programs that use the API show.
    pub fn api_key(&self) -> &str {
        self.guard.api_key()
    }

    /// The link to open, good for one browser.
    pub fn url(&self) -> String {
        self.guard.launch_url()
    }

    /// The port it listens on.
    pub fn port(&self) -> u16 {
        self.listener.local_addr().map(|address| address.port()).unwrap_or_default()
    }

    /// Serves until `end` comes. Needs a tokio runtime.
    ///
    /// # Errors
    /// The listener cannot be used in this runtime, or there are no random numbers for the API.
    pub async fn run(
        self,
        hub: Arc<Hub>,
        on_fresh_link: OnFreshLink,
        end: impl Future<Output = ()>,
    ) -> Result<()> {
        let listener = tokio::net::TcpListener::from_std(self.listener)
            .map_err(|cause| WispError::Start { what: "the web relay", cause })?;
        let shared = Shared::new(Arc::new(self.guard), hub, on_fresh_link);
        let service = router(if self.has_api { shared.with_api()? } else { shared });
        let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
        tokio::pin!(end);
        loop {
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                () = &mut end => return Ok(()),
            };
            let Ok((stream, _)) = accepted else {
                // Out of file handles, most likely: others must end first.
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            };
            let Ok(place) = places.clone().try_acquire_owned() else { continue };
            let service = service.clone();
            tokio::spawn(async move {
                serve_connection(stream, service).await;
                drop(place);
            });
        }
    }
}

/// Serves one connection to its end.
pub async fn serve_connection<S>(stream: S, service: Router)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_PATIENCE)
        .max_headers(2 * MAX_HEADERS)
        .max_buf_size(MAX_HEADER_BYTES)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(service))
        .with_upgrades();
    // A client that breaks off or breaks the protocol is its own affair.
    let _ = connection.await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_computer_is_listened_to_and_a_taken_port_is_named() {
        let relay = Relay::bind(0).unwrap();
        let address = relay.listener.local_addr().unwrap();
        assert!(address.ip().is_loopback());
        let error = Relay::bind(relay.port()).map(|_| ()).unwrap_err();
        assert_eq!(error.code_text(), "wisp::serve::listen");
        assert!(error.to_string().contains(&relay.port().to_string()));
    }
}
