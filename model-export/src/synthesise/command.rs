//! The verb `synthesise`: its arguments, and the page it prints.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use clap::Args;

use super::address::Address;
use super::client::{Client, Key, Pause};
use super::consent::Sending;
use super::error::SynthesiseError;
use super::material::{FEWEST, Material};
use super::novelty::Novelty;
use super::origin::{Origin, Run, path_beside};
use super::progress::Watch;
use super::prompt::{AT_ONCE, Prompter};
use super::protocol::showable;
use super::retry::Patience;
use super::run::{Plan, Watcher, now, run};
use super::store::Store;
use crate::chats::canonical;
use crate::chats::rhythm::Rhythm;
use crate::stream::chosen::leave_out;
use crate::terminal::Terminal;
use crate::{Result, cli};

/// Ask a language model for more conversations in the persona's style.
///
/// The model runs on a server with an OpenAI-compatible address that you name: llama.cpp, Ollama,
/// vLLM, LM Studio, or a service. Before the first request it is said what will be sent, and asked
/// whether it may. Every good conversation is written at once: Ctrl-C loses nothing, and the same
/// command goes on.
#[derive(Debug, Args)]
pub struct Synthesise {
    /// The chats: the folder that `wisp-model ingest` wrote, or a JSON Lines file.
    #[arg(long)]
    chats: PathBuf,
    /// Who the persona is, as written in the chats.
    #[arg(long)]
    persona: String,
    /// The server's base address, like http://localhost:8080/v1
    #[arg(long, value_name = "URL")]
    teacher: String,
    /// The model, if the server has several.
    #[arg(long)]
    model: Option<String>,
    /// The file to write, .jsonl; a file that is there is gone on with.
    #[arg(short, long)]
    output: PathBuf,
    /// How many conversations the file is to have.
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u64).range(1..=10_000))]
    conversations: u64,
    /// A text about the persona: who it is and how it writes. It is sent.
    #[arg(long, visible_alias = "about", value_name = "FILE")]
    describe: Option<PathBuf>,
    /// Conversations of the chats that each request shows; with 0 no text of the chats is sent.
    #[arg(long, default_value_t = 3, value_name = "K", value_parser = clap::value_parser!(u8).range(0..=20))]
    examples: u8,
    /// Draw those from this chat only. May be given again.
    #[arg(long, value_name = "CHAT")]
    show: Vec<String>,
    /// Show none of the messages in this file, which is for `prepare --without`. May be given again.
    #[arg(long, value_name = "FILE")]
    without: Vec<PathBuf>,
    /// The environment variable with the server's key, if it wants one.
    #[arg(long, default_value = "OPENAI_API_KEY", value_name = "VARIABLE")]
    api_key_env: String,
    /// Decides examples, topics and times, and is given to the server.
    #[arg(long)]
    seed: Option<u64>,
    /// How bold the model is.
    #[arg(long, default_value_t = 0.9, value_parser = temperature)]
    temperature: f64,
    /// Requests at the same time.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=64))]
    parallel: u8,
    /// What an answer may take, in seconds.
    #[arg(long, default_value_t = 600, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    timeout: u64,
    /// Agree to what is sent, without being asked.
    #[arg(long)]
    yes: bool,
    /// Print where the conversations are from as JSON.
    #[arg(long)]
    json: bool,
}

/// Longest description, in bytes.
const DESCRIPTION: usize = 16 << 10;

fn temperature(argument: &str) -> std::result::Result<f64, String> {
    match argument.parse::<f64>() {
        Ok(value) if (0.0..=2.0).contains(&value) => Ok(value),
        _ => Err("give a number from 0 to 2".to_owned()),
    }
}

impl Synthesise {
    /// Does it, and prints to `out`.
    ///
    /// # Errors
    /// Whatever is wrong with the input, and a server that does not answer. Nothing is sent before
    /// everything here was found to be in order and the user agreed.
    pub fn run(self, out: &mut impl Write) -> Result<()> {
        let address = Address::parse(&self.teacher)?;
        let mut messages = canonical::read(&self.chats)?;
        // As `prepare` has them, or other conversations would be held back.
        messages.sort_by(|one, other| (&one.chat, one.time_ms).cmp(&(&other.chat, other.time_ms)));
        let mut shown = messages.clone();
        leave_out(&mut shown, &self.without)?;
        let material = Material::of(&shown, &self.persona, &self.show)?;
        let description = self.describe.as_deref().map(describe).transpose()?;
        let examples = usize::from(self.examples);
        if examples == 0 && description.is_none() {
            return Err(SynthesiseError::NothingToTell.into());
        }
        if examples > 0 && material.examples.is_empty() {
            return Err(SynthesiseError::NoExamples { least: FEWEST }.into());
        }
        let origin_path = path_beside(&self.output);
        let mut store = Store::read(&self.output, &self.persona)?;
        let mut origin = Origin::read(&origin_path)?;
        let missing = self.conversations.saturating_sub(store.conversations());
        if missing == 0 {
            return self.finish(out, &store, &origin, &material);
        }
        let key = Key::from_environment(&self.api_key_env)?;
        let has_key = key.is_some();
        let timeout = Duration::from_secs(self.timeout);
        let patience = Patience { timeout, ..Patience::default() };
        let client = Arc::new(Client::new(address.clone(), key, patience)?);
        if store.exists() {
            store.open()?;
        }

        let described = description.as_deref().map(str::len);
        let sending = Sending {
            address: &address,
            key_variable: has_key.then_some(self.api_key_env.as_str()),
            described: self.describe.as_deref().zip(described),
            examples,
            conversations: material.examples.len(),
            messages: material.examples.iter().map(Vec::len).sum(),
            chats: &self.chats,
            requests: missing.div_ceil(AT_ONCE as u64),
        };
        sending.ask(self.yes, &mut Terminal::standard())?;

        let mut watch = Watch::new(store.conversations(), self.conversations);
        let mut pauses = |pause: Pause| watch.pauses(&pause);
        let model = match self.model.clone() {
            Some(model) => model,
            None => client.only_model(&mut pauses)?,
        };
        let seed = self.seed.unwrap_or(1);
        let description = description.as_deref();
        let prompter = Prompter { material: &material, description, examples, seed };
        origin.runs.push(Run {
            teacher: address.to_string(),
            model: model.clone(),
            begun: now(),
            prompt_sha256: prompter.digest(),
            described: description.is_some(),
            examples,
            seed,
            temperature: self.temperature,
            ..Run::default()
        });
        let plan = Plan {
            model,
            goal: self.conversations,
            parallel: usize::from(self.parallel),
            temperature: self.temperature,
            server_seed: self.seed,
            origin: origin_path,
        };
        // What is left out must not come back as a teacher's idea.
        let novelty = Novelty::of(&messages);
        let done = run(&plan, &prompter, &client, &mut store, novelty, &mut origin, &mut watch);
        watch.ends();
        done?;
        self.finish(out, &store, &origin, &material)
    }

    fn finish(
        &self,
        out: &mut impl Write,
        store: &Store,
        origin: &Origin,
        material: &Material,
    ) -> Result<()> {
        let page = if self.json { origin.json() } else { self.page(store, origin, material) };
        cli::print(out, page)
    }

    fn page(&self, store: &Store, origin: &Origin, material: &Material) -> String {
        let messages = store.messages();
        let output = self.output.display();
        let mut page = format!(
            "{output}: {} conversations, {} messages\n\n",
            store.conversations(),
            messages.len()
        );
        for run in &origin.runs {
            page += &format!(
                "{} at {}: {} requests ({} attempts failed), {} tokens read and {} written\n  \
                 {} conversations taken, {} not{}{}\n",
                showable(&run.model),
                showable(&run.teacher),
                run.requests,
                run.failures,
                run.tokens_read,
                run.tokens_written,
                run.conversations,
                run.rejections(),
                if run.rejected.is_empty() { "" } else { ": " },
                run.reasons(),
            );
        }
        let new = Rhythm::of(&messages, &self.persona);
        let row = |name: &str, of: fn(&Rhythm) -> f64, factor: f64, unit: &str| {
            let [old, new] = [&material.rhythm, &new].map(|it| factor * of(it));
            format!("{name:<16} {old:>8.2} {unit:1} {new:>8.2} {unit}\n")
        };
        page += &format!("\n{:<16} {:>8}   {:>8}\n", "the persona", "chats", "new");
        page += &row("answers", Rhythm::reply_rate, 100.0, "%");
        page += &row("writes in a row", Rhythm::burst_length, 1.0, "");
        page += &row("speaks first", Rhythm::first_speech_rate, 100.0, "%");
        page += &format!(
            "\nwhere it is from: {}\nnext: wisp-model prepare --chats {} --persona \"{}\" --apart \
             {output}=0.5 -o DATASET\n",
            path_beside(&self.output).display(),
            self.chats.display(),
            self.persona,
        );
        page
    }
}

fn describe(path: &Path) -> Result<String> {
    let text = crate::cli::read_text(path)?;
    match text.len() {
        bytes if bytes > DESCRIPTION => {
            let path = path.to_owned();
            Err(SynthesiseError::Description { path, bytes, limit: DESCRIPTION }.into())
        }
        _ => Ok(text),
    }
}
