//! What the relay serves: the page, the conversation as a file, one WebSocket, and the API if
//! wanted, all behind the guard.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade, close_code};
use axum::extract::{Path, Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tokio::sync::Semaphore;
use tokio::sync::broadcast::error::RecvError;
use tokio::time;

use super::guard::{Guard, LIVE_PATH, Refused, Verdict};
use super::hub::Hub;
use crate::api::error::ApiError;
use crate::api::{self, Api};
use crate::errors::Result;
use crate::history::export::Format;

/// Largest WebSocket message a page may send; the longest chat text is far below it.
const MAX_INCOMING: usize = 64 * 1024;

/// Most tabs at once.
const MAX_TABS: usize = 16;

/// Most requests of one tab in one second: more than fast fingers need.
const MAX_REQUESTS_PER_SECOND: u32 = 50;

/// How long a tab may take to accept a message before it is cut off.
const SEND_PATIENCE: Duration = Duration::from_secs(10);

/// How often a quiet tab is asked whether it is still there.
const PING_INTERVAL: Duration = Duration::from_secs(20);

/// Called with a fresh link whenever the last one was used.
pub type OnFreshLink = Arc<dyn Fn(&str) + Send + Sync>;

/// What the routes share.
#[derive(Clone)]
pub struct Shared {
    /// Decides who may come in.
    pub guard: Arc<Guard>,
    /// The chat.
    pub hub: Arc<Hub>,
    /// Told about fresh links.
    pub on_fresh_link: OnFreshLink,
    tabs: Arc<Semaphore>,
    api: Option<Arc<Api>>,
}

impl Shared {
    /// Puts them together.
    pub fn new(guard: Arc<Guard>, hub: Arc<Hub>, on_fresh_link: OnFreshLink) -> Self {
        Self { guard, hub, on_fresh_link, tabs: Arc::new(Semaphore::new(MAX_TABS)), api: None }
    }

    /// The same, with the API.
    ///
    /// # Errors
    /// The operating system gave no random numbers.
    pub fn with_api(self) -> Result<Self> {
        let api = Api::new(self.hub.clone(), self.tabs.clone())?;
        Ok(Self { api: Some(api), ..self })
    }
}

/// All routes. The guard is the outermost layer, so nothing can be added beside it.
pub fn router(shared: Shared) -> Router {
    let api = shared.api.clone().map(api::router).unwrap_or_default();
    Router::new()
        .route("/", get(|| file("text/html; charset=utf-8", include_str!("page/index.html"))))
        .route(
            "/style.css",
            get(|| file("text/css; charset=utf-8", include_str!("page/style.css"))),
        )
        .route("/script.js", get(|| script(include_str!("page/script.js"))))
        .route("/days.js", get(|| script(include_str!("page/days.js"))))
        .route("/live.js", get(|| script(include_str!("page/live.js"))))
        .route("/messages.js", get(|| script(include_str!("page/messages.js"))))
        .route("/page.js", get(|| script(include_str!("page/page.js"))))
        .route("/settings.js", get(|| script(include_str!("page/settings.js"))))
        .route("/status.js", get(|| script(include_str!("page/status.js"))))
        .route("/unseen.js", get(|| script(include_str!("page/unseen.js"))))
        .route("/writing.js", get(|| script(include_str!("page/writing.js"))))
        .route("/export/{file}", get(export))
        .route("/icon.svg", get(|| file("image/svg+xml", include_str!("page/icon.svg"))))
        .route(LIVE_PATH, get(live))
        .with_state(shared.clone())
        .merge(api)
        .layer(middleware::from_fn_with_state(shared, guard))
}

async fn script(text: &'static str) -> impl IntoResponse {
    file("text/javascript; charset=utf-8", text).await
}

/// The whole conversation, to keep.
async fn export(State(shared): State<Shared>, Path(name): Path<String>) -> Response {
    let (format, kind) = match name.as_str() {
        "chat.md" => (Format::Md, "text/markdown; charset=utf-8"),
        "chat.html" => (Format::Html, "text/html; charset=utf-8"),
        "chat.jsonl" => (Format::Jsonl, "application/jsonl; charset=utf-8"),
        _ => return StatusCode::NOT_FOUND.into_response(),
    };
    // Never shown in the place of the page, whatever is in it.
    let disposition = "attachment";
    let headers = [(header::CONTENT_TYPE, kind), (header::CONTENT_DISPOSITION, disposition)];
    (headers, shared.hub.export(format)).into_response()
}

async fn file(kind: &'static str, text: &'static str) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, kind)], text)
}

/// Runs before everything else.
async fn guard(State(shared): State<Shared>, request: Request, next: Next) -> Response {
    let verdict = shared.guard.judge(request.method(), request.uri(), request.headers());
    let path = request.uri().path();
    let (is_api, takes_body) = (shared.guard.is_api(path), path == api::COMPLETIONS_PATH);
    let mut response = match verdict {
        Verdict::Serve => next.run(request).await,
        Verdict::Enter => enter(&shared),
        Verdict::AlreadyIn => redirect(None),
        Verdict::Refuse(refused) => {
            let mut response = match is_api {
                true => ApiError::NotLetIn { refused }.into_response(),
                false => in_words(refused),
            };
            let method = if is_api && takes_body { "POST" } else { "GET" };
            complete_refusal(refused, method, response.headers_mut());
            response
        }
    };
    secure(response.headers_mut());
    response
}

/// Lets a browser in that opened the printed link.
fn enter(shared: &Shared) -> Response {
    if shared.guard.renew_launch().is_err() {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    }
    (shared.on_fresh_link)(&shared.guard.launch_url());
    redirect(Some(shared.guard.cookie()))
}

/// To the page without the secret in its address, so that it is in no history and no bookmark.
fn redirect(cookie: Option<String>) -> Response {
    let mut response = StatusCode::SEE_OTHER.into_response();
    response.headers_mut().insert(header::LOCATION, HeaderValue::from_static("/"));
    if let Some(cookie) = cookie.and_then(|cookie| HeaderValue::from_str(&cookie).ok()) {
        response.headers_mut().insert(header::SET_COOKIE, cookie);
    }
    response
}

/// A refusal for the person who sees it in a browser.
fn in_words(refused: Refused) -> Response {
    let kind = HeaderValue::from_static("text/plain; charset=utf-8");
    let mut response = Response::new(Body::from(refused.words()));
    *response.status_mut() = refused.status();
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}

fn complete_refusal(refused: Refused, method: &'static str, headers: &mut HeaderMap) {
    // What was refused may be the beginning of more: do not read on.
    headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    if refused == Refused::Method {
        headers.insert(header::ALLOW, HeaderValue::from_static(method));
    }
}

/// Headers of every answer. There are no CORS headers on purpose: nobody else may read anything.
fn secure(headers: &mut HeaderMap) {
    for (name, value) in [
        (
            "content-security-policy",
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
             connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        ),
        ("x-content-type-options", "nosniff"),
        ("referrer-policy", "no-referrer"),
        ("cross-origin-opener-policy", "same-origin"),
        ("cross-origin-resource-policy", "same-origin"),
        ("x-frame-options", "DENY"),
        ("cache-control", "no-store"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
}

async fn live(State(shared): State<Shared>, upgrade: WebSocketUpgrade) -> Response {
    let Ok(place) = shared.tabs.clone().try_acquire_owned() else {
        return StatusCode::TOO_MANY_REQUESTS.into_response();
    };
    upgrade.max_message_size(MAX_INCOMING).max_frame_size(MAX_INCOMING).on_upgrade(
        move |mut socket| async move {
            let code = talk(&mut socket, &shared.hub).await;
            // The tab may be gone already.
            let goodbye = Message::Close(Some(CloseFrame { code, reason: "".into() }));
            let _ = time::timeout(SEND_PATIENCE, socket.send(goodbye)).await;
            drop(place);
        },
    )
}

/// Serves one tab until it goes or misbehaves; returns the WebSocket's closing code.
async fn talk(socket: &mut WebSocket, hub: &Hub) -> u16 {
    let (snapshot, mut updates) = hub.join();
    if !send(socket, snapshot).await {
        return close_code::NORMAL;
    }
    let mut ping = time::interval(PING_INTERVAL);
    let mut limit = RateLimit::new();
    loop {
        tokio::select! {
            update = updates.recv() => {
                let text = match update {
                    Ok(update) => update.text.clone(),
                    Err(RecvError::Lagged(_)) => {
                        let (snapshot, fresh) = hub.join();
                        updates = fresh;
                        snapshot
                    }
                    Err(RecvError::Closed) => return close_code::AWAY,
                };
                if !send(socket, text).await {
                    return close_code::NORMAL;
                }
            }
            incoming = socket.recv() => match incoming {
                Some(Ok(Message::Text(text))) => {
                    if !limit.allows(Instant::now()) {
                        return close_code::POLICY;
                    }
                    match hub.handle(&text) {
                        Ok(None) => {}
                        Ok(Some(answer)) => if !send(socket, answer).await {
                            return close_code::NORMAL;
                        },
                        Err(_) => return close_code::POLICY,
                    }
                }
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {
                    if !limit.allows(Instant::now()) {
                        return close_code::POLICY;
                    }
                }
                Some(Ok(Message::Binary(_))) => return close_code::UNSUPPORTED,
                Some(Ok(Message::Close(_))) | None => return close_code::NORMAL,
                // Too large, or no WebSocket at all.
                Some(Err(_)) => return close_code::POLICY,
            },
            _ = ping.tick() => {
                let asked = socket.send(Message::Ping(Vec::new().into()));
                if !matches!(time::timeout(SEND_PATIENCE, asked).await, Ok(Ok(()))) {
                    return close_code::NORMAL;
                }
            }
        }
    }
}

async fn send(socket: &mut WebSocket, text: String) -> bool {
    let sending = socket.send(Message::Text(text.into()));
    matches!(time::timeout(SEND_PATIENCE, sending).await, Ok(Ok(())))
}

/// Counts requests per second.
struct RateLimit {
    second: Instant,
    count: u32,
}

impl RateLimit {
    fn new() -> Self {
        Self { second: Instant::now(), count: 0 }
    }

    fn allows(&mut self, now: Instant) -> bool {
        if now.duration_since(self.second) >= Duration::from_secs(1) {
            *self = Self { second: now, count: 0 };
        }
        self.count += 1;
        self.count <= MAX_REQUESTS_PER_SECOND
    }
}
