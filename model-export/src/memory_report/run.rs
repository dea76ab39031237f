//! One report from beginning to end: read, plan, ask on all cores, put together.

use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use engine::SamplerSettings;
use model_format::{Model, SamplerDefaults};
use persona::{Speaker, Style};
use tokenizer::Tokenizer;

use super::error::MemoryError;
use super::exposure::Candidates;
use super::material::Material;
use super::plan::{self, Amounts, Job};
use super::prompter::Prompter;
use super::prompting::{self, Prompted, Rivals};
use super::replies::openings;
use super::report::Report;
use super::rows::{Row, rows};
use super::summing::Sums;
use super::words::Look;
use crate::conversation::style_of;
use crate::encoding::AnyLength;
use crate::stream::chosen::two_sided_chats;
use crate::{Result, persona_file};

/// What to report on.
#[derive(Clone, Debug)]
pub struct Request {
    /// The persona file.
    pub model: PathBuf,
    /// The chats it was trained on: a folder that `ingest` wrote, or its file.
    pub chats: PathBuf,
    /// Who the persona is in them.
    pub persona: String,
    /// Files with records that were left out of the training.
    pub without: Vec<PathBuf>,
    /// How much to measure.
    pub amounts: Amounts,
}

/// What a piece of work has brought.
#[derive(Clone, Debug)]
pub(super) enum Outcome {
    /// Of a row.
    Prompted(Vec<Prompted>),
    /// The texts of replies.
    Replies(Vec<String>),
}

/// Everything the workers share.
struct Bench<'m> {
    path: &'m Path,
    model: Model<'m>,
    tokenizer: Tokenizer<'m>,
    style: Style,
    material: &'m Material,
    rows: &'m [Row],
    rivals: Rivals,
    openings: Vec<String>,
    seed: u64,
}

/// Measures and reports. `stop` ends the measuring early: what was measured is reported.
/// `progress` hears how many pieces of work are done, of how many; it is called by several threads.
///
/// # Errors
/// Persona files and chats that cannot be used, and a stop before anything was measured.
pub fn report(
    request: &Request,
    stop: &AtomicBool,
    progress: &(dyn Fn(usize, usize) + Sync),
) -> Result<Report> {
    let file = persona_file::read(&request.model)?;
    let (model, tokenizer) = persona_file::open(&request.model, &file)?;
    let path = || request.model.clone();
    let style = style_of(&model).ok_or(MemoryError::Story { path: path() })?;
    if model.architecture().context < 16 {
        return Err(MemoryError::Context { path: path() }.into());
    }
    let (messages, _) = two_sided_chats(&request.chats, &request.persona, &request.without)?;
    let material = Material::new(messages, &request.persona);
    if material.places(true).next().is_none() {
        return Err(MemoryError::NothingHeldBack.into());
    }
    let rows = rows(&material, &tokenizer, model.architecture().context);
    let bench = Bench {
        path: &request.model,
        model,
        tokenizer,
        style,
        material: &material,
        rows: &rows,
        rivals: rivals(&material, &rows, &tokenizer),
        openings: openings(&material),
        seed: request.amounts.seed,
    };
    let jobs = plan::jobs(&rows, bench.openings.len(), &request.amounts);
    let outcomes = bench.work(&jobs, stop, progress)?;
    if outcomes.iter().all(Option::is_none) {
        return Err(MemoryError::Stopped.into());
    }
    let mut sums = Sums::new(request, &model, &tokenizer, &material, &rows, &bench.openings);
    for (job, outcome) in jobs.iter().zip(&outcomes) {
        sums.add(job, outcome.as_ref());
    }
    Ok(sums.report())
}

/// The rare words of all chats as tokens.
fn rivals(material: &Material, rows: &[Row], tokenizer: &Tokenizer<'_>) -> Rivals {
    let mut encoder = AnyLength::default();
    let (mut numbers, mut words) = (Vec::new(), Vec::new());
    for item in rows.iter().flat_map(|it| &it.items) {
        for word in &item.rare_words {
            let text = material.text(&item.line).get(word.bytes.clone()).unwrap_or_default();
            let tokens = encoder.encode(tokenizer, text).to_vec();
            if word.look == Look::Number { numbers.push(tokens) } else { words.push(tokens) }
        }
    }
    Rivals { numbers: Candidates::new(numbers), words: Candidates::new(words) }
}

impl Bench<'_> {
    /// Does all pieces of work on all cores, until `stop`. The outcome depends on nothing but the
    /// piece.
    fn work(
        &self,
        jobs: &[Job],
        stop: &AtomicBool,
        progress: &(dyn Fn(usize, usize) + Sync),
    ) -> Result<Vec<Option<Outcome>>> {
        let (next, done) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let outcomes = Mutex::new(vec![None; jobs.len()]);
        let worker = || -> Result<()> {
            let mut prompter = Prompter::new(self.path, &self.model, self.tokenizer, self.style)?;
            while !stop.load(Ordering::Relaxed) {
                let number = next.fetch_add(1, Ordering::Relaxed);
                let Some(job) = jobs.get(number) else { break };
                let outcome = self.job(&mut prompter, job)?;
                // No code that holds the lock can panic.
                if let Some(place) = outcomes.lock().ok().as_mut().and_then(|it| it.get_mut(number))
                {
                    *place = Some(outcome);
                }
                progress(done.fetch_add(1, Ordering::Relaxed) + 1, jobs.len());
            }
            Ok(())
        };
        let workers = std::thread::available_parallelism().map_or(1, usize::from);
        let results: Vec<Result<()>> = std::thread::scope(|scope| {
            let threads: Vec<_> =
                (0..workers.min(jobs.len())).map(|_| scope.spawn(worker)).collect();
            // A panic goes on here, as if there were one thread.
            let join = |thread: std::thread::ScopedJoinHandle<'_, Result<()>>| {
                thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
            };
            threads.into_iter().map(join).collect()
        });
        results.into_iter().collect::<Result<()>>()?;
        Ok(outcomes.into_inner().unwrap_or_default())
    }

    fn job(&self, prompter: &mut Prompter<'_>, job: &Job) -> Result<Outcome> {
        match *job {
            Job::Row { place, .. } => {
                let Some(row) = self.rows.get(place) else {
                    return Ok(Outcome::Prompted(Vec::new()));
                };
                prompting::row(prompter, self.material, row, &self.rivals).map(Outcome::Prompted)
            }
            Job::Replies { opening, first, count } => {
                self.replies(prompter, opening, first, count).map(Outcome::Replies)
            }
        }
    }

    fn replies(
        &self,
        prompter: &mut Prompter<'_>,
        opening: usize,
        first: usize,
        count: usize,
    ) -> Result<Vec<String>> {
        let SamplerDefaults {
            temperature_milli,
            top_p_milli,
            repetition_penalty_milli,
            max_reply_tokens,
        } = self.model.persona().sampler;
        let settings = SamplerSettings::from_thousandths(
            temperature_milli,
            top_p_milli,
            repetition_penalty_milli,
        );
        let mut before = vec![self.style.opening()];
        // Without an opening the persona speaks first.
        if let Some(text) = self.openings.get(opening) {
            let (lead, text) = prompter.message(Speaker::You, 0, text);
            let half = prompter.context() / 2;
            before.extend(lead);
            before.extend(text.iter().take(half));
            before.extend(self.style.after_message());
        }
        before.extend(self.style.before_message(Speaker::Wisp, 0, true));
        let (last, before) = before.split_last().unwrap_or((&0, &[]));
        prompter.rollback(0);
        prompter.read(before)?;
        let start = prompter.position();
        let mut replies = Vec::with_capacity(count);
        for number in (first as u64..).take(count) {
            let seed = self.seed << 32 | number;
            prompter.rollback(start);
            replies.push(prompter.draw(&[*last], settings, max_reply_tokens.into(), seed)?);
        }
        Ok(replies)
    }
}
