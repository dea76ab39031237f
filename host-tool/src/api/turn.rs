//! One message that is said for a client, from the asking to the last word of the answer.

use std::sync::Arc;
use std::time::Instant;

use tokio::sync::OwnedSemaphorePermit;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use tokio::time;

use super::Api;
use super::error::ApiError;
use super::known::count_unknown;
use super::reply::{Reply, Step};
use super::request::Asked;
use crate::client::{Command, Phase};
use crate::relay::hub::{Hub, Published};

/// The board is busy with it until this value goes; if that is early, the reply is stopped.
pub struct Turn {
    hub: Arc<Hub>,
    updates: Receiver<Arc<Published>>,
    reply: Reply,
    began: Instant,
    _place: OwnedSemaphorePermit,
}

/// What is known from the beginning.
pub struct Begun {
    /// What follows.
    pub turn: Turn,
    /// Names the answer.
    pub tag: String,
    /// The persona's name.
    pub model: String,
    /// Messages of the request that it does not know.
    pub ignored: usize,
}

impl Turn {
    /// Says the message, if the persona is there and nobody else is being answered.
    ///
    /// # Errors
    /// [`ApiError::Busy`], [`ApiError::Offline`].
    pub fn begin(api: &Api, asked: &Asked, number: u64) -> Result<Begun, ApiError> {
        let place = api.turns.clone().try_acquire_owned().map_err(|_| ApiError::Busy)?;
        let ((link, model, unknown), updates) = api.hub.watch(|view| {
            let unknown = count_unknown(&asked.before, &view.messages);
            (view.link.clone(), view.name.clone(), unknown)
        });
        if link.phase != Phase::Online {
            return Err(ApiError::Offline { words: link.words });
        }
        let tag = format!("api-{}-{number}", api.run);
        let began = Instant::now();
        let reply = Reply::new(tag.clone(), began.elapsed());
        // What can be wrong with a text was looked at when the request was read.
        let _ = api.hub.say(tag.clone(), asked.text.clone(), None);
        let hub = api.hub.clone();
        let turn = Self { hub, updates, reply, began, _place: place };
        Ok(Begun { turn, tag, model, ignored: unknown.saturating_add(asked.instructions) })
    }

    /// Waits for what comes next; `None` after the end.
    pub async fn next(&mut self) -> Option<Step> {
        loop {
            if let Some(step) = self.reply.poll_step() {
                return Some(step);
            }
            if self.reply.is_over() {
                return None;
            }
            let left = self.reply.deadline().saturating_sub(self.began.elapsed());
            match time::timeout(left, self.updates.recv()).await {
                Ok(Ok(published)) => self.reply.handle(&published.update, self.began.elapsed()),
                Ok(Err(RecvError::Lagged(_) | RecvError::Closed)) => self.reply.handle_lag(),
                Err(_) => self.reply.handle_timeout(self.began.elapsed()),
            }
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        if !self.reply.is_over() {
            // Nobody waits for the answer any more.
            self.hub.command(Command::Stop);
        }
    }
}
