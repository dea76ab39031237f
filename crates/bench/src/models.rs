//! The model files that are measured: made anew by each run, so that they fit the code.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow};
use model_format::{AlignedBytes, ArchitectureSpec, Model, TensorRole, WeightFormat, synthetic};
use wisp_model::import::{self, About};

/// The seed of the reference model's weights.
pub(crate) const SEED: u64 = 2026;

/// The 15M reference shape: 14,948,736 parameters.
pub fn reference() -> ArchitectureSpec {
    ArchitectureSpec {
        dim: 384,
        heads: 8,
        kv_heads: 8,
        vocabulary: 2048,
        context: 512,
        rope_theta: 10_000.0,
        norm_epsilon: 1e-5,
        tied: true,
        hidden: vec![1024; 8],
    }
}

/// Writes the reference model with random weights.
pub fn make_reference(format: WeightFormat, to: &Path) -> Result<()> {
    let file = synthetic::gaussian_model(&reference(), synthetic::persona(), &[], format, SEED)
        .map_err(|error| anyhow!("the reference model: {error}"))?;
    write(to, &file)
}

/// Writes stories260K, which lies in the repository.
pub fn make_stories(workspace: &Path, format: WeightFormat, to: &Path) -> Result<()> {
    let folder = workspace.join("models/stories260K");
    let about = About {
        name: "Stories".to_owned(),
        source: "stories260K by Andrej Karpathy".to_owned(),
        licences: "MIT".to_owned(),
    };
    let checkpoint = folder.join("stories260K.bin");
    let file = import::llama2c(&checkpoint, &folder.join("tok512.bin"), &about, format)
        .map_err(|error| anyhow!("stories260K: {error}"))?;
    write(to, &file)
}

/// The personas that lie in `models/` and its folders, in the order of their paths.
pub fn personas(workspace: &Path) -> Result<Vec<PathBuf>> {
    let entries = |folder: &Path| {
        fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))
    };
    let mut paths = Vec::new();
    for entry in entries(&workspace.join("models"))? {
        let path = entry?.path();
        if path.is_dir() {
            for entry in entries(&path)? {
                paths.push(entry?.path());
            }
        }
        paths.push(path);
    }
    let mut found = Vec::new();
    for path in paths {
        if path.extension().is_some_and(|extension| extension == "wisp") {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

/// What is to be known of a model before it is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Facts {
    /// Multiplications for a token, attention's not counted.
    pub multiply_adds: u64,
    /// Whether it has weights that can be packed at start.
    pub holds_fp8: bool,
}

/// Looks into a model's file.
pub fn facts(path: &Path) -> Result<Facts> {
    let file =
        AlignedBytes::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    let model = Model::open(file.as_slice())
        .map_err(|error| anyhow!("{} is no persona: {error}", path.display()))?;
    let is_tied = model.architecture().tied;
    let multiplied = model.tensors().filter(|(role, ..)| {
        // The rows of an embedding of its own are only looked up.
        !role.is_norm() && (is_tied || *role != TensorRole::TokenEmbedding)
    });
    let multiply_adds = multiplied.map(|(_, _, tensor)| tensor.weights() as u64).sum();
    let holds_fp8 = model.tensors().any(|(_, _, it)| it.format == WeightFormat::Fp8E4M3);
    Ok(Facts { multiply_adds, holds_fp8 })
}

fn write(path: &Path, file: &[u8]) -> Result<()> {
    fs::write(path, file).with_context(|| format!("cannot write {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reference_has_the_published_size() {
        let spec = reference();
        let dim = u64::from(spec.dim);
        let layers: u64 = spec
            .hidden
            .iter()
            .map(|hidden| 4 * dim * dim + 3 * dim * u64::from(*hidden) + 2 * dim)
            .sum();
        assert_eq!(layers + u64::from(spec.vocabulary) * dim + dim, 14_948_736);
    }

    #[test]
    fn stories_are_found_and_imported() {
        let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("stories.wisp");
        make_stories(&workspace, WeightFormat::Int8, &path).unwrap();
        let file = AlignedBytes::read(&path).unwrap();
        let model = Model::open(file.as_slice()).unwrap();
        assert_eq!(model.architecture().dim, 64);
    }
}
