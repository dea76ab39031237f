//! What builds the board's programs, as `make setup` wants it; and whether they were built.

use super::{Area, Finding, Level, Problem};
use crate::errors::WispError;

/// What was found out about the source tree.
#[derive(Debug, Default)]
pub struct ToolchainFacts {
    /// Whether this is the source tree: nothing is built anywhere else.
    pub is_in_tree: bool,
    /// Version of the Rust that the tree needs: `1.95`.
    pub needed: String,
    /// rustup's version, if it is there.
    pub rustup: Option<String>,
    /// The Rust compilers there are, in the order in which the build tries them.
    pub compilers: Vec<Compiler>,
    /// Whether a linker for the board's programs is there that came without Rust.
    pub has_lld: bool,
    /// Whether a C compiler is there.
    pub has_cc: bool,
    /// What of the board's programs was not built.
    pub missing: Vec<WispError>,
}

/// A Rust compiler.
#[derive(Clone, Debug, Default)]
pub struct Compiler {
    /// Its version: `1.95.0`.
    pub release: String,
    /// Whether the sources of the core library came with it.
    pub has_sources: bool,
    /// Whether a linker came with it.
    pub has_linker: bool,
}

/// Says what the facts mean.
pub(super) fn examine(facts: &ToolchainFacts) -> Vec<Finding> {
    if !facts.is_in_tree {
        let words = "this is not the project's folder, and nothing is built anywhere else";
        return vec![Finding::fine(Area::Toolchain, words)];
    }
    let wrong = |problem: &Problem| Finding::of(Area::Toolchain, Level::Wrong, problem);
    let mut findings = Vec::new();
    match facts.compilers.first() {
        None => findings.push(wrong(&Problem::RustMissing)),
        Some(first) => {
            if is_older(&first.release, &facts.needed) {
                let (found, needed) = (first.release.clone(), facts.needed.clone());
                findings.push(wrong(&Problem::RustOld { found, needed }));
            }
            // The build takes the first compiler that has sources.
            match facts.compilers.iter().find(|compiler| compiler.has_sources) {
                None => findings.push(wrong(&Problem::CoreSources)),
                Some(it) if !it.has_linker && !facts.has_lld => {
                    findings.push(wrong(&Problem::Linker));
                }
                Some(_) => {}
            }
        }
    }
    if !facts.has_cc {
        findings.push(wrong(&Problem::HostLinker));
    }
    if findings.is_empty() {
        let release = facts.compilers.first().map_or("", |first| first.release.as_str());
        let rustup = facts.rustup.as_ref().map_or(String::new(), |it| format!(", {it}"));
        let words = format!("Rust {release}{rustup}, sources of its core library, linkers");
        findings.push(Finding::fine(Area::Toolchain, &words));
    }
    // `make demo` builds it.
    let missing = facts.missing.iter();
    findings.extend(missing.map(|error| Finding::of(Area::Toolchain, Level::Note, error)));
    findings
}

/// Whether a version is below another; of what is no number nothing is said.
fn is_older(found: &str, needed: &str) -> bool {
    let numbers = |text: &str| -> Option<Vec<u32>> {
        // What stands behind a hyphen is `nightly` or the like.
        let text = text.split('-').next().unwrap_or_default();
        text.split('.').map(|part| part.parse().ok()).collect()
    };
    match (numbers(found), numbers(needed)) {
        (Some(found), Some(needed)) => found < needed,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts() -> ToolchainFacts {
        let whole = Compiler { release: "1.95.0".into(), has_sources: true, has_linker: true };
        ToolchainFacts {
            is_in_tree: true,
            needed: "1.95".into(),
            compilers: vec![whole],
            has_cc: true,
            ..ToolchainFacts::default()
        }
    }

    fn codes(change: impl FnOnce(&mut ToolchainFacts)) -> Vec<String> {
        let mut facts = facts();
        change(&mut facts);
        examine(&facts).into_iter().map(|finding| finding.code).collect()
    }

    #[test]
    fn each_missing_piece_has_its_code() {
        assert_eq!(codes(|_| {}), ["wisp::toolchain::ok"]);
        assert_eq!(codes(|facts| facts.compilers.clear()), ["wisp::toolchain::missing"]);
        assert_eq!(
            codes(|facts| facts.compilers[0].release = "1.94.9".into()),
            ["wisp::toolchain::old"]
        );
        assert_eq!(
            codes(|facts| facts.compilers[0].has_sources = false),
            ["wisp::toolchain::core_sources"]
        );
        assert_eq!(
            codes(|facts| facts.compilers[0].has_linker = false),
            ["wisp::toolchain::linker"]
        );
        assert_eq!(codes(|facts| facts.has_cc = false), ["wisp::toolchain::cc"]);
    }

    #[test]
    fn the_second_compiler_may_have_the_sources_and_any_linker_will_do() {
        let codes = codes(|facts| {
            let bare = Compiler { release: "1.96.0-nightly".into(), ..Compiler::default() };
            facts.compilers.insert(0, bare);
            facts.compilers[1].has_linker = false;
            facts.has_lld = true;
        });
        assert_eq!(codes, ["wisp::toolchain::ok"]);
    }

    #[test]
    fn elsewhere_nothing_is_missing() {
        let findings = examine(&ToolchainFacts::default());
        assert_eq!((findings.len(), findings[0].level), (1, Level::Fine));
        assert!(findings[0].message.contains("not the project's folder"));
    }

    #[test]
    fn what_was_not_built_is_named() {
        let codes = codes(|facts| {
            facts.missing.push(WispError::ArtefactMissing {
                what: "firmware",
                looked_for: "x".into(),
                make: "firmware",
                option: "--firmware",
            });
        });
        assert_eq!(codes, ["wisp::toolchain::ok", "wisp::file::missing"]);
    }

    #[test]
    fn versions_are_compared_as_numbers() {
        assert!(is_older("1.9.0", "1.95") && is_older("1.94.9", "1.95"));
        assert!(!is_older("1.95.0", "1.95") && !is_older("1.100.0", "1.95"));
        assert!(!is_older("strange", "1.95"));
    }
}
