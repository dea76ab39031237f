//! Requests by chance: every header right, nearly right, noise, doubled or missing.

use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri};
use wisp::relay::guard::Guard;

use crate::PORT;

/// Dice that fall the same each time (splitmix64).
pub struct Dice(pub u64);

impl Dice {
    pub fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut value = self.0;
        value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((value ^ (value >> 31)) >> 33).unwrap() % end
    }

    pub fn one<'a, T: ?Sized>(&mut self, of: &[&'a T]) -> &'a T {
        of[self.below(of.len())]
    }
}

/// A value that is right, nearly right, or noise.
fn value(dice: &mut Dice, right: &[String]) -> Vec<u8> {
    let mut bytes = right[dice.below(right.len())].clone().into_bytes();
    match dice.below(8) {
        0..4 => {}
        4 => bytes = (0..dice.below(60)).map(|_| dice.below(256) as u8).collect(),
        5 => {
            let place = dice.below(bytes.len());
            bytes[place] ^= 1 << dice.below(8);
        }
        6 => bytes.truncate(dice.below(bytes.len())),
        _ => {
            let more: [&[u8]; 6] = [b"0", b" ", b"/", b", x", b".evil.example", b"\xff"];
            bytes.extend_from_slice(dice.one(&more));
        }
    }
    bytes
}

/// The right values of each header, and how likely it is there: in eighths.
pub struct Pool {
    name: HeaderName,
    right: Vec<String>,
    eighths: usize,
}

pub fn pools(guard: &Guard) -> Vec<Pool> {
    let own = ["127.0.0.1", "localhost", "[::1]"].map(|name| format!("{name}:{PORT}"));
    let cookie = guard.cookie().split(';').next().unwrap().to_string();
    let key = format!("Bearer {}", guard.api_key());
    let pool = |name: &'static str, right: &[&str], eighths| Pool {
        name: HeaderName::from_static(name),
        right: right.iter().map(|text| (*text).to_string()).collect(),
        eighths,
    };
    let origins: Vec<_> = own.iter().map(|host| format!("http://{host}")).collect();
    vec![
        Pool { name: http::header::HOST, right: own.to_vec(), eighths: 7 },
        Pool { name: http::header::ORIGIN, right: origins, eighths: 4 },
        pool("cookie", &[&cookie, "a=b"], 4),
        pool("authorization", &[&key], 4),
        pool("content-length", &["0", "2", "65536", "65537", "18446744073709551616"], 3),
        pool("content-type", &["application/json", "application/json; charset=utf-8"], 5),
        pool("sec-fetch-site", &["same-origin", "none", "cross-site", "same-site"], 2),
        pool("upgrade", &["websocket", "h2c"], 2),
        pool("connection", &["Upgrade", "keep-alive", "close, upgrade"], 2),
        pool("transfer-encoding", &["chunked", "identity"], 1),
        pool("content-encoding", &["gzip"], 1),
    ]
}

/// A request, and what of it is as it must be. This does not look at it as the guard does: it knows
/// which of the right values were put in.
pub struct Case {
    pub method: Method,
    pub target: Uri,
    pub headers: HeaderMap,
}

impl Case {
    pub fn throw(dice: &mut Dice, pools: &[Pool]) -> Self {
        let targets = [
            "/",
            "/live",
            "/script.js",
            "/v1/models",
            "/v1/events",
            "/v1/chat/completions",
            "/v1/%63hat/completions",
            "/V1/models",
            "/v1/../v1/models",
            "/?token=0",
            "/v1/models?token=0",
            "http://evil.example:4321/",
            "http://127.0.0.1:4321/v1/models",
            "*",
        ];
        let methods =
            [Method::GET, Method::GET, Method::POST, Method::POST, Method::HEAD, Method::OPTIONS];
        let mut headers = HeaderMap::new();
        for pool in pools {
            let is_there = dice.below(8) < pool.eighths;
            let lines = usize::from(is_there) + usize::from(dice.below(32) == 0);
            for _ in 0..lines {
                if let Ok(value) = HeaderValue::from_bytes(&value(dice, &pool.right)) {
                    headers.append(pool.name.clone(), value);
                }
            }
        }
        if dice.below(100) == 0 {
            for line in 0..dice.below(120) {
                headers.append("x-more", HeaderValue::from(line));
            }
        }
        Self {
            method: methods[dice.below(methods.len())].clone(),
            target: dice.one(&targets).parse().unwrap(),
            headers,
        }
    }

    /// All values under this name, or none if there is more than one.
    pub fn only(&self, name: &str) -> Option<&[u8]> {
        let mut values = self.headers.get_all(name).iter();
        let first = values.next()?;
        values.next().is_none().then_some(first.as_bytes())
    }

    /// Whether this may be served at all, by the words of the documentation.
    pub fn may_be_served(&self, cookie: &str, key: &str) -> bool {
        let host = String::from_utf8_lossy(self.only("host").unwrap_or_default()).into_owned();
        let ours = ["127.0.0.1:4321", "localhost:4321", "[::1]:4321"].contains(&host.as_str());
        let is_api = self.target.path().starts_with("/v1/");
        let has_key = is_api && self.only("authorization") == Some(key.as_bytes());
        let has_cookie = self.headers.get_all("cookie").iter().any(|line| {
            line.as_bytes()
                .split(|byte| *byte == b';')
                .any(|one| one.trim_ascii() == cookie.as_bytes())
        });
        let origin = self.only("origin").map(|origin| String::from_utf8_lossy(origin).into_owned());
        let own_origin = origin == Some(format!("http://{host}"));
        let no_origin = !self.headers.contains_key("origin");
        let is_post = self.method == Method::POST;
        let is_completion = self.target.path() == "/v1/chat/completions";
        let changes = is_completion || self.target.path() == "/live";
        ours && (own_origin || no_origin)
            && (has_key || (has_cookie && (own_origin || !changes)))
            && (self.method == Method::GET || (is_post && is_completion))
            && !self.headers.contains_key("transfer-encoding")
            && self.headers.len() <= 64
            && self.has_right_body(is_completion)
            && matches!(self.only("sec-fetch-site"), None | Some(b"same-origin" | b"none"))
    }

    fn has_right_body(&self, is_taken: bool) -> bool {
        let length = self.only("content-length").map(String::from_utf8_lossy);
        let kind = self.only("content-type").map(String::from_utf8_lossy);
        if !is_taken {
            return !self.headers.contains_key("content-length") || length.as_deref() == Some("0");
        }
        let is_short = |length: &str| {
            length.bytes().all(|byte| byte.is_ascii_digit())
                && length.parse::<u64>().is_ok_and(|length| length <= 65_536)
        };
        let is_json = |kind: &str| kind.to_lowercase().trim().starts_with("application/json");
        length.is_some_and(|length| is_short(&length))
            && kind.is_some_and(|kind| is_json(&kind))
            && !self.headers.contains_key("content-encoding")
    }
}
