//! Takes one case through the board and measures it.
//!
//! ```text
//! Forget ─► earlier messages, each answered ─► counters ─► last message ─► reply ─► counters
//! ```
//! A persona may write several messages in a row. The first is the one that is measured; a stop right
//! after it keeps the rest out of what follows, and what the board counted of it until then is left
//! out of the row.
//!
//! Nothing here waits for ever: a persona may stay silent, the session may be lost, the board may
//! restart, and a board that does nothing at all is given up after a time.

use std::sync::mpsc::RecvTimeoutError;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use link::message::{BoardFacts, Refusal, Settings, Speaker};

use super::BenchError;
use super::prompts::Case;
use super::row::{Counters, Outcome, Reply, Row};
use crate::board_texts;
use crate::client::{Activity, ChatMessage, Client, Command, Phase, ReplyState, Update, View};
use crate::errors::WispError;

/// How often the listener is asked whether to go on.
const LOOK: Duration = Duration::from_millis(100);

/// How long to wait for counters before they are asked for again: a lost session loses the
/// question too.
const ASK_AGAIN: Duration = Duration::from_secs(5);

/// How long the board may take to hear that it is over.
const FAREWELL: Duration = Duration::from_secs(5);

/// Who watches a measurement.
pub trait Listener {
    /// Something changed.
    ///
    /// # Errors
    /// What ends the measurement.
    fn hear(&mut self, update: &Update) -> Result<(), WispError>;

    /// Whether somebody wants it to end; called at least ten times a second.
    ///
    /// # Errors
    /// What ends the measurement.
    fn wants_end(&mut self) -> Result<bool, WispError>;
}

/// Why a measurement ended before its end.
#[derive(Debug)]
pub enum Halt {
    /// The listener wanted it.
    Ended,
    /// Something stood in the way.
    Failed(WispError),
}

impl<E: Into<WispError>> From<E> for Halt {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

/// How the persona took a message.
enum Answer {
    Reply(Box<Reply>),
    /// It chose to say nothing.
    Silence,
    /// The board broke off, or refused the message.
    Failure,
}

/// A board that is measured.
pub struct Meter<'c> {
    client: &'c Client,
    patience: Duration,
    /// The case at work, for messages.
    case: String,
    view: View,
    counters: Counters,
    board: BoardFacts,
    /// Answers that have come to the questions for counters.
    told: (bool, bool),
    is_disturbed: bool,
    last_life: Instant,
}

impl<'c> Meter<'c> {
    /// Measures the board behind this client, which is online. `patience` is how long the board
    /// may do nothing.
    pub fn new(client: &'c Client, patience: Duration) -> Self {
        Self {
            client,
            patience,
            case: "before the first prompt".to_string(),
            view: View::default(),
            counters: Counters::default(),
            board: BoardFacts::default(),
            told: (false, false),
            is_disturbed: false,
            last_life: Instant::now(),
        }
    }

    /// Has the persona choose its words like this, and asks what board it is.
    ///
    /// # Errors
    /// See [`Halt`].
    pub fn begin(
        &mut self,
        settings: Settings,
        listener: &mut dyn Listener,
    ) -> Result<BoardFacts, Halt> {
        self.client.send(Command::Configure(settings))?;
        self.ask(listener)?;
        Ok(self.board)
    }

    /// Leaves the board with an empty conversation and the persona's own settings. Gives up soon
    /// when the board does not answer.
    pub fn end(&mut self) {
        let orders = [Command::Forget, Command::ConfigureDefault, Command::RequestStats];
        if orders.into_iter().any(|order| self.client.send(order).is_err()) {
            return;
        }
        let began = Instant::now();
        while began.elapsed() < FAREWELL {
            let Ok(updates) = self.client.updates() else { return };
            match updates.recv_timeout(LOOK) {
                // The answer to the last: the ones before have arrived too.
                Ok(Update::Stats { .. }) | Err(RecvTimeoutError::Disconnected) => return,
                Ok(_) | Err(RecvTimeoutError::Timeout) => {}
            }
        }
    }

    /// Measures one case once.
    ///
    /// # Errors
    /// See [`Halt`].
    pub fn measure(
        &mut self,
        case: &Case,
        repeat: u32,
        with_text: bool,
        listener: &mut dyn Listener,
    ) -> Result<Row, Halt> {
        self.case.clone_from(&case.name);
        self.is_disturbed = false;
        let unix_seconds =
            SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs());
        self.forget(listener)?;
        let (last, earlier) = case
            .messages
            .split_last()
            .map_or((None, &[][..]), |(last, rest)| (Some(last.as_str()), rest));
        for text in earlier {
            let answer = self.say(text, listener)?;
            self.is_disturbed |= matches!(answer, Answer::Failure);
            self.calm(listener)?;
        }
        let before = self.ask(listener)?;
        let mut outcome = Outcome::Answered;
        let mut answer = self.say(last.unwrap_or_default(), listener)?;
        if matches!(answer, Answer::Silence) {
            outcome = Outcome::Forced;
            answer = self.insist(listener)?;
        }
        let after = self.calm(listener)?;
        let reply = match answer {
            Answer::Reply(reply) => Some(*reply),
            Answer::Silence => {
                outcome = Outcome::Silent;
                None
            }
            Answer::Failure => {
                self.is_disturbed = true;
                None
            }
        };
        if self.is_disturbed {
            outcome = Outcome::Disturbed;
        }
        Ok(Row {
            case: case.name.clone(),
            repeat,
            unix_seconds,
            outcome,
            reply,
            before,
            after,
            messages: with_text.then(|| case.messages.clone()),
        })
    }

    fn forget(&mut self, listener: &mut dyn Listener) -> Result<(), Halt> {
        self.start(Command::Forget)?;
        loop {
            if matches!(self.next(listener)?, Some(Update::Forgotten)) {
                return Ok(());
            }
        }
    }

    /// Has the persona leave it at what it has written, and asks for all counters. The board hears
    /// of the stop before the question: what it writes until then is counted, and nothing later.
    fn calm(&mut self, listener: &mut dyn Listener) -> Result<Counters, Halt> {
        self.client.send(Command::Stop)?;
        self.ask(listener)
    }

    /// Asks for all counters.
    fn ask(&mut self, listener: &mut dyn Listener) -> Result<Counters, Halt> {
        self.told = (false, false);
        let mut asked: Option<Instant> = None;
        self.last_life = Instant::now();
        while self.told != (true, true) {
            if asked.is_none_or(|asked| asked.elapsed() > ASK_AGAIN) {
                asked = Some(Instant::now());
                self.client.send(Command::RequestDetails)?;
                self.client.send(Command::RequestStats)?;
            }
            if let Some(Update::Notice { notice }) = self.next(listener)?
                && notice.code == board_texts::refusal(Refusal::Malformed, 0).code
            {
                return Err(Halt::Failed(BenchError::OldFirmware.into()));
            }
        }
        Ok(self.counters)
    }

    fn say(&mut self, text: &str, listener: &mut dyn Listener) -> Result<Answer, Halt> {
        let before = self.view.messages.iter().map(|message| message.key).max();
        self.start(Command::Say(text.to_string()))?;
        let asked = Instant::now();
        let key = loop {
            if let Some(Update::Message { message, .. }) = self.next(listener)?
                && message.speaker == Speaker::You
                && Some(message.key) > before
            {
                break message.key;
            }
        };
        self.await_answer(key, asked, listener)
    }

    /// Asks again for the answer that the persona did not want to give.
    fn insist(&mut self, listener: &mut dyn Listener) -> Result<Answer, Halt> {
        let last = self.view.messages.iter().rev().find(|it| it.speaker == Speaker::You);
        let Some(key) = last.map(|message| message.key) else { return Ok(Answer::Failure) };
        self.start(Command::Regenerate)?;
        self.await_answer(key, Instant::now(), listener)
    }

    /// Waits until the message with this key is answered or left at that.
    fn await_answer(
        &mut self,
        key: u64,
        asked: Instant,
        listener: &mut dyn Listener,
    ) -> Result<Answer, Halt> {
        let mut first_word = None;
        loop {
            match self.next(listener)? {
                Some(Update::Message { message, .. }) if self.is_reply_to(&message, key) => {
                    let first_word = *first_word.get_or_insert_with(|| asked.elapsed());
                    match (message.reply, message.timing) {
                        (None | Some(ReplyState::Writing), _) => {}
                        (Some(end), Some(timing)) => {
                            let (text, whole) = (message.text, asked.elapsed());
                            let reply = Reply { text, end, timing, first_word, whole };
                            return Ok(Answer::Reply(Box::new(reply)));
                        }
                        // The board crashed or lost its power in the middle of it.
                        (Some(_), None) => return Ok(Answer::Failure),
                    }
                }
                Some(Update::Withdrawn { .. }) => first_word = None,
                Some(Update::Activity { activity: Activity::Silent }) => {
                    return Ok(Answer::Silence);
                }
                Some(Update::Notice { .. }) => return Ok(Answer::Failure),
                _ => {}
            }
        }
    }

    /// Whether it is the persona's and stands behind the message with this key.
    fn is_reply_to(&self, message: &ChatMessage, key: u64) -> bool {
        let place = |key| self.view.messages.iter().position(|other| other.key == key);
        message.speaker == Speaker::Wisp && place(message.key) > place(key)
    }

    fn start(&mut self, command: Command) -> Result<(), Halt> {
        self.last_life = Instant::now();
        Ok(self.client.send(command)?)
    }

    /// The next update, taken into account; `None` when none comes for a moment.
    fn next(&mut self, listener: &mut dyn Listener) -> Result<Option<Update>, Halt> {
        if listener.wants_end()? {
            return Err(Halt::Ended);
        }
        let update = match self.client.updates()?.recv_timeout(LOOK) {
            Ok(update) => update,
            Err(RecvTimeoutError::Disconnected) => return Err(WispError::DriverGone.into()),
            Err(RecvTimeoutError::Timeout) => {
                if self.last_life.elapsed() <= self.patience {
                    return Ok(None);
                }
                let (case, seconds) = (self.case.clone(), self.patience.as_secs());
                return Err(WispError::from(BenchError::Silent { case, seconds }).into());
            }
        };
        listener.hear(&update)?;
        self.view.apply(&update);
        match &update {
            Update::Link { link } if link.phase == Phase::Failed => {
                return Err(link.error().into());
            }
            Update::Link { link } if link.phase != Phase::Online => self.is_disturbed = true,
            Update::Crashed { .. } => self.is_disturbed = true,
            Update::Cable { cable } => self.counters.cable = *cable,
            Update::Stats { stats } => {
                self.counters.stats = *stats;
                self.told.1 = true;
            }
            Update::Details { board, work } => {
                self.counters.work = *work;
                self.board = *board;
                self.told.0 = true;
            }
            _ => {}
        }
        if update.is_sign_of_life() {
            self.last_life = Instant::now();
        }
        Ok(Some(update))
    }
}
