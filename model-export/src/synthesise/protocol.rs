//! The OpenAI-compatible requests and answers, as far as they are needed.

use serde_json::{Value, json};

use crate::chats::export::is_direction;

/// What is asked for.
#[derive(Clone, Debug)]
pub struct Question {
    /// The model's name.
    pub model: String,
    /// How to write.
    pub system: String,
    /// Description, examples and what to write.
    pub user: String,
    /// How bold the model is.
    pub temperature: f64,
    /// Most tokens of an answer.
    pub longest: u32,
    /// The dice of the server, if the user chose a seed.
    pub seed: Option<u64>,
}

/// The two names of the limit: newer models of OpenAI refuse the first, other servers ignore the
/// second.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LimitName {
    /// `max_tokens`
    #[default]
    Usual,
    /// `max_completion_tokens`
    Newer,
}

impl LimitName {
    /// The field.
    pub fn field(self) -> &'static str {
        match self {
            Self::Usual => "max_tokens",
            Self::Newer => "max_completion_tokens",
        }
    }
}

impl Question {
    /// The body of the request.
    pub fn body(&self, limit: LimitName) -> String {
        let mut body = json!({
            "model": self.model,
            "messages": [
                {"role": "system", "content": self.system},
                {"role": "user", "content": self.user},
            ],
            "temperature": self.temperature,
            "stream": false,
        });
        if let Some(fields) = body.as_object_mut() {
            fields.insert(limit.field().to_owned(), self.longest.into());
            if let Some(seed) = self.seed {
                fields.insert("seed".to_owned(), seed.into());
            }
        }
        body.to_string()
    }
}

/// What came back.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    /// What the model wrote; nothing if the answer was none.
    pub text: Option<String>,
    /// The model was stopped in the middle.
    pub cut: bool,
    /// Tokens that were read and written, if the server counts them.
    pub tokens: Option<Tokens>,
}

/// Tokens, as the server counts them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Tokens {
    pub read: u64,
    pub written: u64,
}

impl Answer {
    /// Reads an answer of any quality.
    pub fn read(body: &[u8]) -> Self {
        let Ok(body) = serde_json::from_slice::<Value>(body) else { return Self::default() };
        let choice = body.get("choices").and_then(|choices| choices.get(0));
        let content = choice.and_then(|it| it.get("message")).and_then(|it| it.get("content"));
        let reason = choice.and_then(|it| it.get("finish_reason")).and_then(Value::as_str);
        let count = |field: &str| body.get("usage")?.get(field)?.as_u64();
        let (read, written) = (count("prompt_tokens"), count("completion_tokens"));
        let tokens = (read.is_some() || written.is_some())
            .then(|| Tokens { read: read.unwrap_or(0), written: written.unwrap_or(0) });
        Self { text: content.and_then(text), cut: reason == Some("length"), tokens }
    }
}

/// A text, or the texts of its parts.
fn text(content: &Value) -> Option<String> {
    match content {
        Value::String(text) => Some(text.clone()),
        Value::Array(parts) => {
            let texts: Vec<&str> =
                parts.iter().filter_map(|part| part.get("text")?.as_str()).collect();
            (!texts.is_empty()).then(|| texts.concat())
        }
        _ => None,
    }
}

/// The names of the models in an answer to `GET models`.
pub fn models(body: &[u8]) -> Vec<String> {
    let Ok(body) = serde_json::from_slice::<Value>(body) else { return Vec::new() };
    let models = body.get("data").and_then(Value::as_array);
    let name = |model: &Value| Some(model.get("id")?.as_str()?.to_owned());
    models.into_iter().flatten().filter_map(name).collect()
}

/// What a server says about an error, as far as it may be shown: its own field for that, on one
/// line, without control characters, not endless.
pub fn complaint(body: &[u8]) -> Option<String> {
    let body: Value = serde_json::from_slice(body).ok()?;
    let error = body.get("error");
    let fields =
        [error.and_then(|it| it.get("message")), error, body.get("message"), body.get("detail")];
    let said = fields.into_iter().flatten().find_map(Value::as_str)?;
    Some(showable(said)).filter(|it| !it.is_empty())
}

/// Longest stretch of a server's words that is shown, in characters.
const SHOWN: usize = 300;

/// Foreign text as it may go to a terminal.
pub fn showable(text: &str) -> String {
    let blank = |it: char| if it.is_whitespace() || it.is_control() { ' ' } else { it };
    let words: String = text.chars().filter(|it| !is_direction(*it)).map(blank).collect();
    let mut line: String = words.split_whitespace().collect::<Vec<_>>().join(" ");
    if let Some((end, _)) = line.char_indices().nth(SHOWN) {
        line.truncate(end);
        line.push('…');
    }
    line
}

#[cfg(test)]
mod tests {
    use super::{Answer, LimitName, Question, Tokens, complaint, models};

    #[test]
    fn a_question_is_what_servers_expect() {
        let mut question = Question {
            model: "m".into(),
            system: "s".into(),
            user: "u\n\"".into(),
            temperature: 0.5,
            longest: 7,
            seed: None,
        };
        let body = |it: &Question, limit| -> serde_json::Value {
            serde_json::from_str(&it.body(limit)).unwrap()
        };
        let usual = body(&question, LimitName::Usual);
        assert_eq!(usual["messages"][1]["content"], "u\n\"");
        assert_eq!((&usual["max_tokens"], &usual["seed"]), (&7.into(), &().into()));
        question.seed = Some(3);
        let newer = body(&question, LimitName::Newer);
        assert_eq!((&newer["max_completion_tokens"], &newer["seed"]), (&7.into(), &3.into()));
        assert!(newer.get("max_tokens").is_none());
    }

    #[test]
    fn answers_of_any_quality() {
        let whole = br#"{"choices":[{"message":{"content":"hi"},"finish_reason":"length"}],
                         "usage":{"prompt_tokens":5,"completion_tokens":2}}"#;
        let tokens = Some(Tokens { read: 5, written: 2 });
        assert_eq!(Answer::read(whole), Answer { text: Some("hi".into()), cut: true, tokens });
        let parts = br#"{"choices":[{"message":{"content":[{"text":"a"},{"x":1},{"text":"b"}]}}]}"#;
        assert_eq!(Answer::read(parts).text.as_deref(), Some("ab"));
        for bad in [&b""[..], b"{", b"[]", b"{\"choices\":{}}", b"{\"choices\":[3]}", &whole[..40]]
        {
            assert_eq!(Answer::read(bad), Answer::default());
        }
        assert_eq!(models(br#"{"data":[{"id":"a"},{"id":3},{"id":"b"}]}"#), ["a", "b"]);
        assert!(models(b"nothing").is_empty());
    }

    #[test]
    fn a_complaint_is_harmless() {
        let said = complaint(b"{\"error\":{\"message\":\"no\\u001b[2J such\\n\\u202emodel\"}}");
        assert_eq!(said.as_deref(), Some("no [2J such model"));
        assert_eq!(complaint(br#"{"error":"plain"}"#).as_deref(), Some("plain"));
        assert_eq!(complaint(b"<html>"), None);
        let long = format!(r#"{{"error":"{}"}}"#, "x".repeat(5000));
        assert_eq!(complaint(long.as_bytes()).unwrap().chars().count(), 301);
    }
}
