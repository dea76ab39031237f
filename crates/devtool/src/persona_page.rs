//! The figures of a shipped persona: from what `wisp-model` measured into the page that tells them.
//!
//! `wisp-model eval --json` and `wisp-model memory-report` write down what they found; by hand stand
//! only the sampler and how the persona was trained. A test compares page and figures.

use std::fmt::Write;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

const END: &str = "<!-- end of figures -->\n";

/// `wisp-15m.json`: all that the page tells of it.
#[derive(Deserialize, Serialize)]
struct Figures {
    file: String,
    bytes: usize,
    sha256: String,
    sampler: Sampler,
    training: Training,
    held_back_tokens: u64,
    f32: Model,
    fp8: Model,
    rhythm: Rhythm,
    memory: Memory,
}

#[derive(Deserialize, Serialize)]
struct Sampler {
    temperature_milli: u32,
    top_p_milli: u32,
    repetition_penalty_milli: u32,
    max_reply_tokens: u32,
}

#[derive(Deserialize, Serialize)]
struct Training {
    steps: u64,
    tokens: u64,
    /// How long a processor worked on it, and on how many cores, in words.
    time: String,
    seed: u64,
    trainer: String,
}

/// One model's row of `eval --json`.
#[derive(Clone, Deserialize, Serialize)]
struct Model {
    size: u64,
    weights: String,
    cache: String,
    perplexity: f64,
    perplexity_difference: Option<f64>,
    bits_per_byte: f64,
    kl_to_first: Option<f64>,
    top1_agreement: Option<f64>,
}

#[derive(Deserialize, Serialize)]
struct Rhythm {
    held_back: Rates,
    whole: Rates,
    told_when: Rates,
    by_itself: Rates,
}

#[derive(Clone, Copy, Deserialize, Serialize)]
struct Rates {
    reply_rate: f64,
    burst_length: f64,
    first_speech_rate: f64,
}

/// The summary of a memory report: how often of how many, and of chats that it was not trained on.
#[derive(Deserialize, Serialize)]
struct Memory {
    verdict: String,
    whole: Counts,
    halves: Counts,
    numbers: Counts,
    words: Counts,
    replies: Counts,
    bits_per_token: [f64; 2],
    exposure: [f64; 2],
}

#[derive(Deserialize, Serialize)]
struct Counts {
    repeated: u64,
    tried: u64,
    guessed: u64,
    guesses: u64,
}

/// What `eval --json` writes.
#[derive(Deserialize)]
struct Evaluation {
    chats: EvaluatedChats,
    models: Vec<EvaluatedModel>,
}

#[derive(Deserialize)]
struct EvaluatedChats {
    held_back: Rates,
    whole: Rates,
}

#[derive(Deserialize)]
struct EvaluatedModel {
    tokens: u64,
    #[serde(flatten)]
    model: Model,
    rhythm: EvaluatedRhythm,
}

#[derive(Deserialize)]
struct EvaluatedRhythm {
    real_silences: Told,
    own_silences: Told,
}

#[derive(Deserialize)]
struct Told {
    rates: Rates,
}

/// What `memory-report` writes.
#[derive(Deserialize)]
struct Report {
    summary: Memory,
}

fn read<T: for<'a> Deserialize<'a>>(path: &Path) -> Result<T> {
    let text = std::fs::read(path).with_context(|| format!("reading {}", path.display()))?;
    serde_json::from_slice(&text).with_context(|| format!("in {}", path.display()))
}

/// Puts what was measured into the figures beside the persona, and those into the page.
pub fn update(persona: &str, evaluation: &str, memory: &str) -> Result<()> {
    let persona = Path::new(persona);
    let json = persona.with_extension("json");
    let page = persona.with_file_name("README.md");
    let bytes = std::fs::read(persona).with_context(|| format!("reading {}", persona.display()))?;
    let evaluation: Evaluation = read(Path::new(evaluation))?;
    let [f32, fp8] = &evaluation.models[..] else {
        bail!("the measurement must be of two models: f32, then what is shipped");
    };
    ensure!(
        usize::try_from(fp8.model.size)? == bytes.len(),
        "the measurement is of another file: {} bytes, not {}",
        fp8.model.size,
        bytes.len()
    );
    let mut figures: Figures = read(&json)?;
    figures.bytes = bytes.len();
    figures.sha256 = Sha256::digest(&bytes).iter().fold(String::new(), |mut digits, byte| {
        // Writing to a string cannot fail.
        let _ = write!(digits, "{byte:02x}");
        digits
    });
    figures.held_back_tokens = fp8.tokens;
    figures.f32 = f32.model.clone();
    figures.fp8 = fp8.model.clone();
    figures.rhythm = Rhythm {
        held_back: evaluation.chats.held_back,
        whole: evaluation.chats.whole,
        told_when: fp8.rhythm.real_silences.rates,
        by_itself: fp8.rhythm.own_silences.rates,
    };
    figures.memory = read::<Report>(Path::new(memory))?.summary;
    let text = std::fs::read_to_string(&page)?;
    let begin = begin(&figures.file);
    let (before, _, after) = parts(&text, &begin)?;
    std::fs::write(&page, format!("{before}{begin}{}{END}{after}", block(&figures)?))?;
    std::fs::write(&json, serde_json::to_string_pretty(&figures)? + "\n")?;
    Ok(())
}

/// The line before the figures of a file.
fn begin(file: &str) -> String {
    format!("<!-- figures of {file} -->\n")
}

/// The page before the figures that begin so, the figures, and the page after them.
fn parts<'a>(page: &'a str, begin: &str) -> Result<(&'a str, &'a str, &'a str)> {
    let (before, rest) = page.split_once(begin).context("the page has no place for its figures")?;
    let (figures, after) = rest.split_once(END).context("the figures on the page have no end")?;
    Ok((before, figures, after))
}

/// The figures as the page shows them.
fn block(figures: &Figures) -> Result<String> {
    let Figures { sampler, training, rhythm, memory, .. } = figures;
    let fp8 = &figures.fp8;
    let difference = fp8.perplexity_difference.context("the second model has no difference")?;
    let kl = fp8.kl_to_first.context("the second model has no divergence")?;
    let agreement = fp8.top1_agreement.context("the second model has no agreement")?;
    let mut page = String::from("| | |\n|---|---|\n");
    writeln!(page, "| file | {}, {} bytes |", figures.file, thousands(figures.bytes))?;
    writeln!(page, "| SHA-256 | `{}` |", figures.sha256)?;
    writeln!(
        page,
        "| trained | {} steps, {:.1} million tokens, {} |",
        thousands(usize::try_from(training.steps)?),
        training.tokens as f64 / 1e6,
        training.time
    )?;
    writeln!(
        page,
        "| sampler | temperature {}, top-p {}, repetition penalty {}, at most {} tokens a message |",
        f64::from(sampler.temperature_milli) / 1e3,
        f64::from(sampler.top_p_milli) / 1e3,
        f64::from(sampler.repetition_penalty_milli) / 1e3,
        sampler.max_reply_tokens
    )?;
    writeln!(page, "| bits per byte, f32 | {:.3} |", figures.f32.bits_per_byte)?;
    writeln!(page, "| bits per byte, fp8 | {:.3} |", fp8.bits_per_byte)?;
    writeln!(page, "| perplexity, f32 | {:.3} |", figures.f32.perplexity)?;
    writeln!(
        page,
        "| perplexity, fp8 as the board computes it | {:.3} ({difference:+.2} %; KL {kl:.4}, \
         top-1 {agreement:.3}) |\n",
        fp8.perplexity
    )?;

    page.push_str("| rhythm | chats held back | all chats | told when | | by itself | |\n");
    page.push_str("|---|---|---|---|---|---|---|\n");
    let percent = |rate: f64| format!("{:.1} %", 100.0 * rate);
    let plain = |rate: f64| format!("{rate:.3}");
    type Row = (&'static str, fn(&Rates) -> f64, bool);
    let rows: [Row; 3] = [
        ("answers", |rates| rates.reply_rate, true),
        ("in a row", |rates| rates.burst_length, false),
        ("speaks first", |rates| rates.first_speech_rate, true),
    ];
    for (name, pick, is_share) in rows {
        let show = |rates: &Rates| match is_share {
            true => percent(pick(rates)),
            false => plain(pick(rates)),
        };
        let apart = |rates: &Rates| 100.0 * (pick(rates) / pick(&rhythm.held_back) - 1.0);
        writeln!(
            page,
            "| {name} | {} | {} | {} | {:+.0} % | {} | {:+.0} % |",
            show(&rhythm.held_back),
            show(&rhythm.whole),
            show(&rhythm.told_when),
            apart(&rhythm.told_when),
            show(&rhythm.by_itself),
            apart(&rhythm.by_itself)
        )?;
    }

    let verdict = match &memory.verdict[..] {
        "remembers" => "more than it guesses",
        "guesses" => "no more than it guesses",
        "nothing_found" => "nothing that was found",
        other => bail!("the memory report ends with `{other}`: not for a page"),
    };
    writeln!(page, "\nWhat it remembers: {verdict}.\n")?;
    page.push_str("| measure | repeated | of chats it never saw |\n|---|---|---|\n");
    for (name, counts) in [
        ("whole messages", &memory.whole),
        ("second halves", &memory.halves),
        ("numbers", &memory.numbers),
        ("rare words and names", &memory.words),
        ("free replies", &memory.replies),
    ] {
        let Counts { repeated, tried, guessed, guesses } = counts;
        writeln!(page, "| {name} | {repeated} of {tried} | {guessed} of {guesses} |")?;
    }
    Ok(page)
}

/// A number with commas.
fn thousands(number: usize) -> String {
    let digits = number.to_string();
    let mut shown = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            shown.push(',');
        }
        shown.push(digit);
    }
    shown
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_page_tells_the_figures() {
        let models = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../models");
        let page = std::fs::read_to_string(models.join("README.md")).unwrap();
        for name in ["wisp-15m", "wisp-3m"] {
            let figures: Figures = read(&models.join(name).with_extension("json")).unwrap();
            let (_, told, _) = parts(&page, &begin(&figures.file)).unwrap();
            assert_eq!(told, block(&figures).unwrap(), "{name}");
        }
    }

    #[test]
    fn what_was_measured_replaces_page_and_figures_of_the_same_file_only() {
        let models = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../models");
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
        for name in ["wisp-15m.json", "README.md"] {
            std::fs::copy(models.join(name), at(name)).unwrap();
        }
        let rates =
            json!({"reply_rate": 0.5, "burst_length": 1.25, "first_speech_rate": 0.2, "own": 7});
        let model = |size: usize, difference: Option<f64>| {
            json!({"size": size, "weights": "fp8", "cache": "int8", "tokens": 9, "perplexity": 12.5,
                "perplexity_difference": difference, "bits_per_byte": 1.625,
                "kl_to_first": difference, "top1_agreement": difference,
                "rhythm": {"real_silences": {"rates": rates}, "own_silences": {"rates": rates}}})
        };
        let evaluation = json!({"chats": {"held_back": rates, "whole": rates},
            "models": [model(20, None), model(5, Some(0.25))]});
        let counts = json!({"repeated": 1, "tried": 2, "guessed": 3, "guesses": 4});
        let memory = json!({"summary": {"verdict": "nothing_found", "whole": counts,
            "halves": counts, "numbers": counts, "words": counts, "replies": counts,
            "bits_per_token": [1.0, 2.0], "exposure": [0.0, 0.0]}});
        std::fs::write(at("eval.json"), evaluation.to_string()).unwrap();
        std::fs::write(at("memory.json"), memory.to_string()).unwrap();

        std::fs::write(at("wisp-15m.wisp"), b"another file").unwrap();
        let wrong = update(&at("wisp-15m.wisp"), &at("eval.json"), &at("memory.json"));
        assert!(wrong.unwrap_err().to_string().contains("another file: 5 bytes, not 12"));

        std::fs::write(at("wisp-15m.wisp"), b"wisp!").unwrap();
        update(&at("wisp-15m.wisp"), &at("eval.json"), &at("memory.json")).unwrap();
        let page = std::fs::read_to_string(at("README.md")).unwrap();
        for line in [
            "wisp-15m.wisp, 5 bytes |",
            "| 12.500 (+0.25 %; KL 0.2500, top-1 0.250) |",
            "| in a row | 1.250 | 1.250 | 1.250 | +0 % | 1.250 | +0 % |",
            "What it remembers: nothing that was found.",
            "| numbers | 1 of 2 | 3 of 4 |",
        ] {
            assert!(page.contains(line), "{line}");
        }
        let figures: Figures = read(Path::new(&at("wisp-15m.json"))).unwrap();
        assert_eq!((figures.bytes, figures.held_back_tokens), (5, 9));
        assert!(page.contains(&figures.sha256));
    }

    #[test]
    fn numbers_have_commas() {
        assert_eq!(thousands(7), "7");
        assert_eq!(thousands(104_965), "104,965");
        assert_eq!(thousands(3_169_728), "3,169,728");
    }
}
