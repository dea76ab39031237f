//! What a model is stored as.

use std::io::Read;
use std::path::Path;

/// What a model is stored as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// llama.cpp's.
    Gguf,
    /// A folder of Hugging Face's transformers.
    Folder,
    /// A persona file, or something that is none of these.
    Wisp,
}

impl Kind {
    /// Known by what is there; a name that ends in `.gguf` is believed, so that a damaged file is called so.
    pub(super) fn of(path: &Path) -> Self {
        let mut magic = [0; 4];
        let mut is_gguf = || {
            let read = std::fs::File::open(path).and_then(|mut file| file.read_exact(&mut magic));
            read.is_ok() && &magic == b"GGUF"
        };
        if path.is_dir() {
            Self::Folder
        } else if path.extension().is_some_and(|it| it.eq_ignore_ascii_case("gguf")) || is_gguf() {
            Self::Gguf
        } else {
            Self::Wisp
        }
    }
}
