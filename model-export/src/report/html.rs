//! The report as one page: no scripts, nothing from elsewhere, readable by day and by night.

use std::fmt::Write;

use super::plot::{Bar, HALF, WIDE, columns, escape, rows};
use super::{ChatReport, GAPS, Report, counted, grouped, percent};
use crate::chats::clean::Reason;
use crate::chats::rhythm::{LONGEST_BURST, share};

/// How pages look.
pub(crate) const STYLE: &str = include_str!("report.css");

/// The page.
pub fn page(report: &Report) -> String {
    let persona = escape(&report.persona);
    let sections = [
        tiles(report),
        months(report),
        dropped(report),
        rhythm(report),
        chats(report),
        files(report),
    ];
    format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width\">\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\
         <title>{persona}: chats</title><style>{STYLE}</style></head><body><main>\
         <header><h1>{persona}</h1><p>What was read from your chats, what was kept, and what was \
         dropped. Names stand here, messages do not. This page stays on your computer.</p></header>\
         {}</main></body></html>\n",
        sections.concat()
    )
}

fn tiles(report: &Report) -> String {
    let rhythm = &report.rhythm;
    let kept = percent(share(report.kept, report.read));
    let [own, others] = report.text_bytes;
    let tiles = [
        (
            "messages kept",
            grouped(report.kept),
            format!("{kept} of {} lines", grouped(report.read)),
        ),
        (
            "by the persona",
            grouped(rhythm.own),
            format!("{} of text, of {} in all", kilobytes(own), kilobytes(own + others)),
        ),
        (
            "answered",
            percent(rhythm.reply_rate()),
            "of the other side's messages, within an hour".to_owned(),
        ),
        (
            "in a row",
            format!("{:.2}", rhythm.burst_length()),
            "messages of the persona, on average".to_owned(),
        ),
        (
            "speaks first",
            percent(rhythm.first_speech_rate()),
            "after a silence of more than an hour".to_owned(),
        ),
    ];
    let tile = |(name, value, about): &(&str, String, String)| {
        format!("<div class=\"tile\"><span>{name}</span><b>{value}</b><small>{about}</small></div>")
    };
    format!("<section class=\"tiles\">{}</section>", tiles.iter().map(tile).collect::<String>())
}

fn kilobytes(bytes: u64) -> String {
    if bytes < 10_000 { format!("{bytes} B") } else { format!("{} kB", grouped(bytes / 1000)) }
}

fn months(report: &Report) -> String {
    let bars: Vec<_> = report
        .months
        .iter()
        .map(|month| Bar {
            label: month.month.clone(),
            title: format!(
                "{}: {} by the persona, {} by the others",
                month.month,
                grouped(month.own),
                grouped(month.others)
            ),
            parts: [month.own as f64, month.others as f64],
        })
        .collect();
    let legend = "<p class=\"legend\"><i class=\"own\"></i>the persona <i class=\"others\"></i>the others</p>";
    section("Messages per month", "", &(columns("messages per month", &bars, "", WIDE) + legend))
}

fn dropped(report: &Report) -> String {
    let present = Reason::ALL.into_iter().filter_map(|it| Some((it, *report.dropped.get(&it)?)));
    let bars: Vec<_> = present
        .map(|(reason, lines)| Bar {
            label: reason.name().to_owned(),
            title: reason.meaning().to_owned(),
            parts: [lines as f64, 0.0],
        })
        .collect();
    let mut body = rows("lines dropped by reason", &bars);
    if bars.is_empty() {
        body = "<p>Nothing was dropped.</p>".to_owned();
    }
    let mut facts = Vec::new();
    if report.links_cut > 0 {
        facts.push(format!("Links were cut out of {}.", counted(report.links_cut, "message")));
    }
    for (why, count) in &report.left_out {
        let (chats, lines) = (grouped(count.chats as u64), counted(count.lines, "line"));
        facts.push(format!("Left out whole: {} ({chats}, with {lines}).", why.name()));
    }
    body += &facts.iter().map(|fact| format!("<p>{fact}</p>")).collect::<String>();
    section(
        "What was dropped, and why",
        "A model this small repeats what it has seen: private things must not be among it. Point at \
         a bar to read what it counts.",
        &body,
    )
}

fn rhythm(report: &Report) -> String {
    let (after, before) = (&report.rhythm, &report.rhythm_before);
    let total: u64 = after.gaps.iter().sum();
    let gaps = GAPS.iter().zip(after.gaps).zip(after.gaps_ended).map(|((name, all), own)| Bar {
        label: (*name).to_owned(),
        title: format!(
            "{name}: {} gaps, {} of them ended by the persona",
            grouped(all),
            percent(share(own, all))
        ),
        parts: [100.0 * share(own, total), 100.0 * share(all.saturating_sub(own), total)],
    });
    let total: u64 = after.bursts.iter().sum();
    let bursts = (1..).zip(after.bursts).map(|(length, count)| Bar {
        label: if length == LONGEST_BURST { format!("{length}+") } else { length.to_string() },
        title: format!("{} times", grouped(count)),
        parts: [100.0 * share(count, total), 0.0],
    });
    let rate = |name: &str, after: String, before: String| {
        format!("<tr><td>{name}</td><td class=\"n\">{after}</td><td class=\"n\">{before}</td></tr>")
    };
    let rates = [
        rate(
            "the other side's messages answered within an hour",
            percent(after.reply_rate()),
            percent(before.reply_rate()),
        ),
        rate(
            "messages of the persona in a row, on average",
            format!("{:.2}", after.burst_length()),
            format!("{:.2}", before.burst_length()),
        ),
        rate(
            "silences over an hour that the persona ended",
            percent(after.first_speech_rate()),
            percent(before.first_speech_rate()),
        ),
    ];
    let body = format!(
        "<table><tr><th></th><th class=\"n\">in what was kept</th><th class=\"n\">before cleaning</th></tr>{}</table>\
         <div class=\"two\"><figure>{}<figcaption>Time from one message to the next, in % of all. \
         Lower part: the persona wrote next.</figcaption></figure>\
         <figure>{}<figcaption>Messages of the persona in a row, in % of its turns.</figcaption></figure></div>",
        rates.concat(),
        columns("gaps", &gaps.collect::<Vec<_>>(), " %", HALF),
        columns("bursts", &bursts.collect::<Vec<_>>(), " %", HALF),
    );
    section(
        "Rhythm",
        "When to answer, how much at once, and when to speak first: this is learned too. A dropped \
         message leaves a longer gap; where the two columns differ much, think about what was dropped.",
        &body,
    )
}

fn chats(report: &Report) -> String {
    let head = "<tr><th>chat</th><th>service</th><th>from, to</th><th class=\"n\">lines</th>\
                <th class=\"n\">kept</th><th class=\"n\">by persona</th><th class=\"n\">answered</th>\
                <th class=\"n\">in a row</th><th class=\"n\">speaks first</th></tr>";
    let row = |chat: &ChatReport| {
        let days = match &chat.days {
            Some((first, last)) => format!("{first}, {last}"),
            None => String::new(),
        };
        format!(
            "<tr><td>{}</td><td>{}</td><td>{days}</td><td class=\"n\">{}</td><td class=\"n\">{}</td>\
             <td class=\"n\">{}</td><td class=\"n\">{}</td><td class=\"n\">{:.2}</td><td class=\"n\">{}</td></tr>",
            escape(&chat.name),
            chat.service,
            grouped(chat.read),
            grouped(chat.kept),
            grouped(chat.rhythm.own),
            percent(chat.rhythm.reply_rate()),
            chat.rhythm.burst_length(),
            percent(chat.rhythm.first_speech_rate()),
        )
    };
    let rows: String = report.chats.iter().map(row).collect();
    section("Chats", "", &format!("<div class=\"wide\"><table>{head}{rows}</table></div>"))
}

fn files(report: &Report) -> String {
    let mut body = String::new();
    for (service, count) in &report.services {
        let (chats, lines) = (counted(count.chats as u64, "chat"), counted(count.lines, "line"));
        let _ = write!(body, "<li>{service}: {lines} in {chats}</li>");
    }
    let Report { files, unknown_files, skipped_files, .. } = report;
    let _ = write!(
        body,
        "<li>{} read ({:.1} MB), {unknown_files} that hold no chat, {skipped_files} of other kinds not \
         opened</li>",
        counted(*files as u64, "file"),
        report.bytes as f64 / 1e6,
    );
    let zone = escape(&report.time_zone);
    let _ = write!(body, "<li>days and clocks are those of the time zone {zone}</li>");
    for note in &report.notes {
        let _ = write!(body, "<li class=\"note\">{}</li>", escape(note));
    }
    section("Files", "", &format!("<ul>{body}</ul>"))
}

fn section(title: &str, lead: &str, body: &str) -> String {
    let lead = if lead.is_empty() { String::new() } else { format!("<p>{lead}</p>") };
    format!("<section><h2>{title}</h2>{lead}{body}</section>")
}
