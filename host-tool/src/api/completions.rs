//! `POST /v1/chat/completions`: the answer whole, or in pieces as it is written.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::body::to_bytes;
use axum::extract::{Request, State};
use axum::http::{HeaderName, HeaderValue};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use tokio::time;

use super::answer::Heading;
use super::error::ApiError;
use super::reply::Step;
use super::request::Asked;
use super::turn::{Begun, Turn};
use super::{Api, MAX_BODY, json};
use crate::client::unix_seconds;

/// How long the body of a request may take: slow clients are cut off.
const BODY_PATIENCE: Duration = Duration::from_secs(10);

/// Says how many messages of a request the persona does not know.
const IGNORED_MESSAGES: HeaderName = HeaderName::from_static("wisp-ignored-messages");

pub(super) async fn complete(State(api): State<Arc<Api>>, request: Request) -> Response {
    match begin(&api, request).await {
        Ok((asked, heading, turn)) => {
            let ignored = HeaderValue::from(heading.ignored);
            let mut response = match asked.stream {
                true => pieces(heading, turn, asked.include_usage),
                false => whole(&heading, turn).await,
            };
            response.headers_mut().insert(IGNORED_MESSAGES, ignored);
            response
        }
        Err(error) => error.into_response(),
    }
}

async fn begin(api: &Api, request: Request) -> Result<(Asked, Heading, Turn), ApiError> {
    let body = time::timeout(BODY_PATIENCE, to_bytes(request.into_body(), MAX_BODY)).await;
    let Ok(Ok(body)) = body else { return Err(ApiError::Body) };
    let asked = Asked::read(&body)?;
    let number = api.requests.fetch_add(1, Ordering::Relaxed);
    let Begun { turn, tag, model, ignored } = Turn::begin(api, &asked, number)?;
    let id = format!("chatcmpl-{tag}");
    Ok((asked, Heading { id, created: unix_seconds(), model, ignored }, turn))
}

async fn whole(heading: &Heading, mut turn: Turn) -> Response {
    let mut text = String::new();
    while let Some(step) = turn.next().await {
        match step {
            Step::Words(words) => text.push_str(&words),
            Step::End(outcome) => return json(heading.completion(&text, outcome)),
            Step::Failed(error) => return error.into_response(),
        }
    }
    // Not reached: a reply ends with one of the two.
    ApiError::SlowReader.into_response()
}

fn pieces(heading: Heading, turn: Turn, include_usage: bool) -> Response {
    let first = VecDeque::from([heading.opening()]);
    let events = stream::unfold((first, heading, turn), move |state| async move {
        let (mut ready, heading, mut turn) = state;
        if ready.is_empty() {
            match turn.next().await? {
                Step::Words(words) => ready.push_back(heading.words(&words)),
                Step::End(outcome) => {
                    ready.push_back(heading.ending(outcome));
                    ready.extend(include_usage.then(|| heading.cost(outcome)).flatten());
                    ready.push_back("[DONE]".to_string());
                }
                Step::Failed(error) => ready.push_back(error.json()),
            }
        }
        let event = Event::default().data(ready.pop_front()?);
        Some((Ok::<_, Infallible>(event), (ready, heading, turn)))
    });
    Sse::new(events).keep_alive(KeepAlive::default()).into_response()
}
