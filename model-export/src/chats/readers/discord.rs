//! The JSON of DiscordChatExporter: one channel or direct chat in a file, times with their zone.

use std::io::Read;

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use serde::de::MapAccess;
use serde_json::Value;

use super::json::{self, Elements, Fields};
use super::{Trouble, wall_time};
use crate::chats::clean::Reason;
use crate::chats::export::{Chat, Lines, Service, tidy_name};

/// Reads the chat of a file.
pub(super) fn read(zone: &TimeZone, input: &mut dyn Read) -> Result<Chat, Trouble> {
    let mut file = File { zone, name: String::new(), kind: String::new(), lines: Lines::default() };
    json::read_object(input, &mut file)?;
    let name = Some(tidy_name(&file.name)).filter(|name| !name.is_empty());
    let group = !file.kind.is_empty() && file.kind != "DirectTextChat" && file.kind != "1";
    Ok(Chat { name, group, lines: file.lines.oldest_first(), ..Chat::new(Service::Discord) })
}

struct File<'a> {
    zone: &'a TimeZone,
    name: String,
    kind: String,
    lines: Lines,
}

impl Fields for File<'_> {
    fn field<'de, A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<(), A::Error> {
        match key {
            "channel" => {
                let channel: Value = map.next_value()?;
                self.name = json::text(&channel, "name").to_owned();
                self.kind = match channel.get("type") {
                    Some(Value::String(name)) => name.clone(),
                    Some(Value::Number(number)) => number.to_string(),
                    _ => String::new(),
                };
            }
            "messages" => map.next_value_seed(Elements(|message| self.take(&message)))?,
            _ => json::skip(map)?,
        }
        Ok(())
    }
}

impl File<'_> {
    fn take(&mut self, message: &Value) {
        let written = json::text(message, "timestamp");
        let time = written
            .parse::<Timestamp>()
            .ok()
            .map(Timestamp::as_millisecond)
            .or_else(|| wall_time(self.zone, written.parse::<DateTime>().ok()?, None));
        let author = message.get("author").unwrap_or(&Value::Null);
        let sender = match json::text(author, "nickname") {
            "" => json::text(author, "name"),
            nickname => nickname,
        };
        let text = plain(json::text(message, "content"));
        let attached =
            ["attachments", "stickers", "embeds", "poll"].iter().any(|it| json::has(message, it));
        let mark = if !is_written_by_a_person(message.get("type")) || json::has(author, "isBot") {
            Some(Reason::System)
        } else if json::has(message, "forwardedMessage") {
            Some(Reason::Forwarded)
        } else {
            (text.trim().is_empty() && attached).then_some(Reason::Media)
        };
        self.lines.push(time, sender, &text, mark);
    }
}

fn is_written_by_a_person(kind: Option<&Value>) -> bool {
    match kind {
        Some(Value::String(name)) => matches!(name.as_str(), "Default" | "Reply" | "0" | "19"),
        Some(Value::Number(number)) => matches!(number.as_u64(), Some(0 | 19)),
        _ => true,
    }
}

/// Discord's codes as one reads them: `<:name:id>` is `:name:`; mentions without a name go.
fn plain(content: &str) -> String {
    let mut plain = String::with_capacity(content.len());
    let mut rest = content;
    while let Some((before, after)) = rest.split_once('<') {
        plain.push_str(before);
        let code =
            after.split_once('>').and_then(|(code, after)| Some((replacement(code)?, after)));
        if let Some((shown, after)) = code {
            plain.push_str(&shown);
            rest = after;
        } else {
            plain.push('<');
            rest = after;
        }
    }
    plain.push_str(rest);
    plain
}

/// What is shown for the inside of `<…>`; nothing if it is no code of Discord's.
fn replacement(code: &str) -> Option<String> {
    let is_id = |id: &str| !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_digit());
    let emoji = code.strip_prefix("a:").or_else(|| code.strip_prefix(':'));
    if let Some((name, id)) = emoji.and_then(|emoji| emoji.split_once(':')) {
        return is_id(id).then(|| format!(":{name}:"));
    }
    if let Some(rest) = code.strip_prefix("t:") {
        return is_id(rest.split(':').next().unwrap_or_default()).then(String::new);
    }
    let id = ["@!", "@&", "@", "#"].iter().find_map(|prefix| code.strip_prefix(prefix))?;
    is_id(id).then(String::new)
}

#[cfg(test)]
mod tests {
    use super::plain;

    #[test]
    fn codes_are_shown_as_one_reads_them() {
        assert_eq!(plain("hi <:wave:123> <@42>!"), "hi :wave: !");
        assert_eq!(plain("<a:dance:9><#7><@!8><@&6><t:1700000000:R>"), ":dance:");
        assert_eq!(plain("i <3 you <@me> a<b>c <"), "i <3 you <@me> a<b>c <");
        assert_eq!(plain("<<:ok:1>"), "<:ok:");
    }
}
