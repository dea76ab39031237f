//! The report on the terminal.

use std::fmt::Write;

use super::{GAPS, Report, counted, grouped, percent};
use crate::chats::clean::Reason;
use crate::chats::rhythm::{LONGEST_BURST, share};

/// The page; it ends with a line break.
pub fn page(report: &Report) -> String {
    let mut page = String::new();
    // Writing to a String cannot fail.
    let _ = head(&mut page, report);
    let _ = what_was_dropped(&mut page, report);
    let _ = chats(&mut page, report);
    let _ = rhythm(&mut page, report);
    for note in &report.notes {
        let _ = writeln!(page, "\nnote: {note}");
    }
    page
}

fn head(page: &mut String, report: &Report) -> std::fmt::Result {
    let Report { persona, files, bytes, .. } = report;
    let files = counted(*files as u64, "file");
    writeln!(page, "persona       {persona}")?;
    writeln!(page, "read          {files}, {:.1} MB", *bytes as f64 / 1e6)?;
    for (service, count) in &report.services {
        let (chats, lines) = (counted(count.chats as u64, "chat"), counted(count.lines, "line"));
        writeln!(page, "              {service}: {lines} in {chats}")?;
    }
    writeln!(page, "time zone     {}", report.time_zone)?;
    let kept = share(report.kept, report.read);
    writeln!(
        page,
        "kept          {} of {} lines ({}); {} by {persona}",
        grouped(report.kept),
        grouped(report.read),
        percent(kept),
        grouped(report.rhythm.own),
    )
}

fn what_was_dropped(page: &mut String, report: &Report) -> std::fmt::Result {
    writeln!(page, "\ndropped")?;
    for reason in Reason::ALL {
        if let Some(lines) = report.dropped.get(&reason) {
            let (name, lines) = (reason.name(), grouped(*lines));
            writeln!(page, "  {name:<18}{lines:>9}   {}", reason.meaning())?;
        }
    }
    if report.dropped.is_empty() {
        writeln!(page, "  nothing")?;
    }
    if report.links_cut > 0 {
        writeln!(page, "links cut out of {}", counted(report.links_cut, "message"))?;
    }
    if !report.left_out.is_empty() {
        writeln!(page, "\nleft out")?;
    }
    for (why, count) in &report.left_out {
        let (chats, lines) = (count.chats, counted(count.lines, "line"));
        writeln!(page, "  {}: {chats} ({lines})", why.name())?;
    }
    Ok(())
}

/// More chats are in the page and in the JSON.
const SHOWN_CHATS: usize = 12;

fn chats(page: &mut String, report: &Report) -> std::fmt::Result {
    writeln!(
        page,
        "\n{:<28} {:>8} {:>8} {:>10} {:>6} {:>6} {:>6}",
        "chat", "read", "kept", "since", "reply", "burst", "first"
    )?;
    for chat in report.chats.iter().take(SHOWN_CHATS) {
        let name: String = chat.name.chars().take(28).collect();
        let since = chat.days.as_ref().map_or("", |(first, _)| first);
        writeln!(
            page,
            "{name:<28} {:>8} {:>8} {since:>10} {:>6.2} {:>6.2} {:>6.2}",
            grouped(chat.read),
            grouped(chat.kept),
            chat.rhythm.reply_rate(),
            chat.rhythm.burst_length(),
            chat.rhythm.first_speech_rate(),
        )?;
    }
    let more = report.chats.len().saturating_sub(SHOWN_CHATS);
    if more > 0 {
        writeln!(page, "and {more} more: see report.html")?;
    }
    Ok(())
}

fn rhythm(page: &mut String, report: &Report) -> std::fmt::Result {
    let (after, before) = (&report.rhythm, &report.rhythm_before);
    writeln!(page, "\n{:<42} {:>8} {:>8}", "rhythm", "kept", "before")?;
    let rows = [
        ("messages answered within an hour", after.reply_rate(), before.reply_rate()),
        ("messages in a row", after.burst_length(), before.burst_length()),
        (
            "silences over an hour ended first",
            after.first_speech_rate(),
            before.first_speech_rate(),
        ),
    ];
    for (name, after, before) in rows {
        writeln!(page, "{name:<42} {after:>8.3} {before:>8.3}")?;
    }
    let total: u64 = after.gaps.iter().sum();
    let gaps: Vec<_> = GAPS
        .iter()
        .zip(after.gaps)
        .map(|(name, count)| format!("{name} {}", percent(share(count, total))))
        .collect();
    writeln!(page, "gaps: {}", gaps.join(", "))?;
    let total: u64 = after.bursts.iter().sum();
    let bursts: Vec<_> = (1..)
        .zip(after.bursts)
        .filter(|(_, count)| *count > 0)
        .map(|(length, count)| {
            let more = if length == LONGEST_BURST { "+" } else { "" };
            format!("{length}{more} {}", percent(share(count, total)))
        })
        .collect();
    writeln!(page, "bursts: {}", bursts.join(", "))
}
