//! Where the teacher is: a base address without anything secret in it.

use std::fmt;
use std::net::IpAddr;

use ureq::http::Uri;

use super::error::SynthesiseError;

/// The base of an OpenAI-compatible server, like `http://localhost:8080/v1`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    base: String,
    host: String,
    encrypted: bool,
}

/// The path of the requests; some give it with the address.
const COMPLETIONS: &str = "/chat/completions";

impl Address {
    /// Reads an address.
    ///
    /// # Errors
    /// Anything but http and https, and anything behind or in front of host and path: it would
    /// have to be a secret or a mistake.
    pub fn parse(given: &str) -> Result<Self, SynthesiseError> {
        let wrong = |what| SynthesiseError::Address { what };
        if given.contains('#') {
            return Err(wrong("it has a part behind `#`"));
        }
        let uri: Uri = given.parse().map_err(|_| wrong("it is no URL"))?;
        let encrypted = match uri.scheme_str() {
            Some("https") => true,
            Some("http") => false,
            _ => return Err(wrong("it must begin with http:// or https://")),
        };
        let authority = uri.authority().ok_or(wrong("it has no host"))?.as_str();
        if authority.contains('@') {
            return Err(wrong(
                "names and passwords do not belong in it; a key goes into a variable",
            ));
        }
        if uri.query().is_some() {
            return Err(wrong("it has a part behind `?`"));
        }
        let host = uri.host().filter(|host| !host.is_empty()).ok_or(wrong("it has no host"))?;
        let path = uri.path().trim_end_matches('/');
        let path = path.strip_suffix(COMPLETIONS).unwrap_or(path);
        let scheme = if encrypted { "https" } else { "http" };
        let base = format!("{scheme}://{authority}{path}");
        Ok(Self { base, host: host.to_owned(), encrypted })
    }

    /// The host's name or number.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Whether nobody on the way can read along.
    pub fn is_encrypted(&self) -> bool {
        self.encrypted
    }

    /// Whether it is this computer.
    pub fn is_loopback(&self) -> bool {
        let number = self.host.trim_start_matches('[').trim_end_matches(']');
        self.host.eq_ignore_ascii_case("localhost")
            || number.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
    }

    /// Where conversations are asked for.
    pub fn completions(&self) -> String {
        format!("{}{COMPLETIONS}", self.base)
    }

    /// Where the server lists its models.
    pub fn models(&self) -> String {
        format!("{}/models", self.base)
    }
}

impl fmt::Display for Address {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.base)
    }
}

#[cfg(test)]
mod tests {
    use super::Address;

    #[test]
    fn usual_addresses() {
        for (given, base) in [
            ("http://localhost:8080/v1", "http://localhost:8080/v1"),
            ("http://localhost:8080/v1/", "http://localhost:8080/v1"),
            ("https://api.example/v1/chat/completions", "https://api.example/v1"),
            ("http://[::1]:1234", "http://[::1]:1234"),
        ] {
            assert_eq!(Address::parse(given).unwrap().to_string(), base);
        }
    }

    #[test]
    fn addresses_with_secrets_or_mistakes() {
        for given in [
            "localhost:8080/v1",
            "ftp://localhost/v1",
            "http://me:secret@localhost/v1",
            "https://api.example/v1?key=secret",
            "https://api.example/v1#secret",
            "http:///v1",
            "http://a b/",
            "",
        ] {
            let said = Address::parse(given).unwrap_err().to_string();
            assert!(!said.contains("secret"), "{said}");
        }
    }

    #[test]
    fn this_computer() {
        let is = |given: &str| Address::parse(given).unwrap().is_loopback();
        assert!(is("http://LOCALHOST/v1") && is("http://127.8.0.1/v1") && is("http://[::1]:80/v1"));
        assert!(!is("http://localhost.example/v1") && !is("http://10.0.0.1/v1"));
        assert!(!is("http://127.0.0.1.example/v1") && !is("http://[::2]/v1"));
    }
}
