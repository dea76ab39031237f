//! The API for programs: OpenAI's chat completions, and the conversation as a stream of events.
//!
//! ```text
//! request ──► said into the one conversation ──► hub ──► reply ──► answer, whole or in pieces
//!                                                └─────► events ──► every bot that listens
//! ```
//! The routes stand behind the same guard as the page. What decides is without input and output:
//! [`request`], [`known`], [`reply`], [`events`].

pub mod answer;
mod completions;
pub mod error;
pub mod events;
pub mod known;
pub mod reply;
pub mod request;
mod turn;

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, header};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use futures_util::stream;
use tokio::sync::Semaphore;

use crate::errors::Result;
use crate::relay::hub::Hub;
use crate::relay::token::Token;
use error::ApiError;
use events::Numbered;

/// What all addresses of the API begin with.
pub const PREFIX: &str = "/v1/";

/// Where messages are said: the only address of this program that takes a body.
pub const COMPLETIONS_PATH: &str = "/v1/chat/completions";

/// Largest body of a request; clients send the whole conversation each time.
pub const MAX_BODY: usize = 64 * 1024;

/// Letters of the name of a run.
const RUN_LETTERS: usize = 8;

/// What the routes share.
pub struct Api {
    hub: Arc<Hub>,
    /// Tells this run of the program from others.
    run: String,
    started: u64,
    /// One place: there is one board.
    turns: Arc<Semaphore>,
    /// Places for streams of events, shared with the page's tabs.
    listeners: Arc<Semaphore>,
    requests: AtomicU64,
}

impl Api {
    /// An API to this chat, which from now on keeps events.
    ///
    /// # Errors
    /// The operating system gave no random numbers.
    pub fn new(hub: Arc<Hub>, listeners: Arc<Semaphore>) -> Result<Arc<Self>> {
        let run: String = Token::random()?.reveal().chars().take(RUN_LETTERS).collect();
        hub.keep_events(&run);
        Ok(Arc::new(Self {
            hub,
            run,
            started: crate::client::unix_seconds(),
            turns: Arc::new(Semaphore::new(1)),
            listeners,
            requests: AtomicU64::new(0),
        }))
    }
}

/// All routes of the API.
pub fn router(api: Arc<Api>) -> Router {
    Router::new()
        .route("/v1/models", get(models))
        .route(COMPLETIONS_PATH, post(completions::complete))
        .route("/v1/events", get(listen))
        .route("/v1/{*rest}", get(|| async { ApiError::NotFound }))
        .with_state(api)
}

async fn models(State(api): State<Arc<Api>>) -> Response {
    let (name, _) = api.hub.watch(|view| view.name.clone());
    json(answer::models(&name, api.started))
}

/// Sends events until the listener goes, or is too slow: it may come back and hears what it missed.
async fn listen(State(api): State<Arc<Api>>, headers: HeaderMap) -> Response {
    let Ok(place) = api.listeners.clone().try_acquire_owned() else {
        return ApiError::TooManyStreams.into_response();
    };
    let last = headers.get("last-event-id").and_then(|last| last.to_str().ok());
    let Some(listener) = api.hub.listen(last) else {
        return ApiError::NotFound.into_response();
    };
    let events = stream::unfold((listener, place), |(mut listener, place)| async {
        let next = listener.next().await?;
        Some((Ok::<_, Infallible>(server_sent(&next)), (listener, place)))
    });
    Sse::new(events).keep_alive(KeepAlive::default()).into_response()
}

fn server_sent(numbered: &Numbered) -> Event {
    let event = Event::default().data(&numbered.text);
    match &numbered.id {
        Some(id) => event.id(id),
        None => event,
    }
}

fn json(text: String) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], text).into_response()
}
