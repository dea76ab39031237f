//! What only the doctor can say: message, stable code, next step. All else is in [`crate::errors`].

use miette::Diagnostic;
use thiserror::Error;

/// Something that the doctor found and no other verb would have named.
#[derive(Clone, Debug, PartialEq, Eq, Error, Diagnostic)]
#[non_exhaustive]
#[allow(missing_docs)] // The fields are named in each message.
pub enum Problem {
    #[error("ModemManager runs (process {process}): it writes into ports that are plugged in")]
    #[diagnostic(
        code(wisp::port::modem_manager),
        help(
            "If a board does not answer just after it was plugged in: `sudo systemctl stop ModemManager`, for good `sudo systemctl disable --now ModemManager`."
        )
    )]
    ModemManager { process: u32 },

    #[error("nothing is connected to {port}, a serial port of the computer itself")]
    #[diagnostic(
        code(wisp::port::unconnected),
        help("If a board is wired to it all the same, look at it with `--port {port}`.")
    )]
    Unconnected { port: String },

    #[error("there is no USB serial adapter, and no board anywhere else")]
    #[diagnostic(
        code(wisp::port::no_adapter),
        help("Plug the adapter in. No board at hand? `wisp demo` needs none.")
    )]
    NoAdapter,

    #[error("what comes from {port} at {baud} baud is no frame of Wisp's ({bytes} bytes in 2 s)")]
    #[diagnostic(
        code(wisp::port::garbage),
        help(
            "The bootloader speaks at 115200 baud: leave `--baud` out. Is the adapter's GND connected to the board's, and is it one for 3.3 V? Otherwise something else is plugged in there: name the board's port with `--port`."
        )
    )]
    Garbage { port: String, baud: u32, bytes: u64 },

    #[error("{port} sends text of some other program ({bytes} bytes in 2 s)")]
    #[diagnostic(
        code(wisp::port::other_device),
        help(
            "If that is the board, its SD card starts something else: `make sdcard` (for a Zero 2 W `make sdcard BOARD=zero2w`) makes the one that belongs there. If it is another device, name the board's port with `--port`."
        )
    )]
    OtherDevice { port: String, bytes: u64 },

    #[error("{port} hears only itself")]
    #[diagnostic(
        code(wisp::port::echo),
        help(
            "The adapter's TX and RX are connected to each other: TX goes to the board's pin 10 (RXD), RX to its pin 8 (TXD)."
        )
    )]
    Echo { port: String },

    #[error("the {program} on {port} is heard, but does not hear this computer")]
    #[diagnostic(
        code(wisp::port::unhearing),
        help("Look at the wire from the adapter's TX to the board's pin 10 (RXD), and at GND.")
    )]
    Unhearing { port: String, program: &'static str },

    #[error("the board on {port} does not answer at {tried} baud, but at {usual}")]
    #[diagnostic(code(wisp::port::baud), help("Leave `--baud` out."))]
    Baud { port: String, tried: u32, usual: u32 },

    #[error("another `wisp` is at the far end of {port}, not a board")]
    #[diagnostic(
        code(wisp::port::no_board),
        help("Name the port that the board is at with `--port`.")
    )]
    NoBoard { port: String },

    #[error("the {program} on {port} is of version {theirs}, this program of version {ours}")]
    #[diagnostic(
        code(wisp::board::version),
        help(
            "They understand each other. To bring the firmware up to date: `wisp load --firmware FILE`; the bootloader: `make sdcard` (`BOARD=zero2w` for a Zero 2 W), for the SD card."
        )
    )]
    OtherVersion { port: String, program: &'static str, theirs: String, ours: String },

    #[error("{version} has no board `raspi0`")]
    #[diagnostic(
        code(wisp::qemu::no_raspi0),
        help(
            "QEMU has it since version 6.0: `sudo apt install qemu-system-arm` of a newer system."
        )
    )]
    NoRaspi0 { version: String },

    #[error("there is no QEMU with the board `raspi3b`, which stands for a Zero 2 W")]
    #[diagnostic(
        code(wisp::qemu::no_raspi3b),
        help(
            "The tests and `--board zero2w` need it: run `make setup`, or install what has `qemu-system-aarch64`."
        )
    )]
    NoRaspi3b,

    #[error("there is no Rust")]
    #[diagnostic(
        code(wisp::toolchain::missing),
        help("Install it from https://rustup.rs, then run `make setup`.")
    )]
    RustMissing,

    #[error("Rust {found} is older than {needed}")]
    #[diagnostic(code(wisp::toolchain::old), help("`rustup update stable`"))]
    RustOld { found: String, needed: String },

    #[error("the sources of Rust's core library are missing: the Pi Zero's is built from them")]
    #[diagnostic(
        code(wisp::toolchain::core_sources),
        help("`make setup`, or `rustup component add rust-src`")
    )]
    CoreSources,

    #[error("there is no linker for the board's programs (lld)")]
    #[diagnostic(code(wisp::toolchain::linker), help("`make setup`, or `sudo apt install lld`"))]
    Linker,

    #[error("there is no C compiler to link programs with")]
    #[diagnostic(
        code(wisp::toolchain::cc),
        help("`make setup`, or `sudo apt install gcc libc6-dev`")
    )]
    HostLinker,
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_problem_has_a_code_that_no_error_has_and_a_next_step() {
        let text = String::new;
        let samples = [
            Problem::ModemManager { process: 1 },
            Problem::Unconnected { port: text() },
            Problem::NoAdapter,
            Problem::Garbage { port: text(), baud: 1, bytes: 1 },
            Problem::OtherDevice { port: text(), bytes: 1 },
            Problem::Echo { port: text() },
            Problem::Unhearing { port: text(), program: "" },
            Problem::Baud { port: text(), tried: 1, usual: 2 },
            Problem::NoBoard { port: text() },
            Problem::OtherVersion { port: text(), program: "", theirs: text(), ours: text() },
            Problem::NoRaspi0 { version: text() },
            Problem::NoRaspi3b,
            Problem::RustMissing,
            Problem::RustOld { found: text(), needed: text() },
            Problem::CoreSources,
            Problem::Linker,
            Problem::HostLinker,
        ];
        let (catalogue, _) = include_str!("problem.rs").split_once("#[cfg(test)]").unwrap();
        assert_eq!(catalogue.matches("#[error(").count(), samples.len(), "one has no sample");
        let elsewhere = [
            include_str!("../errors.rs"),
            include_str!("../history/error.rs"),
            include_str!("../bench/error.rs"),
            include_str!("../board_texts.rs"),
        ]
        .concat();
        let mut codes = HashSet::new();
        for problem in &samples {
            let code = problem.code().unwrap().to_string();
            assert!(code.starts_with("wisp::"), "{code}");
            assert!(codes.insert(code.clone()), "{code} is used twice");
            assert!(!elsewhere.contains(&format!("({code})")), "{code} is an error's");
            assert!(problem.help().unwrap().to_string().len() > 10, "{code} says no next step");
        }
    }
}
