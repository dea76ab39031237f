//! One run of the bench: which models, which paths, two at a time in the emulator.

use std::collections::VecDeque;
use std::fs;
use std::path::{Path as FilePath, PathBuf};
use std::sync::{Mutex, PoisonError};

use anyhow::{Context, Result, anyhow};

use crate::emulator::{Emulator, Load, MEMORIES};
use crate::figures::Figures;
use crate::measure::{self, USUAL_MEMORY};
use crate::models;
use crate::subject::{Path, Placement};
use crate::transcript::Measured;

/// How much is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Every model, path, position and memory.
    Whole,
    /// What fits into a test: the reference model in two formats, first and last position, one
    /// memory.
    Quick,
}

/// One model file on one path.
#[derive(Clone, Debug)]
pub struct Job {
    /// What the names of its figures begin with.
    pub prefix: String,
    /// The file.
    pub file: PathBuf,
    /// Where the weights are used.
    pub placement: Placement,
}

/// A model and its paths.
#[derive(Clone, Debug)]
pub struct Group {
    /// What it is, for the table.
    pub title: String,
    /// One for each path.
    pub jobs: Vec<Job>,
    /// Paths of other programs: how their figures' names begin.
    pub peers: Vec<String>,
    /// A text to measure quality with, in the repository.
    pub text: Option<String>,
}

impl Group {
    /// Leaves out the paths whose figures' names begin otherwise.
    pub fn keep(&mut self, beginning: &str) {
        self.jobs.retain(|job| job.prefix.starts_with(beginning));
    }

    /// How the names of the figures begin.
    pub fn prefixes(&self) -> Vec<String> {
        self.jobs.iter().map(|job| &job.prefix).chain(&self.peers).cloned().collect()
    }
}

/// Makes the model files in `folder` and lists what is to be measured.
pub fn prepare(workspace: &FilePath, folder: &FilePath, scope: Scope) -> Result<Vec<Group>> {
    fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let mut reference = Group {
        title: "15M reference shape: dim 384, 8 layers, 8 heads, hidden 1024, vocabulary 2048, \
                random weights"
            .to_owned(),
        jobs: Vec::new(),
        peers: Vec::new(),
        // Random weights predict nothing.
        text: None,
    };
    let mut stories = Group {
        title: "stories260K".to_owned(),
        jobs: Vec::new(),
        peers: Vec::new(),
        text: Some("models/stories260K/eval.txt".to_owned()),
    };
    for path in Path::ALL {
        let is_quick = matches!(path.name, "fp8" | "int8");
        if scope == Scope::Quick && !is_quick {
            continue;
        }
        let format = file_name(path);
        if path.name != "f32" {
            let file = folder.join(format!("reference-{format}.wisp"));
            if path.placement == Placement::InPlace {
                models::make_reference(path.format, &file)?;
            }
            reference.jobs.push(Job {
                prefix: path.name.to_owned(),
                file,
                placement: path.placement,
            });
        }
        if scope == Scope::Whole {
            let file = folder.join(format!("stories260k-{format}.wisp"));
            if path.placement == Placement::InPlace {
                models::make_stories(workspace, path.format, &file)?;
            }
            let prefix = format!("stories260k_{}", path.name);
            stories.jobs.push(Job { prefix, file, placement: path.placement });
        }
    }
    let mut groups = vec![reference];
    if scope == Scope::Whole {
        groups.push(stories);
        groups.extend(models::personas(workspace)?.into_iter().map(persona));
    }
    Ok(groups)
}

/// Paths of one format share a file; those in place come first and make it.
fn file_name(path: Path) -> &'static str {
    match path.placement {
        Placement::InPlace => path.name,
        Placement::Lanes => "fp8",
    }
}

/// A shipped persona, as it is stored and, in case it is fp8, repacked too.
fn persona(file: PathBuf) -> Group {
    let stem = file.file_stem().unwrap_or_default().to_string_lossy().to_lowercase();
    let name: String =
        stem.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
    let job = |placement, end: &str| Job {
        prefix: format!("persona_{name}{end}"),
        file: file.clone(),
        placement,
    };
    let jobs = vec![job(Placement::InPlace, ""), job(Placement::Lanes, "_lanes")];
    Group { title: format!("persona {}", file.display()), jobs, peers: Vec::new(), text: None }
}

/// Measures all jobs, `at_once` at a time, and returns their figures in the order of the jobs.
///
/// Each job has an emulator of its own that counts instructions, not time: how many run at once
/// and how busy the machine is changes nothing.
pub fn measure(
    emulator: &Emulator,
    groups: &[Group],
    scope: Scope,
    at_once: usize,
) -> Result<(Figures, Vec<(String, Measured)>)> {
    let queue: Mutex<VecDeque<&Job>> =
        Mutex::new(groups.iter().flat_map(|group| &group.jobs).collect());
    let results: Mutex<Vec<(String, Result<Measured>)>> = Mutex::default();
    std::thread::scope(|threads| {
        for _ in 0..at_once.max(1) {
            threads.spawn(|| {
                // The lock must not last as long as the job.
                let next = || lock(&queue).pop_front();
                while let Some(job) = next() {
                    let measured = measure_one(emulator, job, scope);
                    lock(&results).push((job.prefix.clone(), measured));
                }
            });
        }
    });
    let mut results = results.into_inner().unwrap_or_else(PoisonError::into_inner);
    let mut figures = Figures::default();
    let mut all = Vec::new();
    for job in groups.iter().flat_map(|group| &group.jobs) {
        let found = results.iter().position(|(prefix, _)| *prefix == job.prefix);
        let found = found.ok_or_else(|| anyhow!("{} was not measured", job.prefix))?;
        let (prefix, measured) = results.swap_remove(found);
        let measured = measured.with_context(|| format!("measuring {prefix}"))?;
        figures.0.extend(measure::figures(&prefix, &measured).0);
        all.push((prefix, measured));
    }
    Ok((figures, all))
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What the board's program is asked for; it has the same numbers.
#[derive(Clone, Copy)]
enum Wish {
    Tokens = 0,
    PartsAndPrompts = 1,
    Quick = 2,
}

fn measure_one(emulator: &Emulator, job: &Job, scope: Scope) -> Result<Measured> {
    // Prompts are many tokens; one memory must do for them.
    let usual = [USUAL_MEMORY.1];
    if scope == Scope::Quick {
        return run(emulator, job, Wish::Quick, "quick", &usual);
    }
    let mut measured = run(emulator, job, Wish::Tokens, "tokens", &MEMORIES.map(|(_, line)| line))?;
    measured.merge(run(emulator, job, Wish::PartsAndPrompts, "parts", &usual)?);
    Ok(measured)
}

fn run(
    emulator: &Emulator,
    job: &Job,
    wish: Wish,
    name: &str,
    memories: &[u32],
) -> Result<Measured> {
    let address = emulator.symbol("__handover_start")?;
    let loads = [
        Load::File(&job.file, emulator.symbol("__persona_start")?),
        Load::Word(u32::from(job.placement == Placement::Lanes), address),
        Load::Word(wish as u32, address + 4),
    ];
    Measured::new(&emulator.run(&format!("{}-{name}", job.prefix), &loads, memories)?)
}
