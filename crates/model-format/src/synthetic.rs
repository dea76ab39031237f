//! Small models with random weights, for tests and benchmarks: right in shape, empty of meaning.

use crate::{
    AlignedBytes, ArchitectureSpec, BuildError, Persona, Provenance, SamplerDefaults, Style,
    WeightFormat, WispBuilder,
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
        provenance: Provenance {
            source: "random numbers",
            training: "none",
            licences: "none needed",
        },
    }
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
    let mut builder = WispBuilder::new(spec.clone(), persona)?;
    builder.tokenizer(tokenizer);
    let mut random = seed;
    for (role, layer, (rows, cols)) in builder.needed() {
        // Uniform in ±√(3/cols): variance 1/cols.
        let width = (3.0 / cols as f32).sqrt();
        let weights: Vec<f32> = (0..rows * cols)
            .map(|_| match role.is_norm() {
                true => 1.0 + 0.1 * uniform(&mut random),
                false => width * uniform(&mut random),
            })
            .collect();
        builder.tensor(role, layer, format, &weights)?;
    }
    builder.build()
}

/// Uniform in -1..1, by splitmix64 (Steele, Lea and Flood, 2014).
fn uniform(state: &mut u64) -> f32 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut bits = *state;
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^= bits >> 31;
    // 24 bits fit an f32 exactly.
    (bits >> 40) as f32 / (1 << 23) as f32 - 1.0
}
