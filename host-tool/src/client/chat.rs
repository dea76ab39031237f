//! The conversation as there is to see it.
//!
//! [`Conversation`] keeps the truth; this turns its news into [`Update`]s.

use std::collections::{BTreeSet, VecDeque};

use link::conversation::{self, Conversation, MessageKey, MessageState, SayError};
use link::message::{CardFigures, DeviceMessage, Digest, Refusal, Settings};
use link::{Instant, Session, SessionEvent};

use super::choices::Choices;
use super::describe::describe;
use super::keeper::Keeper;
use super::link_state::{LinkState, Phase};
use super::view::{Activity, Notice, Update};
use crate::errors::{BoardRefused, Result, WispError};

/// Keeps the conversation.
pub(super) struct Chat {
    pub(super) conversation: Conversation,
    pub(super) keeper: Keeper,
    pub(super) updates: VecDeque<Update>,
    /// What was shown, to be able to take it back.
    shown: BTreeSet<MessageKey>,
    /// Said with a tag and not stored yet: whoever said it shows it as on its way, nobody else does.
    untaken: Vec<(MessageKey, String)>,
    activity: Activity,
    is_silent: bool,
    /// How the persona is to choose its words, whoever it is: for a measurement.
    pub(super) settings: Option<Settings>,
    /// What was chosen for this run of the program.
    pub(super) of_this_run: Choices,
    /// What is chosen for this persona.
    pub(super) choices: Choices,
    /// The persona that was met.
    pub(super) persona: Option<Digest>,
    /// What it says of itself, once it has.
    pub(super) card: Option<CardFigures>,
    /// The board was asked for it, and has not answered.
    pub(super) awaits_card: bool,
    /// Minutes that the friend's clock is before UTC.
    pub(super) utc_offset: i32,
}

impl Chat {
    /// Takes up the conversation with a persona, or if that is not known the latest.
    ///
    /// # Errors
    /// The history cannot be read.
    pub(super) fn new(
        mut keeper: Keeper,
        persona: Option<&Digest>,
        of_this_run: Choices,
    ) -> Result<Self> {
        let conversation = keeper.take_up(persona)?;
        let mut chat = Self {
            conversation,
            keeper,
            updates: VecDeque::new(),
            shown: BTreeSet::new(),
            untaken: Vec::new(),
            activity: Activity::default(),
            is_silent: false,
            settings: None,
            of_this_run,
            choices: Choices::default(),
            persona: None,
            card: None,
            awaits_card: false,
            utc_offset: 0,
        };
        chat.show_all();
        chat.recall_choices();
        Ok(chat)
    }

    /// Writes down what is new. Until that has happened, the board is not told what rests on it.
    pub(super) fn store(&mut self, now: Instant, unix_seconds: u64) {
        if let Err(error) = self.keeper.store(&mut self.conversation, now, unix_seconds) {
            self.updates.push_back(Update::Notice { notice: Notice::from(&error) });
        }
        if self.untaken.is_empty() || self.conversation.unsaved().is_some() {
            return;
        }
        for (key, tag) in std::mem::take(&mut self.untaken) {
            self.updates.push_back(Update::Taken { tag, key: key.0 });
            self.show(key);
        }
    }

    /// The board has this persona: from now on it is the conversation with it.
    fn meet(&mut self, persona: &Digest) {
        match self.keeper.meet(persona) {
            Ok(None) => {}
            Ok(Some(conversation)) => {
                self.turn_to(conversation);
            }
            Err(error) => {
                // Better a conversation that ends with the program than somebody else's.
                self.turn_to(Conversation::new());
                self.updates.push_back(Update::Notice { notice: Notice::from(&error) });
            }
        }
    }

    fn turn_to(&mut self, conversation: Conversation) {
        self.conversation = conversation;
        self.card = None;
        if let Some(settings) = self.settings {
            self.conversation.configure(settings);
        }
        self.show_all();
        // After that: a page says it again, to whom it sees now.
        let lost = self.untaken.drain(..).map(|(_, tag)| Update::Lost { tag });
        self.updates.extend(lost);
        self.recall_choices();
    }

    /// Shows a whole conversation in the place of whatever was shown.
    fn show_all(&mut self) {
        let messages: Vec<_> = self.conversation.messages().iter().filter_map(describe).collect();
        self.shown = messages.iter().map(|message| MessageKey(message.key)).collect();
        self.updates.push_back(Update::History { messages });
        self.show_activity();
    }

    pub(super) fn say(&mut self, text: &str, unix_seconds: u64) {
        match self.conversation.say(text, unix_seconds) {
            Ok(key) => self.show(key),
            Err(_) => self.refuse(Refusal::TextTooLong, 0),
        }
    }

    pub(super) fn greet(&mut self) {
        self.conversation.greet();
    }

    /// Not shown, and [`Update::Taken`] not told, before it is stored. In the place of the last
    /// message if one is named.
    pub(super) fn say_tagged(
        &mut self,
        tag: String,
        text: &str,
        instead_of: Option<MessageKey>,
        unix_seconds: u64,
    ) {
        let said = match instead_of {
            // A board that has not said who it is may be one of before there were edits.
            Some(_) if self.card.is_none() => Err(SayError::NotTheLast),
            Some(old) => self.conversation.say_instead(old, text, unix_seconds),
            None => self.conversation.say(text, unix_seconds),
        };
        match said {
            Ok(key) => self.untaken.push((key, tag)),
            Err(error) => {
                self.updates.push_back(Update::Lost { tag });
                if let SayError::TooLong { .. } = error {
                    self.refuse(Refusal::TextTooLong, 0);
                }
            }
        }
    }

    pub(super) fn regenerate(&mut self) {
        self.conversation.regenerate();
    }

    pub(super) fn forget(&mut self) {
        self.conversation.forget();
    }

    pub(super) fn stop(&mut self) {
        self.conversation.stop();
    }

    pub(super) fn typing(&mut self) {
        self.conversation.typing();
    }

    pub(super) fn request_stats(&mut self) {
        self.conversation.request_stats();
    }

    pub(super) fn reboot(&mut self) {
        self.conversation.reboot();
    }

    pub(super) fn plant_panic(&mut self) {
        self.conversation.plant_panic();
    }

    pub(super) fn configure(&mut self, settings: Settings) {
        self.settings = Some(settings);
        self.conversation.configure(settings);
    }

    pub(super) fn configure_default(&mut self) {
        self.settings = None;
        self.conversation.configure_default();
    }

    pub(super) fn request_details(&mut self) {
        self.conversation.request_details();
    }

    /// Takes the beginning of a session with the right persona, or the end of any.
    pub(super) fn handle_event(&mut self, event: &SessionEvent) {
        if let SessionEvent::Up { peer } = event
            && let Some(persona) = &peer.persona
        {
            self.meet(persona);
            self.persona = Some(*persona);
        }
        self.conversation.handle_session(event);
        if let SessionEvent::Up { .. } = event {
            self.conversation.request_card();
            self.awaits_card = true;
        }
        self.digest();
    }

    /// Takes a message of the board's.
    pub(super) fn handle(&mut self, message: &DeviceMessage<'_>, unix_seconds: u64) {
        self.conversation.handle_message(message, unix_seconds);
        self.digest();
    }

    /// Hands the session what is to be said.
    pub(super) fn poll(&mut self, session: &mut Session) {
        self.conversation.transmit(session);
        self.digest();
    }

    /// The next change to show.
    pub(super) fn poll_update(&mut self) -> Option<Update> {
        self.updates.pop_front()
    }

    /// Turns what the conversation tells into updates.
    fn digest(&mut self) {
        let mut has_news = false;
        while let Some(news) = self.conversation.poll_update() {
            has_news = true;
            self.is_silent = news == conversation::Update::Silent;
            self.tell(news);
        }
        if has_news {
            self.show_activity();
        }
    }

    fn tell(&mut self, news: conversation::Update) {
        use conversation::Update as News;
        match news {
            News::MessageState { key }
            | News::Delta { key, .. }
            | News::Ended { key }
            | News::Interrupted { key } => self.show(key),
            News::Withdrawn { key } => self.take_back(key),
            News::Forgotten => self.start_over(),
            News::Connected { messages } => {
                let known = self.conversation.messages().iter().filter(|m| m.is_known()).count();
                if usize::try_from(messages).is_ok_and(|messages| messages > known) {
                    self.online("online; it remembers more than is shown here");
                }
            }
            News::Restoring { .. } => self.online("reading the conversation again"),
            News::Restored { .. } => self.online("online"),
            News::Shifted { .. } => self.online("online; the beginning has slipped its mind"),
            News::Crashed(crash) => {
                let notice = Notice::from(&crash);
                self.updates.push_back(Update::Crashed { notice });
            }
            News::Refused { refusal, detail } => self.refuse(refusal, detail),
            News::Stats(stats) => self.updates.push_back(Update::Stats { stats }),
            News::Card(card) => self.learn(card),
            News::Details { board, work } => {
                self.updates.push_back(Update::Details { board, work });
            }
            News::Thinking { .. } | News::Silent | News::Disconnected => {}
        }
    }

    fn online(&mut self, words: &str) {
        self.updates.push_back(Update::Link { link: LinkState::plain(Phase::Online, words) });
    }

    fn refuse(&mut self, refusal: Refusal, detail: u32) {
        // A board of before there were cards does not know the word: once for each time it is asked.
        if refusal == Refusal::Malformed && std::mem::take(&mut self.awaits_card) {
            return;
        }
        let error = WispError::Refused(BoardRefused { refusal, detail });
        self.updates.push_back(Update::Notice { notice: Notice::from(&error) });
    }

    /// Shows a message as it is now, unless nothing of it is there.
    fn show(&mut self, key: MessageKey) {
        if self.untaken.iter().any(|(untaken, _)| *untaken == key) {
            return;
        }
        let messages = self.conversation.messages();
        let Some(place) = messages.iter().rposition(|message| message.key == key) else { return };
        let before = messages.get(..place).unwrap_or_default();
        let after = before.iter().rev().map(|m| m.key).find(|key| self.shown.contains(key));
        let Some(message) = messages.get(place).and_then(describe) else { return };
        self.shown.insert(key);
        self.updates.push_back(Update::Message { message, after: after.map(|key| key.0) });
    }

    fn take_back(&mut self, key: MessageKey) {
        if self.shown.remove(&key) {
            self.updates.push_back(Update::Withdrawn { key: key.0 });
        }
    }

    /// Everything is forgotten but what was said since.
    fn start_over(&mut self) {
        self.shown.clear();
        self.updates.push_back(Update::Forgotten);
        let left: Vec<_> = self.conversation.messages().iter().map(|m| m.key).collect();
        for key in left {
            self.show(key);
        }
    }

    fn show_activity(&mut self) {
        let states = || self.conversation.messages().iter().rev().map(|message| message.state);
        let activity = if states().any(|state| state == MessageState::Writing) {
            Activity::Writing
        } else if states().any(|state| state == MessageState::Thinking) {
            Activity::Thinking
        } else if self.is_silent {
            Activity::Silent
        } else {
            Activity::Idle
        };
        if activity != self.activity {
            self.activity = activity;
            self.updates.push_back(Update::Activity { activity });
        }
    }
}
