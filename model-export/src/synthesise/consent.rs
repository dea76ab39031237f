//! What is said before the first request, and the question whether it may be sent.

use std::io::{BufRead, Write};
use std::path::Path;

use super::address::Address;
use super::error::SynthesiseError;
use super::material::MOST;
use super::protocol::showable;
use crate::Result;
use crate::terminal::Terminal;

/// What would be sent, and where to.
#[derive(Clone, Debug)]
pub(super) struct Sending<'a> {
    pub(super) address: &'a Address,
    pub(super) key_variable: Option<&'a str>,
    pub(super) described: Option<(&'a Path, usize)>,
    pub(super) examples: usize,
    /// Conversations that examples are drawn from, and messages in them.
    pub(super) conversations: usize,
    pub(super) messages: usize,
    pub(super) chats: &'a Path,
    pub(super) requests: u64,
}

impl Sending<'_> {
    /// The page that is shown.
    pub(super) fn page(&self) -> String {
        let Self { address, examples, conversations, messages, .. } = self;
        let place = match (address.is_loopback(), address.is_encrypted()) {
            (true, _) => "this computer".to_owned(),
            (false, true) => {
                format!("over the network, encrypted, to {}", showable(address.host()))
            }
            (false, false) => {
                format!("over the network, NOT ENCRYPTED, to {}", showable(address.host()))
            }
        };
        let mut page = format!(
            "A language model is going to be asked for conversations.\n\n  \
             where to   {address} ({place})\n  \
             requests   {} or more\n",
            self.requests
        );
        let mut sent = Vec::new();
        if let Some((path, bytes)) = self.described {
            sent.push(format!("all of {} ({bytes} bytes)", path.display()));
        }
        if *examples > 0 {
            sent.push(format!(
                "{examples} conversations of {}, drawn anew each time: up to {} messages a request. \
                 In time the server may see all {conversations} conversations that can be drawn, \
                 {messages} messages",
                self.chats.display(),
                examples * MOST,
            ));
        }
        sent.push("how often the persona answers, writes in a row and writes first".to_owned());
        page += &format!("  each has   {}\n", sent.join("\n             "));
        page += match examples {
            0 => "  never      text of the chats, names of senders, times of day\n",
            _ => "  never      names of senders, times of day; names inside of messages are sent\n",
        };
        page += &match self.key_variable {
            Some(name) => format!("  key        from ${name}\n"),
            None => "  key        none\n".to_owned(),
        };
        if !address.is_loopback() {
            page += "\nWhoever runs that server can read and keep this. Ask the people who wrote \
                     these chats first.\n";
        }
        page + "\n"
    }

    /// Shows the page, and asks, if nobody has agreed already.
    pub(super) fn ask(
        &self,
        agreed: bool,
        terminal: &mut Terminal<impl BufRead, impl Write>,
    ) -> Result<()> {
        terminal.show(&self.page())?;
        if agreed {
            return Ok(());
        }
        let answer = terminal.ask("Send this? [y/N] ")?.ok_or(SynthesiseError::NoConsent)?;
        match answer.to_lowercase().as_str() {
            "y" | "yes" => Ok(()),
            _ => Err(SynthesiseError::Refused.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{Address, Sending, SynthesiseError, Terminal};
    use crate::Error;

    fn sending(address: &Address, examples: usize) -> Sending<'_> {
        Sending {
            address,
            key_variable: Some("MY_KEY"),
            described: Some((Path::new("about.txt"), 321)),
            examples,
            conversations: 57,
            messages: 4321,
            chats: Path::new("anna"),
            requests: 50,
        }
    }

    fn page(url: &str, examples: usize) -> String {
        sending(&Address::parse(url).unwrap(), examples).page()
    }

    #[test]
    fn only_a_yes_is_one() {
        let address = Address::parse("https://far.example/v1").unwrap();
        let sending = sending(&address, 3);
        for yes in ["y\n", "Y\r\n", "yes\n", "  YES  \n", "y"] {
            let mut terminal = Terminal::with(Some(yes));
            sending.ask(false, &mut terminal).unwrap();
            assert_eq!(terminal.shown(), sending.page() + "Send this? [y/N] ");
        }
        // Return alone, and Ctrl-D, are a no.
        for no in ["\n", "", "n\n", "no\n", "yess\n", "why\n", "\ny\n"] {
            let error = sending.ask(false, &mut Terminal::with(Some(no))).unwrap_err();
            assert!(matches!(error, Error::Synthesise(SynthesiseError::Refused)), "{no:?}");
        }
    }

    #[test]
    fn nobody_at_the_terminal_is_no_consent_unless_it_was_given_before() {
        let address = Address::parse("https://far.example/v1").unwrap();
        let sending = sending(&address, 3);
        let mut terminal = Terminal::with(None);
        let error = sending.ask(false, &mut terminal).unwrap_err();
        assert!(matches!(error, Error::Synthesise(SynthesiseError::NoConsent)));
        sending.ask(true, &mut terminal).unwrap();
        // What is sent is shown each time, and nothing is asked.
        assert_eq!(terminal.shown(), sending.page().repeat(2));
    }

    #[test]
    fn it_says_what_where_and_how() {
        let far = page("http://far.example/v1", 3);
        for part in [
            "http://far.example/v1",
            "NOT ENCRYPTED",
            "50 or more",
            "about.txt (321 bytes)",
            "3 conversations of anna",
            "72 messages",
            "4321 messages",
            "$MY_KEY",
            "Ask the people",
        ] {
            assert!(far.contains(part), "{part} in {far}");
        }
        assert!(page("https://far.example/v1", 3).contains("network, encrypted, to far.example"));
        let near = page("http://localhost/v1", 0);
        assert!(near.contains("(this computer)") && near.contains("never      text of the chats"));
        assert!(!near.contains("anna") && !near.contains("ENCRYPTED") && !near.contains("Ask the"));
    }
}
