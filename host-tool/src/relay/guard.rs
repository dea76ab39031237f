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

mod refused;

use std::sync::{Mutex, MutexGuard, PoisonError};

use axum::http::header::{
    AUTHORIZATION, CONNECTION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, COOKIE, HOST,
    ORIGIN, TRANSFER_ENCODING, UPGRADE,
};
use axum::http::{HeaderMap, HeaderName, Method, Uri};

pub use refused::Refused;

use super::token::Token;
use crate::api;
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
    has_api: bool,
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

impl Guard {
    /// A guard with fresh secrets for a relay on this port.
    ///
    /// # Errors
    /// The operating system gave no random numbers.
    pub fn new(port: u16) -> Result<Self> {
        Ok(Self {
            port,
            session: Token::random()?,
            launch: Mutex::new(Token::random()?),
            has_api: false,
        })
    }

    /// Lets programs in, too, to the API.
    pub fn open_api(&mut self) {
        self.has_api = true;
    }

    /// Whether there is an API, and this address is a part of it.
    pub fn is_api(&self, path: &str) -> bool {
        self.has_api && path.starts_with(api::PREFIX)
    }

    /// What programs send as `Authorization: Bearer …`: the secret that browsers have as a cookie.
    pub fn api_key(&self) -> &str {
        self.session.reveal()
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
        let is_api = self.is_api(target.path());
        let takes_body = is_api && target.path() == api::COMPLETIONS_PATH;
        if *method != if takes_body { Method::POST } else { Method::GET } {
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
        match takes_body {
            true => examine_body(headers)?,
            false => examine_no_body(headers)?,
        }
        let wants_upgrade = headers.contains_key(UPGRADE) || names_upgrade(headers);
        if wants_upgrade != (target.path() == LIVE_PATH) {
            return Err(Refused::Upgrade);
        }
        if wants_upgrade && !has_origin {
            return Err(Refused::Origin);
        }
        match is_api {
            true => self.examine_key(headers, has_origin || !takes_body),
            false => self.examine_token(target, headers),
        }
    }

    /// Exactly one `Host`, and ours; an absolute target must not say otherwise.
    fn examine_host<'h>(
        &self,
        target: &Uri,
        headers: &'h HeaderMap,
    ) -> std::result::Result<&'h [u8], Refused> {
        let Header::One(host) = single(headers, &HOST) else { return Err(Refused::Host) };
        // Browsers leave out the port that HTTP has anyway.
        let is_usual = self.port == 80;
        let is_ours = |name: &[u8]| {
            ["127.0.0.1", "localhost", "[::1]"].iter().any(|ours| {
                name == format!("{ours}:{}", self.port).as_bytes()
                    || is_usual && name == ours.as_bytes()
            })
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

    /// A program shows the key. Our own page may do with the cookie, if it says that it is our page
    /// when it changes something: a browser sends the cookie along by itself.
    fn examine_key(
        &self,
        headers: &HeaderMap,
        is_cookie_enough: bool,
    ) -> std::result::Result<Verdict, Refused> {
        match single(headers, &AUTHORIZATION) {
            Header::One(value) if self.is_key(value) => Ok(Verdict::Serve),
            Header::Absent if !self.has_cookie(headers) => Err(Refused::Token),
            Header::Absent if !is_cookie_enough => Err(Refused::Origin),
            Header::Absent => Ok(Verdict::Serve),
            _ => Err(Refused::Token),
        }
    }

    fn is_key(&self, value: &[u8]) -> bool {
        let Some((scheme, key)) = value.split_at_checked(b"Bearer ".len()) else { return false };
        scheme.eq_ignore_ascii_case(b"Bearer ") && self.session.matches(key)
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

fn examine_no_body(headers: &HeaderMap) -> std::result::Result<(), Refused> {
    let is_empty = matches!(single(headers, &CONTENT_LENGTH), Header::Absent | Header::One(b"0"));
    match is_empty && !headers.contains_key(TRANSFER_ENCODING) {
        true => Ok(()),
        false => Err(Refused::Body),
    }
}

/// JSON of a known length that is not too large. A web page cannot send that elsewhere without
/// asking first, and nobody is in doubt about where it ends.
fn examine_body(headers: &HeaderMap) -> std::result::Result<(), Refused> {
    let Header::One(length) = single(headers, &CONTENT_LENGTH) else { return Err(Refused::Length) };
    if headers.contains_key(TRANSFER_ENCODING) || !length.iter().all(u8::is_ascii_digit) {
        return Err(Refused::Length);
    }
    let length = std::str::from_utf8(length).ok().and_then(|length| length.parse::<usize>().ok());
    if length.is_none_or(|length| length > api::MAX_BODY) {
        return Err(Refused::Body);
    }
    let Header::One(kind) = single(headers, &CONTENT_TYPE) else { return Err(Refused::Kind) };
    let kind = kind.split(|byte| *byte == b';').next().unwrap_or_default();
    let is_json = kind.trim_ascii().eq_ignore_ascii_case(b"application/json");
    match is_json && !headers.contains_key(CONTENT_ENCODING) {
        true => Ok(()),
        false => Err(Refused::Kind),
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
mod tests;
