//! The catalogue of everything that can go wrong: message, stable code, next step.
//!
//! Codes are stable: scripts and documentation may refer to them. What the board refuses and how
//! it crashes have their texts in [`crate::board_texts`]; history, SD cards and benchmark have
//! lists of their own.

#[cfg(test)]
mod tests;
mod told;

use std::path::PathBuf;

use miette::Diagnostic;
use thiserror::Error;

pub use told::{BoardRefused, Reported};

use crate::bench::BenchError;
use crate::board_kind::BoardKind;
use crate::history::HistoryError;
use crate::sdcard::SdCardError;

/// Result of everything in this crate that can fail.
pub type Result<T> = std::result::Result<T, WispError>;

/// Everything that can go wrong in the host tool.
#[derive(Debug, Error, Diagnostic)]
#[non_exhaustive]
#[allow(missing_docs)] // The fields are named in each message.
pub enum WispError {
    // Ports.
    #[error("there is no port {path}")]
    #[diagnostic(
        code(wisp::port::not_found),
        help(
            "Plug the USB serial adapter in and run `wisp ports` to see what is there. No board at hand? `wisp qemu` emulates one."
        )
    )]
    PortNotFound { path: String },

    #[error("you may not open {path}: it belongs to the group `{group}`")]
    #[diagnostic(code(wisp::port::permission), help("{}", permission_help(group)))]
    PortPermission { path: String, group: String },

    #[error("{path} is in use{holder}")]
    #[diagnostic(
        code(wisp::port::busy),
        help(
            "Only one program can talk to the board. Close the other one (another `wisp`, a serial terminal; ModemManager: `sudo systemctl stop ModemManager`) and try again."
        )
    )]
    PortBusy { path: String, holder: String },

    #[error("{path} is not a serial port")]
    #[diagnostic(
        code(wisp::port::not_serial),
        help(
            "Name a serial device such as /dev/ttyUSB0, or `unix:PATH`, or `tcp:HOST:PORT`; `wisp ports` lists the devices."
        )
    )]
    PortNotSerial { path: String },

    #[error("cannot open {path}: {cause}")]
    #[diagnostic(
        code(wisp::port::open),
        help("Unplug the adapter, plug it in again and run `wisp ports`.")
    )]
    PortOpen { path: String, cause: String },

    #[error("there is no usable serial port")]
    #[diagnostic(
        code(wisp::port::none),
        help(
            "Plug the USB serial adapter in. `wisp ports` says of each port why it cannot be used. No board at hand? `wisp demo` needs none."
        )
    )]
    NoPort,

    #[error("`{text}` does not name a port: {cause}")]
    #[diagnostic(
        code(wisp::port::address),
        help(
            "Write a device (/dev/ttyUSB0), `unix:PATH` or `tcp:HOST:PORT` (tcp:127.0.0.1:4321)."
        )
    )]
    PortAddress { text: String, cause: &'static str },

    #[error("nobody answered on {port} within {seconds} s")]
    #[diagnostic(
        code(wisp::board::silent),
        help(
            "Is the board powered, and are its TX and RX crossed with the adapter's? Its SD card must hold the Wisp bootloader. The order of plugging in does not matter."
        )
    )]
    Silent { port: String, seconds: u64 },

    #[error("the board speaks another version of the protocol than this program ({ours})")]
    #[diagnostic(
        code(wisp::board::protocol_version),
        help("Use the `wisp` and the bootloader of the same release: write the SD card anew.")
    )]
    ProtocolVersion { ours: u8 },

    // The emulated board.
    #[error("cannot start `{program}`: {cause}")]
    #[diagnostic(
        code(wisp::qemu::missing),
        help("Install QEMU: `sudo apt install qemu-system-arm`, or run `make setup`.")
    )]
    QemuMissing { program: String, cause: String },

    #[error("the emulated board stopped ({status}): {output}")]
    #[diagnostic(
        code(wisp::qemu::stopped),
        help(
            "QEMU says why above. Was the bootloader built? `make bootloader`, for a Zero 2 W `make zero2w`."
        )
    )]
    QemuStopped { status: String, output: String },

    #[error("ended before the emulated board was ready")]
    #[diagnostic(
        code(wisp::qemu::cancelled),
        help(
            "Nothing is kept of it: the same command begins anew. An upload to `wisp qemu --bare` can be interrupted and goes on."
        )
    )]
    QemuCancelled,

    // Files.
    #[error("there is no {what}: looked for {looked_for}")]
    #[diagnostic(
        code(wisp::file::missing),
        help("Build it with `make {make}`, or say where it is with `{option}`.")
    )]
    ArtefactMissing {
        what: &'static str,
        looked_for: String,
        make: &'static str,
        option: &'static str,
    },

    #[error("cannot read {path}: {cause}", path = path.display())]
    #[diagnostic(code(wisp::file::read), help("Check the path and its permissions."))]
    FileRead { path: PathBuf, cause: std::io::Error },

    #[error("cannot write {path}: {cause}", path = path.display())]
    #[diagnostic(code(wisp::file::write), help("Check the folder, its permissions and its space."))]
    FileWrite { path: PathBuf, cause: std::io::Error },

    #[error("no persona was named, and there is no {looked_for}")]
    #[diagnostic(
        code(wisp::file::persona_missing),
        help("Say with `--persona FILE` which one, or start in the project's folder.")
    )]
    PersonaMissing { looked_for: &'static str },

    #[error("{path} cannot be used on the board: {cause}", path = path.display())]
    #[diagnostic(
        code(wisp::file::firmware),
        help(
            "Give what `make bootloader firmware` built; for a Zero 2 W what `make zero2w` built, with `--board zero2w`."
        )
    )]
    BadFirmware { path: PathBuf, cause: String },

    #[error("{path} is no persona: {cause}", path = path.display())]
    #[diagnostic(
        code(wisp::file::persona),
        help(
            "Give a `.wisp` file. `wisp-model import` makes one; `wisp-model inspect` checks it."
        )
    )]
    BadPersona { path: PathBuf, cause: String },

    #[error("{path} holds no log table: {cause}", path = path.display())]
    #[diagnostic(
        code(wisp::file::log_table),
        help("Give the ELF file of exactly the firmware that runs, with `--firmware`.")
    )]
    LogTable { path: PathBuf, cause: String },

    // Loading.
    #[error("the upload was interrupted; {kept} of {total} bytes are on the board")]
    #[diagnostic(
        code(wisp::load::interrupted),
        help("Run the same command again: it goes on where it stopped.")
    )]
    Interrupted { kept: u64, total: u64 },

    #[error("ended before the board was ready")]
    #[diagnostic(
        code(wisp::load::cancelled),
        help("Nothing was changed on the board. `wisp ports` shows what can be used.")
    )]
    Cancelled,

    #[error("the board restarts, but does not test itself")]
    #[diagnostic(
        code(wisp::self_test::unheeded),
        help("Its bootloader is older than this: write the SD card anew with `wisp sdcard`.")
    )]
    NotTested,

    #[error("the board is a {board}, and the firmware is for a {firmware}")]
    #[diagnostic(
        code(wisp::load::wrong_board),
        help("Nothing was sent. Load what was built for it: `wisp load --board {}`.", board.option())
    )]
    WrongBoard { board: BoardKind, firmware: BoardKind },

    #[error("the firmware did not start within {seconds} s")]
    #[diagnostic(
        code(wisp::load::no_start),
        help(
            "Run `wisp monitor` to see what it says, then `wisp load` again. A Zero 2 W needs other programs: `wisp load --board zero2w`."
        )
    )]
    NoStart { seconds: u64 },

    #[error("{path} is there already", path = path.display())]
    #[diagnostic(
        code(wisp::file::exists),
        help("Nothing was changed. Name another file, or move that one away.")
    )]
    FileExists { path: PathBuf },

    #[error("the board has no {missing} in memory, and none was given")]
    #[diagnostic(
        code(wisp::load::nothing),
        help("`wisp load` brings both; or give `--firmware FILE` and `--persona FILE` here too.")
    )]
    NothingToLaunch { missing: &'static str },

    #[error(transparent)]
    #[diagnostic(transparent)]
    Refused(#[from] BoardRefused),

    #[error(transparent)]
    #[diagnostic(transparent)]
    Reported(#[from] Reported),

    // The history.
    #[error(transparent)]
    #[diagnostic(transparent)]
    History(#[from] HistoryError),

    // SD cards.
    #[error(transparent)]
    #[diagnostic(transparent)]
    SdCard(#[from] SdCardError),

    // The relay.
    #[error("cannot listen on 127.0.0.1:{port}: {cause}")]
    #[diagnostic(
        code(wisp::serve::listen),
        help("Choose another port with `--http-port`, or leave it out to get a free one.")
    )]
    Listen { port: u16, cause: std::io::Error },

    // The benchmark.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Bench(#[from] BenchError),

    // This program.
    #[error("cannot start {what}: {cause}")]
    #[diagnostic(code(wisp::host::start), help("Close some programs and try again."))]
    Start { what: &'static str, cause: std::io::Error },

    #[error("the operating system gave no random numbers: {cause}")]
    #[diagnostic(code(wisp::host::random), help("Check that /dev/urandom is there."))]
    Random { cause: String },

    #[error("the part of this program that talks to the board has ended")]
    #[diagnostic(
        code(wisp::host::driver),
        help("Start the command again. Please report what you did before this appeared.")
    )]
    DriverGone,

    #[error("cannot use the terminal: {cause}")]
    #[diagnostic(code(wisp::host::terminal), help("Run the command in a terminal."))]
    Terminal { cause: std::io::Error },
}

/// How to be permitted to open a serial port that belongs to a group.
pub fn permission_help(group: &str) -> String {
    match group {
        // Nobody should join that one; the rule gives ports to whoever sits at the computer.
        "root" => "Run `echo 'SUBSYSTEM==\"tty\", SUBSYSTEMS==\"usb\", TAG+=\"uaccess\"' | sudo tee /etc/udev/rules.d/70-wisp.rules && sudo udevadm control --reload`, then plug the adapter in again.".to_string(),
        group => format!("Run `sudo usermod -aG {group} \"$USER\"`, log out and in again."),
    }
}

impl WispError {
    /// The stable code, for the page and for logs.
    pub fn code_text(&self) -> String {
        self.code().map(|code| code.to_string()).unwrap_or_default()
    }

    /// What to do next.
    pub fn help_text(&self) -> String {
        self.help().map(|help| help.to_string()).unwrap_or_default()
    }
}
