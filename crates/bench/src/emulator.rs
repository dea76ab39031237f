//! Runs the board's programs in QEMU, under the cycle model or without it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use object::{Object, ObjectSection, ObjectSymbol};

use crate::process::{self, Ended};
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
    /// After so long a run has gone wrong, however busy the machine is.
    pub limit: Duration,
}

/// The longest run takes a minute or two where nothing else is running.
pub const USUAL_LIMIT: Duration = Duration::from_secs(30 * 60);

/// Functions that run with FPSCR.LEN above 1, and their vectors' length (crates/arm1176/src/fp8.S,
/// exponentials.S, quantise.S).
pub const SHORT_VECTORS: [(&str, u32); 5] = [
    ("fp8_rows", 8),
    ("fp8_multiply", 4),
    ("arm1176_exponentials", 8),
    ("arm1176_round_bytes", 8),
    ("arm1176_round_nibbles", 8),
];

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
            escaped(&self.plugin),
            lines.join("+"),
            self.symbol("BENCH_MARK")?,
            vectors.join(","),
        );
        let mut command = self.command();
        command.args(["-plugin", &plugin, "-d", "plugin", "-D"]).arg(&log);
        for load in loads {
            command.args(["-device", &load.argument()]);
        }
        let said = self.finish(name, &mut command, |_| None)?;
        let text = fs::read_to_string(&log)
            .with_context(|| format!("the cycle model wrote no {}", log.display()))?;
        Ok(Run { said, segments: segments::parse(&text)? })
    }

    /// Runs the program to its end without the cycle model; returns what it said. A byte for which
    /// `answer` has bytes is not part of that: these are sent to the board's serial port.
    pub fn converse(&self, name: &str, answer: fn(u8) -> Option<&'static [u8]>) -> Result<String> {
        self.finish(name, &mut self.command(), answer)
    }

    /// QEMU with the program, each instruction a nanosecond.
    fn command(&self) -> Command {
        let mut command = Command::new(QEMU);
        command
            .args(["-M", "raspi0", "-icount", "shift=0", "-display", "none", "-monitor", "none"])
            .args(["-serial", "stdio", "-semihosting", "-kernel"])
            .arg(&self.kernel);
        command
    }

    fn finish(
        &self,
        name: &str,
        command: &mut Command,
        answer: fn(u8) -> Option<&'static [u8]>,
    ) -> Result<String> {
        let Ended { status, said, complaints } = process::run(command, self.limit, answer)
            .with_context(|| format!("cannot start {QEMU}: run `make setup`"))?;
        let Some(status) = status else {
            let minutes = self.limit.as_secs_f64() / 60.0;
            bail!(
                "{name}: the emulated board had not ended after {minutes:.1} minutes and was \
                 stopped; it had said:\n{said}{complaints}"
            );
        };
        if status.success() {
            return Ok(said);
        }
        let hint = match complaints.contains("plugin") {
            true => PLUGIN_HINT,
            false => "",
        };
        bail!("{name}: the emulated board ended with {status}\n{said}{complaints}{hint}")
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

/// A path as a value among others: QEMU reads a comma as the end of a value, and two as a comma.
fn escaped(path: &Path) -> String {
    path.display().to_string().replace(',', ",,")
}

const QEMU: &str = "qemu-system-arm";

const PLUGIN_HINT: &str = "
If QEMU cannot load the cycle model: `qemu-system-arm --version` must say 7.2 or later, built with
plugins, as Debian's is (tried with 7.2 and 10.0; `make setup` installs Debian's). Then run
`make bench` again, which also builds the cycle model anew.";

impl Load<'_> {
    fn argument(&self) -> String {
        match self {
            Self::File(path, address) => {
                format!("loader,file={},addr={address:#x},force-raw=on", escaped(path))
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
    fn values_cannot_end_early() {
        assert_eq!(escaped(Path::new("/my, old, disk/x.so")), "/my,, old,, disk/x.so");
    }

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
