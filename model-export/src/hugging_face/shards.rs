//! Safetensors files, one or several, read tensor by tensor: never a whole model in memory.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use half::{bf16, f16};
use safetensors::Dtype;
use safetensors::tensor::Metadata;
use serde::Deserialize;

use super::HuggingFaceError as Error;
use crate::Result;

/// The one file of a small model.
pub(super) const SINGLE: &str = "model.safetensors";
/// The list of a large model's files.
const INDEX: &str = "model.safetensors.index.json";
/// Longest header, as the safetensors library has it.
const MOST_HEADER: u64 = 100_000_000;

/// All tensors of a folder, by name.
#[derive(Debug)]
pub struct Shards {
    files: Vec<(PathBuf, File)>,
    tensors: BTreeMap<String, Stored>,
}

/// Where a tensor lies.
#[derive(Clone, Debug)]
struct Stored {
    file: usize,
    dtype: Dtype,
    shape: Vec<usize>,
    offset: u64,
}

#[derive(Deserialize)]
struct Index {
    weight_map: HashMap<String, String>,
}

impl Shards {
    /// Opens `model.safetensors`, or all files that `model.safetensors.index.json` names, and reads
    /// their headers.
    ///
    /// # Errors
    ///
    /// When there is neither, or a file is damaged or missing.
    pub fn open(folder: &Path) -> Result<Self> {
        let mut shards = Self { files: Vec::new(), tensors: BTreeMap::new() };
        let single = folder.join(SINGLE);
        let index = folder.join(INDEX);
        if single.exists() {
            shards.add(single)?;
        } else if index.exists() {
            let text = std::fs::read(&index).map_err(crate::Error::read(&index))?;
            let names: Index = serde_json::from_slice(&text).map_err(Error::json(&index))?;
            let mut files = BTreeSet::new();
            for (name, file) in &names.weight_map {
                // Only files of this folder, whatever the index says.
                let is_plain =
                    Path::new(file).file_name().is_some_and(|last| last == file.as_str());
                let there = is_plain && folder.join(file).is_file();
                if !there {
                    let (name, found) = (name.clone(), file.clone());
                    return Err(Error::Index { path: index, name, found }.into());
                }
                files.insert(file);
            }
            for file in files {
                shards.add(folder.join(file))?;
            }
        } else {
            return Err(Error::Missing { folder: folder.to_owned(), file: SINGLE }.into());
        }
        Ok(shards)
    }

    /// Reads the header of one more file.
    fn add(&mut self, path: PathBuf) -> Result<()> {
        let damaged = |what: String| Error::Safetensors { path: path.clone(), what };
        let mut file = File::open(&path).map_err(crate::Error::read(&path))?;
        let bytes = file.metadata().map_err(crate::Error::read(&path))?.len();
        let mut length = [0; 8];
        file.read_exact(&mut length).map_err(|_| damaged("it has no header".to_owned()))?;
        let length = u64::from_le_bytes(length);
        let begin = length.saturating_add(8);
        if begin > bytes || length > MOST_HEADER {
            let what = format!("its header of {length} bytes does not fit in {bytes}");
            return Err(damaged(what).into());
        }
        let mut header = Vec::new();
        let header_reader = (&mut file).take(length);
        { header_reader }.read_to_end(&mut header).map_err(crate::Error::read(&path))?;
        // This also checks that tensors neither overlap nor leave gaps, and that lengths fit shapes.
        let metadata: Metadata =
            serde_json::from_slice(&header).map_err(|cause| damaged(cause.to_string()))?;
        let data = metadata.data_len() as u64;
        if data != bytes - begin {
            let found = bytes - begin;
            let what = format!("it should have {data} bytes of weights and has {found}");
            return Err(damaged(what).into());
        }
        let index = self.files.len();
        for (name, info) in metadata.tensors() {
            let stored = Stored {
                file: index,
                dtype: info.dtype,
                shape: info.shape.clone(),
                offset: begin + info.data_offsets.0 as u64,
            };
            if self.tensors.insert(name.clone(), stored).is_some() {
                return Err(damaged(format!("{name} is in another file too")).into());
            }
        }
        self.files.push((path, file));
        Ok(())
    }

    /// The names of all tensors, in alphabetical order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.tensors.keys().map(String::as_str)
    }

    /// The file that has a tensor, or the first one: for messages.
    pub fn path_of(&self, name: &str) -> PathBuf {
        let file = self.tensors.get(name).map_or(0, |stored| stored.file);
        self.files.get(file).map(|(path, _)| path.clone()).unwrap_or_default()
    }

    /// Makes sure that there is a tensor of this shape.
    ///
    /// # Errors
    ///
    /// When there is none, or it has another shape.
    pub fn check(&self, name: &str, shape: &[usize]) -> Result<()> {
        let path = self.path_of(name);
        match self.tensors.get(name) {
            None => Err(Error::TensorMissing { path, name: name.to_owned() }.into()),
            Some(stored) if stored.shape != shape => Err(Error::TensorShape {
                path,
                name: name.to_owned(),
                found: dimensions(&stored.shape),
                expected: dimensions(shape),
            }
            .into()),
            Some(_) => Ok(()),
        }
    }

    /// The weights of a tensor of this shape, row after row.
    ///
    /// # Errors
    ///
    /// When there is no such tensor, or it has another shape, a type that is no plain float, or a
    /// weight that is not finite.
    pub fn weights(&mut self, name: &str, shape: &[usize]) -> Result<Vec<f32>> {
        self.check(name, shape)?;
        let path = self.path_of(name);
        let missing = || Error::TensorMissing { path: path.clone(), name: name.to_owned() };
        let stored = self.tensors.get(name).ok_or_else(missing)?;
        let count = shape.iter().product();
        let (dtype, offset) = (stored.dtype, stored.offset);
        let (_, file) = self.files.get_mut(stored.file).ok_or_else(missing)?;
        file.seek(SeekFrom::Start(offset)).map_err(crate::Error::read(&path))?;
        let mut reader = BufReader::with_capacity(1 << 16, file);
        let weights = match dtype {
            Dtype::F32 => numbers(&mut reader, count, f32::from_le_bytes),
            Dtype::F16 => numbers(&mut reader, count, |it| f16::from_le_bytes(it).to_f32()),
            Dtype::BF16 => numbers(&mut reader, count, |it| bf16::from_le_bytes(it).to_f32()),
            other => {
                let found = format!("{other:?} in {name}");
                return Err(Error::Quantised { path, found }.into());
            }
        };
        let weights = weights.map_err(crate::Error::read(&path))?;
        match weights.iter().position(|weight| !weight.is_finite()) {
            Some(place) => {
                let (name, place) = (name.to_owned(), place + 1);
                Err(Error::NotFinite { path, name, place }.into())
            }
            None => Ok(weights),
        }
    }
}

/// Reads `count` numbers of `N` bytes. The header's lengths were compared with the file's.
fn numbers<const N: usize>(
    reader: &mut impl Read,
    count: usize,
    number: impl Fn([u8; N]) -> f32,
) -> std::io::Result<Vec<f32>> {
    let mut numbers = Vec::with_capacity(count);
    for _ in 0..count {
        let mut bytes = [0; N];
        reader.read_exact(&mut bytes)?;
        numbers.push(number(bytes));
    }
    Ok(numbers)
}

/// A shape in words: `512 x 64`.
fn dimensions(shape: &[usize]) -> String {
    shape.iter().map(usize::to_string).collect::<Vec<_>>().join(" x ")
}
