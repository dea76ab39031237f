//! The verb `ingest`: its arguments, the question who the persona is, and the folder it writes.

use std::io::{BufRead, Write};
use std::path::{Path, PathBuf};

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use jiff::tz::TimeZone;
use whole_files::{Content, Readers};

use super::clean::{Keep, LONGEST, Options};
use super::error::ChatError;
use super::ingest::{Gathered, Request, digest, gather};
use super::readers::{DateOrder, Hints};
use super::senders::{Sender, list, senders};
use super::{Message, canonical};
use crate::report::{Report, counted, html, terminal};
use crate::terminal::Terminal;
use crate::{Result, cli};

/// Make clean chats of the exports that messengers give.
///
/// Reads Messenger, Instagram, WhatsApp, Telegram, SMS Backup & Restore, DiscordChatExporter and
/// JSON Lines, from folders, files and zip archives; formats are known by what is in a file.
/// Writes chats.jsonl, report.html and report.json into a folder.
#[derive(Debug, Args)]
pub struct Ingest {
    /// Folders, files and zip archives with exports.
    #[arg(required = true)]
    paths: Vec<PathBuf>,
    /// Who the persona is, as written in the chats. Give it again for other names of the same
    /// person; the first is the name it gets. Asked if missing.
    #[arg(long)]
    persona: Vec<String>,
    /// The folder to write to.
    #[arg(short, long)]
    output: PathBuf,
    /// The order of a date's numbers in WhatsApp's files, where it cannot be told.
    #[arg(long, value_enum)]
    date_order: Option<DateOrder>,
    /// The time zone of times that an export gives without one (WhatsApp, old Telegram): a name
    /// like Europe/Berlin, UTC, or `system`.
    #[arg(long, default_value = "system")]
    time_zone: String,
    /// What to call the owner of a phone, whom SMS backups do not name.
    #[arg(long, default_value = "Me")]
    owner: String,
    /// Keep what is dropped by default.
    #[arg(long, value_enum, value_delimiter = ',')]
    keep: Vec<Keep>,
    /// The longest message, in characters.
    #[arg(long, default_value_t = LONGEST)]
    longest: usize,
    /// Take group chats too.
    #[arg(long)]
    groups: bool,
    /// Leave out a chat, by its name or the other person's. May be given again.
    #[arg(long, value_name = "NAME")]
    without: Vec<String>,
    /// Print the report as JSON.
    #[arg(long)]
    json: bool,
}

impl Ingest {
    /// Does it, and prints the report to `out`.
    ///
    /// # Errors
    /// Whatever is wrong with the exports or the answers; then nothing is written.
    pub fn run(self, out: &mut impl Write) -> Result<()> {
        let request = self.request()?;
        let bar = progress_bar();
        let gathered = gather(&request, &mut |_| bar.inc(1));
        bar.finish_and_clear();
        let gathered = gathered?;
        let names = match self.persona.is_empty() {
            false => self.persona,
            true => vec![ask(&gathered, request.groups, &mut Terminal::standard())?],
        };
        let (messages, report) = digest(&request, gathered, &names)?;
        write_folder(&self.output, &messages, &report)?;
        let page = if self.json { report.json() } else { terminal::page(&report) };
        let written = match self.json {
            true => String::new(),
            false => format!("\nwrote {}: {}\n", self.output.display(), FILES.join(", ")),
        };
        cli::print(out, page + &written)
    }

    fn request(&self) -> Result<Request> {
        let zone = match self.time_zone.as_str() {
            "system" => TimeZone::system(),
            name => TimeZone::get(name)
                .map_err(|_| ChatError::TimeZone { name: super::export::tidy_name(name) })?,
        };
        let hints = Hints { zone, date_order: self.date_order, owner: self.owner.clone() };
        Ok(Request {
            paths: self.paths.clone(),
            output: Some(self.output.clone()),
            hints,
            options: Options { keep: self.keep.iter().copied().collect(), longest: self.longest },
            groups: self.groups,
            without: self.without.clone(),
        })
    }
}

/// Shown on a terminal only. File names and texts do not stand in it.
fn progress_bar() -> ProgressBar {
    let style = ProgressStyle::with_template("{spinner} reading: {pos} files, {elapsed}");
    ProgressBar::new_spinner()
        .with_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()))
}

/// Asks who the persona is.
fn ask(
    gathered: &Gathered,
    groups: bool,
    terminal: &mut Terminal<impl BufRead, impl Write>,
) -> Result<String> {
    let senders = senders(&gathered.chats, groups);
    let answer = terminal.ask(&question(&senders))?;
    let chosen = answer.and_then(|answer| chosen(&senders, &answer));
    let missing = || ChatError::NoPersona { senders: senders.len(), names: list(&senders) };
    Ok(chosen.ok_or_else(missing)?)
}

fn question(senders: &[Sender]) -> String {
    let mut question = "Who is the persona?\n\n".to_owned();
    for (index, sender) in senders.iter().enumerate() {
        let Sender { name, messages, .. } = sender;
        let chats = counted(sender.chats as u64, "chat");
        question += &format!("{:>4}  {name:<30} {messages:>8} messages in {chats}\n", index + 1);
    }
    question + "\nNumber or name: "
}

/// A number of the list, or a name.
fn chosen(senders: &[Sender], answer: &str) -> Option<String> {
    let by_number = answer.parse::<usize>().ok().and_then(|it| it.checked_sub(1));
    match by_number.and_then(|index| senders.get(index)) {
        Some(sender) => Some(sender.name.clone()),
        None => Some(answer.to_owned()).filter(|name| !name.is_empty()),
    }
}

/// What is in the folder.
const FILES: [&str; 3] = [canonical::FILE_NAME, "report.html", "report.json"];

fn write_folder(folder: &Path, messages: &[Message], report: &Report) -> Result<()> {
    let (html, json) = (html::page(report), report.json());
    let [chats, page, figures] = FILES;
    let files: [(&str, Content<'_>); 3] = [
        (page, &|file| file.write_all(html.as_bytes())),
        (figures, &|file| file.write_all(json.as_bytes())),
        // It tells that the others are there.
        (chats, &|file| canonical::write(file, messages)),
    ];
    Ok(whole_files::write_together(folder, Readers::Everybody, &files)?)
}

#[cfg(test)]
mod tests {
    use super::{Sender, chosen, question};

    #[test]
    fn the_answer_may_be_a_number_or_a_name() {
        let sender = |name: &str, messages| Sender { name: name.into(), messages, chats: 1 };
        let senders = [sender("Anna", 20), sender("7", 3)];
        assert_eq!(chosen(&senders, "1").as_deref(), Some("Anna"));
        assert_eq!(chosen(&senders, "2").as_deref(), Some("7"));
        assert_eq!(chosen(&senders, "7").as_deref(), Some("7"));
        assert_eq!(chosen(&senders, "ben").as_deref(), Some("ben"));
        assert_eq!(chosen(&senders, ""), None);
        assert!(question(&senders).contains("   1  Anna "));
    }
}
