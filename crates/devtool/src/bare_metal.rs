//! Checks on the linked bare-metal programs: memory map, reachable panics, sizes.

use anyhow::{Context, Result, bail, ensure};
use object::{Object, ObjectSegment, ObjectSymbol};
use std::collections::BTreeMap;
use std::fs;

/// A program as the linker left it.
struct Program {
    /// Loaded bytes as (first address, one past the last).
    loaded: Vec<(u64, u64)>,
    /// Every address a segment claims, bss and stacks included.
    claimed: Vec<(u64, u64)>,
    symbols: BTreeMap<String, u64>,
}

fn open(path: &str) -> Result<Program> {
    let bytes = fs::read(path).with_context(|| format!("cannot read {path}"))?;
    let file = object::File::parse(&*bytes).with_context(|| format!("{path} is not an ELF"))?;
    let mut program = Program { loaded: Vec::new(), claimed: Vec::new(), symbols: BTreeMap::new() };
    for segment in file.segments() {
        let start = segment.address();
        let length = segment.data().with_context(|| format!("{path}: broken segment"))?.len();
        if length > 0 {
            program.loaded.push((start, start + length as u64));
        }
        program.claimed.push((start, start + segment.size()));
    }
    for symbol in file.symbols() {
        if let Ok(name) = symbol.name() {
            program.symbols.insert(name.to_owned(), symbol.address());
        }
    }
    ensure!(!program.symbols.is_empty(), "{path} has no symbols: was it stripped?");
    Ok(program)
}

impl Program {
    /// The range from the first loaded byte to the last: what a raw image holds.
    fn image(&self) -> Result<(u64, u64)> {
        let start = self.loaded.iter().map(|range| range.0).min().context("nothing is loaded")?;
        let end = self.loaded.iter().map(|range| range.1).max().context("nothing is loaded")?;
        Ok((start, end))
    }
}

/// Names under which Rust's panics end up in a program, mangled either way.
const PANIC_NAMES: [&str; 4] = ["9panicking", "unwrap_failed", "expect_failed", "index_fail"];

fn panic_symbols(program: &Program) -> Vec<&str> {
    program
        .symbols
        .keys()
        .map(String::as_str)
        .filter(|name| PANIC_NAMES.iter().any(|panic| name.contains(panic)))
        .collect()
}

/// Fails when a panic can be reached: the linker keeps only what is referenced.
pub fn panics(path: &str) -> Result<()> {
    let program = open(path)?;
    let symbols = panic_symbols(&program);
    if !symbols.is_empty() {
        bail!("{path} can panic:\n  {}", symbols.join("\n  "));
    }
    println!("wisp: bootloader_panic_symbols 0 symbols");
    Ok(())
}

/// Prints the size of each image: `NAME ELF NAME ELF …`.
pub fn sizes(pairs: &[&str]) -> Result<()> {
    for pair in pairs.chunks_exact(2) {
        if let [name, path] = pair {
            let (start, end) = open(path)?.image()?;
            println!("wisp: {name} {} bytes", end - start);
        }
    }
    Ok(())
}

/// Reads `NAME = 0x…;` lines of a linker script.
fn constants(script: &str) -> BTreeMap<&str, u64> {
    script
        .lines()
        .filter_map(|line| {
            let (name, rest) = line.split_once('=')?;
            let value = rest.split_once(';')?.0.trim();
            let value = u64::from_str_radix(value.strip_prefix("0x")?, 16).ok()?;
            Some((name.trim(), value))
        })
        .collect()
}

/// The regions of the memory map: each is `__NAME_start` and `__NAME_end`.
fn regions<'a>(constants: &BTreeMap<&'a str, u64>) -> Result<Vec<(&'a str, u64, u64)>> {
    let mut regions = Vec::new();
    for (name, start) in constants {
        if let Some(region) = name.strip_suffix("_start") {
            let end = *constants
                .get(format!("{region}_end").as_str())
                .with_context(|| format!("{name} has no {region}_end"))?;
            ensure!(*start < end, "{region} is empty or upside down");
            regions.push((region, *start, end));
        }
    }
    regions.sort_by_key(|region| region.1);
    for pair in regions.windows(2) {
        if let [first, second] = pair {
            ensure!(first.2 <= second.1, "{} overlaps {}", first.0, second.0);
        }
    }
    Ok(regions)
}

/// Compares the memory map with both programs.
pub fn map(script: &str, bootloader: &str, firmware: &str) -> Result<()> {
    let text = fs::read_to_string(script).with_context(|| format!("cannot read {script}"))?;
    let constants = constants(&text);
    let regions = regions(&constants)?;
    ensure!(regions.len() >= 5, "{script} names only {} regions", regions.len());
    for (path, homes) in [
        (bootloader, &["__bootloader"][..]),
        (firmware, &["__firmware_image", "__firmware_data"][..]),
    ] {
        let program = open(path)?;
        for (name, value) in &constants {
            let linked = program.symbols.get(*name);
            ensure!(
                linked.is_none_or(|linked| linked == value),
                "{path}: {name} is {linked:#x?}, the map says {value:#x}"
            );
        }
        ensure!(
            constants.keys().any(|name| program.symbols.contains_key(*name)),
            "{path} uses no symbol of {script}: was it linked with it?"
        );
        for (start, end) in program.claimed.iter().filter(|range| range.0 < range.1) {
            let inside = regions
                .iter()
                .any(|(name, low, high)| homes.contains(name) && low <= start && end <= high);
            ensure!(inside, "{path}: {start:#x}..{end:#x} lies outside {}", homes.join(", "));
        }
    }
    println!("memory map: {} regions, both programs inside theirs", regions.len());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_constants_and_finds_overlaps() {
        let good = constants(
            "__a_start = 0x1000; /* why */\n__a_end = 0x2000;\n__b_start = 0x2000;\n__b_end = 0x3000;\n",
        );
        assert_eq!(regions(&good).unwrap(), [("__a", 0x1000, 0x2000), ("__b", 0x2000, 0x3000)]);
        let overlapping = constants(
            "__a_start = 0x1000;\n__a_end = 0x2001;\n__b_start = 0x2000;\n__b_end = 0x3000;\n",
        );
        assert!(regions(&overlapping).is_err());
        assert!(regions(&constants("__a_start = 0x1000;\n")).is_err());
    }

    #[test]
    fn finds_panics_in_either_mangling() {
        let program = Program {
            loaded: Vec::new(),
            claimed: Vec::new(),
            symbols: [
                "_ZN4core9panicking5panic17h0E",
                "_RNvNtCs_4core9panicking9panic_fmt",
                "main",
            ]
            .map(|name| (name.to_owned(), 0))
            .into(),
        };
        assert_eq!(panic_symbols(&program).len(), 2);
    }
}
