//! Our f32 weights in the file formats of llama2.c's export.py, versions 0 and 2.

use anyhow::{Context, Result, ensure};
use model_format::TensorRole::{
    AttentionNorm, AttentionOutput, Down, FeedForwardNorm, FinalNorm, Gate, Key, Query,
    TokenEmbedding, Up, Value,
};
use model_format::{Architecture, Model, TensorRole};

/// Weights per scale of version 2: runq.c's usual.
const GROUP: usize = 64;

/// "ak42", little-endian.
const MAGIC: i32 = 0x616b_3432;

/// Bytes of the header of version 2.
const HEADER: usize = 256;

/// Positions that the checkpoint promises: those that are measured.
const CONTEXT: usize = 256;

/// Version 0, for run.c: everything f32.
pub(super) fn version_0(model: &Model<'_>) -> Result<Vec<u8>> {
    let architecture = model.architecture();
    let mut file = Vec::new();
    config(architecture, &mut file)?;
    for role in [
        TokenEmbedding,
        AttentionNorm,
        Query,
        Key,
        Value,
        AttentionOutput,
        FeedForwardNorm,
        Gate,
        Down,
        Up,
        FinalNorm,
    ] {
        each(model, role, |weights| floats(weights, &mut file))?;
    }
    // Two tables of rotary factors that nobody reads any more.
    file.resize(file.len() + CONTEXT * architecture.head_size() * size_of::<f32>(), 0);
    Ok(file)
}

/// Version 2, for runq.c: norms f32, matrices int8 with a scale for each group.
pub(super) fn version_2(model: &Model<'_>) -> Result<Vec<u8>> {
    let mut file = Vec::new();
    file.extend(MAGIC.to_le_bytes());
    file.extend(2i32.to_le_bytes());
    config(model.architecture(), &mut file)?;
    file.push(u8::from(model.architecture().tied));
    file.extend(i32::try_from(GROUP)?.to_le_bytes());
    file.resize(HEADER, 0);
    for role in [AttentionNorm, FeedForwardNorm, FinalNorm] {
        each(model, role, |weights| floats(weights, &mut file))?;
    }
    for role in [TokenEmbedding, Query, Key, Value, AttentionOutput, Gate, Down, Up] {
        each(model, role, |weights| quantised(weights, &mut file))?;
    }
    Ok(file)
}

fn config(architecture: &Architecture<'_>, file: &mut Vec<u8>) -> Result<()> {
    ensure!(architecture.tied, "only tied models are written");
    for number in [
        architecture.dim,
        architecture.widest_hidden(),
        architecture.layers,
        architecture.heads,
        architecture.kv_heads,
        architecture.vocabulary,
        CONTEXT,
    ] {
        file.extend(i32::try_from(number)?.to_le_bytes());
    }
    Ok(())
}

/// The tensor of every layer, or the one there is.
fn each(model: &Model<'_>, role: TensorRole, mut write: impl FnMut(&[f32])) -> Result<()> {
    let layers = if role.is_per_layer() { model.architecture().layers } else { 1 };
    for layer in 0..layers {
        let tensor = model.tensor(role, layer).context("a tensor is missing")?;
        write(tensor.as_f32().context("the weights must be f32")?);
    }
    Ok(())
}

fn floats(weights: &[f32], file: &mut Vec<u8>) {
    file.extend(weights.iter().flat_map(|weight| weight.to_le_bytes()));
}

/// As export.py's `quantize_q80`: the largest magnitude of a group becomes 127.
fn quantised(weights: &[f32], file: &mut Vec<u8>) {
    let mut scales = Vec::new();
    for group in weights.chunks(GROUP) {
        let largest = group.iter().fold(0.0f32, |largest, weight| largest.max(weight.abs()));
        let scale = largest / 127.0;
        let codes = group.iter().map(|weight| match scale > 0.0 {
            true => (weight / scale).round() as i8,
            false => 0,
        });
        file.extend(codes.map(|code| code.to_le_bytes()[0]));
        scales.push(scale);
    }
    floats(&scales, file);
}

#[cfg(test)]
mod tests {
    use super::*;
    use model_format::{ArchitectureSpec, WeightFormat, synthetic};
    use wisp_model::llama2c::Checkpoint;

    /// What is written, read by the importer, is what there was.
    #[test]
    fn the_importer_reads_both_versions() {
        let spec = ArchitectureSpec {
            dim: 64,
            heads: 4,
            kv_heads: 2,
            hidden: vec![128; 2],
            ..synthetic::tiny_architecture(true)
        };
        let persona = synthetic::persona();
        let made = synthetic::gaussian_model(&spec, persona, &[], WeightFormat::F32, 3).unwrap();
        let model = Model::open(made.as_slice()).unwrap();
        for (version, file, most) in [
            (0, version_0(&model).unwrap(), 0.0),
            // Half a step of a group whose largest weight is some 0.2.
            (2, version_2(&model).unwrap(), 0.001),
        ] {
            let read = Checkpoint::parse(&file).unwrap();
            assert_eq!(read.config.version, version);
            assert_eq!(read.config.kv_heads, 2);
            for (role, layer, tensor) in model.tensors() {
                let weights = read.weights(role, layer).unwrap().unwrap();
                let pairs = weights.iter().zip(tensor.as_f32().unwrap());
                let worst = pairs.map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
                assert!(worst <= most, "version {version} {role:?} {layer}: {worst}");
            }
        }
    }
}
