//! One run of the bench: which models, which paths, two at a time in the emulator.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fs;
use std::path::{Path as FilePath, PathBuf};
use std::sync::{Mutex, PoisonError};

use anyhow::{Context, Result, ensure};

use crate::conversation;
use crate::emulator::{Emulator, Load, MEMORIES};
use crate::figures::Figures;
use crate::measure::{self, USUAL_MEMORY};
use crate::models;
use crate::progress::Progress;
use crate::slices;
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
    /// Multiplications for a token, attention's not counted.
    pub multiply_adds: u64,
}

impl Job {
    /// Rounds of the firmware's main loop for a token at this position: slices of the model's work.
    pub fn rounds(&self, position: usize) -> Result<f64> {
        let work = slices::token(&self.file, self.placement, position)?;
        Ok(f64::from(work.div_ceil(device::Options::default().slice)))
    }

    /// Instructions for the slowest of its runs, roughly; f32 counts as much as any.
    fn work(&self) -> f64 {
        // What takes no matrices: the start, and filling the cache.
        self.multiply_adds as f64 + 1e6
    }
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
    /// A text to measure quality with.
    pub text: Option<PathBuf>,
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
        text: Some(workspace.join("models/stories260K/eval.txt")),
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
            reference.jobs.push(job(path.name.to_owned(), file, path.placement)?);
        }
        if scope == Scope::Whole {
            let file = folder.join(format!("stories260k-{format}.wisp"));
            if path.placement == Placement::InPlace {
                models::make_stories(workspace, path.format, &file)?;
            }
            let prefix = format!("stories260k_{}", path.name);
            stories.jobs.push(job(prefix, file, path.placement)?);
        }
    }
    let mut groups = vec![reference];
    if scope == Scope::Whole {
        groups.push(stories);
        for file in models::personas(workspace)? {
            groups.push(persona(file)?);
        }
    }
    let mut names = BTreeSet::new();
    for job in groups.iter().flat_map(|group| &group.jobs) {
        ensure!(
            names.insert(&job.prefix),
            "the figures of two models would both be called {}_…: rename {}",
            job.prefix,
            job.file.display()
        );
    }
    Ok(groups)
}

fn job(prefix: String, file: PathBuf, placement: Placement) -> Result<Job> {
    let multiply_adds = models::facts(&file)?.multiply_adds;
    Ok(Job { prefix, file, placement, multiply_adds })
}

/// Paths of one format share a file; those in place come first and make it.
fn file_name(path: Path) -> &'static str {
    match path.placement {
        Placement::InPlace => path.name,
        Placement::Lanes => "fp8",
    }
}

/// A shipped persona, as it is stored and, in case it is fp8, repacked too; and the text beside it,
/// if there is one.
fn persona(file: PathBuf) -> Result<Group> {
    let stem = file.file_stem().unwrap_or_default().to_string_lossy().to_lowercase();
    let name: String =
        stem.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
    let prefix = format!("persona_{name}");
    let mut jobs = vec![job(prefix.clone(), file.clone(), Placement::InPlace)?];
    if models::facts(&file)?.holds_fp8 {
        jobs.push(job(format!("{prefix}_lanes"), file.clone(), Placement::Lanes)?);
    }
    let text = Some(file.with_extension("eval.txt")).filter(|text| text.is_file());
    Ok(Group { title: format!("persona {name}"), jobs, peers: Vec::new(), text })
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
    let runs: VecDeque<(&Job, Wish)> = groups
        .iter()
        .flat_map(|group| &group.jobs)
        .flat_map(|job| scope.wishes().iter().map(move |wish| (job, *wish)))
        .collect();
    let size = runs.iter().map(|(job, wish)| wish.tokens() * job.work()).sum();
    let progress = Mutex::new(Progress::new(runs.len(), size));
    let queue = Mutex::new(runs);
    let results: Mutex<Vec<(String, Result<Measured>)>> = Mutex::default();
    std::thread::scope(|threads| {
        for _ in 0..at_once.max(1) {
            threads.spawn(|| {
                // The lock must not last as long as the run.
                let next = || lock(&queue).pop_front();
                while let Some((job, wish)) = next() {
                    let measured = run(emulator, job, wish);
                    let name = format!("{}, {}", job.prefix, wish.name());
                    lock(&progress).done(&name, wish.tokens() * job.work());
                    lock(&results).push((job.prefix.clone(), measured));
                }
            });
        }
    });
    let results = results.into_inner().unwrap_or_else(PoisonError::into_inner);
    let mut of_jobs: BTreeMap<String, Measured> = BTreeMap::new();
    for (prefix, measured) in results {
        let measured = measured.with_context(|| format!("measuring {prefix}"))?;
        of_jobs.entry(prefix).or_default().merge(measured);
    }
    let mut figures = Figures::default();
    let mut all = Vec::new();
    for job in groups.iter().flat_map(|group| &group.jobs) {
        let measured = of_jobs.remove(&job.prefix);
        let measured = measured.with_context(|| format!("{} was not measured", job.prefix))?;
        figures.0.extend(measure::figures(&job.prefix, &measured).0);
        all.push((job.prefix.clone(), measured));
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
    Conversation = 3,
}

impl Scope {
    /// What is run of each job.
    fn wishes(self) -> &'static [Wish] {
        match self {
            Self::Whole => &[Wish::Tokens, Wish::PartsAndPrompts],
            Self::Quick => &[Wish::Quick],
        }
    }
}

impl Wish {
    /// For logs and for whoever waits.
    fn name(self) -> &'static str {
        match self {
            Self::Tokens => "tokens",
            Self::PartsAndPrompts => "parts",
            Self::Quick => "quick",
            Self::Conversation => "conversation",
        }
    }

    /// Cycles per line of the memories to model. Prompts are many tokens, and parts many segments:
    /// one memory must do for them.
    fn memories(self) -> Vec<u32> {
        match self {
            Self::Tokens => MEMORIES.map(|(_, line)| line).to_vec(),
            Self::PartsAndPrompts | Self::Quick | Self::Conversation => vec![USUAL_MEMORY.1],
        }
    }

    /// How long it takes, in tokens with one memory: four take twice as long, and filling the cache
    /// a thirtieth.
    fn tokens(self) -> f64 {
        match self {
            Self::Tokens => 2.0 * 3.0 + 8.0,
            Self::PartsAndPrompts => 3.0 + 84.0 / 2.0 + 8.0,
            Self::Quick => 2.0 + 8.0,
            Self::Conversation => 256.0,
        }
    }
}

fn run(emulator: &Emulator, job: &Job, wish: Wish) -> Result<Measured> {
    let address = emulator.symbol("__handover_start")?;
    let loads = [
        Load::File(&job.file, emulator.symbol("__persona_start")?),
        Load::Word(u32::from(job.placement == Placement::Lanes), address),
        Load::Word(wish as u32, address + 4),
    ];
    let name = format!("{}-{}", job.prefix, wish.name());
    Measured::new(&emulator.run(&name, &loads, &wish.memories())?)
}

/// What the device takes besides the model, in a story that this model tells.
pub fn converse(emulator: &Emulator, file: PathBuf) -> Result<conversation::Costs> {
    let job = job("device".to_owned(), file, Placement::InPlace)?;
    conversation::Costs::new(&run(emulator, &job, Wish::Conversation)?)
}

/// The file of stories260K with weights in place that [`prepare`] made.
pub fn story_teller(groups: &[Group]) -> Option<&Job> {
    groups.iter().flat_map(|group| &group.jobs).find(|job| job.prefix == "stories260k_int8")
}

#[cfg(test)]
mod tests {
    use super::*;
    use model_format::WeightFormat;

    /// A repository whose only persona is stories260K in one format.
    fn shipped(name: &str, format: WeightFormat) -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("models")).unwrap();
        let file = folder.path().join("models").join(name);
        models::make_stories(&crate::workspace(), format, &file).unwrap();
        (folder, file)
    }

    #[test]
    fn a_shipped_persona_is_found_with_its_text() {
        let (folder, file) = shipped("Wisp-1.wisp", WeightFormat::Fp8E4M3);
        assert_eq!(models::personas(folder.path()).unwrap(), std::slice::from_ref(&file));
        let group = persona(file.clone()).unwrap();
        assert_eq!(group.prefixes(), ["persona_wisp_1", "persona_wisp_1_lanes"]);
        assert_eq!(group.text, None);
        fs::write(file.with_extension("eval.txt"), "Once upon a time").unwrap();
        let text = persona(file.clone()).unwrap().text.unwrap();
        assert_eq!(text, folder.path().join("models/Wisp-1.eval.txt"));

        // One with pages of its own has a folder.
        let other = folder.path().join("models/large/Wisp-2.wisp");
        fs::create_dir(other.parent().unwrap()).unwrap();
        fs::copy(&file, &other).unwrap();
        assert_eq!(models::personas(folder.path()).unwrap(), [file, other]);
    }

    #[test]
    fn what_is_not_fp8_is_not_packed() {
        let (_folder, file) = shipped("wisp.wisp", WeightFormat::Int8);
        let group = persona(file).unwrap();
        assert_eq!(group.prefixes(), ["persona_wisp"]);
        // 5 layers of 64 times 64 twice and 32 twice, 3 times 172, and 512 words.
        let expected = 5 * 64 * (2 * 64 + 2 * 32 + 3 * 172) + 512 * 64;
        assert_eq!(group.jobs[0].multiply_adds, expected);
    }
}
