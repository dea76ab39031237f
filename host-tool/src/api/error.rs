//! What the API refuses or cannot do: message, stable code, next step, in OpenAI's shape.
//!
//! It never says what was said.

use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use miette::Diagnostic;
use serde::Serialize;
use thiserror::Error;

use crate::relay::guard::Refused;

/// OpenAI's own clients obey this: whether a request that failed may be sent again by itself.
const SHOULD_RETRY: HeaderName = HeaderName::from_static("x-should-retry");

/// Everything that a request to the API can end with beside an answer.
#[derive(Clone, Debug, PartialEq, Eq, Error, Diagnostic)]
#[allow(missing_docs)] // The fields are named in each message.
pub enum ApiError {
    #[error("the body is no such request as expected (line {line}, column {column})")]
    #[diagnostic(
        code(wisp::api::json),
        help("Send the JSON object of OpenAI's chat completions, with `messages`.")
    )]
    Json { line: usize, column: usize },

    #[error("`{name}` {problem}")]
    #[diagnostic(code(wisp::api::parameter), help("Correct it, or leave it out."))]
    Parameter { name: &'static str, problem: &'static str },

    #[error("the last message has {bytes} bytes, and the board takes {most} at once")]
    #[diagnostic(code(wisp::api::text_too_long), help("Say it in several shorter messages."))]
    TooLong { bytes: usize, most: usize },

    #[error("the body did not arrive whole, or not in time")]
    #[diagnostic(code(wisp::api::body), help("Send all of it at once."))]
    Body,

    #[error("there is no such address in this API")]
    #[diagnostic(
        code(wisp::api::not_found),
        help("There are /v1/models, /v1/chat/completions and /v1/events.")
    )]
    NotFound,

    #[error("another request is being answered; there is one board and one conversation")]
    #[diagnostic(code(wisp::api::busy), help("Wait for its answer, then ask again."))]
    Busy,

    #[error("too many event streams and pages are open")]
    #[diagnostic(code(wisp::api::too_many_streams), help("Close one and try again."))]
    TooManyStreams,

    #[error("the persona is not there: {words}")]
    #[diagnostic(
        code(wisp::api::offline),
        help("Nothing was said. The page shows what is missing; try again when it is online.")
    )]
    Offline { words: String },

    #[error("the board has done nothing for {seconds} s")]
    #[diagnostic(
        code(wisp::api::timeout),
        help(
            "What was said stays in the conversation, and an answer may yet come: /v1/events tells it."
        )
    )]
    Timeout { seconds: u64 },

    #[error("the board restarted in the middle of the reply")]
    #[diagnostic(
        code(wisp::api::interrupted),
        help("What was written so far stays in the conversation. Say something more.")
    )]
    Interrupted,

    #[error(
        "it was taken back: somebody wrote the message anew, or asked for another answer, in the page"
    )]
    #[diagnostic(code(wisp::api::withdrawn), help("The page or /v1/events has the new answer."))]
    Withdrawn,

    #[error("the conversation was forgotten, or is now with another persona")]
    #[diagnostic(code(wisp::api::conversation_gone), help("Begin anew."))]
    ConversationGone,

    #[error("the reply was not read as fast as it was written")]
    #[diagnostic(code(wisp::api::slow_reader), help("The page or /v1/events has all of it."))]
    SlowReader,

    #[error("{}", words(*refused))]
    #[diagnostic(code(wisp::api::refused), help("See \"The relay and who may talk to it\"."))]
    NotLetIn { refused: Refused },
}

/// A program has a key where a page has a link.
fn words(refused: Refused) -> &'static str {
    match refused {
        Refused::Token => {
            "The key is missing or wrong: send the one that `wisp serve --api` printed, as `Authorization: Bearer KEY`."
        }
        other => other.words().trim_end(),
    }
}

impl ApiError {
    fn status(&self) -> StatusCode {
        match self {
            Self::Json { .. } | Self::Parameter { .. } | Self::TooLong { .. } => {
                StatusCode::BAD_REQUEST
            }
            Self::Body => StatusCode::REQUEST_TIMEOUT,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::Busy | Self::TooManyStreams => StatusCode::TOO_MANY_REQUESTS,
            Self::Offline { .. } | Self::SlowReader => StatusCode::SERVICE_UNAVAILABLE,
            Self::Timeout { .. } => StatusCode::GATEWAY_TIMEOUT,
            Self::Interrupted => StatusCode::BAD_GATEWAY,
            Self::Withdrawn | Self::ConversationGone => StatusCode::CONFLICT,
            Self::NotLetIn { refused } => refused.status(),
        }
    }

    /// OpenAI's coarse kind.
    fn kind(&self) -> &'static str {
        match self.status() {
            StatusCode::UNAUTHORIZED => "authentication_error",
            StatusCode::TOO_MANY_REQUESTS => "rate_limit_error",
            status if status.is_server_error() => "server_error",
            _ => "invalid_request_error",
        }
    }

    /// The stable code.
    pub fn code_text(&self) -> String {
        match self {
            Self::NotLetIn { refused } => refused.code().to_string(),
            _ => self.code().map(|code| code.to_string()).unwrap_or_default(),
        }
    }

    fn parameter(&self) -> Option<&'static str> {
        match self {
            Self::Parameter { name, .. } => Some(name),
            Self::TooLong { .. } => Some("messages"),
            _ => None,
        }
    }

    /// After how many seconds nothing stands in the way of another try; `None` when a repetition
    /// would say the same a second time, or fail again.
    fn retry_after(&self) -> Option<&'static str> {
        match self {
            Self::Busy => Some("2"),
            Self::TooManyStreams | Self::Offline { .. } => Some("5"),
            _ => None,
        }
    }

    /// As JSON: the body of an answer, or an event of a stream that has begun.
    pub fn json(&self) -> String {
        let help = match self {
            Self::NotLetIn { .. } => None,
            _ => self.help(),
        };
        let message = match help {
            Some(help) => format!("{self}. {help}"),
            None => self.to_string(),
        };
        let shape =
            Shape { message, kind: self.kind(), code: self.code_text(), param: self.parameter() };
        serde_json::to_string(&Wrapped { error: shape }).unwrap_or_default()
    }
}

#[derive(Serialize)]
struct Wrapped {
    error: Shape,
}

#[derive(Serialize)]
struct Shape {
    message: String,
    #[serde(rename = "type")]
    kind: &'static str,
    code: String,
    param: Option<&'static str>,
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut response = Response::new(self.json().into());
        *response.status_mut() = self.status();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let retry = self.retry_after();
        if let Some(seconds) = retry {
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static(seconds));
        }
        let may_retry = if retry.is_some() { "true" } else { "false" };
        headers.insert(SHOULD_RETRY, HeaderValue::from_static(may_retry));
        response
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_error_has_its_own_code_and_is_in_openai_s_shape() {
        let parameter = ApiError::Parameter { name: "temperature", problem: "is above 2" };
        let offline = ApiError::Offline { words: "waiting".into() };
        let refusals = [
            Refused::Host,
            Refused::Method,
            Refused::Site,
            Refused::Origin,
            Refused::Body,
            Refused::Length,
            Refused::Kind,
            Refused::Upgrade,
            Refused::Headers,
            Refused::Token,
        ];
        let errors = [
            ApiError::Json { line: 1, column: 2 },
            parameter.clone(),
            ApiError::TooLong { bytes: 2000, most: 1024 },
            ApiError::Body,
            ApiError::NotFound,
            ApiError::Busy,
            ApiError::TooManyStreams,
            offline.clone(),
            ApiError::Timeout { seconds: 3 },
            ApiError::Interrupted,
            ApiError::Withdrawn,
            ApiError::ConversationGone,
            ApiError::SlowReader,
        ];
        let let_in = refusals.map(|refused| ApiError::NotLetIn { refused });
        let mut codes = HashSet::new();
        for error in errors.iter().chain(&let_in) {
            let read: serde_json::Value = serde_json::from_str(&error.json()).unwrap();
            let shape = read["error"].as_object().unwrap();
            let keys: Vec<_> = shape.keys().map(String::as_str).collect();
            assert_eq!(keys, ["code", "message", "param", "type"]);
            let code = shape["code"].as_str().unwrap().to_string();
            assert!(code.starts_with("wisp::"), "{code}");
            assert!(codes.insert(code), "{error:?} has no code of its own");
            assert!(shape["message"].as_str().unwrap().len() > 10, "{error:?}");
            assert!(error.status().is_client_error() || error.status().is_server_error());
        }
        assert_eq!(
            parameter.json(),
            r#"{"error":{"message":"`temperature` is above 2. Correct it, or leave it out.","type":"invalid_request_error","code":"wisp::api::parameter","param":"temperature"}}"#
        );
        let answer = offline.into_response();
        assert_eq!(answer.headers()["retry-after"], "5");
        let said = ApiError::Timeout { seconds: 3 }.into_response();
        assert_eq!(said.headers()["x-should-retry"], "false", "it would be said twice");
    }
}
