//! Asking a server: one address, no proxies, no redirects, bounded answers, patience.

use std::fmt;
use std::io::Read;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use jiff::Timestamp;
use ureq::http::Response;
use ureq::{Agent, Body};

use super::address::Address;
use super::error::SynthesiseError;
use super::protocol::{Answer, LimitName, Question, complaint, models, showable};
use super::retry::{Patience, asked_for};
use crate::stream::dice::Dice;

/// Most bytes of an answer.
const LARGEST: u64 = 4 << 20;

/// A key. It shows itself to nobody but the server.
#[derive(Clone)]
pub struct Key(String);

impl fmt::Debug for Key {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Key(...)")
    }
}

impl Key {
    /// The key in an environment variable; none if it is not set or empty.
    ///
    /// # Errors
    /// Something that cannot be a key.
    pub fn from_environment(name: &str) -> Result<Option<Self>, SynthesiseError> {
        match std::env::var_os(name).map(std::ffi::OsString::into_string) {
            None => Ok(None),
            Some(Ok(value)) => Self::parse(name, &value),
            Some(Err(_)) => Err(SynthesiseError::Key { name: name.to_owned() }),
        }
    }

    fn parse(name: &str, value: &str) -> Result<Option<Self>, SynthesiseError> {
        let value = value.trim();
        match value.bytes().all(|it| it.is_ascii_graphic()) {
            _ if value.is_empty() => Ok(None),
            true => Ok(Some(Self(value.to_owned()))),
            false => Err(SynthesiseError::Key { name: name.to_owned() }),
        }
    }
}

/// What happens while a request is not answered yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pause {
    /// Why the last attempt failed.
    pub why: String,
    /// How long the next one is waited for.
    pub time: Duration,
}

/// Asks one server.
#[derive(Debug)]
pub struct Client {
    agent: Agent,
    address: Address,
    key: Option<Key>,
    patience: Patience,
    /// Whether the server wants the newer name of the limit.
    newer: AtomicBool,
}

/// Why an attempt failed.
enum Trouble {
    /// It may work later.
    Later { why: String, after: Option<Duration> },
    /// The request must be written otherwise.
    Otherwise,
    /// It never will.
    Never(SynthesiseError),
}

impl Client {
    /// A client for this server.
    ///
    /// # Errors
    /// A key that would travel over a network unencrypted.
    pub fn new(
        address: Address,
        key: Option<Key>,
        patience: Patience,
    ) -> Result<Self, SynthesiseError> {
        if key.is_some() && !address.is_encrypted() && !address.is_loopback() {
            return Err(SynthesiseError::PlainKey { host: showable(address.host()) });
        }
        let agent = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            // Nobody in between who was not named.
            .proxy(None)
            // An answer takes seconds: a connection of its own costs nothing and is never stale.
            .max_idle_connections(0)
            .timeout_connect(Some(patience.connect))
            .timeout_global(Some(patience.timeout))
            .user_agent(concat!("wisp-model/", env!("CARGO_PKG_VERSION")))
            .build()
            .new_agent();
        Ok(Self { agent, address, key, patience, newer: AtomicBool::new(false) })
    }

    /// Asks for conversations. `private` are texts that no error may repeat; `seed` is for the
    /// pauses.
    ///
    /// # Errors
    /// When the server refuses, or stays silent for all attempts.
    pub fn ask(
        &self,
        question: &Question,
        private: &[String],
        seed: u64,
        pauses: &mut dyn FnMut(Pause),
    ) -> Result<Answer, SynthesiseError> {
        let body = self.patiently(seed, pauses, || {
            let newer = self.newer.load(Ordering::Relaxed);
            let limit = if newer { LimitName::Newer } else { LimitName::Usual };
            let request = self.agent.post(self.address.completions());
            let request = request.header("content-type", "application/json");
            let request = match &self.key {
                Some(Key(key)) => request.header("authorization", format!("Bearer {key}")),
                None => request,
            };
            self.read(request.send(question.body(limit)), limit, private)
        })?;
        Ok(Answer::read(&body))
    }

    /// The model, if the server has just one.
    ///
    /// # Errors
    /// As for [`ask`](Self::ask), and when there is not one model.
    pub fn only_model(&self, pauses: &mut dyn FnMut(Pause)) -> Result<String, SynthesiseError> {
        let body = self.patiently(0, pauses, || {
            let request = self.agent.get(self.address.models());
            let request = match &self.key {
                Some(Key(key)) => request.header("authorization", format!("Bearer {key}")),
                None => request,
            };
            self.read(request.call(), LimitName::Newer, &[])
        })?;
        let models = models(&body);
        let url = self.address.to_string();
        match models.as_slice() {
            [] => Err(SynthesiseError::NoModel { url }),
            [model] => Ok(model.clone()),
            _ => {
                let names = showable(&models.join(", "));
                Err(SynthesiseError::Models { url, count: models.len(), names })
            }
        }
    }

    fn patiently(
        &self,
        seed: u64,
        pauses: &mut dyn FnMut(Pause),
        mut attempt: impl FnMut() -> Result<Vec<u8>, Trouble>,
    ) -> Result<Vec<u8>, SynthesiseError> {
        let url = || self.address.to_string();
        let mut dice = Dice::new(seed);
        let mut failed = 0;
        loop {
            let (why, after) = match attempt() {
                Ok(body) => return Ok(body),
                Err(Trouble::Never(error)) => return Err(error),
                Err(Trouble::Otherwise) => continue,
                Err(Trouble::Later { why, after }) => (why, after),
            };
            failed += 1;
            if failed >= self.patience.attempts {
                return Err(SynthesiseError::Unreachable { url: url(), attempts: failed, why });
            }
            if let Some(after) = after.filter(|after| *after > self.patience.longest) {
                return Err(SynthesiseError::Wait { url: url(), seconds: after.as_secs() });
            }
            let time = after.unwrap_or_default().max(self.patience.pause(failed, &mut dice));
            pauses(Pause { why, time });
            (self.patience.sleep)(time);
        }
    }

    /// The body of a good answer.
    fn read(
        &self,
        response: Result<Response<Body>, ureq::Error>,
        limit: LimitName,
        private: &[String],
    ) -> Result<Vec<u8>, Trouble> {
        let url = || self.address.to_string();
        let response = response.map_err(|error| self.connection(&error))?;
        let status = response.status().as_u16();
        let header = |name| response.headers().get(name).and_then(|it| it.to_str().ok());
        if (300..400).contains(&status) {
            // A relative one says where without a host; what stands behind `?` may be a secret.
            let to = header("location").unwrap_or("another place");
            let to = showable(to.split(['?', '#']).next().unwrap_or_default());
            let to = self.hide(to, private);
            return Err(Trouble::Never(SynthesiseError::Redirect { url: url(), to }));
        }
        let after = header("retry-after").and_then(|it| asked_for(it, Timestamp::now()));
        let mut body = Vec::new();
        let read = response.into_body().into_reader().take(LARGEST + 1).read_to_end(&mut body);
        let is_good = (200..300).contains(&status);
        match read {
            _ if body.len() as u64 > LARGEST => {
                let limit = LARGEST;
                return Err(Trouble::Never(SynthesiseError::TooLarge { url: url(), limit }));
            }
            Err(error) if is_good => {
                let why = format!("the answer broke off ({})", error.kind());
                return Err(Trouble::Later { why, after: None });
            }
            _ if is_good => return Ok(body),
            // Half a complaint is none.
            _ => {}
        }
        let wants_newer = || String::from_utf8_lossy(&body).contains(LimitName::Newer.field());
        if status == 400 && limit == LimitName::Usual && wants_newer() {
            self.newer.store(true, Ordering::Relaxed);
            return Err(Trouble::Otherwise);
        }
        let said = complaint(&body).map(|said| self.hide(said, private));
        if matches!(status, 408 | 425 | 429) || status >= 500 && status != 501 {
            let said = said.map(|said| format!(": {said}")).unwrap_or_default();
            return Err(Trouble::Later { why: format!("status {status}{said}"), after });
        }
        let said = said.unwrap_or_else(|| "it gives no reason".to_owned());
        Err(Trouble::Never(SynthesiseError::Server { url: url(), status, said }))
    }

    /// Why no answer came. ureq's errors have addresses in them, but nothing that was sent.
    fn connection(&self, error: &ureq::Error) -> Trouble {
        let why = match error {
            ureq::Error::Io(cause) => match cause.kind() {
                std::io::ErrorKind::Other => "the connection failed".to_owned(),
                kind => kind.to_string(),
            },
            ureq::Error::Timeout(_) => "it took too long".to_owned(),
            ureq::Error::HostNotFound => "there is no such host".to_owned(),
            ureq::Error::Protocol(_) => "it does not speak HTTP".to_owned(),
            other => showable(&other.to_string()),
        };
        match error {
            // A certificate does not get better by waiting.
            ureq::Error::Tls(_) | ureq::Error::Rustls(_) | ureq::Error::BadUri(_) => {
                let url = self.address.to_string();
                Trouble::Never(SynthesiseError::Unreachable { url, attempts: 1, why })
            }
            _ => Trouble::Later { why, after: None },
        }
    }

    /// A server may repeat what it was sent, also in its complaints.
    fn hide(&self, said: String, private: &[String]) -> String {
        let folded = said.to_lowercase();
        // Shorter texts are in every sentence, and tell nothing.
        let repeats = |text: &String| {
            text.chars().count() >= 6 && folded.contains(&showable(text).to_lowercase())
        };
        let key = self.key.as_ref().is_some_and(|Key(key)| said.contains(key.as_str()));
        match key || private.iter().any(repeats) {
            true => "its words repeat what was sent, and are not shown".to_owned(),
            false => said,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Key;

    #[test]
    fn a_key_is_one_visible_line_and_hides_itself() {
        let parse = |value| Key::parse("VARIABLE", value);
        let key = parse(" sk-secret \n").unwrap().unwrap();
        assert_eq!(key.0, "sk-secret");
        assert!(!format!("{key:?}").contains("secret"));
        assert!(parse("").unwrap().is_none() && parse("  ").unwrap().is_none());
        for bad in ["a b", "a\r\nb: c", "schlüssel"] {
            assert!(!parse(bad).unwrap_err().to_string().contains(bad));
        }
    }
}
