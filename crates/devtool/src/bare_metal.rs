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
pub fn panics(name: &str, path: &str) -> Result<()> {
    let program = open(path)?;
    let symbols = panic_symbols(&program);
    if !symbols.is_empty() {
        bail!("{path} can panic:\n  {}", symbols.join("\n  "));
    }
    println!("wisp: {name}_panic_symbols 0 symbols");
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

/// One line of the memory map.
#[derive(Debug, PartialEq, Eq)]
struct Region {
    name: String,
    start: u64,
    end: u64,
}

/// Reads the `NAME : ORIGIN = 0x…, LENGTH = …K` lines of the linker script, sorted by address.
fn regions(script: &str) -> Result<Vec<Region>> {
    let mut regions = Vec::new();
    for line in script.lines() {
        let Some((name, rest)) = line.split_once(": ORIGIN =") else { continue };
        let (origin, length) =
            rest.split_once(", LENGTH =").with_context(|| format!("no length: {line}"))?;
        let start = number(origin).with_context(|| format!("no address: {line}"))?;
        let length = number(length).with_context(|| format!("no length: {line}"))?;
        ensure!(length > 0, "empty region: {line}");
        regions.push(Region { name: name.trim().to_owned(), start, end: start + length });
    }
    regions.sort_by_key(|region| region.start);
    for pair in regions.windows(2) {
        if let [first, second] = pair {
            ensure!(first.end <= second.start, "{} overlaps {}", first.name, second.name);
        }
    }
    Ok(regions)
}

/// A number as linker scripts write it: hexadecimal, or decimal with K or M behind it.
fn number(text: &str) -> Option<u64> {
    let text = text.trim();
    if let Some(digits) = text.strip_prefix("0x") {
        u64::from_str_radix(digits, 16).ok()
    } else if let Some(digits) = text.strip_suffix('K') {
        Some(digits.parse::<u64>().ok()? << 10)
    } else if let Some(digits) = text.strip_suffix('M') {
        Some(digits.parse::<u64>().ok()? << 20)
    } else {
        text.parse().ok()
    }
}

/// Compares the memory map with both programs: same numbers, nothing outside its own regions.
pub fn map(script: &str, bootloader: &str, firmware: &str) -> Result<()> {
    let text = fs::read_to_string(script).with_context(|| format!("cannot read {script}"))?;
    let regions = regions(&text)?;
    ensure!(regions.len() >= 5, "{script} names only {} regions", regions.len());
    for (path, owner) in [(bootloader, "BOOTLOADER"), (firmware, "FIRMWARE")] {
        let program = open(path)?;
        let mut compared = 0;
        for region in &regions {
            let name = region.name.to_lowercase();
            for (symbol, value) in
                [(format!("__{name}_start"), region.start), (format!("__{name}_end"), region.end)]
            {
                if let Some(linked) = program.symbols.get(&symbol) {
                    ensure!(
                        *linked == value,
                        "{path}: {symbol} is {linked:#x}, the map says {value:#x}"
                    );
                    compared += 1;
                }
            }
        }
        ensure!(compared > 0, "{path} uses no symbol of {script}: was it linked with it?");
        for (start, end) in program.claimed.iter().filter(|range| range.0 < range.1) {
            let inside = regions.iter().any(|region| {
                region.name.starts_with(owner) && region.start <= *start && *end <= region.end
            });
            ensure!(inside, "{path}: {start:#x}..{end:#x} lies outside the {owner} regions");
        }
        println!("{path}: {compared} symbols as in the map, all segments inside {owner} regions");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_regions_and_finds_overlaps() {
        let map = "  B : ORIGIN = 0x00100000, LENGTH = 1M\n  A : ORIGIN = 0x8000, LENGTH = 992K\n";
        let names: Vec<_> =
            regions(map).unwrap().into_iter().map(|r| (r.name, r.start, r.end)).collect();
        assert_eq!(
            names,
            [("A".to_owned(), 0x8000, 0x10_0000), ("B".to_owned(), 0x10_0000, 0x20_0000)]
        );
        assert!(regions(&map.replace("992K", "993K")).is_err());
        assert!(regions(&map.replace("992K", "0")).is_err());
        assert!(regions(&map.replace("992K", "much")).is_err());
    }

    #[test]
    fn finds_panics_in_either_mangling() {
        let names = ["_ZN4core9panicking5panic17h0E", "_RNvNtCs_4core9panicking9panic_fmt", "main"];
        let program = Program {
            loaded: Vec::new(),
            claimed: Vec::new(),
            symbols: names.map(|name| (name.to_owned(), 0)).into(),
        };
        assert_eq!(panic_symbols(&program).len(), 2);
    }
}
