//! What can go wrong while a teacher is asked. No message text and no key ever stands in an error.

use std::path::PathBuf;

use miette::Diagnostic;
use thiserror::Error;

/// What can go wrong while a teacher is asked. The codes are stable.
#[derive(Debug, Error, Diagnostic)]
#[non_exhaustive]
#[allow(missing_docs)] // The fields are named in each message.
pub enum SynthesiseError {
    #[error("the teacher's address cannot be used: {what}")]
    #[diagnostic(
        code(wisp_model::synthesise::address),
        help(
            "Give the server's base, like http://localhost:8080/v1 (llama.cpp) or \
             http://localhost:11434/v1 (Ollama)."
        )
    )]
    Address { what: &'static str },

    #[error("the key would travel to {host} unencrypted")]
    #[diagnostic(
        code(wisp_model::synthesise::plain_key),
        help(
            "Use the server's https address. If it needs no key, say so: --api-key-env NONE, or \
             any variable that is not set."
        )
    )]
    PlainKey { host: String },

    #[error("what is in the environment variable {name} is no key")]
    #[diagnostic(
        code(wisp_model::synthesise::key),
        help("A key is one line of ASCII letters, digits and signs. Set the variable again.")
    )]
    Key { name: String },

    #[error("nobody was asked whether this may be sent, and nothing was")]
    #[diagnostic(
        code(wisp_model::synthesise::consent),
        help("There is no terminal to ask on. If you agree to what is said above, give --yes.")
    )]
    NoConsent,

    #[error("nothing was sent")]
    #[diagnostic(
        code(wisp_model::synthesise::refused),
        help("With `--examples 0 --describe FILE` no text of the chats is sent.")
    )]
    Refused,

    #[error("the teacher would be told nothing about the persona")]
    #[diagnostic(
        code(wisp_model::synthesise::nothing_to_tell),
        help("Give a description with --describe FILE, or examples with --examples 3.")
    )]
    NothingToTell,

    #[error("nobody called {name} writes in these chats")]
    #[diagnostic(
        code(wisp_model::synthesise::persona),
        help("Give --persona the name as `wisp-model ingest` reported it.")
    )]
    NoPersona { name: String },

    #[error("there is no chat called {name}")]
    #[diagnostic(
        code(wisp_model::synthesise::chat),
        help("Give --show the name of a chat as it stands in chats.jsonl and in the report.")
    )]
    NoChat { name: String },

    #[error("no conversation of these chats can serve as an example")]
    #[diagnostic(
        code(wisp_model::synthesise::examples),
        help(
            "An example has at least {least} messages and both sides in it. Give more chats, or \
             `--examples 0` with --describe FILE."
        )
    )]
    NoExamples { least: usize },

    #[error("{} has {bytes} bytes; a description may have up to {limit}", path.display())]
    #[diagnostic(
        code(wisp_model::synthesise::description),
        help("It is sent with every request. Say in a page who the persona is and how it writes.")
    )]
    Description { path: PathBuf, bytes: usize, limit: usize },

    #[error("{} was not written by `synthesise`: see line {line}", path.display())]
    #[diagnostic(
        code(wisp_model::synthesise::foreign),
        help("It was left as it is. Give another file with -o.")
    )]
    Foreign { path: PathBuf, line: usize },

    #[error("{} has conversations of somebody else than {name}", path.display())]
    #[diagnostic(
        code(wisp_model::synthesise::other_persona),
        help("One file is for one persona. Give another file with -o.")
    )]
    OtherPersona { path: PathBuf, name: String },

    #[error("another `synthesise` is writing {}", path.display())]
    #[diagnostic(
        code(wisp_model::synthesise::locked),
        help("Wait until it has ended, or give another file with -o.")
    )]
    Locked { path: PathBuf },

    #[error("{} is damaged at line {line}", path.display())]
    #[diagnostic(
        code(wisp_model::synthesise::origin),
        help(
            "It says where the conversations beside it are from. Repair it from a copy, or move \
             it away: then what earlier runs cost is not known any more."
        )
    )]
    Origin { path: PathBuf, line: usize },

    #[error("{url} refuses with status {status}: {said}")]
    #[diagnostic(
        code(wisp_model::synthesise::server),
        help(
            "401 and 403: the key is missing or wrong, see --api-key-env. 404: the address mostly \
             ends in /v1, and --model must be one that the server has. 400 and 422: the server \
             does not know one of the options; `--temperature 1` helps with some models."
        )
    )]
    Server { url: String, status: u16, said: String },

    #[error("{url} did not answer in {attempts} attempts: {why}")]
    #[diagnostic(
        code(wisp_model::synthesise::unreachable),
        help(
            "Check that the server runs and that the address is right; give slow models more time \
             with --timeout. Everything that was accepted is kept: the same command goes on."
        )
    )]
    Unreachable { url: String, attempts: u32, why: String },

    #[error("{url} asks to wait {seconds} seconds")]
    #[diagnostic(
        code(wisp_model::synthesise::wait),
        help("Everything that was accepted is kept: give the same command again then.")
    )]
    Wait { url: String, seconds: u64 },

    #[error("{url} sends its visitors on to {to}, and nothing was sent there")]
    #[diagnostic(
        code(wisp_model::synthesise::redirect),
        help("If that is the server you mean, give its address with --teacher.")
    )]
    Redirect { url: String, to: String },

    #[error("{url} answers with more than {limit} bytes")]
    #[diagnostic(
        code(wisp_model::synthesise::too_large),
        help("No model writes that much for one request. Check what runs at this address.")
    )]
    TooLarge { url: String, limit: u64 },

    #[error("{url} has {count} models")]
    #[diagnostic(code(wisp_model::synthesise::models), help("Choose one with --model: {names}"))]
    Models { url: String, count: usize, names: String },

    #[error("{url} does not say which model it has")]
    #[diagnostic(
        code(wisp_model::synthesise::no_model),
        help("Give --model NAME. If that fails too, no OpenAI-compatible server runs there.")
    )]
    NoModel { url: String },

    #[error("{answers} answers in a row had no usable conversation ({why})")]
    #[diagnostic(
        code(wisp_model::synthesise::fruitless),
        help(
            "Asking on would only cost. A larger model keeps to the form better; another \
             --temperature, more --examples or a --describe help where conversations are copied \
             or alike. Everything that was accepted is kept."
        )
    )]
    Fruitless { answers: u32, why: String },
}
