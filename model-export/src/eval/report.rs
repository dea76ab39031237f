//! What `wisp-model eval` found, as a table or as JSON.

use serde::Serialize;

use crate::chats::turn_taking::{Differences, Rates};

/// What `wisp-model eval` shows; the JSON has these names.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// The text, or the chats.
    pub text: String,
    /// Bytes of text that were predicted; of chats, of message text.
    pub bytes: usize,
    /// What the chats are; `None` for a text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub chats: Option<ChatsReport>,
    /// The personas in the order given, each in all its ways.
    pub models: Vec<Score>,
}

/// The chats that personas were measured on.
#[derive(Clone, Debug, Serialize)]
pub struct ChatsReport {
    /// Who the persona is in them.
    pub persona: String,
    /// The chats that were asked for; all, if none.
    pub threads: Vec<String>,
    /// Conversations held back.
    pub conversations: usize,
    /// Messages in them.
    pub messages: usize,
    /// Tokens that a row predicts at most.
    pub context: usize,
    /// How the persona chats in what is held back: at the same places as the models.
    pub held_back: Rates,
    /// How it does in all of these chats.
    pub whole: Rates,
}

/// How a model takes turns where the conversations held back stand.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct ModelRhythm {
    /// Told after how long the next message comes, as it did.
    pub real_silences: Compared,
    /// Left to itself: how long the next message comes is what the model expects, too. So the board
    /// behaves when the friend does as in the chats.
    pub own_silences: Compared,
}

/// Rates, and by how many percent they are above those of the chats.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Compared {
    /// The model's.
    pub rates: Rates,
    /// Above what is held back.
    pub above_held_back: Differences,
    /// Above all of the chats.
    pub above_whole: Differences,
}

/// How well one persona predicts when it is computed in one way.
#[derive(Clone, Debug, Serialize)]
pub struct Score {
    /// The file.
    pub file: String,
    /// Its bytes.
    pub size: usize,
    /// The persona's name.
    pub name: String,
    /// The formats of the matrices, and where fp8 was multiplied.
    pub weights: String,
    /// How keys and values were kept: f32 or int8.
    pub cache: &'static str,
    /// Tokens that were predicted.
    pub tokens: usize,
    /// Sum of the negative logarithms of the right tokens' probabilities.
    pub nats: f64,
    /// e to the mean negative logarithm of the probability of the right token.
    pub perplexity: f64,
    /// By how many percent the perplexity is above the first row's. `None` for the first, and
    /// for other tokenizers than the first's.
    pub perplexity_difference: Option<f64>,
    /// Bits to write the text with this persona's help, per byte: fair between tokenizers.
    pub bits_per_byte: f64,
    /// Mean Kullback-Leibler divergence in nats of the first row's predictions from these.
    /// `None` as above.
    pub kl_to_first: Option<f64>,
    /// Share of places where the likeliest token is the first row's. `None` as above.
    pub top1_agreement: Option<f64>,
    /// How it takes turns; `None` for a text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rhythm: Option<ModelRhythm>,
}

impl Report {
    /// The report as tables.
    pub fn page(&self) -> String {
        let mut page = self.heading();
        let widest = self.widest();
        page += &format!(
            "{:<widest$}  {:>9} {:<12} {:<5} {:>6} {:>10} {:>9} {:>9} {:>9} {:>6}\n",
            "file",
            "bytes",
            "weights",
            "cache",
            "tokens",
            "perplexity",
            "to first",
            "bits/byte",
            "KL",
            "top-1"
        );
        for score in &self.models {
            let number = |value: Option<f64>, places: usize| match value {
                Some(value) => format!("{value:.places$}"),
                None => "-".to_owned(),
            };
            let difference = match score.perplexity_difference {
                Some(percent) => format!("{percent:+.2} %"),
                None => "-".to_owned(),
            };
            page += &format!(
                "{:<widest$}  {:>9} {:<12} {:<5} {:>6} {:>10.4} {:>9} {:>9.4} {:>9} {:>6}\n",
                score.file,
                score.size,
                score.weights,
                score.cache,
                score.tokens,
                score.perplexity,
                difference,
                score.bits_per_byte,
                number(score.kl_to_first, 6),
                number(score.top1_agreement, 3),
            );
        }
        page + &self.rhythm_page()
    }

    fn heading(&self) -> String {
        let Self { text, bytes, chats, .. } = self;
        let Some(chats) = chats else { return format!("{text} ({bytes} bytes)\n") };
        let threads = match chats.threads.as_slice() {
            [] => String::new(),
            threads => format!(", {}", threads.join(", ")),
        };
        format!(
            "{text}{threads}: what is held back of {}'s chats ({bytes} bytes in {} messages of {} \
             conversations)\n",
            chats.persona, chats.messages, chats.conversations
        )
    }

    fn widest(&self) -> usize {
        self.models.iter().map(|score| score.file.chars().count()).max().unwrap_or(0)
    }

    fn rhythm_page(&self) -> String {
        let Some(chats) = &self.chats else { return String::new() };
        let widest = self.widest().max("the chats".len());
        let line = |name: &str, which: &str, cells: [String; 3]| {
            let [answers, in_a_row, first] = cells;
            format!("{name:<widest$}  {which:<13} {answers:>18} {in_a_row:>18} {first:>18}\n")
        };
        let heads = ["answers", "in a row", "speaks first"].map(str::to_owned);
        let mut page = String::from("\n") + &line("", "", heads);
        page += &line("the chats", "all", cells(&chats.whole, None));
        page += &line("", "held back", cells(&chats.held_back, None));
        for score in &self.models {
            let Some(rhythm) = &score.rhythm else { continue };
            let ModelRhythm { real_silences, own_silences } = rhythm;
            let at = |compared: &Compared| cells(&compared.rates, Some(&compared.above_held_back));
            page += &line(&score.file, "told when", at(real_silences));
            page += &line("", "by itself", at(own_silences));
        }
        page
    }
}

/// A row of the rhythm: rates, and how much they are above others.
fn cells(rates: &Rates, above: Option<&Differences>) -> [String; 3] {
    let with = |value: String, measured: bool, above: Option<Option<f64>>| match above {
        _ if !measured => "-".to_owned(),
        Some(Some(percent)) => format!("{value} ({percent:+.1} %)"),
        Some(None) | None => value,
    };
    [
        with(
            format!("{:.1} %", 100.0 * rates.reply_rate),
            rates.others > 0,
            above.map(|it| it.reply_rate),
        ),
        with(format!("{:.3}", rates.burst_length), rates.own > 0, above.map(|it| it.burst_length)),
        with(
            format!("{:.1} %", 100.0 * rates.first_speech_rate),
            rates.silences > 0,
            above.map(|it| it.first_speech_rate),
        ),
    ]
}
