//! What `wisp-model eval` found, as a table or as JSON.

use serde::Serialize;

/// What `wisp-model eval` shows; the JSON has these names.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// The text.
    pub text: String,
    /// Bytes of text that were predicted.
    pub bytes: usize,
    /// The personas in the order given, each in all its ways.
    pub models: Vec<Score>,
}

/// How well one persona predicts when it is computed in one way.
#[derive(Clone, Debug, Serialize)]
pub struct Score {
    /// The file.
    pub file: String,
    /// The persona's name.
    pub name: String,
    /// The formats of the matrices, and where fp8 was multiplied.
    pub weights: String,
    /// How keys and values were kept: f32 or int8.
    pub cache: &'static str,
    /// Tokens that were predicted.
    pub tokens: usize,
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
}

impl Report {
    /// The report as a table.
    pub fn page(&self) -> String {
        let widest = self.models.iter().map(|score| score.file.chars().count()).max().unwrap_or(0);
        let mut page = format!(
            "{} ({} bytes)\n{:<widest$}  {:<12} {:<5} {:>6} {:>10} {:>9} {:>9} {:>9} {:>6}\n",
            self.text,
            self.bytes,
            "file",
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
                "{:<widest$}  {:<12} {:<5} {:>6} {:>10.4} {:>9} {:>9.4} {:>9} {:>6}\n",
                score.file,
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
        page
    }
}
