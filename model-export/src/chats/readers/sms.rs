//! SMS Backup & Restore: `<smses>` with `<sms …/>` and `<mms …><parts>…</parts><addrs>…</addrs></mms>`.
//!
//! Dates are UTC in milliseconds, phones mostly write whole seconds. The owner of the phone is not
//! named. Photos stand in the file as base64: an element is held in memory only until the next.

use std::collections::BTreeMap;
use std::io::Read;

use quick_xml::events::{BytesStart, Event};

use super::{Trouble, phrases_meta, xml_text};
use crate::chats::clean::Reason;
use crate::chats::export::{Chat, Lines, Service, tidy_name};

/// Reads the chats of a file.
pub(super) fn read(owner: &str, input: &mut dyn Read) -> Result<Vec<Chat>, Trouble> {
    let mut xml = quick_xml::Reader::from_reader(std::io::BufReader::new(input));
    let config = xml.config_mut();
    config.check_end_names = true;
    let mut chats = Chats { owner, chats: BTreeMap::new() };
    let mut mms: Option<Mms> = None;
    let (mut buffer, mut depth) = (Vec::new(), 0_u32);
    loop {
        buffer.clear();
        let event = match xml.read_event_into(&mut buffer) {
            Ok(event) => event,
            Err(quick_xml::Error::Io(cause)) => {
                return Err(Trouble::Io(std::io::Error::new(cause.kind(), cause.to_string())));
            }
            Err(_) => return Err(Trouble::Xml { offset: xml.buffer_position() }),
        };
        match event {
            Event::Eof if depth == 0 => break,
            Event::Eof => return Err(Trouble::Xml { offset: xml.buffer_position() }),
            Event::Start(element) => {
                depth = depth.saturating_add(1);
                begin(&element, &mut chats, &mut mms);
            }
            Event::Empty(element) => {
                begin(&element, &mut chats, &mut mms);
                if element.name().as_ref() == "mms" {
                    chats.take_mms(mms.take());
                }
            }
            Event::End(element) => {
                depth = depth.saturating_sub(1);
                if element.name().as_ref() == "mms" {
                    chats.take_mms(mms.take());
                }
            }
            _ => {}
        }
    }
    Ok(chats.chats.into_values().map(Thread::chat).collect())
}

fn begin(element: &BytesStart<'_>, chats: &mut Chats<'_>, mms: &mut Option<Mms>) {
    match element.name().as_ref() {
        "sms" => chats.take_sms(&Attributes::of(element)),
        "mms" => *mms = Some(Mms::new(Attributes::of(element))),
        "part" => {
            if let Some(mms) = mms {
                mms.part(&Attributes::of(element));
            }
        }
        _ => {}
    }
}

/// The attributes of an element that are used here; `data` can be megabytes.
struct Attributes(BTreeMap<String, String>);

impl Attributes {
    fn of(element: &BytesStart<'_>) -> Self {
        let wanted = ["address", "date", "type", "msg_box", "body", "contact_name", "ct", "text"];
        let mut attributes = element.attributes();
        let used =
            attributes.with_checks(false).flatten().filter(|it| wanted.contains(&it.key.as_ref()));
        Self(used.map(|it| (it.key.as_ref().to_owned(), xml_text::unescape(&it.value))).collect())
    }

    /// Its value; the app writes the word `null` for none.
    fn get(&self, key: &str) -> &str {
        match self.0.get(key) {
            Some(value) if value != "null" => value,
            _ => "",
        }
    }

    fn time(&self) -> Option<i64> {
        self.get("date").parse().ok()
    }

    /// Who it is with: the name in the address book, or else the number.
    fn contact(&self) -> String {
        match self.get("contact_name") {
            "" | "(Unknown)" => tidy_name(self.get("address")),
            name => tidy_name(name),
        }
    }
}

/// A message with attachments or to several people.
struct Mms {
    attributes: Attributes,
    text: Vec<String>,
    attached: bool,
}

impl Mms {
    fn new(attributes: Attributes) -> Self {
        Self { attributes, text: Vec::new(), attached: false }
    }

    fn part(&mut self, part: &Attributes) {
        match part.get("ct") {
            "text/plain" => self.text.push(part.get("text").to_owned()),
            "application/smil" => {}
            _ => self.attached = true,
        }
    }
}

#[derive(Default)]
struct Thread {
    name: String,
    group: bool,
    lines: Lines,
}

impl Thread {
    fn chat(self) -> Chat {
        let mut lines = self.lines.oldest_first();
        lines.sort_by_key(|line| line.time_ms);
        Chat {
            name: Some(self.name),
            group: self.group,
            resolution_ms: 1000,
            lines,
            ..Chat::new(Service::Sms)
        }
    }
}

struct Chats<'a> {
    owner: &'a str,
    chats: BTreeMap<String, Thread>,
}

impl Chats<'_> {
    fn take_sms(&mut self, sms: &Attributes) {
        self.push(sms, sms.get("type"), sms.get("body"), None);
    }

    fn take_mms(&mut self, mms: Option<Mms>) {
        let Some(mms) = mms else { return };
        let text = mms.text.join("\n");
        let only_attached = mms.attached && text.trim().is_empty();
        let mark = only_attached.then_some(Reason::Media);
        self.push(&mms.attributes, mms.attributes.get("msg_box"), &text, mark);
    }

    /// `direction`: 1 received, 2 sent; 3 to 6 are drafts and what could not be sent.
    fn push(&mut self, about: &Attributes, direction: &str, text: &str, mark: Option<Reason>) {
        let contact = about.contact();
        let thread = self.chats.entry(contact.clone()).or_default();
        thread.name.clone_from(&contact);
        // An address of several numbers.
        thread.group |= about.get("address").contains('~');
        let received = direction == "1";
        let mark = if received || direction == "2" { mark } else { Some(Reason::Unsent) };
        let mark = mark.or_else(|| phrases_meta::sms_reaction(text).then_some(Reason::Reaction));
        let sender = if received { contact.as_str() } else { self.owner };
        thread.lines.push(about.time(), sender, text, mark);
    }
}
