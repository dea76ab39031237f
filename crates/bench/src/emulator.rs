//! Runs the bare-metal bench program in QEMU, under the cycle model.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use object::{Object, ObjectSection, ObjectSymbol};

use crate::segments::{self, ByMemory};

/// Memory speeds that are modelled: their names, and cycles of 1 ns per line of 32 bytes.
pub const MEMORIES: [(&str, u32); 4] = [("330", 97), ("450", 71), ("600", 53), ("perfect", 0)];

/// Cycles from a miss to the first word, at any bandwidth: from a measured copy without prefetch
/// (docs/benchmarks.md).
const LATENCY: u32 = 150;

/// Everything that a run needs to find.
#[derive(Clone, Debug)]
pub struct Emulator {
    /// The bare-metal program.
    pub kernel: PathBuf,
    /// The cycle model, a QEMU plugin.
    pub plugin: PathBuf,
    /// For logs.
    pub folder: PathBuf,
}

/// Functions that run with FPSCR.LEN above 1, and their vectors' length (crates/arm1176/src/fp8.S,
/// exponentials.S).
pub const SHORT_VECTORS: [(&str, u32); 3] =
    [("fp8_rows", 8), ("fp8_multiply", 4), ("arm1176_exponentials", 8)];

/// What the emulated board loads besides the program.
#[derive(Clone, Debug)]
pub enum Load<'a> {
    /// A file, to an address.
    File(&'a Path, u32),
    /// A word, to an address.
    Word(u32, u32),
}

/// What a run gave.
#[derive(Clone, Debug)]
pub struct Run {
    /// What the program said on the serial port.
    pub said: String,
    /// What the cycle model counted between two marks.
    pub segments: Vec<ByMemory>,
}

impl Emulator {
    /// Runs the program to its end. `name` is for the log file; `memories` are cycles per line.
    pub fn run(&self, name: &str, loads: &[Load<'_>], memories: &[u32]) -> Result<Run> {
        let log = self.folder.join(format!("{name}.log"));
        let lines: Vec<String> = memories.iter().map(u32::to_string).collect();
        let vectors = SHORT_VECTORS.map(|(function, length)| format!("vector={function}:{length}"));
        let plugin = format!(
            "{},latency={LATENCY},line={},outstanding=3,marker={:#x},{}",
            self.plugin.display(),
            lines.join("+"),
            self.symbol("BENCH_MARK")?,
            vectors.join(","),
        );
        let mut command = Command::new("qemu-system-arm");
        command
            .args(["-M", "raspi0", "-icount", "shift=0", "-display", "none", "-monitor", "none"])
            .args(["-serial", "stdio", "-semihosting", "-kernel"])
            .arg(&self.kernel)
            .args(["-plugin", &plugin, "-d", "plugin", "-D"])
            .arg(&log);
        for load in loads {
            command.args(["-device", &load.argument()]);
        }
        let output = command
            .stdin(Stdio::null())
            .output()
            .context("cannot start qemu-system-arm: run `make setup`")?;
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        if !output.status.success() {
            let error = String::from_utf8_lossy(&output.stderr);
            bail!("{name}: the emulated board ended with {}\n{said}{error}", output.status);
        }
        let text = fs::read_to_string(&log)
            .with_context(|| format!("the cycle model wrote no {}", log.display()))?;
        Ok(Run { said, segments: segments::parse(&text)? })
    }

    /// The address of a symbol of the program.
    pub fn symbol(&self, name: &str) -> Result<u32> {
        let address = self.look(|elf| {
            elf.symbols().find(|symbol| symbol.name() == Ok(name)).map(|symbol| symbol.address())
        })?;
        let path = self.kernel.display();
        Ok(u32::try_from(address.with_context(|| format!("{path} has no {name}"))?)?)
    }

    /// The compiler that made the program, as it signed it.
    pub fn compiler(&self) -> Result<String> {
        let comment = self.look(|elf| {
            let section = elf.section_by_name(".comment")?;
            Some(String::from_utf8_lossy(section.data().ok()?).into_owned())
        })?;
        let signatures = comment.unwrap_or_default();
        let rustc = signatures.split('\0').find(|signature| signature.starts_with("rustc"));
        Ok(rustc.unwrap_or("unknown").to_owned())
    }

    fn look<T>(&self, at: impl FnOnce(&object::File<'_>) -> T) -> Result<T> {
        let path = self.kernel.display();
        let bytes = fs::read(&self.kernel).with_context(|| format!("cannot read {path}"))?;
        let elf = object::File::parse(bytes.as_slice())
            .with_context(|| format!("{path} is no ELF file"))?;
        Ok(at(&elf))
    }
}

impl Load<'_> {
    fn argument(&self) -> String {
        match self {
            // QEMU reads a comma as the end of a value, and two as a comma.
            Self::File(path, address) => {
                let path = path.display().to_string().replace(',', ",,");
                format!("loader,file={path},addr={address:#x},force-raw=on")
            }
            Self::Word(word, address) => {
                format!("loader,data={word:#x},data-len=4,addr={address:#x}")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_with_commas_reach_the_emulator() {
        let load = Load::File(Path::new("/a,b.wisp"), 0x200_0000);
        assert_eq!(load.argument(), "loader,file=/a,,b.wisp,addr=0x2000000,force-raw=on");
        let load = Load::Word(1, 0x1a30_0000);
        assert_eq!(load.argument(), "loader,data=0x1,data-len=4,addr=0x1a300000");
    }

    #[test]
    fn memories_are_the_bandwidths_they_are_called() {
        for (name, cycles) in MEMORIES {
            let Ok(megabytes) = name.parse::<f64>() else { continue };
            // 32 bytes in so many nanoseconds.
            let modelled = 32.0 * 1000.0 / f64::from(cycles);
            assert!((modelled / megabytes - 1.0).abs() < 0.01, "{name}: {modelled}");
        }
    }
}
