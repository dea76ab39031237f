//! Asking until there are enough conversations: workers ask, one thread judges and writes.

use std::path::PathBuf;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};

use jiff::Timestamp;

use super::client::{Client, Pause};
use super::error::SynthesiseError;
use super::material::Material;
use super::novelty::Novelty;
use super::origin::{Origin, Run};
use super::prompt::{AT_ONCE, Prompter};
use super::protocol::{Answer, Question};
use super::reading::{Draft, read};
use super::rules::{Rejection, check, fitted};
use super::store::{Store, Times};
use crate::Result;
use crate::stream::turn::Turn;

/// Answers in a row without a usable conversation, after which asking ends.
pub const FRUITLESS: u32 = 8;

/// Most tokens of an answer: four conversations of 24 messages of about 20 tokens. Some servers
/// refuse a request if this and the prompt do not fit the context together.
const LONGEST_ANSWER: u32 = 2048;

/// What to do.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The model, as the server calls it.
    pub model: String,
    /// How many conversations the file is to have.
    pub goal: u64,
    /// Requests at the same time.
    pub parallel: usize,
    /// How bold the model is.
    pub temperature: f64,
    /// The seed for the server.
    pub server_seed: Option<u64>,
    /// Where the page of origin is.
    pub origin: PathBuf,
}

/// Who wants to know how far it is.
pub trait Watcher {
    /// A request failed and is made again.
    fn pauses(&mut self, pause: &Pause);
    /// An answer was read.
    fn answered(&mut self, conversations: u64, run: &Run);
}

struct Job {
    number: u64,
    asked: u64,
    question: Question,
    private: Vec<String>,
}

enum Event {
    Pauses(Pause),
    Answered { asked: u64, answer: std::result::Result<Answer, SynthesiseError> },
}

/// Asks until the store has as many conversations as wanted. The last run of `origin` is this one;
/// it is written down after every answer. `novelty` knows the chats.
///
/// # Errors
/// When the server refuses or has nothing useful, or the disk is full. What was taken is kept.
pub fn run(
    plan: &Plan,
    prompter: &Prompter<'_>,
    client: &Arc<Client>,
    store: &mut Store,
    mut novelty: Novelty,
    origin: &mut Origin,
    watcher: &mut dyn Watcher,
) -> Result<()> {
    let mut number = origin.requests();
    store.talks().for_each(|talk| novelty.know(&talk));
    let mut judge = Judge {
        material: prompter.material,
        novelty,
        times: Times { seed: prompter.seed, silences: prompter.material.silences.clone() },
        model: &plan.model,
        goal: plan.goal,
        run: origin.runs.pop().unwrap_or_default(),
    };
    let (jobs, events) = workers(client, plan.parallel.max(1));
    let (mut open, mut promised, mut fruitless) = (0, 0, 0);
    while store.conversations() < plan.goal {
        let missing = plan.goal - store.conversations();
        while open < plan.parallel.max(1) && promised < missing {
            let asked = (missing - promised).min(AT_ONCE as u64);
            let prompt = prompter.prompt(number, asked as usize);
            let question = Question {
                model: plan.model.clone(),
                system: prompt.system,
                user: prompt.user,
                temperature: plan.temperature,
                longest: LONGEST_ANSWER,
                seed: plan.server_seed.map(|seed| seed.wrapping_add(number)),
            };
            // Fails only if no worker is left, which the next line notices.
            let _ = jobs.send(Job { number, asked, question, private: prompt.private });
            (number, open, promised) = (number + 1, open + 1, promised + asked);
        }
        let gone = || SynthesiseError::Fruitless { answers: 0, why: "nobody asks".to_owned() };
        match events.recv().map_err(|_| gone())? {
            Event::Pauses(pause) => {
                judge.run.failures += 1;
                watcher.pauses(&pause);
            }
            Event::Answered { asked, answer } => {
                (open, promised) = (open - 1, promised - asked);
                let before = store.conversations();
                let judged = judge.answer(answer?, store);
                judge.run.ended = now();
                origin.runs.push(judge.run.clone());
                judged.and_then(|()| origin.write(&plan.origin))?;
                origin.runs.pop();
                watcher.answered(store.conversations(), &judge.run);
                fruitless = if store.conversations() > before { 0 } else { fruitless + 1 };
                if fruitless >= FRUITLESS {
                    let why = judge.run.reasons();
                    return Err(SynthesiseError::Fruitless { answers: fruitless, why }.into());
                }
            }
        }
    }
    origin.runs.push(judge.run);
    Ok(())
}

/// The time, as it is written down.
pub fn now() -> String {
    Timestamp::now().round(jiff::Unit::Second).map_or_else(|_| String::new(), |it| it.to_string())
}

/// Threads that ask. They end when the jobs do, or with the program.
fn workers(client: &Arc<Client>, count: usize) -> (Sender<Job>, Receiver<Event>) {
    let (job_sender, job_receiver) = channel::<Job>();
    let (event_sender, event_receiver) = channel();
    let jobs = Arc::new(Mutex::new(job_receiver));
    for _ in 0..count {
        let (client, jobs, events) = (Arc::clone(client), Arc::clone(&jobs), event_sender.clone());
        std::thread::spawn(move || work(&client, &jobs, &events));
    }
    (job_sender, event_receiver)
}

fn work(client: &Client, jobs: &Mutex<Receiver<Job>>, events: &Sender<Event>) {
    loop {
        let Ok(Ok(job)) = jobs.lock().map(|jobs| jobs.recv()) else { return };
        let mut pauses = |pause| {
            // Whoever does not listen any more does not want to know.
            let _ = events.send(Event::Pauses(pause));
        };
        let answer = client.ask(&job.question, &job.private, job.number, &mut pauses);
        if events.send(Event::Answered { asked: job.asked, answer }).is_err() {
            return;
        }
    }
}

/// Decides what is taken of the answers.
#[derive(Debug)]
pub struct Judge<'a> {
    /// The chats.
    pub material: &'a Material,
    /// What is known already.
    pub novelty: Novelty,
    /// When conversations happen.
    pub times: Times,
    /// The model that answers.
    pub model: &'a str,
    /// How many conversations there are to be.
    pub goal: u64,
    /// What came of it so far.
    pub run: Run,
}

impl Judge<'_> {
    /// Puts what is good in the store, and counts.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn answer(&mut self, answer: Answer, store: &mut Store) -> Result<()> {
        self.run.requests += 1;
        let tokens = answer.tokens.unwrap_or_default();
        self.run.tokens_read = self.run.tokens_read.saturating_add(tokens.read);
        self.run.tokens_written = self.run.tokens_written.saturating_add(tokens.written);
        let drafts = read(&answer.text.unwrap_or_default(), answer.cut);
        if drafts.is_empty() {
            self.reject(Rejection::NoAnswer);
        }
        for draft in drafts {
            if store.conversations() >= self.goal {
                break;
            }
            match self.judged(draft) {
                Ok(turns) => {
                    store.append(&turns, self.model, &self.times)?;
                    self.run.conversations += 1;
                    self.run.messages += turns.len() as u64;
                }
                Err(why) => self.reject(why),
            }
        }
        Ok(())
    }

    fn judged(&mut self, draft: Draft) -> std::result::Result<Vec<Turn>, Rejection> {
        let turns = match draft {
            Draft::Whole(turns) => fitted(turns, &self.material.signs),
            Draft::Broken(why) => return Err(why),
        };
        check(&turns, self.material)?;
        self.novelty.take(&turns)?;
        Ok(turns)
    }

    fn reject(&mut self, why: Rejection) {
        *self.run.rejected.entry(why).or_default() += 1;
    }
}
