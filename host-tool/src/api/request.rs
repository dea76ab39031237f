//! What a client asks for: OpenAI's chat completion, checked.
//!
//! Parameters that nothing here knows are ignored, as other local servers do it. Those that choose
//! words are checked and ignored too: the persona's own settings hold.

use link::message::MAX_TEXT;
use serde::Deserialize;

use super::error::ApiError;
use super::known::Believed;

/// A request that makes sense.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// What is to be said: the last message.
    pub text: String,
    /// What the client believes was said before.
    pub before: Vec<Believed>,
    /// Messages with instructions: a persona takes none.
    pub instructions: usize,
    /// Whether the answer is to come word by word.
    pub stream: bool,
    /// Whether the end of a stream is to say what it cost.
    pub include_usage: bool,
}

#[derive(Deserialize)]
struct Body {
    messages: Vec<Message>,
    stream: Option<bool>,
    stream_options: Option<StreamOptions>,
    n: Option<f64>,
    temperature: Option<f64>,
    top_p: Option<f64>,
    max_tokens: Option<f64>,
    max_completion_tokens: Option<f64>,
    presence_penalty: Option<f64>,
    frequency_penalty: Option<f64>,
}

#[derive(Deserialize)]
struct StreamOptions {
    include_usage: Option<bool>,
}

#[derive(Deserialize)]
struct Message {
    role: String,
    content: Option<Content>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Content {
    Text(String),
    Parts(Vec<Part>),
}

#[derive(Deserialize)]
struct Part {
    #[serde(rename = "type")]
    kind: String,
    text: Option<String>,
}

impl Asked {
    /// Reads the body of a request.
    ///
    /// # Errors
    /// It is no such request, or asks for what there is not.
    pub fn read(body: &[u8]) -> Result<Self, ApiError> {
        let body: Body = serde_json::from_slice(body)
            .map_err(|error| ApiError::Json { line: error.line(), column: error.column() })?;
        body.check_ranges()?;
        let mut said = Vec::new();
        let mut instructions = 0;
        for message in body.messages {
            let text = message.text()?;
            match message.role.as_str() {
                "user" => said.push(Believed { is_friend: true, text }),
                "assistant" => said.push(Believed { is_friend: false, text }),
                "system" | "developer" | "tool" | "function" => instructions += 1,
                _ => return Err(wrong("messages", "has a role that is not known here")),
            }
        }
        let text = match said.pop() {
            Some(Believed { is_friend: true, text }) if !text.trim().is_empty() => text,
            _ => return Err(wrong("messages", "must end with words of the user")),
        };
        if text.len() > MAX_TEXT {
            return Err(ApiError::TooLong { bytes: text.len(), most: MAX_TEXT });
        }
        let include_usage = body.stream_options.and_then(|options| options.include_usage);
        Ok(Self {
            text,
            before: said,
            instructions,
            stream: body.stream.unwrap_or_default(),
            include_usage: include_usage.unwrap_or_default(),
        })
    }
}

impl Body {
    fn check_ranges(&self) -> Result<(), ApiError> {
        let ranges = [
            ("n", self.n, 1.0..=1.0, "must be 1: there is one answer"),
            ("temperature", self.temperature, 0.0..=2.0, "must be between 0 and 2"),
            ("top_p", self.top_p, 0.0..=1.0, "must be between 0 and 1"),
            ("max_tokens", self.max_tokens, 1.0..=f64::MAX, "must be at least 1"),
            (
                "max_completion_tokens",
                self.max_completion_tokens,
                1.0..=f64::MAX,
                "must be at least 1",
            ),
            ("presence_penalty", self.presence_penalty, -2.0..=2.0, "must be between -2 and 2"),
            ("frequency_penalty", self.frequency_penalty, -2.0..=2.0, "must be between -2 and 2"),
        ];
        for (name, value, range, problem) in ranges {
            if value.is_some_and(|value| !range.contains(&value)) {
                return Err(wrong(name, problem));
            }
        }
        Ok(())
    }
}

impl Message {
    fn text(&self) -> Result<String, ApiError> {
        match &self.content {
            None => Ok(String::new()),
            Some(Content::Text(text)) => Ok(text.clone()),
            Some(Content::Parts(parts)) => parts
                .iter()
                .map(|part| match (part.kind.as_str(), &part.text) {
                    ("text", Some(text)) => Ok(text.as_str()),
                    _ => Err(wrong("messages", "may hold text only")),
                })
                .collect(),
        }
    }
}

fn wrong(name: &'static str, problem: &'static str) -> ApiError {
    ApiError::Parameter { name, problem }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(body: &str) -> Result<Asked, ApiError> {
        Asked::read(body.as_bytes())
    }

    #[test]
    fn the_last_message_is_said_and_the_rest_is_told_apart() {
        let asked = read(
            r#"{"model":"gpt-4o","temperature":0.7,"tools":[],"seed":3,"messages":[
                {"role":"system","content":"Be brief."},
                {"role":"user","content":"Hi"},
                {"role":"assistant","content":null,"refusal":null},
                {"role":"user","content":[{"type":"text","text":"How are "},{"type":"text","text":"you?"}]}
            ],"stream":true,"stream_options":{"include_usage":true}}"#,
        )
        .unwrap();
        assert_eq!(asked.text, "How are you?");
        assert_eq!(asked.instructions, 1);
        let before: Vec<_> =
            asked.before.iter().map(|said| (said.is_friend, said.text.as_str())).collect();
        assert_eq!(before, [(true, "Hi"), (false, "")]);
        assert!(asked.stream && asked.include_usage);
    }

    #[test]
    fn what_makes_no_sense_is_refused_with_the_parameter_s_name() {
        let good = r#"[{"role":"user","content":"Hi"}]"#;
        let cases = [
            (r#"{"messages":[]}"#.to_string(), Some("messages")),
            (r#"{"messages":[{"role":"assistant","content":"Hi"}]}"#.into(), Some("messages")),
            (r#"{"messages":[{"role":"user","content":" "}]}"#.into(), Some("messages")),
            (r#"{"messages":[{"role":"king","content":"Hi"}]}"#.into(), Some("messages")),
            (
                r#"{"messages":[{"role":"user","content":[{"type":"image_url"}]}]}"#.into(),
                Some("messages"),
            ),
            (format!(r#"{{"messages":{good},"n":2}}"#), Some("n")),
            (format!(r#"{{"messages":{good},"temperature":2.1}}"#), Some("temperature")),
            (format!(r#"{{"messages":{good},"top_p":-0.1}}"#), Some("top_p")),
            (format!(r#"{{"messages":{good},"max_tokens":0}}"#), Some("max_tokens")),
            (format!(r#"{{"messages":{good},"presence_penalty":3}}"#), Some("presence_penalty")),
            (format!(r#"{{"messages":{good},"stream":"yes"}}"#), None),
            ("{}".into(), None),
            ("[]".into(), None),
            ("".into(), None),
            ("[".repeat(60_000), None),
        ];
        for (body, expected) in cases {
            match (read(&body), expected) {
                (Err(ApiError::Parameter { name, .. }), Some(expected)) => {
                    assert_eq!(name, expected);
                }
                (Err(ApiError::Json { .. }), None) => {}
                (other, _) => panic!("{body:.90}: {other:?}"),
            }
        }
        let long = format!(
            r#"{{"messages":[{{"role":"user","content":"{}"}}]}}"#,
            "x".repeat(MAX_TEXT + 1)
        );
        assert_eq!(read(&long), Err(ApiError::TooLong { bytes: MAX_TEXT + 1, most: MAX_TEXT }));
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(body in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = Asked::read(&body);
        }
    }
}
