//! `wisp chat`: the conversation in the terminal.

use std::io::{self, BufRead, Write};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

use clap::Args;
use link::conversation::MessageKey;
use link::message::{MAX_TEXT, Stats};

use super::cable_noise::{CableNoise, CableNoiseOptions};
use super::chat_text::ChatText;
use super::interrupt::Interrupt;
use super::options::{HistoryOptions, ImageOptions, MannersOptions, PortOptions};
use super::out;
use super::progress::{Progress, amount};
use crate::client::{Client, ClientOptions, Command, Update};
use crate::errors::{Result, WispError};
use crate::port::speed_in_words;

const HELP: &str = "  /stop    end the reply      /again   answer once more
  /edit TEXT  say that instead of your last message
  /hello   let it begin       /stats   the board's counters
  /forget  start anew         /quit    leave (the conversation is kept)";

/// How often Ctrl-C is looked at.
const LOOK: Duration = Duration::from_millis(100);

/// Arguments of `wisp chat`.
#[derive(Debug, Args)]
pub(super) struct ChatArguments {
    #[command(flatten)]
    port: PortOptions,
    #[command(flatten)]
    images: ImageOptions,
    #[command(flatten)]
    history: HistoryOptions,
    #[command(flatten)]
    manners: MannersOptions,
    #[command(flatten)]
    noise: CableNoiseOptions,
}

/// Chats until the friend leaves.
pub(super) fn run(arguments: ChatArguments) -> Result<()> {
    let wanted = arguments.images.named()?;
    let name = wanted.name().to_string();
    let (connector, noise) = arguments.noise.on(arguments.port.connector()?);
    let interrupt = Interrupt::listen()?;
    let options = ClientOptions {
        wanted,
        keeping: arguments.history.keeping()?,
        choices: arguments.manners.choices(),
    };
    let mut client = Client::start(connector, options)?;
    let mut text = ChatText::new(&name);
    Progress::new().wait_and_tell(&client, &interrupt, &mut |update| match update {
        Update::History { .. } => print(&text.show(update)),
        _ => Ok(()),
    })?;
    talk(&mut client, text, &interrupt, noise)
}

/// What can happen next.
enum Happening {
    Update(Update),
    Line(String),
    InputEnded,
}

/// What a line of input means.
#[derive(Debug, PartialEq, Eq)]
enum Order {
    Send(Command),
    Edit(String),
    Help,
    Quit,
    Nothing,
    TooLong,
    Unknown,
}

/// The conversation, once the persona is there; and at its end what became of a bad cable.
///
/// # Errors
/// The terminal or the driver is gone.
pub(super) fn talk(
    client: &mut Client,
    text: ChatText,
    interrupt: &Interrupt,
    mut noise: CableNoise,
) -> Result<()> {
    let outcome = converse(client, text, interrupt, &mut noise);
    if let Some(words) = noise.words() {
        out::note(&words);
    }
    outcome
}

fn converse(
    client: &mut Client,
    mut text: ChatText,
    interrupt: &Interrupt,
    noise: &mut CableNoise,
) -> Result<()> {
    let (sender, happenings) = mpsc::channel();
    let updates = client.take_updates().ok_or(WispError::DriverGone)?;
    let update_sender = sender.clone();
    std::thread::spawn(move || {
        while let Ok(update) = updates.recv() {
            if update_sender.send(Happening::Update(update)).is_err() {
                return;
            }
        }
    });
    // This thread waits for a line that may never come; it ends with the program.
    std::thread::spawn(move || {
        for line in io::stdin().lock().lines().map_while(io::Result::ok) {
            if sender.send(Happening::Line(line)).is_err() {
                return;
            }
        }
        let _ = sender.send(Happening::InputEnded);
    });

    print(&format!("Write a message and press Enter.\n{HELP}\n"))?;
    let mut has_ended = false;
    let mut baud = 0;
    loop {
        if interrupt.is_raised() || (has_ended && text.is_settled()) {
            return Ok(());
        }
        match happenings.recv_timeout(LOOK) {
            Ok(Happening::Update(Update::Stats { stats })) => print(&describe(&stats, baud))?,
            Ok(Happening::Update(update)) => {
                if let Update::Cable { cable } = &update {
                    baud = cable.baud;
                }
                noise.hear(&update);
                print(&text.show(&update))?;
            }
            Ok(Happening::Line(line)) => match read_order(&line) {
                Order::Send(command) => {
                    match command {
                        Command::Say(_) => text.note_said(),
                        Command::Regenerate => text.note_asked_again(),
                        _ => {}
                    }
                    client.send(command)?;
                }
                Order::Edit(instead) => match text.last_said() {
                    Some(old) => {
                        text.note_said();
                        client.send(Command::SayTagged {
                            tag: "edit".into(),
                            text: instead,
                            instead_of: Some(MessageKey(old)),
                        })?;
                    }
                    None => print("  · nothing was said yet\n")?,
                },
                Order::Quit => return Ok(()),
                Order::Help => print(&format!("{HELP}\n"))?,
                Order::Unknown => print(&format!("  · no such order\n{HELP}\n"))?,
                Order::TooLong => print(&format!("  · at most {MAX_TEXT} bytes at once\n"))?,
                Order::Nothing => {}
            },
            // Input from a file: stay until everything is answered.
            Ok(Happening::InputEnded) => has_ended = true,
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return Err(WispError::DriverGone),
        }
    }
}

fn read_order(line: &str) -> Order {
    match line.trim() {
        "" => Order::Nothing,
        "/stop" => Order::Send(Command::Stop),
        "/hello" => Order::Send(Command::Greet),
        "/again" => Order::Send(Command::Regenerate),
        "/forget" => Order::Send(Command::Forget),
        "/stats" => Order::Send(Command::RequestStats),
        "/quit" | "/exit" => Order::Quit,
        "/help" | "/?" => Order::Help,
        text if text.len() > MAX_TEXT => Order::TooLong,
        // Two at the beginning stand for one.
        text if text.starts_with("//") => {
            Order::Send(Command::Say(text.get(1..).unwrap_or_default().to_string()))
        }
        order if order.starts_with("/edit ") => {
            Order::Edit(order.trim_start_matches("/edit ").trim().to_string())
        }
        order if order.starts_with('/') => Order::Unknown,
        text => Order::Send(Command::Say(text.to_string())),
    }
}

fn print(text: &str) -> Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())
        .and_then(|()| out.flush())
        .map_err(|cause| WispError::Terminal { cause })
}

/// The board's counters for people.
pub(super) fn describe(stats: &Stats, baud: u32) -> String {
    let speed = if baud == 0 { String::new() } else { format!("{}, ", speed_in_words(baud)) };
    let Stats { uptime_seconds, context_used, context_size, tokens, .. } = stats;
    format!(
        "  · awake for {uptime_seconds} s, {tokens} tokens computed\n  \
         · conversation: {context_used} of {context_size} tokens\n  \
         · memory: {} of {}\n  \
         · cable: {speed}{} frames received, {} corrupt, {} sent again, {} overruns, {} line errors\n  \
         · chip: {}, {}\n",
        amount(stats.heap_used.into()),
        amount(stats.heap_size.into()),
        stats.frames_received,
        stats.frames_corrupt,
        stats.frames_resent,
        stats.uart_overruns,
        stats.uart_line_errors,
        match stats.temperature_millidegrees {
            0 => "temperature unknown".to_string(),
            milli => format!("{} °C", milli / 1000),
        },
        match stats.arm_clock_hz {
            0 => "clock unknown".to_string(),
            hertz => format!("{} MHz", hertz / 1_000_000),
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn orders_are_told_from_messages() {
        assert_eq!(read_order(" hello "), Order::Send(Command::Say("hello".into())));
        assert_eq!(read_order("/again"), Order::Send(Command::Regenerate));
        assert_eq!(read_order("/quit"), Order::Quit);
        assert_eq!(read_order("/hello"), Order::Send(Command::Greet));
        assert_eq!(read_order("/edit  no, this"), Order::Edit("no, this".into()));
        assert_eq!(read_order("/edit"), Order::Unknown);
        assert_eq!(read_order("/nonsense"), Order::Unknown);
        assert_eq!(read_order("//shrug"), Order::Send(Command::Say("/shrug".into())));
        assert_eq!(read_order("  "), Order::Nothing);
        assert_eq!(read_order(&"ä".repeat(513)), Order::TooLong);
        assert!(matches!(read_order(&"ä".repeat(512)), Order::Send(_)));
    }
}
