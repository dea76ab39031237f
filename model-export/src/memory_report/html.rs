//! The report as one page, with the texts that were found: no scripts, nothing from elsewhere.

use super::replies::STRETCH;
use super::report::{FoundMessage, FoundReply, FoundWord, How, PRIVATE, Report, Summary};
use super::terminal::{advice, headline, notes};
use super::words::Look;
use crate::chats::Message;
use crate::report::{STYLE, escape, grouped, percent};

/// Rows of a table at most; the JSON has all.
const SHOWN: usize = 500;

/// The page; its first line says that it is private.
pub fn page(report: &Report) -> String {
    let summary = &report.summary;
    let persona = escape(&summary.persona);
    let sections =
        [verdict(summary), figures(summary), messages(report), words(report), replies(report)];
    format!(
        "<!doctype html><!-- {PRIVATE} -->\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width\">\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\
         <title>{persona}: what it remembers</title><style>{STYLE} td {{ white-space: normal; }}</style>\
         </head><body><main><header><h1>What {persona} remembers</h1>\
         <p class=\"note\">{PRIVATE}</p></header>{}</main></body></html>\n",
        sections.concat()
    )
}

fn verdict(summary: &Summary) -> String {
    let advice: String =
        advice(summary).iter().map(|it| format!("<li>{}</li>", escape(it))).collect();
    let notes: String =
        notes(summary).iter().map(|it| format!("<li class=\"note\">{}</li>", escape(it))).collect();
    section(headline(summary.verdict), "", &format!("<ul>{advice}{notes}</ul>"))
}

fn figures(summary: &Summary) -> String {
    let head = "<tr><th></th><th class=\"n\">repeated</th><th class=\"n\">of</th><th class=\"n\"></th>\
                <th class=\"n\">guessed</th><th class=\"n\">of</th><th class=\"n\"></th>\
                <th class=\"n\">by chance</th><th></th></tr>";
    let row = |(name, measure): (&str, super::verdict::Comparison)| {
        let mark = if summary.is_above_chance(&measure) { "above chance" } else { "" };
        format!(
            "<tr><td>{name}</td><td class=\"n\">{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td>\
             <td class=\"n\">{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td>\
             <td class=\"n\">{:.1e}</td><td class=\"note\">{mark}</td></tr>",
            grouped(measure.repeated as u64),
            grouped(measure.tried as u64),
            percent(measure.rate()),
            grouped(measure.guessed as u64),
            grouped(measure.guesses as u64),
            percent(measure.base_rate()),
            measure.chance(),
        )
    };
    let rows: String = summary.measures().into_iter().map(row).collect();
    let mut more = String::new();
    if let [Some(trained), Some(held_back)] = summary.bits_per_token {
        more += &format!(
            "<p>Bits per token of a message: {trained:.2} of those it was trained on, \
             {held_back:.2} of those held back, {:.2} for somebody who only counted.</p>",
            summary.counting_bits_per_token
        );
    }
    if let [Some(trained), Some(held_back)] = summary.exposure {
        more += &format!(
            "<p>Median exposure of rare words: {trained:.1} bits where it was trained on them, \
             {held_back:.1} where it was not.</p>"
        );
    }
    section(
        "Figures",
        "Each measure was taken of what the persona was trained on, and of the latest conversations, \
         which were held back from it: so much can be guessed. By chance: how likely such a difference \
         would be if training made none.",
        &format!("<div class=\"wide\"><table>{head}{rows}</table></div>{more}"),
    )
}

fn messages(report: &Report) -> String {
    let head = "<tr><th>message</th><th>led by</th><th class=\"n\">tokens</th><th class=\"n\">bits known</th>\
                <th>sender</th><th>chat</th></tr>";
    let row = |found: &FoundMessage| {
        let how = match found.how {
            How::Whole => "what was said before",
            How::Half => "its first half",
        };
        let Message { text, sender, chat, .. } = &found.message;
        format!(
            "<tr><td>{}</td><td>{how}</td><td class=\"n\">{}</td><td class=\"n\">{:.0}</td><td>{}</td>\
             <td>{}</td></tr>",
            escape(text),
            found.tokens,
            found.bits_known,
            escape(sender),
            escape(chat),
        )
    };
    table(
        "Messages",
        "Messages that the persona says word for word when it is told what was said before them. \
         Bits known: how much of the text was in the model and not in how common its words are.",
        head,
        &report.messages,
        row,
    )
}

fn words(report: &Report) -> String {
    let head = "<tr><th>word</th><th>in</th><th>guess</th><th class=\"n\">probability</th>\
                <th class=\"n\">exposure</th><th>chat</th></tr>";
    let row = |found: &FoundWord| {
        let look = match found.look {
            Look::Number => "number",
            Look::Name => "name",
            Look::Word => "word",
        };
        let guess = if found.worst_rank == 1 {
            "first".to_owned()
        } else {
            format!("among {}", found.worst_rank)
        };
        let exposure = found.exposure.map_or("-".to_owned(), |bits| format!("{bits:.1}"));
        format!(
            "<tr><td><b>{}</b> ({look})</td><td>{}</td><td>{guess}</td><td class=\"n\">{}</td>\
             <td class=\"n\">{exposure}</td><td>{}</td></tr>",
            escape(&found.word),
            escape(&found.message.text),
            percent(found.probability),
            escape(&found.message.chat),
        )
    };
    table(
        "Names, numbers and rare words",
        "Words of three conversations at most that the persona gives away when it is told what was said \
         before them: it says them by itself, or has them among its first guesses. Exposure: how far the \
         word stands out among all rare words, in bits; each bit halves what is left to try.",
        head,
        &report.words,
        row,
    )
}

fn replies(report: &Report) -> String {
    let head = "<tr><th>reply</th><th>to</th><th class=\"n\">words</th><th>stands in</th><th>chat</th></tr>";
    let row = |found: &FoundReply| {
        format!(
            "<tr><td>{}</td><td>{}</td><td class=\"n\">{}</td><td>{}</td><td>{}</td></tr>",
            escape(&found.reply),
            escape(&found.opening),
            found.words,
            escape(&found.message.text),
            escape(&found.message.chat),
        )
    };
    let lead = format!(
        "What the persona said by itself, at its own settings, that has {STRETCH} words or more in a row \
         that stand in one conversation only."
    );
    table("Free replies", &lead, head, &report.replies, row)
}

fn table<T>(
    title: &str,
    lead: &str,
    head: &str,
    found: &[T],
    row: impl Fn(&T) -> String,
) -> String {
    let rows: String = found.iter().take(SHOWN).map(row).collect();
    let body = match found.len() {
        0 => "<p>None.</p>".to_owned(),
        count if count > SHOWN => format!(
            "<div class=\"wide\"><table>{head}{rows}</table></div><p>and {} more: see memory.json</p>",
            grouped((count - SHOWN) as u64)
        ),
        _ => format!("<div class=\"wide\"><table>{head}{rows}</table></div>"),
    };
    section(&format!("{title}: {}", grouped(found.len() as u64)), lead, &body)
}

fn section(title: &str, lead: &str, body: &str) -> String {
    let lead = if lead.is_empty() { String::new() } else { format!("<p>{}</p>", escape(lead)) };
    format!("<section><h2>{}</h2>{lead}{body}</section>", escape(title))
}
