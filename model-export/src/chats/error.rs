//! What can be wrong with exports of chats. No message text ever stands in an error.

use miette::Diagnostic;
use thiserror::Error;

use crate::report::counted;

/// What can be wrong with exports of chats. The codes are stable.
#[derive(Debug, Error, Diagnostic)]
#[non_exhaustive]
#[allow(missing_docs)] // The fields are named in each message.
pub enum ChatError {
    #[error("{file} ends in the middle (line {line})")]
    #[diagnostic(
        code(wisp_model::chats::truncated),
        help(
            "It was cut off while it was downloaded or copied. Download the export again, or leave \
             this file out."
        )
    )]
    Truncated { file: String, line: usize },

    #[error("{file} is damaged at line {line}, column {column}")]
    #[diagnostic(
        code(wisp_model::chats::json),
        help(
            "It begins like a chat export, but is not valid JSON, or not of the shape such exports \
             have. Download the export again without editing it, or leave this file out."
        )
    )]
    Json { file: String, line: usize, column: usize },

    #[error("{file} is damaged at byte {offset}: it is not valid XML")]
    #[diagnostic(
        code(wisp_model::chats::xml),
        help("Make the backup again with SMS Backup & Restore, or leave this file out.")
    )]
    Xml { file: String, offset: u64 },

    #[error("{file} is not UTF-8 text: wrong in line {line}")]
    #[diagnostic(
        code(wisp_model::chats::text),
        help("Export the chat again; do not save it in an editor with another encoding.")
    )]
    NotText { file: String, line: usize },

    #[error("cannot read {file}: {cause}")]
    #[diagnostic(
        code(wisp_model::chats::read),
        help("Check that you may read it, and that the download is complete.")
    )]
    Read { file: String, cause: std::io::Error },

    #[error("{file} is not a usable zip archive: {cause}")]
    #[diagnostic(
        code(wisp_model::chats::zip),
        help("Download it again, or unpack it and give the folder.")
    )]
    Zip { file: String, cause: String },

    #[error("{file} is longer than {limit} bytes when it is unpacked")]
    #[diagnostic(
        code(wisp_model::chats::too_long),
        help("No chat is that long: the archive is damaged, or made to fill memories.")
    )]
    TooLong { file: String, limit: u64 },

    #[error("no chat export found: {}, none of a known format", counted(*looked_at as u64, "file"))]
    #[diagnostic(
        code(wisp_model::chats::nothing_found),
        help(
            "Give the folder or the file that the service made for you: Messenger and Instagram \
             (JSON), Messenger's encrypted chats (JSON), WhatsApp (.txt or .zip), Telegram \
             (result.json), SMS Backup & Restore (.xml), DiscordChatExporter (JSON), or JSON Lines \
             with time, sender, text and chat."
        )
    )]
    NothingFound { looked_at: usize },

    #[error("only a web page was found, no data: {file}")]
    #[diagnostic(
        code(wisp_model::chats::html),
        help(
            "Ask the service for the export again and choose JSON instead of HTML as its format."
        )
    )]
    Html { file: String },

    #[error("in {file} it cannot be told which number of a date is the day and which the month")]
    #[diagnostic(
        code(wisp_model::chats::date_order),
        help(
            "Look at a date in the file and say it: `--date-order dmy` for day/month/year, \
             `--date-order mdy` for month/day/year."
        )
    )]
    DateOrder { file: String },

    #[error("the dates in {file} are not all of one kind: line {line} does not fit")]
    #[diagnostic(
        code(wisp_model::chats::mixed_dates),
        help(
            "Each file must have one order of day, month and year. If you gave `--date-order`, it \
             is not the order of this file; otherwise export the chat again."
        )
    )]
    MixedDates { file: String, line: usize },

    #[error("there is no time zone `{name}`")]
    #[diagnostic(
        code(wisp_model::chats::time_zone),
        help("Give a name like Europe/Berlin or America/New_York, or UTC, or `system`.")
    )]
    TimeZone { name: String },

    #[error("it was not said who the persona is: {senders} people write in these chats")]
    #[diagnostic(
        code(wisp_model::chats::no_persona),
        help("Give `--persona NAME` (to `make-persona`: `--name NAME`) with one of: {names}")
    )]
    NoPersona { senders: usize, names: String },

    #[error("nobody called `{name}` writes in these chats, but {senders} others do")]
    #[diagnostic(
        code(wisp_model::chats::unknown_persona),
        help("Give `--persona NAME` (to `make-persona`: `--name NAME`) with one of: {names}")
    )]
    UnknownPersona { name: String, senders: usize, names: String },

    #[error("only one side writes: nobody answers {name}, or {name} answers nobody (in {})", counted(*chats as u64, "chat"))]
    #[diagnostic(
        code(wisp_model::chats::one_sided),
        help(
            "A persona is learned from conversations: both sides must be in the export. Check that \
             the export has the messages of both, and that every `--persona` name is the same \
             person."
        )
    )]
    OneSided { name: String, chats: usize },

    #[error("{name} writes only in group chats ({chats}), which are left out")]
    #[diagnostic(
        code(wisp_model::chats::only_groups),
        help(
            "Export chats between two people, or take groups too with `--groups`. A chat in which \
             somebody has several names looks like a group: give all names of the persona with \
             `--persona`."
        )
    )]
    OnlyGroups { name: String, chats: usize },

    #[error("the exports hold no messages")]
    #[diagnostic(
        code(wisp_model::chats::empty),
        help(
            "Formats were recognised, but every chat in them is empty. Ask for the export again \
             with a longer time range."
        )
    )]
    Empty,

    #[error("there are no messages in {file}")]
    #[diagnostic(
        code(wisp_model::chats::no_messages),
        help("Make it again with `wisp-model ingest`, from the exports.")
    )]
    NoMessages { file: String },

    #[error("nothing is left of {read} messages")]
    #[diagnostic(
        code(wisp_model::chats::nothing_kept),
        help(
            "All of them were media, system lines or other things a persona does not learn from. \
             `--keep` keeps some of them; `wisp-model ingest --help` lists which."
        )
    )]
    NothingKept { read: u64 },
}
