//! Conversations as a page of Markdown, as good to read in a plain editor.

use std::fmt::Write;

use model_format::SamplerDefaults;
use persona::Speaker;

use super::{Talk, rhythm};
use crate::chats::turn_taking::Rates;

/// What a page says about where its conversations are from.
#[derive(Clone, Debug)]
pub struct About {
    /// The persona's name.
    pub name: String,
    /// Its file's name, without folders.
    pub file: String,
    /// The file's SHA-256, in hexadecimal.
    pub sha256: String,
    /// The seed of all.
    pub seed: u64,
    /// How words were chosen.
    pub sampler: SamplerDefaults,
    /// Tokens that the persona remembered.
    pub context: usize,
    /// Whether the friend's messages were given.
    pub is_answering: bool,
}

/// The page.
pub fn page(about: &About, talks: &[Talk]) -> String {
    let mut page = String::new();
    // Writing to a string cannot fail.
    let _ = write_page(&mut page, about, talks);
    page
}

fn write_page(page: &mut String, about: &About, talks: &[Talk]) -> std::fmt::Result {
    let sampler = about.sampler;
    let share = |milli: u16| f64::from(milli) / 1000.0;
    writeln!(page, "# Conversations with {}\n", escape(&about.name))?;
    match about.is_answering {
        true => {
            writeln!(page, "What the persona answers to given messages of a friend. Unedited.\n")?
        }
        false => writeln!(page, "Both sides were written by the persona. Unedited.\n")?,
    }
    writeln!(page, "| | |\n|---|---|")?;
    writeln!(page, "| file | {} |\n| SHA-256 | `{}` |", escape(&about.file), about.sha256)?;
    writeln!(page, "| seed | {} |", about.seed)?;
    writeln!(
        page,
        "| sampler | temperature {}, top-p {}, repetition penalty {}, at most {} tokens a message |",
        share(sampler.temperature_milli),
        share(sampler.top_p_milli),
        share(sampler.repetition_penalty_milli),
        sampler.max_reply_tokens
    )?;
    writeln!(page, "| context | {} tokens |", about.context)?;
    for (number, talk) in (1..).zip(talks) {
        writeln!(page, "\n## {number}\n")?;
        write_talk(page, &about.name, talk)?;
    }
    writeln!(page, "\n## Rhythm\n")?;
    writeln!(page, "{}", summary(&escape(&about.name), talks))
}

/// The rhythm of conversations in a line, for the page and the terminal.
pub fn summary(name: &str, talks: &[Talk]) -> String {
    let Rates { reply_rate, burst_length, first_speech_rate, others, silences, .. } =
        rhythm(talks).rates();
    let messages: usize = talks.iter().map(Vec::len).sum();
    let mut line = format!(
        "{messages} messages in {} conversations: {} answers {:.1} % of the friend's {others} \
         messages, writes {burst_length:.3} in a row",
        talks.len(),
        name,
        100.0 * reply_rate,
    );
    if silences > 0 {
        // Writing to a string cannot fail.
        let _ = write!(
            line,
            ", and ends {:.1} % of {silences} silences of more than an hour",
            100.0 * first_speech_rate
        );
    }
    line + "."
}

fn write_talk(page: &mut String, name: &str, talk: &Talk) -> std::fmt::Result {
    for (place, line) in talk.iter().enumerate() {
        if let Some(remark) = remark(line.gap) {
            writeln!(page, "\n*({remark})*\n")?;
        }
        let speaker = if line.speaker == Speaker::Wisp { name } else { "you" };
        let next = talk.get(place + 1).filter(|_| !line.is_unanswered);
        let goes_on = next.is_some_and(|next| remark(next.gap).is_none());
        writeln!(
            page,
            "**{}:** {}{}{}",
            escape(speaker),
            escape(&line.text),
            if line.is_cut { " …*(cut off)*" } else { "" },
            // A line break, without a paragraph of its own.
            if goes_on { "  " } else { "" },
        )?;
        if line.is_unanswered {
            writeln!(page, "\n*(no answer)*")?;
            if place + 1 < talk.len() {
                writeln!(page)?;
            }
        }
    }
    Ok(())
}

/// What is said of a silence of this bucket.
fn remark(gap: usize) -> Option<&'static str> {
    match gap {
        0 => None,
        1 => Some("a few minutes later"),
        2 => Some("half an hour later"),
        3 => Some("some hours later"),
        _ => Some("the next day"),
    }
}

/// A text of which Markdown shows every character as it is.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        let opens_tag = |next: Option<&char>| {
            next.is_some_and(|next| next.is_ascii_alphabetic() || "/!?".contains(*next))
        };
        match character {
            '\n' => escaped.push_str("<br>"),
            '\\' | '`' | '*' | '_' | '[' | ']' | '~' | '|' | '&' | '$' => {
                escaped.push('\\');
                escaped.push(character);
            }
            '<' if opens_tag(characters.peek()) => escaped.push_str("\\<"),
            _ => escaped.push(character),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::super::{Line, Text};
    use super::*;

    #[test]
    fn a_page_reads_like_a_chat() {
        let line = |speaker, gap, text: &str| {
            Line::new(speaker, gap, Text { shown: text.into(), is_cut: false })
        };
        let (you, wisp) = (Speaker::You, Speaker::Wisp);
        let mut talk = vec![
            line(you, 0, "hi <b> <3"),
            line(wisp, 0, "a *star*"),
            line(wisp, 3, "two\nlines"),
            line(you, 0, "ok"),
            line(you, 0, "bye"),
        ];
        talk[3].is_unanswered = true;
        talk[4].is_cut = true;
        let mut page = String::new();
        write_talk(&mut page, "Moth_1", &talk).unwrap();
        assert_eq!(
            page,
            "**you:** hi \\<b> <3  \n**Moth\\_1:** a \\*star\\*\n\n*(some hours later)*\n\n\
             **Moth\\_1:** two<br>lines  \n**you:** ok\n\n*(no answer)*\n\n\
             **you:** bye …*(cut off)*\n"
        );
        // hi is answered, ok is not; the silence is ended by the persona, bye is not known.
        let said = summary("Moth", &[talk]);
        assert!(said.starts_with("5 messages in 1 conversations: Moth answers 50.0 %"), "{said}");
        assert!(said.contains("ends 100.0 % of 1 silences"), "{said}");
        let mut given = vec![line(you, 0, "hi"), line(wisp, 0, "hello"), line(you, 0, "ok")];
        given[2].is_unanswered = true;
        let said = summary("Moth", &[given]);
        assert!(said.contains("answers 50.0 % of the friend's 2 messages"), "{said}");
    }
}
