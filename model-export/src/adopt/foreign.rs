//! Whether a model has to be adopted before it can learn chats.

use std::path::Path;

use model_format::{AlignedBytes, Model, Style};

use super::kind::Kind;
use crate::hugging_face::{SpecialTokens, WISP_JSON};

/// Whether a model is one of others, which has to be adopted before it can learn chats.
pub(crate) fn is_foreign(path: &Path) -> bool {
    match Kind::of(path) {
        Kind::Gguf => path.exists(),
        Kind::Folder => !has_marks(path),
        Kind::Wisp => AlignedBytes::read(path).is_ok_and(|file| {
            let style = Model::open(&file).map(|model| model.persona().style);
            matches!(style, Ok(Style::Story { .. }))
        }),
    }
}

/// Whether the `wisp.json` of a folder names the marks of a chat.
fn has_marks(folder: &Path) -> bool {
    #[derive(serde::Deserialize)]
    struct About {
        special_tokens: SpecialTokens,
    }
    let json = std::fs::read(folder.join(WISP_JSON)).unwrap_or_default();
    serde_json::from_slice(&json).is_ok_and(|about: About| about.special_tokens.you.is_some())
}
