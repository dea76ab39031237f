//! Where the checkout is, and its programs compiled for the board.

use std::env;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, anyhow, bail};

use super::{Built, MODEL_ADDRESS, PROGRAMS, Program};
use crate::workspace;

const COMPILER: &str = "arm-none-eabi-gcc";

/// As llama2.c's Makefile compiles its `runfast`, for the board's processor. Its VFP works on one
/// number at a time for a C compiler; there is no NEON.
const FLAGS: [&str; 12] = [
    "-Ofast",
    "-mcpu=arm1176jzf-s",
    "-mfpu=vfp",
    "-mfloat-abi=hard",
    "-marm",
    "-std=gnu11",
    "-w",
    // newlib declares clock_gettime only then.
    "-D_POSIX_TIMERS=1",
    "-ffunction-sections",
    "-nostartfiles",
    "-Wl,--gc-sections",
    "-Wl,--no-warn-rwx-segments",
];

/// What can be wrong with a build, as the compiler says it, and what helps.
const HINTS: [(&str, &str); 3] = [
    (
        "Transformer",
        "the checkout is too old: llama2.c has forward(Transformer*, ...) since 2023-09",
    ),
    ("No such file or directory", NO_COMPILER),
    ("cannot find -l", NO_COMPILER),
];

const NO_COMPILER: &str = "`make setup` installs the compiler and its C library (Debian: \
                           gcc-arm-none-eabi, libnewlib-arm-none-eabi)";

/// The folder of a checkout with at least one of the two programs.
#[derive(Clone, Debug)]
pub struct Checkout {
    folder: PathBuf,
}

impl Checkout {
    /// Looks for the checkout; `~` is the user's home, which not every shell replaces after a `=`.
    pub fn find(given: &Path) -> Result<Self> {
        let path = match (given.strip_prefix("~"), env::var_os("HOME")) {
            (Ok(rest), Some(home)) => Path::new(&home).join(rest),
            _ => given.to_owned(),
        };
        if !path.is_dir() {
            bail!(
                "no folder {}: `git clone https://github.com/karpathy/llama2.c`, then \
                 `make bench-peer LLAMA2C=FOLDER`",
                path.display()
            );
        }
        if !PROGRAMS.iter().any(|program| path.join(program.source).is_file()) {
            bail!("{} has neither run.c nor runq.c: is it a checkout of llama2.c?", path.display());
        }
        let folder =
            fs::canonicalize(&path).with_context(|| format!("cannot open {}", path.display()))?;
        Ok(Self { folder })
    }

    /// Compiles the programs that there are into `folder`; says which one is missing.
    pub fn build(&self, folder: &Path) -> Result<Vec<Built>> {
        let mut built = Vec::new();
        for program in PROGRAMS {
            let source = self.folder.join(program.source);
            if source.is_file() {
                built.push(compile(program, &source, folder)?);
            } else {
                println!("no {} in {}: left out", program.source, self.folder.display());
            }
        }
        Ok(built)
    }
}

/// Compiles a program, unmodified, with the board under it.
fn compile(program: Program, source: &Path, folder: &Path) -> Result<Built> {
    let board = workspace().join("crates/bench/peer");
    let kernel = folder.join(format!("{}.elf", program.prefix));
    let output = Command::new(COMPILER)
        .args(FLAGS)
        .arg(format!("-I{}", board.join("include").display()))
        .arg(format!("-DMODEL_ADDRESS={MODEL_ADDRESS:#x}"))
        .arg(format!("-DSOURCE=\"{}\"", source.display()))
        .args(["start.S", "board.c", "measure.c"].map(|file| board.join(file)))
        .arg("-T")
        .arg(board.join("board.ld"))
        .arg("-lm")
        .arg("-o")
        .arg(&kernel)
        .output()
        .map_err(|error| match error.kind() {
            ErrorKind::NotFound => anyhow!("no {COMPILER}: {NO_COMPILER}"),
            _ => anyhow!("cannot start {COMPILER}: {error}"),
        })?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        bail!("{COMPILER} cannot build {}:\n{said}{}", source.display(), hint(&said));
    }
    Ok(Built { program, kernel })
}

/// What probably helps, after what the compiler said.
fn hint(said: &str) -> &'static str {
    HINTS.iter().find(|(words, _)| said.contains(words)).map_or("", |(_, helps)| helps)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(given: &Path) -> String {
        Checkout::find(given).unwrap_err().to_string()
    }

    #[test]
    fn a_missing_checkout_is_explained() {
        let folder = tempfile::tempdir().unwrap();
        let nowhere = error(&folder.path().join("llama2.c"));
        assert!(nowhere.contains("git clone https://github.com/karpathy/llama2.c"), "{nowhere}");
        let empty = error(folder.path());
        assert!(empty.contains("neither run.c nor runq.c"), "{empty}");
    }

    /// dash hands `LLAMA2C=~/llama2.c` on as it is.
    #[test]
    fn a_tilde_is_the_home() {
        let told = error(Path::new("~/no folder of this name"));
        assert!(!told.contains('~'), "{told}");
        assert!(told.contains("/no folder of this name"), "{told}");
    }

    #[test]
    fn a_missing_library_and_an_old_checkout_are_told_apart() {
        let missing = "measure.c:5:10: fatal error: stdio.h: No such file or directory";
        assert_eq!(hint(missing), NO_COMPILER);
        assert_eq!(hint("ld: cannot find -lm"), NO_COMPILER);
        assert!(
            hint("measure.c:18:24: error: unknown type name 'Transformer'").contains("too old")
        );
        assert_eq!(hint("error: expected ';'"), "");
    }
}
