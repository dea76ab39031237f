//! The one guard in front of every route of the relay.
//!
//! Any web page the friend has open can make the browser send requests to 127.0.0.1, and any name
//! can be made to point there (DNS rebinding). So every request, the WebSocket upgrade included,
//! must show that it comes from our own page: the right `Host`, no foreign `Origin`, and a secret
//! that only the printed link gives. The decision is a pure function of method, target and
//! headers, so that tests can try them all.
//!
//! Known limit: browsers do not keep cookies of different ports of one host apart, so another web
//! server on this machine that the friend visits in the same browser sees the cookie.

use std::sync::{Mutex, MutexGuard, PoisonError};

use axum::http::header::{
    CONNECTION, CONTENT_LENGTH, COOKIE, HOST, ORIGIN, TRANSFER_ENCODING, UPGRADE,
};
use axum::http::{HeaderMap, HeaderName, Method, StatusCode, Uri};

use super::token::Token;
use crate::errors::Result;

/// Most header lines of a request; browsers send about 15.
pub const MAX_HEADERS: usize = 64;

/// Where the page opens its WebSocket.
pub const LIVE_PATH: &str = "/live";

/// Who asked for what, in a site's own words; set by the browser, not by scripts.
const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Knows the secrets and decides about requests.
pub struct Guard {
    port: u16,
    session: Token,
    launch: Mutex<Token>,
}

/// What may be done with a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It comes from our page: serve it.
    Serve,
    /// It opens the printed link for the first time: hand out the cookie.
    Enter,
    /// It opens a used link in a browser that has the cookie: show the page.
    AlreadyIn,
    /// Refuse it.
    Refuse(Refused),
}

/// Why a request is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// Not one `Host`, or not ours.
    Host,
    /// Only GET is known here.
    Method,
    /// A foreign page sent it.
    Site,
    /// A foreign page sent it, or an upgrade came without saying from where.
    Origin,
    /// Nothing here takes a body.
    Body,
    /// An upgrade where there is none, or none where it is needed.
    Upgrade,
    /// More than [`MAX_HEADERS`].
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
            Self::Upgrade => StatusCode::BAD_REQUEST,
            Self::Headers => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            Self::Token => StatusCode::UNAUTHORIZED,
        }
    }

    /// For the person who sees it in a browser.
    pub fn words(self) -> &'static str {
        match self {
            Self::Host => "This address is not served here.\n",
            Self::Method => "Only GET is served here.\n",
            Self::Site | Self::Origin => "Requests of other web pages are not served.\n",
            Self::Body => "Requests with a body are not served.\n",
            Self::Upgrade => "Upgrades are served for the page's own WebSocket only.\n",
            Self::Headers => "Too many headers.\n",
            Self::Token => {
                "This link is not valid (any more).\n\
                 Wisp prints a fresh one in the terminal where it runs: open that.\n"
            }
        }
    }
}

impl Guard {
    /// A guard with fresh secrets for a relay on this port.
    ///
    /// # Errors
    /// The operating system gave no random numbers.
    pub fn new(port: u16) -> Result<Self> {
        Ok(Self { port, session: Token::random()?, launch: Mutex::new(Token::random()?) })
    }

    /// The link that lets one browser in, once.
    pub fn launch_url(&self) -> String {
        format!("http://127.0.0.1:{}/?token={}", self.port, self.launch().reveal())
    }

    /// The cookie that a browser gets for opening the link.
    ///
    /// `HttpOnly`: scripts cannot read it. `SameSite=Strict`: requests that other sites cause do
    /// not carry it. It ends with the browser session.
    pub fn cookie(&self) -> String {
        format!(
            "{}={}; Path=/; HttpOnly; SameSite=Strict",
            self.cookie_name(),
            self.session.reveal()
        )
    }

    /// One name per port: two relays on one machine do not take each other's cookies away.
    fn cookie_name(&self) -> String {
        format!("wisp-{}", self.port)
    }

    /// Makes the link that was used worthless and the next one valid.
    ///
    /// The link is single-use because it is seen by others: the process list shows the arguments
    /// of the program that opens the browser.
    ///
    /// # Errors
    /// The operating system gave no random numbers.
    pub fn renew_launch(&self) -> Result<()> {
        let fresh = Token::random()?;
        *self.launch() = fresh;
        Ok(())
    }

    fn launch(&self) -> MutexGuard<'_, Token> {
        self.launch.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Decides about a request.
    pub fn judge(&self, method: &Method, target: &Uri, headers: &HeaderMap) -> Verdict {
        match self.examine(method, target, headers) {
            Ok(verdict) => verdict,
            Err(refused) => Verdict::Refuse(refused),
        }
    }

    fn examine(
        &self,
        method: &Method,
        target: &Uri,
        headers: &HeaderMap,
    ) -> std::result::Result<Verdict, Refused> {
        if headers.len() > MAX_HEADERS {
            return Err(Refused::Headers);
        }
        let host = self.examine_host(target, headers)?;
        if method != Method::GET {
            return Err(Refused::Method);
        }
        match single(headers, &SEC_FETCH_SITE) {
            // `none`: the friend typed the address or opened the printed link.
            Header::Absent | Header::One(b"same-origin" | b"none") => {}
            _ => return Err(Refused::Site),
        }
        let has_origin = match single(headers, &ORIGIN) {
            Header::Absent => false,
            Header::One(origin) if origin.strip_prefix(b"http://") == Some(host) => true,
            _ => return Err(Refused::Origin),
        };
        match single(headers, &CONTENT_LENGTH) {
            Header::Absent | Header::One(b"0") => {}
            _ => return Err(Refused::Body),
        }
        if headers.contains_key(TRANSFER_ENCODING) {
            return Err(Refused::Body);
        }
        let wants_upgrade = headers.contains_key(UPGRADE) || names_upgrade(headers);
        if wants_upgrade != (target.path() == LIVE_PATH) {
            return Err(Refused::Upgrade);
        }
        if wants_upgrade && !has_origin {
            return Err(Refused::Origin);
        }
        self.examine_token(target, headers)
    }

    /// Exactly one `Host`, and ours; an absolute target must not say otherwise.
    fn examine_host<'h>(
        &self,
        target: &Uri,
        headers: &'h HeaderMap,
    ) -> std::result::Result<&'h [u8], Refused> {
        let Header::One(host) = single(headers, &HOST) else { return Err(Refused::Host) };
        let is_ours = |name: &[u8]| {
            ["127.0.0.1", "localhost", "[::1]"]
                .iter()
                .any(|ours| name == format!("{ours}:{}", self.port).as_bytes())
        };
        if !is_ours(host) {
            return Err(Refused::Host);
        }
        match target.authority() {
            Some(authority) if authority.as_str().as_bytes() != host => Err(Refused::Host),
            _ => Ok(host),
        }
    }

    fn examine_token(
        &self,
        target: &Uri,
        headers: &HeaderMap,
    ) -> std::result::Result<Verdict, Refused> {
        let has_cookie = self.has_cookie(headers);
        let code = (target.path() == "/").then(|| target.query()?.strip_prefix("token=")).flatten();
        match code {
            Some(code) if self.launch().matches(code.as_bytes()) => Ok(Verdict::Enter),
            Some(_) if has_cookie => Ok(Verdict::AlreadyIn),
            None if has_cookie => Ok(Verdict::Serve),
            _ => Err(Refused::Token),
        }
    }

    fn has_cookie(&self, headers: &HeaderMap) -> bool {
        let name = self.cookie_name();
        headers
            .get_all(COOKIE)
            .iter()
            .flat_map(|line| line.as_bytes().split(|byte| *byte == b';'))
            .filter_map(|pair| pair.trim_ascii().strip_prefix(name.as_bytes())?.strip_prefix(b"="))
            .any(|value| self.session.matches(value))
    }
}

/// A header that may come once.
enum Header<'h> {
    Absent,
    One(&'h [u8]),
    Several,
}

fn single<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Header<'h> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (None, _) => Header::Absent,
        (Some(value), None) => Header::One(value.as_bytes()),
        (Some(_), Some(_)) => Header::Several,
    }
}

fn names_upgrade(headers: &HeaderMap) -> bool {
    headers
        .get_all(CONNECTION)
        .iter()
        .flat_map(|line| line.as_bytes().split(|byte| *byte == b','))
        .any(|option| option.trim_ascii().eq_ignore_ascii_case(b"upgrade"))
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;
    use proptest::prelude::*;

    use super::*;

    const PORT: u16 = 4321;

    /// Bytes that a header may hold, and many that look nearly right.
    fn value() -> impl Strategy<Value = Vec<u8>> {
        prop_oneof![
            proptest::collection::vec(any::<u8>(), 0..40),
            "(http://|https://)?(127\\.0\\.0\\.1|localhost|\\[::1\\]|evil)(:4321|:432|:43210)?/?"
                .prop_map(String::into_bytes),
            "wisp-(4321|4322)=[0-9a-f]{0,64}(; [a-z]=[a-z])?".prop_map(String::into_bytes),
            Just(b"same-origin".to_vec()),
            Just(b"websocket".to_vec()),
            Just(b"Upgrade".to_vec()),
        ]
    }

    fn header() -> impl Strategy<Value = (HeaderName, Vec<u8>)> {
        let names = [HOST, ORIGIN, COOKIE, UPGRADE, CONNECTION, CONTENT_LENGTH, TRANSFER_ENCODING];
        let names: Vec<_> = names.into_iter().chain([SEC_FETCH_SITE]).collect();
        (proptest::sample::select(names), value())
    }

    proptest! {
        /// Without the secret nothing is served, whatever else is sent; and nothing panics.
        #[test]
        fn nobody_guesses_a_way_in(
            headers in proptest::collection::vec(header(), 0..10),
            target in prop_oneof![
                Just("/".to_string()),
                Just("/live".to_string()),
                "/(\\?token=[0-9a-f]{0,64})?",
                "/[a-z./%]{0,20}",
            ],
            method in proptest::sample::select(vec![Method::GET, Method::POST, Method::OPTIONS]),
        ) {
            let guard = Guard::new(PORT).unwrap();
            let mut map = HeaderMap::new();
            for (name, value) in headers {
                if let Ok(value) = HeaderValue::from_bytes(&value) {
                    map.append(name, value);
                }
            }
            let Ok(target) = target.parse::<Uri>() else { return Ok(()) };
            let verdict = guard.judge(&method, &target, &map);
            prop_assert!(matches!(verdict, Verdict::Refuse(_)), "{verdict:?}");
        }
    }

    #[test]
    fn the_right_request_is_served() {
        let guard = Guard::new(PORT).unwrap();
        let mut map = HeaderMap::new();
        map.insert(HOST, HeaderValue::from_static("127.0.0.1:4321"));
        let link: Uri = guard.launch_url().parse().unwrap();
        let target: Uri = link.path_and_query().unwrap().as_str().parse().unwrap();
        assert_eq!(guard.judge(&Method::GET, &target, &map), Verdict::Enter);
        let cookie = guard.cookie();
        let cookie = cookie.split(';').next().unwrap();
        map.insert(COOKIE, HeaderValue::from_str(cookie).unwrap());
        assert_eq!(guard.judge(&Method::GET, &Uri::from_static("/"), &map), Verdict::Serve);
        guard.renew_launch().unwrap();
        assert_eq!(guard.judge(&Method::GET, &target, &map), Verdict::AlreadyIn);
        map.remove(COOKIE);
        assert_eq!(guard.judge(&Method::GET, &target, &map), Verdict::Refuse(Refused::Token));
    }
}
