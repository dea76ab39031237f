//! What a user may write after `--port`.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use crate::errors::WispError;

/// Where the board is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PortAddress {
    /// A serial device such as `/dev/ttyUSB0`.
    Serial(String),
    /// A Unix socket: `unix:PATH`.
    Unix(PathBuf),
    /// A TCP server: `tcp:HOST:PORT`.
    Tcp {
        /// Name or address.
        host: String,
        /// Port number.
        port: u16,
    },
}

impl FromStr for PortAddress {
    type Err = WispError;

    fn from_str(text: &str) -> Result<Self, WispError> {
        let wrong = |cause| WispError::PortAddress { text: text.to_string(), cause };
        if let Some(path) = text.strip_prefix("unix:") {
            if path.is_empty() {
                return Err(wrong("the path is missing"));
            }
            return Ok(Self::Unix(PathBuf::from(path)));
        }
        if let Some(rest) = text.strip_prefix("tcp:") {
            let (host, port) = rest.rsplit_once(':').ok_or(wrong("the port number is missing"))?;
            let host = host.trim_start_matches('[').trim_end_matches(']');
            if host.is_empty() {
                return Err(wrong("the host is missing"));
            }
            let port = port.parse().map_err(|_| wrong("the port number is not one"))?;
            return Ok(Self::Tcp { host: host.to_string(), port });
        }
        if text.is_empty() {
            return Err(wrong("it is empty"));
        }
        Ok(Self::Serial(text.to_string()))
    }
}

impl fmt::Display for PortAddress {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Serial(path) => formatter.write_str(path),
            Self::Unix(path) => write!(formatter, "unix:{}", path.display()),
            Self::Tcp { host, port } if host.contains(':') => {
                write!(formatter, "tcp:[{host}]:{port}")
            }
            Self::Tcp { host, port } => write!(formatter, "tcp:{host}:{port}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_survive_printing_and_reading() {
        for text in ["/dev/ttyUSB0", "unix:/tmp/x", "tcp:localhost:4000", "tcp:[::1]:4000"] {
            let address: PortAddress = text.parse().unwrap();
            assert_eq!(address.to_string(), text);
        }
    }

    #[test]
    fn half_an_address_is_refused_with_the_missing_half() {
        for (text, missing) in [
            ("", "empty"),
            ("unix:", "path"),
            ("tcp:", "port number"),
            ("tcp:host", "port number"),
            ("tcp::1", "host"),
            ("tcp:host:99999", "port number"),
        ] {
            let error = text.parse::<PortAddress>().unwrap_err();
            assert!(error.to_string().contains(missing), "{text}: {error}");
        }
    }
}
