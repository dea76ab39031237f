//! Which format a file has, from its first bytes; its name does not matter.

use serde::Deserializer as _;
use serde::de::MapAccess;
use serde_json::Value;

use super::json::{self, Elements, Fields, Object};
use super::{whatsapp_line, xml_text};

/// How many bytes from the beginning decide.
pub const HEAD_BYTES: usize = 64 * 1024;

/// A format that can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Messenger and Instagram: classic and end-to-end encrypted.
    Meta,
    /// Telegram Desktop: one chat or everything.
    Telegram,
    /// DiscordChatExporter.
    Discord,
    /// WhatsApp's text.
    WhatsApp,
    /// SMS Backup & Restore.
    Sms,
    /// Our own record, one a line.
    JsonLines,
}

/// The format of a file that begins with `head`, its first [`HEAD_BYTES`] or all of it.
pub fn detect(head: &[u8]) -> Option<Format> {
    let head = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head).trim_ascii_start();
    match head.first()? {
        b'{' => detect_json(head),
        b'<' => xml_text::has_root(head, b"smses").then_some(Format::Sms),
        _ => {
            let text = lossless_prefix(head);
            whatsapp_line::header(text.lines().next()?).map(|_| Format::WhatsApp)
        }
    }
}

/// Whether it is a web page: the other form in which services give exports.
pub fn is_web_page(head: &[u8]) -> bool {
    let head = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head).trim_ascii_start();
    let head = head.get(..64).unwrap_or(head).to_ascii_lowercase();
    head.starts_with(b"<!doctype html") || head.starts_with(b"<html")
}

/// The text up to a character that is not UTF-8: the head may end inside one.
fn lossless_prefix(bytes: &[u8]) -> &str {
    let valid = match std::str::from_utf8(bytes) {
        Ok(_) => bytes.len(),
        Err(error) => error.valid_up_to(),
    };
    bytes.get(..valid).and_then(|valid| std::str::from_utf8(valid).ok()).unwrap_or_default()
}

fn detect_json(head: &[u8]) -> Option<Format> {
    let first_line = head.split(|byte| *byte == b'\n').next().unwrap_or_default();
    if let Ok(Value::Object(record)) = serde_json::from_slice(first_line)
        && ["time", "sender", "text"].iter().all(|key| record.contains_key(*key))
    {
        return Some(Format::JsonLines);
    }
    let mut probe = Probe::default();
    // The head mostly ends in the middle: what counts is what was seen until then.
    let _ = serde_json::Deserializer::from_slice(head).deserialize_map(Object(&mut probe));
    probe.format()
}

/// Which keys there are, at the top and in the first message.
#[derive(Default)]
struct Probe {
    keys: Vec<String>,
    message: Option<Value>,
}

impl Fields for Probe {
    fn field<'de, A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<(), A::Error> {
        self.keys.push(key.to_owned());
        if key != "messages" {
            return json::skip(map);
        }
        let message = &mut self.message;
        map.next_value_seed(Elements(|element| {
            message.get_or_insert(element);
        }))
    }
}

impl Probe {
    fn format(&self) -> Option<Format> {
        let top = |key: &str| self.keys.iter().any(|it| it == key);
        let field = |key: &str| self.message.as_ref().is_some_and(|it| it.get(key).is_some());
        if field("sender_name") || field("senderName") {
            Some(Format::Meta)
        } else if field("author") && field("timestamp") {
            Some(Format::Discord)
        } else if field("date") && (field("from") || field("actor") || field("date_unixtime")) {
            Some(Format::Telegram)
        } else if !top("messages") {
            let everything = top("chats") || top("personal_information") && top("about");
            everything.then_some(Format::Telegram)
        } else if self.message.as_ref().is_some_and(|it| !it.is_object()) {
            None
        } else if top("participants") {
            Some(Format::Meta)
        } else if top("channel") && top("guild") {
            Some(Format::Discord)
        } else {
            (top("name") && top("type") && top("id")).then_some(Format::Telegram)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Format, detect, is_web_page};

    #[test]
    fn content_decides() {
        let cases: &[(&str, Option<Format>)] = &[
            (
                r#"{"participants":[{"name":"A"}],"messages":[{"sender_name":"A","#,
                Some(Format::Meta),
            ),
            (r#"{"messages":[{"senderName":"A"}],"threadName":"A"}"#, Some(Format::Meta)),
            (r#"{"participants":[],"messages":[]}"#, Some(Format::Meta)),
            (r#"{"name":"A","type":"personal_chat","id":1,"messages":["#, Some(Format::Telegram)),
            (r#"{"about":"x","chats":{"list":[{"#, Some(Format::Telegram)),
            (r#"{"about":"x","personal_information":{"first_name":"A"#, Some(Format::Telegram)),
            (r#"{"guild":{},"channel":{},"messages":[]}"#, Some(Format::Discord)),
            (r#"{"time":1,"sender":"A","text":"","chat":"B"}"#, Some(Format::JsonLines)),
            ("<?xml version='1.0'?>\n<!-- x -->\n<smses count=\"1\">", Some(Format::Sms)),
            ("\u{feff}\u{200e}[01.02.23, 10:11:12] A: b", Some(Format::WhatsApp)),
            ("2/3/23, 9:08\u{202f}PM - A: b", Some(Format::WhatsApp)),
            ("<html>", None),
            ("<calls><call/></calls>", None),
            ("{\"messages\":3}", None),
            ("{\"messages\":[3]}", None),
            ("{\"a\":", None),
            ("{", None),
            ("notes of mine\n2/3/23, 9:08 - A: b", None),
            ("", None),
            (" \n ", None),
        ];
        for (head, format) in cases {
            assert_eq!(detect(head.as_bytes()), *format, "{head}");
        }
        assert!(is_web_page(b"\xef\xbb\xbf <!DOCTYPE HTML><html>") && !is_web_page(b"<smses>"));
    }
}
