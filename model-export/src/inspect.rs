//! What is in a `.wisp` file, as a page to read or as JSON.

use std::fmt::Write;
use std::path::Path;

use model_format::{Style, TensorRole};
use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::hugging_face::RhythmJson;
use crate::terminal::printable_lines;
use crate::weight_format::FormatName;
use crate::{Result, persona_file};

/// Everything `wisp-model inspect` shows; the JSON has these names.
#[derive(Clone, Debug, Serialize)]
#[allow(missing_docs)] // The fields are named as in the file format.
pub struct Report {
    pub file: String,
    pub bytes: usize,
    /// SHA-256 of the file: what the board calls its persona by.
    pub sha256: String,
    pub name: String,
    pub style: &'static str,
    pub begin: u32,
    pub end: u32,
    pub sampler: Sampler,
    /// As its chats were counted.
    pub rhythm: Option<RhythmJson>,
    pub source: String,
    pub training: String,
    pub licences: String,
    pub architecture: Architecture,
    pub tokenizer: Tokenizer,
    /// What each weight format takes, the largest share first.
    pub weights: Vec<Share>,
    pub tensors: Vec<Tensor>,
}

/// All tensors of one format.
#[derive(Clone, Debug, Serialize)]
#[allow(missing_docs)]
pub struct Share {
    pub format: String,
    pub tensors: usize,
    pub parameters: u64,
    /// Scales and padding included.
    pub bytes: usize,
}

/// Sampling unless the host says otherwise.
#[derive(Clone, Debug, Serialize)]
#[allow(missing_docs)]
pub struct Sampler {
    pub temperature_milli: u16,
    pub top_p_milli: u16,
    pub repetition_penalty_milli: u16,
    pub max_reply_tokens: u16,
}

/// The shape of the transformer.
#[derive(Clone, Debug, Serialize)]
#[allow(missing_docs)]
pub struct Architecture {
    pub parameters: u64,
    pub dim: usize,
    pub layers: usize,
    pub heads: usize,
    pub kv_heads: usize,
    pub hidden: Vec<usize>,
    pub vocabulary: usize,
    pub context: usize,
    pub rope_theta: f32,
    pub norm_epsilon: f32,
    pub tied: bool,
}

/// The tokenizer's table.
#[derive(Clone, Debug, Serialize)]
#[allow(missing_docs)]
pub struct Tokenizer {
    pub bytes: usize,
    pub longest_token: usize,
    pub byte_fallback: bool,
    pub dummy_prefix: bool,
}

/// One tensor.
#[derive(Clone, Debug, Serialize)]
#[allow(missing_docs)]
pub struct Tensor {
    pub role: &'static str,
    pub layer: Option<usize>,
    pub rows: usize,
    pub cols: usize,
    pub format: String,
    pub bytes: usize,
}

/// Reads and checks a file and reports what is in it.
pub fn inspect(path: &Path) -> Result<Report> {
    let file = persona_file::read(path)?;
    let (model, tokenizer) = persona_file::open(path, &file)?;
    let (architecture, persona) = (model.architecture(), model.persona());
    let tensors = model.tensors().map(|(role, layer, tensor)| Tensor {
        role: role_name(role),
        layer: role.is_per_layer().then_some(layer),
        rows: tensor.rows,
        cols: tensor.cols,
        format: FormatName(tensor.format).to_string(),
        bytes: tensor.data.len() + size_of_val(tensor.scales),
    });
    let tensors: Vec<Tensor> = tensors.collect();
    Ok(Report {
        file: path.display().to_string(),
        bytes: file.len(),
        sha256: hex(&Sha256::digest(&file[..])),
        name: printable_lines(persona.name),
        style: match persona.style {
            Style::Story { .. } => "story",
            Style::Chat { .. } => "chat",
        },
        begin: persona.style.begin(),
        end: persona.style.end(),
        sampler: Sampler {
            temperature_milli: persona.sampler.temperature_milli,
            top_p_milli: persona.sampler.top_p_milli,
            repetition_penalty_milli: persona.sampler.repetition_penalty_milli,
            max_reply_tokens: persona.sampler.max_reply_tokens,
        },
        rhythm: persona.rhythm.map(RhythmJson::from),
        source: printable_lines(persona.provenance.source),
        training: printable_lines(persona.provenance.training),
        licences: printable_lines(persona.provenance.licences),
        architecture: Architecture {
            parameters: model.parameters(),
            dim: architecture.dim,
            layers: architecture.layers,
            heads: architecture.heads,
            kv_heads: architecture.kv_heads,
            hidden: (0..architecture.layers).filter_map(|it| architecture.hidden(it)).collect(),
            vocabulary: architecture.vocabulary,
            context: architecture.context,
            rope_theta: architecture.rope_theta,
            norm_epsilon: architecture.norm_epsilon,
            tied: architecture.tied,
        },
        tokenizer: Tokenizer {
            bytes: model.tokenizer().len(),
            longest_token: tokenizer.longest(),
            byte_fallback: tokenizer.byte_token(0).is_some(),
            dummy_prefix: tokenizer.has_dummy_prefix(),
        },
        weights: shares(&tensors),
        tensors,
    })
}

/// Tensors by format, the format with the most bytes first.
fn shares(tensors: &[Tensor]) -> Vec<Share> {
    let mut shares: Vec<Share> = Vec::new();
    for tensor in tensors {
        let place = shares.iter().position(|share| share.format == tensor.format);
        let place = place.unwrap_or_else(|| {
            let format = tensor.format.clone();
            shares.push(Share { format, tensors: 0, parameters: 0, bytes: 0 });
            shares.len() - 1
        });
        if let Some(share) = shares.get_mut(place) {
            share.tensors += 1;
            share.parameters += tensor.rows as u64 * tensor.cols as u64;
            share.bytes += tensor.bytes;
        }
    }
    shares.sort_by_key(|share| std::cmp::Reverse(share.bytes));
    shares
}

impl Report {
    /// The report as a page of text.
    pub fn page(&self) -> String {
        let mut page = String::new();
        // Writing to a string cannot fail.
        let _ = self.write_page(&mut page);
        page
    }

    fn write_page(&self, page: &mut String) -> std::fmt::Result {
        let Architecture { dim, layers, heads, kv_heads, vocabulary, context, .. } =
            self.architecture;
        let tied = if self.architecture.tied { "tied" } else { "untied" };
        writeln!(
            page,
            "{}: {} ({} style), {} bytes",
            self.file, self.name, self.style, self.bytes
        )?;
        writeln!(page, "  sha256        {}", self.sha256)?;
        writeln!(page, "  parameters    {}", self.architecture.parameters)?;
        for share in &self.weights {
            writeln!(
                page,
                "  weights       {:<4} {} in {} tensors, {} bytes ({:.2} bits each)",
                share.format,
                share.parameters,
                share.tensors,
                share.bytes,
                8.0 * share.bytes as f64 / share.parameters as f64
            )?;
        }
        writeln!(
            page,
            "  architecture  dim {dim}, {layers} layers, {heads} heads, {kv_heads} kv heads, \
             hidden {}, {tied} classifier",
            widths(&self.architecture.hidden)
        )?;
        writeln!(page, "  vocabulary    {vocabulary} tokens, context {context}")?;
        writeln!(
            page,
            "  tokenizer     {} bytes, longest token {}, byte fallback {}",
            self.tokenizer.bytes,
            self.tokenizer.longest_token,
            if self.tokenizer.byte_fallback { "yes" } else { "no" }
        )?;
        writeln!(page, "  tokens        begin {}, end {}", self.begin, self.end)?;
        writeln!(
            page,
            "  sampler       temperature {}, top-p {}, repetition penalty {}, at most {} tokens",
            f32::from(self.sampler.temperature_milli) / 1000.0,
            f32::from(self.sampler.top_p_milli) / 1000.0,
            f32::from(self.sampler.repetition_penalty_milli) / 1000.0,
            self.sampler.max_reply_tokens
        )?;
        if let Some(rhythm) = &self.rhythm {
            writeln!(
                page,
                "  its chats     {:.1} % answered, {:.2} messages in a row, {:.1} % of silences ended, \
                 at most {} unanswered",
                100.0 * rhythm.reply_rate,
                rhythm.burst_length,
                100.0 * rhythm.first_speech_rate,
                rhythm.longest_unanswered
            )?;
        }
        for (label, text) in [("source", &self.source), ("training", &self.training)] {
            if !text.is_empty() {
                writeln!(page, "  {label:<12}  {text}")?;
            }
        }
        writeln!(
            page,
            "\n  {:<22} {:>5}  {:>14}  {:<8} {:>10}",
            "tensor", "layer", "shape", "format", "bytes"
        )?;
        for tensor in &self.tensors {
            let layer = tensor.layer.map_or("-".to_owned(), |layer| layer.to_string());
            let shape = format!("{} x {}", tensor.rows, tensor.cols);
            writeln!(
                page,
                "  {:<22} {layer:>5}  {shape:>14}  {:<8} {:>10}",
                tensor.role, tensor.format, tensor.bytes
            )?;
        }
        if !self.licences.is_empty() {
            writeln!(page, "\nLicences\n{}", self.licences.trim_end())?;
        }
        Ok(())
    }
}

/// One number if all layers are alike.
fn widths(hidden: &[usize]) -> String {
    match hidden {
        [first, rest @ ..] if rest.iter().all(|width| width == first) => first.to_string(),
        _ => hidden.iter().map(usize::to_string).collect::<Vec<_>>().join("/"),
    }
}

pub(crate) fn role_name(role: TensorRole) -> &'static str {
    match role {
        TensorRole::TokenEmbedding => "token_embedding",
        TensorRole::AttentionNorm => "attention_norm",
        TensorRole::Query => "query",
        TensorRole::Key => "key",
        TensorRole::Value => "value",
        TensorRole::AttentionOutput => "attention_output",
        TensorRole::FeedForwardNorm => "feed_forward_norm",
        TensorRole::Gate => "gate",
        TensorRole::Up => "up",
        TensorRole::Down => "down",
        TensorRole::FinalNorm => "final_norm",
        TensorRole::Classifier => "classifier",
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
