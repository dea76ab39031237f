//! Models with random weights, for tests and benchmarks: right in shape, empty of meaning.

use crate::{
    AlignedBytes, ArchitectureSpec, BuildError, Persona, Provenance, SamplerDefaults, Style,
    TensorRole, WeightFormat, WispBuilder,
};

/// A tiny architecture with every feature: grouped queries, unequal hidden widths that no group
/// size divides, an odd vocabulary.
pub fn tiny_architecture(tied: bool) -> ArchitectureSpec {
    ArchitectureSpec {
        dim: 32,
        heads: 4,
        kv_heads: 2,
        vocabulary: 67,
        context: 64,
        rope_theta: 10_000.0,
        norm_epsilon: 1e-5,
        tied,
        hidden: vec![44, 52],
    }
}

/// A persona that suits any vocabulary of at least three tokens.
pub fn persona() -> Persona<'static> {
    Persona {
        name: "Random",
        style: Style::Story { begin: 1, end: 2 },
        sampler: SamplerDefaults::default(),
        rhythm: None,
        provenance: Provenance {
            source: "random numbers",
            training: "none",
            licences: "none needed",
        },
    }
}

/// A persona that chats, for tables as `tokenizer::synthetic` makes them.
pub fn chat_persona() -> Persona<'static> {
    let style = Style::Chat { begin: 1, end: 2, you: 3, wisp: 4, gaps: [5, 6, 7, 8, 9] };
    Persona { style, ..persona() }
}

/// A file with random weights: matrices uniform and scaled so that activations keep their size,
/// norms near 1. The same seed gives the same bytes.
///
/// # Errors
///
/// When architecture or persona break a rule of the format.
pub fn model(
    spec: &ArchitectureSpec,
    persona: Persona<'_>,
    tokenizer: &[u8],
    format: WeightFormat,
    seed: u64,
) -> Result<AlignedBytes, BuildError> {
    let mut random = seed;
    fill(spec, persona, tokenizer, format, |role, cols| {
        // Uniform in ±√(3/cols): variance 1/cols.
        let width = (3.0 / cols as f32).sqrt();
        match role.is_norm() {
            true => 1.0 + 0.1 * uniform(&mut random),
            false => width * uniform(&mut random),
        }
    })
}

/// A file for benchmarks: weights of a gaussian shape as those of trained models, with a standard
/// deviation of 0.05, norms near 1. The same seed gives the same bytes on every machine.
///
/// # Errors
///
/// When architecture or persona break a rule of the format.
pub fn gaussian_model(
    spec: &ArchitectureSpec,
    persona: Persona<'_>,
    tokenizer: &[u8],
    format: WeightFormat,
    seed: u64,
) -> Result<AlignedBytes, BuildError> {
    let mut random = seed;
    fill(spec, persona, tokenizer, format, |role, _| match role.is_norm() {
        true => 1.0 + 0.1 * uniform(&mut random),
        false => 0.05 * gaussian(&mut random),
    })
}

/// A file whose weights come from `weight`, which is told role and columns.
fn fill(
    spec: &ArchitectureSpec,
    persona: Persona<'_>,
    tokenizer: &[u8],
    format: WeightFormat,
    mut weight: impl FnMut(TensorRole, usize) -> f32,
) -> Result<AlignedBytes, BuildError> {
    let mut builder = WispBuilder::new(spec.clone(), persona)?;
    builder.tokenizer(tokenizer);
    for (role, layer, (rows, cols)) in builder.needed() {
        let weights: Vec<f32> = (0..rows * cols).map(|_| weight(role, cols)).collect();
        builder.tensor(role, layer, format, &weights)?;
    }
    builder.build()
}

/// Uniform in -1..1.
fn uniform(state: &mut u64) -> f32 {
    // 24 bits fit an f32 exactly.
    (splitmix64(state) >> 40) as f32 / (1 << 23) as f32 - 1.0
}

/// Nearly gaussian with a standard deviation of 1: the sum of twelve uniform numbers. Without
/// logarithms and cosines, which differ from machine to machine.
fn gaussian(state: &mut u64) -> f32 {
    // Twelve numbers of 16 bits; each has a variance of 2³² / 12.
    let sum: u64 = (0..3)
        .map(|_| splitmix64(state))
        .flat_map(|bits| [0, 16, 32, 48].map(|shift| (bits >> shift) & 0xffff))
        .sum();
    // Less than 2²⁰ and a half: exact.
    (sum as f32 - 12.0 * 32_767.5) / 65_536.0
}

/// Random bits (Steele, Lea and Flood, 2014).
fn splitmix64(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut bits = *state;
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}
