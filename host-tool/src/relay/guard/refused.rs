//! Why a request is refused, and how that is said.

use axum::http::StatusCode;

/// Why a request is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// Not one `Host`, or not ours.
    Host,
    /// Only GET is known here, and POST where messages are said to the API.
    Method,
    /// A foreign page sent it.
    Site,
    /// A foreign page sent it, or an upgrade came without saying from where.
    Origin,
    /// A body where none is taken, or one that is too large.
    Body,
    /// A body that does not say how long it is.
    Length,
    /// A body that is no JSON.
    Kind,
    /// An upgrade where there is none, or none where it is needed.
    Upgrade,
    /// More than [`super::MAX_HEADERS`].
    Headers,
    /// The secret is missing or wrong.
    Token,
}

impl Refused {
    /// The status that says so.
    pub fn status(self) -> StatusCode {
        match self {
            Self::Host => StatusCode::MISDIRECTED_REQUEST,
            Self::Method => StatusCode::METHOD_NOT_ALLOWED,
            Self::Site | Self::Origin => StatusCode::FORBIDDEN,
            Self::Body => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Length => StatusCode::LENGTH_REQUIRED,
            Self::Kind => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::Upgrade => StatusCode::BAD_REQUEST,
            Self::Headers => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            Self::Token => StatusCode::UNAUTHORIZED,
        }
    }

    /// For the person who sees it in a browser.
    pub fn words(self) -> &'static str {
        match self {
            Self::Host => "This address is not served here.\n",
            Self::Method => "This method is not served here.\n",
            Self::Site | Self::Origin => "Requests of other web pages are not served.\n",
            Self::Body => "This body is too large, or none is taken here.\n",
            Self::Length => "The length of a body must be said in advance.\n",
            Self::Kind => "Only JSON is taken here: Content-Type: application/json.\n",
            Self::Upgrade => "Upgrades are served for the page's own WebSocket only.\n",
            Self::Headers => "Too many headers.\n",
            Self::Token => {
                "This link is not valid (any more).\n\
                 Wisp prints a fresh one in the terminal where it runs: open that.\n"
            }
        }
    }

    /// Stable code, for programs.
    pub fn code(self) -> &'static str {
        match self {
            Self::Host => "wisp::refused::host",
            Self::Method => "wisp::refused::method",
            Self::Site => "wisp::refused::site",
            Self::Origin => "wisp::refused::origin",
            Self::Body => "wisp::refused::body",
            Self::Length => "wisp::refused::length",
            Self::Kind => "wisp::refused::content_type",
            Self::Upgrade => "wisp::refused::upgrade",
            Self::Headers => "wisp::refused::headers",
            Self::Token => "wisp::refused::token",
        }
    }
}
