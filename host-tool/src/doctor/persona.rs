//! The persona's file: whether it can be used, and which one it is.

use std::path::PathBuf;

use super::{Area, Finding, Level};
use crate::errors::WispError;

/// What was found out about the persona's file.
#[derive(Debug)]
pub struct PersonaFacts {
    /// What it is, or why it cannot be used.
    pub persona: Result<PersonaSummary, WispError>,
    /// Whether somebody named it; otherwise it is the one that `wisp demo` takes.
    pub is_named: bool,
}

/// A persona's file that is whole.
#[derive(Clone, Debug)]
pub struct PersonaSummary {
    /// Where it is.
    pub path: PathBuf,
    /// What it is called.
    pub name: String,
    /// SHA-256 of the file, in hexadecimal.
    pub digest: String,
    /// Its size.
    pub bytes: usize,
    /// Version of the file's format.
    pub version: u16,
    /// How most of its weights are stored.
    pub weights: String,
}

/// Says what the facts mean.
pub(super) fn examine(facts: &PersonaFacts) -> Finding {
    match &facts.persona {
        Ok(persona) => {
            let PersonaSummary { path, name, digest, bytes, version, weights } = persona;
            let digest = digest.get(..12).unwrap_or_default();
            let words = format!(
                "{}: {name}, {digest}, {bytes} bytes, weights in {weights}, format {version}",
                path.display()
            );
            Finding::fine(Area::Persona, &words)
        }
        // Without the project there is no default, and the board may have a persona already.
        Err(error @ WispError::PersonaMissing { .. }) if !facts.is_named => {
            Finding::of(Area::Persona, Level::Note, error)
        }
        Err(error) => Finding::of(Area::Persona, Level::Wrong, error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_whole_one_says_which_it_is() {
        let summary = PersonaSummary {
            path: "ada.wisp".into(),
            name: "A\x1bda".into(),
            digest: "0123456789abcdef".into(),
            bytes: 1000,
            version: 3,
            weights: "int8".into(),
        };
        let finding = examine(&PersonaFacts { persona: Ok(summary), is_named: true });
        assert_eq!(finding.level, Level::Fine);
        assert_eq!(
            finding.message,
            "ada.wisp: A\u{fffd}da, 0123456789ab, 1000 bytes, weights in int8, format 3"
        );
    }

    #[test]
    fn only_a_default_may_be_missing() {
        let missing = || Err(WispError::PersonaMissing { looked_for: "x" });
        let damaged = WispError::BadPersona { path: "x".into(), cause: "cause".into() };
        let level = |persona, is_named| examine(&PersonaFacts { persona, is_named }).level;
        assert_eq!(level(missing(), false), Level::Note);
        assert_eq!(level(missing(), true), Level::Wrong);
        let finding = examine(&PersonaFacts { persona: Err(damaged), is_named: false });
        assert_eq!((finding.level, finding.code.as_str()), (Level::Wrong, "wisp::file::persona"));
    }
}
