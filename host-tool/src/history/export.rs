//! A history for other programs and for people: JSON Lines, Markdown, HTML.

use std::io::{self, Write};

use link::conversation::Message;
use link::message::Speaker;
use serde::Serialize;

use crate::sanitise;
use crate::text::utc;

/// What an export looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// One record a line: what `wisp-model ingest` reads
    Jsonl,
    /// Markdown
    Md,
    /// A web page without scripts
    Html,
}

/// A message to write.
#[derive(Clone, Copy, Debug)]
pub struct Said<'a> {
    /// Who wrote it.
    pub speaker: Speaker,
    /// Exactly as it came from the board.
    pub text: &'a str,
    /// When, in seconds since 1970.
    pub unix_seconds: u64,
}

impl<'a> From<&'a Message> for Said<'a> {
    fn from(message: &'a Message) -> Self {
        let Message { speaker, text, unix_seconds, .. } = message;
        Self { speaker: *speaker, text, unix_seconds: *unix_seconds }
    }
}

/// A conversation to write.
#[derive(Clone, Debug)]
pub struct Conversation<'a> {
    /// What no other in this export is called.
    pub title: String,
    /// What the persona is called.
    pub name: String,
    /// In order.
    pub messages: Vec<Said<'a>>,
}

/// A record of the canonical file that `wisp-model` reads.
#[derive(Serialize)]
struct Record<'a> {
    /// Milliseconds since 1970.
    time: u64,
    sender: &'a str,
    text: &'a str,
    chat: &'a str,
}

/// Style of the web page.
const STYLE: &str = "body{max-width:44rem;margin:2rem auto;padding:0 1rem;font:1rem/1.5 system-ui,\
sans-serif;color-scheme:light dark}p{margin:.2rem 0;white-space:pre-wrap;overflow-wrap:anywhere}\
time{color:gray;font-size:.8rem}";

/// Writes conversations. Their texts are sanitised: a file is opened in a terminal sooner or later.
///
/// # Errors
/// What `output` reports.
pub fn write(format: Format, chats: &[Conversation<'_>], output: &mut dyn Write) -> io::Result<()> {
    if format == Format::Html {
        let title = "A conversation with Wisp";
        writeln!(output, "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">")?;
        writeln!(output, "<title>{title}</title>\n<style>{STYLE}</style>")?;
    }
    for Conversation { title, name, messages } in chats {
        match format {
            Format::Jsonl => {}
            Format::Md => writeln!(output, "# {}\n", markdown(title))?,
            Format::Html => writeln!(output, "<h1>{}</h1>", html(title))?,
        }
        let name = sanitise::one_line(name);
        for message in messages {
            let sender = if message.speaker == Speaker::You { "You" } else { name.as_str() };
            let text = sanitise::text(message.text);
            let time = utc(message.unix_seconds);
            match format {
                Format::Jsonl => {
                    let time = message.unix_seconds.saturating_mul(1000);
                    let record = Record { time, sender, text: &text, chat: title };
                    serde_json::to_writer(&mut *output, &record)?;
                    writeln!(output)?;
                }
                Format::Md => {
                    let text = markdown(&text).replace('\n', "\n> ");
                    writeln!(output, "**{}** · {time}\n\n> {text}\n", markdown(sender))?;
                }
                Format::Html => writeln!(
                    output,
                    "<p><b>{}</b> <time>{time}</time>\n{}</p>",
                    html(sender),
                    html(&text)
                )?,
            }
        }
    }
    output.flush()
}

/// Text in which nothing means anything to Markdown, or to the HTML that Markdown lets through.
fn markdown(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        if "\\`*_[]<>&#|~-+=.".contains(character) {
            out.push('\\');
        }
        out.push(character);
    }
    out
}

fn html(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
