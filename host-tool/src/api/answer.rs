//! The shapes of OpenAI's answers, with a few fields of our own that other clients overlook.

use serde::Serialize;

use super::reply::Outcome;

/// What all parts of one answer have in common.
#[derive(Clone, Debug)]
pub struct Heading {
    /// Names the answer.
    pub id: String,
    /// When it was asked for, in seconds since 1970.
    pub created: u64,
    /// Name of the persona, whatever model was asked for.
    pub model: String,
    /// Messages of the request that the persona does not know.
    pub ignored: usize,
}

/// Tokens that the board counted.
#[derive(Clone, Copy, Debug, Serialize)]
struct Usage {
    /// Read anew for this answer: what was in its memory is not in it.
    prompt_tokens: u32,
    completion_tokens: u32,
    total_tokens: u32,
}

impl Usage {
    fn of(outcome: Outcome) -> Option<Self> {
        let (prompt_tokens, completion_tokens) = outcome.tokens?;
        let total_tokens = prompt_tokens.saturating_add(completion_tokens);
        Some(Self { prompt_tokens, completion_tokens, total_tokens })
    }
}

fn finish_reason(outcome: Outcome) -> &'static str {
    if outcome.is_cut { "length" } else { "stop" }
}

#[derive(Serialize)]
struct Completion<'a> {
    id: &'a str,
    object: &'static str,
    created: u64,
    model: &'a str,
    choices: [Choice<'a>; 1],
    #[serde(skip_serializing_if = "Option::is_none")]
    usage: Option<Usage>,
    wisp_silent: bool,
    wisp_ignored_messages: usize,
}

#[derive(Serialize)]
struct Choice<'a> {
    index: u32,
    message: Message<'a>,
    logprobs: Option<()>,
    finish_reason: &'static str,
}

#[derive(Serialize)]
struct Message<'a> {
    role: &'static str,
    content: &'a str,
    refusal: Option<()>,
}

#[derive(Serialize)]
struct Chunk<'a> {
    id: &'a str,
    object: &'static str,
    created: u64,
    model: &'a str,
    choices: Vec<ChunkChoice<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    usage: Option<Usage>,
    #[serde(skip_serializing_if = "Option::is_none")]
    wisp_silent: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    wisp_ignored_messages: Option<usize>,
}

#[derive(Serialize)]
struct ChunkChoice<'a> {
    index: u32,
    delta: Delta<'a>,
    logprobs: Option<()>,
    finish_reason: Option<&'static str>,
}

#[derive(Default, Serialize)]
struct Delta<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    role: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    content: Option<&'a str>,
}

impl Heading {
    /// A whole answer.
    pub fn completion(&self, text: &str, outcome: Outcome) -> String {
        let message = Message { role: "assistant", content: text, refusal: None };
        let finish_reason = finish_reason(outcome);
        json(&Completion {
            id: &self.id,
            object: "chat.completion",
            created: self.created,
            model: &self.model,
            choices: [Choice { index: 0, message, logprobs: None, finish_reason }],
            usage: Usage::of(outcome),
            wisp_silent: outcome.is_silent,
            wisp_ignored_messages: self.ignored,
        })
    }

    /// The first piece of a stream.
    pub fn opening(&self) -> String {
        let delta = Delta { role: Some("assistant"), content: Some("") };
        let chunk = self.chunk(Some((delta, None)));
        json(&Chunk { wisp_ignored_messages: Some(self.ignored), ..chunk })
    }

    /// A piece with words.
    pub fn words(&self, words: &str) -> String {
        json(&self.chunk(Some((Delta { content: Some(words), ..Delta::default() }, None))))
    }

    /// The last piece, which says how it ended.
    pub fn ending(&self, outcome: Outcome) -> String {
        let chunk = self.chunk(Some((Delta::default(), Some(finish_reason(outcome)))));
        json(&Chunk { wisp_silent: Some(outcome.is_silent), ..chunk })
    }

    /// What it cost, for who asked for that; `None` when the board did not say.
    pub fn cost(&self, outcome: Outcome) -> Option<String> {
        let usage = Usage::of(outcome)?;
        Some(json(&Chunk { usage: Some(usage), ..self.chunk(None) }))
    }

    fn chunk<'a>(&'a self, choice: Option<(Delta<'a>, Option<&'static str>)>) -> Chunk<'a> {
        let choice = choice.map(|(delta, finish_reason)| ChunkChoice {
            index: 0,
            delta,
            logprobs: None,
            finish_reason,
        });
        Chunk {
            id: &self.id,
            object: "chat.completion.chunk",
            created: self.created,
            model: &self.model,
            choices: choice.into_iter().collect(),
            usage: None,
            wisp_silent: None,
            wisp_ignored_messages: None,
        }
    }
}

#[derive(Serialize)]
struct Models<'a> {
    object: &'static str,
    data: [Model<'a>; 1],
}

#[derive(Serialize)]
struct Model<'a> {
    id: &'a str,
    object: &'static str,
    created: u64,
    owned_by: &'static str,
}

/// The list of models: the one persona.
pub fn models(name: &str, created: u64) -> String {
    let model = Model { id: name, object: "model", created, owned_by: "wisp" };
    json(&Models { object: "list", data: [model] })
}

fn json(value: &impl Serialize) -> String {
    // Texts and numbers: there is nothing in them that JSON cannot say.
    serde_json::to_string(value).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_have_the_fields_that_clients_read() {
        let heading =
            Heading { id: "chatcmpl-1".into(), created: 7, model: "Wisp".into(), ignored: 2 };
        let outcome = Outcome { is_cut: false, is_silent: false, tokens: Some((9, 3)) };
        assert_eq!(
            heading.completion("Hi \"you\"\nthere", outcome),
            r#"{"id":"chatcmpl-1","object":"chat.completion","created":7,"model":"Wisp","choices":[{"index":0,"message":{"role":"assistant","content":"Hi \"you\"\nthere","refusal":null},"logprobs":null,"finish_reason":"stop"}],"usage":{"prompt_tokens":9,"completion_tokens":3,"total_tokens":12},"wisp_silent":false,"wisp_ignored_messages":2}"#
        );
        assert_eq!(
            heading.opening(),
            r#"{"id":"chatcmpl-1","object":"chat.completion.chunk","created":7,"model":"Wisp","choices":[{"index":0,"delta":{"role":"assistant","content":""},"logprobs":null,"finish_reason":null}],"wisp_ignored_messages":2}"#
        );
        assert!(heading.words("a\nb").contains(r#""delta":{"content":"a\nb"}"#));
        let silent = Outcome { is_cut: false, is_silent: true, tokens: None };
        let end = heading.ending(silent);
        assert!(
            end.contains(r#""delta":{}"#) && end.contains(r#""finish_reason":"stop""#),
            "{end}"
        );
        assert!(end.contains(r#""wisp_silent":true"#), "{end}");
        assert_eq!(heading.cost(silent), None, "nothing is made up");
        let cut = Outcome { is_cut: true, ..outcome };
        assert!(heading.ending(cut).contains(r#""finish_reason":"length""#));
        assert!(heading.cost(cut).unwrap().contains(r#""choices":[],"usage":{"prompt_tokens":9"#));
        assert_eq!(
            models("Wisp", 7),
            r#"{"object":"list","data":[{"id":"Wisp","object":"model","created":7,"owned_by":"wisp"}]}"#
        );
    }
}
