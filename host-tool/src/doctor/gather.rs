//! Finds the facts out: everything that opens, reads or starts something. It judges nothing.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread::ScopedJoinHandle;

use super::{
    Compiler, EmulatorFacts, Heard, HistoryFacts, HistorySummary, PersonaFacts, PersonaSummary,
    PortFacts, PortsFacts, Probe, ToolchainFacts,
};
use crate::bench::facts::FileFacts;
use crate::board::{Artefacts, QEMU};
use crate::board_kind::BoardKind;
use crate::client::random;
use crate::errors::{Result, WispError};
use crate::history;
use crate::image;
use crate::port::{self, Exchange, PortAddress, PortState, Speed, USUAL_BAUD};
use crate::text::hexadecimal;

/// How long it may take to leave a line at the speed that everybody begins with.
const LEAVING_MICROS: u64 = 200_000;

/// Looks at this port, or at all serial ports at once.
pub fn ports(named: Option<&PortAddress>, speed: Speed) -> PortsFacts {
    let candidates: Vec<_> = match named {
        Some(address) => vec![(address.clone(), String::new(), false)],
        None => port::list()
            .into_iter()
            .map(|entry| {
                let path = entry.path.to_string_lossy().into_owned();
                (PortAddress::Serial(path), entry.description, entry.is_built_in)
            })
            .collect(),
    };
    let ports = std::thread::scope(|scope| {
        let looks: Vec<_> = candidates
            .into_iter()
            .map(|(address, description, is_built_in)| {
                let name = address.to_string();
                let look = scope.spawn(move || look(&address, speed));
                (name, description, is_built_in, look)
            })
            .collect();
        let join = |(name, description, is_built_in, look): (_, _, _, ScopedJoinHandle<'_, _>)| {
            let (heard, at_usual) = look.join().unwrap_or((Err(WispError::DriverGone), None));
            PortFacts { name, description, is_built_in, baud: speed.first(), heard, at_usual }
        };
        looks.into_iter().map(join).collect()
    });
    PortsFacts { ports, modem_manager: process_called("ModemManager") }
}

/// What is heard on a port, and at the usual speed if no board answers at another.
fn look(address: &PortAddress, speed: Speed) -> (Result<Heard>, Option<(u32, Heard)>) {
    let heard = listen(address, speed);
    let is_serial = matches!(address, PortAddress::Serial(_));
    let is_strange = heard.as_ref().is_ok_and(|heard| !heard.is_board());
    let again = (is_serial && is_strange && speed.first() != USUAL_BAUD)
        .then(|| listen(address, USUAL_BAUD.into()).ok())
        .flatten();
    (heard, again.map(|heard| (USUAL_BAUD, heard)))
}

fn listen(address: &PortAddress, speed: Speed) -> Result<Heard> {
    if let PortAddress::Serial(path) = address {
        // A program that has the port open without a lock would take bytes away from this one.
        let path_there = Path::new(path);
        let is_usable = port::diagnose(path_there) == PortState::Usable;
        let holder = if is_usable { port::holder_of(path_there) } else { String::new() };
        if !holder.is_empty() {
            return Err(WispError::PortBusy { path: path.clone(), holder });
        }
    }
    let mut exchange = Exchange::new(port::open(address, speed.first())?, address.to_string());
    let mut probe = Probe::new(exchange.now(), random()?, random()?, speed.rates());
    while !probe.is_done(exchange.now()) {
        exchange.round(&mut probe)?;
    }
    probe.leave();
    let end = exchange.now().plus_micros(LEAVING_MICROS);
    while !probe.has_left() && exchange.now() < end {
        exchange.round(&mut probe)?;
    }
    Ok(probe.heard())
}

/// Number of a process that runs this program.
fn process_called(name: &str) -> Option<u32> {
    fs::read_dir("/proc").ok()?.flatten().find_map(|process| {
        let id = process.file_name().to_str()?.parse().ok()?;
        let program = fs::read_to_string(process.path().join("comm")).ok()?;
        (program.trim() == name).then_some(id)
    })
}

/// Looks at QEMU.
pub fn emulator() -> EmulatorFacts {
    let version = Command::new(QEMU).arg("--version").output();
    let version = version.map_err(|cause| cause.to_string()).and_then(|output| {
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let first = text.lines().next().filter(|_| output.status.success());
        first.map(str::to_string).ok_or(format!("it ended with {}", output.status))
    });
    EmulatorFacts {
        program: QEMU.to_string(),
        version,
        machines: output(QEMU, &["-M", "help"]).unwrap_or_default(),
        machines_of_64_bits: output(BoardKind::Zero2W.emulator(), &["-M", "help"])
            .unwrap_or_default(),
        is_needed: source_tree().is_some(),
    }
}

/// The project's folder, if this is in it.
fn source_tree() -> Option<PathBuf> {
    let current = std::env::current_dir().ok()?;
    let root = current.ancestors().find(|folder| folder.join("scripts/fw-cargo").is_file())?;
    Some(root.to_path_buf())
}

/// Looks at what builds the board's programs, in the source tree.
pub fn toolchain() -> ToolchainFacts {
    let Some(folder) = source_tree() else { return ToolchainFacts::default() };
    let artefacts = Artefacts::in_folder(&folder);
    let rustup = output("rustup", &["--version"]);
    ToolchainFacts {
        is_in_tree: true,
        needed: env!("CARGO_PKG_RUST_VERSION").to_string(),
        rustup: rustup.map(|text| text.split(" (").next().unwrap_or_default().to_string()),
        compilers: ["rustc", "/usr/bin/rustc"].into_iter().filter_map(compiler).collect(),
        has_lld: ["ld.lld", "ld.lld-19", "ld.lld-16", "ld.lld-14"].into_iter().any(is_program),
        has_cc: is_program("cc"),
        missing: [artefacts.bootloader(), artefacts.firmware()]
            .into_iter()
            .filter_map(Result::err)
            .collect(),
    }
}

fn compiler(program: &str) -> Option<Compiler> {
    let about = output(program, &["-vV"])?;
    let field = |name: &str| about.lines().find_map(|line| line.strip_prefix(name));
    let libraries =
        PathBuf::from(output(program, &["--print", "sysroot"])?.trim()).join("lib/rustlib");
    let host = field("host: ").unwrap_or_default();
    Some(Compiler {
        release: field("release: ")?.to_string(),
        has_sources: libraries.join("src/rust/library/core/src/lib.rs").is_file(),
        has_linker: libraries.join(host).join("bin/rust-lld").is_file(),
    })
}

/// What a program prints; `None` when it is not there or fails.
fn output(program: &str, arguments: &[&str]) -> Option<String> {
    // A doctor does not install what it came to look at.
    let output =
        Command::new(program).args(arguments).env("RUSTUP_AUTO_INSTALL", "0").output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_string())
}

fn is_program(name: &str) -> bool {
    let folders = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&folders).any(|folder| folder.join(name).is_file())
}

/// Looks at this persona's file, or at the one that the project ships.
pub fn persona(named: Option<&Path>) -> PersonaFacts {
    let path = named.map(Path::to_path_buf).map_or_else(|| Artefacts::discover().persona(), Ok);
    PersonaFacts { persona: path.and_then(read_persona), is_named: named.is_some() }
}

fn read_persona(path: PathBuf) -> Result<PersonaSummary> {
    let image = image::persona(&path)?;
    Ok(PersonaSummary {
        weights: FileFacts::of(&image).map(|facts| facts.format).unwrap_or_default(),
        digest: hexadecimal(&image.info.digest),
        bytes: image.bytes.len(),
        version: model_format::FORMAT_VERSION,
        name: image.name,
        path,
    })
}

/// Looks at this history, or at the user's own.
pub fn history(named: Option<&Path>) -> HistoryFacts {
    let path = named.map(Path::to_path_buf).map_or_else(history::place::usual, Ok);
    let is_busy = path.as_ref().is_ok_and(|path| history::is_busy(path));
    let summary = path.and_then(|path| {
        let chats = history::check_whole(&path)?;
        Ok(HistorySummary {
            bytes: fs::metadata(&path).map_or(0, |metadata| metadata.len()),
            chats: chats.len(),
            messages: chats.iter().map(|chat| chat.messages).sum(),
            path,
        })
    });
    HistoryFacts { history: summary, is_named: named.is_some(), is_busy }
}
