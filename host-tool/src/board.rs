//! The emulated board: QEMU with the real bootloader, on a Unix socket.

mod artefacts;

use std::fs::File;
use std::os::unix::fs::FileTypeExt;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::errors::{Result, WispError};
use crate::image;
use crate::port::{FixedConnector, PortAddress, Speed};
pub use artefacts::Artefacts;

/// The emulator of a Raspberry Pi Zero; Debian 12 has version 7.2.
pub const QEMU: &str = "qemu-system-arm";

/// How QEMU may take to open its socket, on a machine that is busy.
const SOCKET_PATIENCE: Duration = Duration::from_secs(30);

/// What to start.
#[derive(Clone, Debug)]
pub struct BoardOptions {
    /// The bootloader: an ELF file or a raw `kernel.img`. It says which kind of board is emulated.
    pub kernel: PathBuf,
    /// The emulator's program; `None` for the usual one.
    pub qemu: Option<PathBuf>,
    /// Further arguments for it, such as `-icount shift=0` or `-device loader,...`.
    pub extra: Vec<String>,
    /// Where its serial line appears; `None` for a place that vanishes with the board.
    pub socket: Option<PathBuf>,
}

impl BoardOptions {
    /// A board that starts this bootloader.
    pub fn new(kernel: PathBuf) -> Self {
        Self { kernel, qemu: None, extra: Vec::new(), socket: None }
    }
}

/// A running emulated board; it ends with this value.
#[derive(Debug)]
pub struct Board {
    process: Child,
    socket: PathBuf,
    output: PathBuf,
    _folder: TempDir,
}

impl Board {
    /// Starts the board and waits until its serial line is there.
    ///
    /// # Errors
    /// QEMU or the bootloader is missing, or QEMU ended at once.
    pub fn start(options: &BoardOptions) -> Result<Self> {
        let kind = image::board_of(&options.kernel)?;
        if let Some(socket) = &options.socket
            && UnixStream::connect(socket).is_ok()
        {
            // QEMU would take its place, and nobody could reach the other one any more.
            let path = format!("unix:{}", socket.display());
            return Err(WispError::PortBusy { path, holder: " by another emulated board".into() });
        }
        // QEMU would put its socket in the place of a file, and this program takes it away at the end.
        if let Some(path) = &options.socket
            && std::fs::metadata(path).is_ok_and(|it| !it.file_type().is_socket())
        {
            return Err(WispError::FileExists { path: path.clone() });
        }
        let qemu = options.qemu.clone().unwrap_or_else(|| PathBuf::from(kind.emulator()));
        let program = qemu.display().to_string();
        let failed = |cause: std::io::Error| WispError::QemuMissing {
            program: program.clone(),
            cause: cause.to_string(),
        };
        let folder = tempfile::Builder::new().prefix("wisp-board-").tempdir().map_err(failed)?;
        let socket = options.socket.clone().unwrap_or_else(|| folder.path().join("serial"));
        let output = folder.path().join("output");
        // One file for both: what QEMU says is read only when it fails.
        let log = File::create(&output).map_err(failed)?;
        let log_again = log.try_clone().map_err(failed)?;
        let process = Command::new(&qemu)
            .args(["-M", kind.machine(), "-display", "none", "-monitor", "none", "-kernel"])
            .arg(&options.kernel)
            .arg("-serial")
            .arg(format!("unix:{},server=on,wait=off", socket.display()))
            .args(&options.extra)
            .stdin(Stdio::null())
            .stdout(log)
            .stderr(log_again)
            // Ctrl-C in the terminal is for this program, which then ends the board in order.
            .process_group(0)
            .spawn()
            .map_err(failed)?;
        let mut board = Self { process, socket, output, _folder: folder };
        let began = Instant::now();
        while !board.socket.exists() {
            board.check()?;
            if began.elapsed() > SOCKET_PATIENCE {
                return Err(board.stopped("it opened no serial line".to_string()));
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        Ok(board)
    }

    /// Where its serial line is.
    pub fn address(&self) -> PortAddress {
        PortAddress::Unix(self.socket.clone())
    }

    /// Opens its serial line.
    pub fn connector(&self) -> FixedConnector {
        FixedConnector::new(self.address(), Speed::Auto)
    }

    /// Process number of the emulator.
    pub fn process_id(&self) -> u32 {
        self.process.id()
    }

    /// Whether it still runs.
    ///
    /// # Errors
    /// It has ended, with what it said.
    pub fn check(&mut self) -> Result<()> {
        match self.process.try_wait() {
            Ok(None) => Ok(()),
            Ok(Some(status)) => Err(self.stopped(status.to_string())),
            Err(cause) => Err(self.stopped(cause.to_string())),
        }
    }

    fn stopped(&self, status: String) -> WispError {
        let output = std::fs::read(&self.output).unwrap_or_default();
        let output = crate::sanitise::text(String::from_utf8_lossy(&output).trim());
        WispError::QemuStopped { status, output }
    }
}

impl Drop for Board {
    fn drop(&mut self) {
        // Both fail only when it has ended already.
        let _ = self.process.kill();
        let _ = self.process.wait();
        let _ = std::fs::remove_file(&self.socket);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A raw image that does nothing.
    fn program() -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), [0, 0, 0xa0, 0xe1]).unwrap();
        file
    }

    #[test]
    fn what_is_no_program_and_a_place_that_is_taken_are_refused() {
        let text = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(text.path(), "# A text").unwrap();
        let error = Board::start(&BoardOptions::new(text.path().to_path_buf())).unwrap_err();
        assert_eq!(error.code_text(), "wisp::file::firmware");

        let (kernel, folder) = (program(), tempfile::tempdir().unwrap());
        let socket = folder.path().join("serial");
        let other = std::os::unix::net::UnixListener::bind(&socket).unwrap();
        let options = BoardOptions {
            socket: Some(socket.clone()),
            ..BoardOptions::new(kernel.path().to_path_buf())
        };
        let error = Board::start(&options).unwrap_err();
        assert_eq!(error.code_text(), "wisp::port::busy");
        assert!(socket.exists(), "it is the other's");
        drop(other);
    }

    #[test]
    fn a_missing_emulator_says_how_to_get_it() {
        let kernel = program();
        let mut options = BoardOptions::new(kernel.path().to_path_buf());
        options.qemu = Some(PathBuf::from("qemu-that-is-not-there"));
        let error = Board::start(&options).unwrap_err();
        assert_eq!(error.code_text(), "wisp::qemu::missing");
        assert!(error.help_text().contains("apt install qemu-system-arm"));
    }

    #[test]
    fn an_emulator_that_ends_at_once_is_quoted() {
        let kernel = program();
        let mut options = BoardOptions::new(kernel.path().to_path_buf());
        options.qemu = Some(PathBuf::from("/bin/ls"));
        let error = Board::start(&options).unwrap_err();
        assert_eq!(error.code_text(), "wisp::qemu::stopped");
        assert!(error.to_string().contains("ls: "), "{error}");
    }
}
