//! A board in QEMU and a client on it, as the tests of the chain want them.

#[allow(dead_code)] // Each test file uses its part.
#[path = "built.rs"]
mod built;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Child;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use link::message::{CHUNK_SIZE, Slot};
use tempfile::TempDir;
use wisp::board::{Board, BoardOptions};
use wisp::board_kind::BoardKind;
use wisp::client::{
    Activity, ChatMessage, Choices, Client, ClientOptions, Command, Keeping, Phase, TransferPhase,
    Update, View, Wanted,
};
use wisp::history::History;
use wisp::image::{self, Image};
use wisp::monitor::{LogLine, LogTable};
use wisp::port::{FixedConnector, PortAddress, Speed};

use crate::cable::{Fault, FaultyConnector};

/// Chunks that can be on their way at once: what the bulk lane's window holds, rounded up.
pub const CHUNKS_IN_FLIGHT: u32 = 3;

/// How long anything may take here: emulated, on a machine that does other things too.
const PATIENCE: Duration = Duration::from_secs(180);

/// What the build made.
pub struct Artefacts {
    pub bootloader: PathBuf,
    pub firmware: PathBuf,
    pub persona: PathBuf,
    images: [Image; 2],
}

/// Finds what the build made; `None`, with a word, when it was not built.
pub fn artefacts(format: &str) -> Option<Artefacts> {
    artefacts_for(BoardKind::Zero, format)
}

/// The same for either kind of board.
pub fn artefacts_for(board: BoardKind, format: &str) -> Option<Artefacts> {
    let persona = format!("target/personas/stories260K-{format}.wisp");
    let [bootloader, firmware, persona] = built::images_for(board, &persona)?;
    let images = [image::firmware(&firmware).unwrap(), image::persona(&persona).unwrap()];
    Some(Artefacts { bootloader, firmware, persona, images })
}

impl Artefacts {
    /// Bytes of firmware and persona.
    pub fn bytes(&self) -> usize {
        self.images.iter().map(|image| image.bytes.len()).sum()
    }

    /// Chunks of firmware and persona.
    pub fn chunks(&self) -> u32 {
        self.images.iter().map(chunks).sum()
    }

    /// Chunks of the firmware.
    pub fn firmware_chunks(&self) -> u32 {
        chunks(&self.images[0])
    }

    fn wanted(&self) -> Wanted {
        let [firmware, persona] = self.images.clone();
        Wanted { firmware: Some(firmware), persona: Some(persona), always_compare: true }
    }

    /// The bootloader as the Pi's boot stage wants it: the loaded bytes and nothing else.
    pub fn raw_bootloader(&self) -> PathBuf {
        let path = self.bootloader.with_file_name("kernel.img");
        std::fs::write(&path, image::kernel(&self.bootloader).unwrap()).unwrap();
        path
    }
}

fn chunks(image: &Image) -> u32 {
    u32::try_from(image.bytes.len().div_ceil(CHUNK_SIZE)).unwrap()
}

/// A running board.
pub struct Bench {
    address: PortAddress,
    connector: FixedConnector,
    _board: Running,
}

/// What ends the emulator when the test ends.
enum Running {
    /// Started as users start it.
    Tool(#[allow(dead_code)] Board),
    /// Started with other arguments than the tool has.
    Own(Child, #[allow(dead_code)] TempDir),
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Self::Own(process, _) = self {
            process.kill().unwrap();
            process.wait().unwrap();
        }
    }
}

impl Bench {
    /// Boots the bootloader's ELF file.
    pub fn start(artefacts: &Artefacts, more: &[&str]) -> Self {
        let mut options = BoardOptions::new(artefacts.bootloader.clone());
        options.extra = more.iter().map(|argument| (*argument).to_owned()).collect();
        let board = Board::start(&options).unwrap();
        let address = board.address();
        Self { address, connector: board.connector(), _board: Running::Tool(board) }
    }

    /// Boots this board with these arguments instead of the tool's `-kernel`.
    pub fn start_with(board: BoardKind, arguments: &[String]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("serial");
        let process = std::process::Command::new(board.emulator())
            .args(["-M", board.machine(), "-display", "none", "-monitor", "none", "-serial"])
            .arg(format!("unix:{},server=on,wait=off", socket.display()))
            .args(arguments)
            .spawn()
            .unwrap();
        let address = PortAddress::Unix(socket);
        Self {
            connector: FixedConnector::new(address.clone(), Speed::Auto),
            address,
            _board: Running::Own(process, folder),
        }
    }

    /// Where its serial line is.
    #[allow(dead_code)] // Only the tests of the card ask who is there without a client.
    pub fn address(&self) -> PortAddress {
        self.address.clone()
    }

    /// Connects a fresh client that wants these images on the board.
    pub fn connect(&self, fault: Fault, artefacts: &Artefacts) -> Watched {
        self.client(fault, artefacts.wanted(), Keeping::Memory)
    }

    /// Connects a fresh client that takes what is there.
    pub fn listen(&self, fault: Fault) -> Watched {
        self.client(fault, Wanted::default(), Keeping::Memory)
    }

    /// Connects a fresh client that takes what is there and keeps the conversation in a file.
    pub fn keep(&self, history: &Path) -> Watched {
        let history = History::open(history).unwrap();
        self.client(Fault::None, Wanted::default(), Keeping::History(Box::new(history)))
    }

    fn client(&self, fault: Fault, wanted: Wanted, keeping: Keeping) -> Watched {
        let (sent, injected) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let inner = self.connector.clone();
        let connector = FaultyConnector { inner, fault, sent, injected: injected.clone() };
        Watched {
            client: Client::start(
                Box::new(connector),
                ClientOptions { wanted, keeping, choices: Choices::default() },
            )
            .unwrap(),
            view: View::new("test"),
            chunks: BTreeMap::new(),
            phases: BTreeSet::new(),
            injected,
            log: Vec::new(),
        }
    }
}

/// A client and all it has shown.
pub struct Watched {
    client: Client,
    view: View,
    /// Chunks sent and skipped, by slot.
    chunks: BTreeMap<Slot, (u32, u32)>,
    phases: BTreeSet<u8>,
    injected: Arc<AtomicUsize>,
    /// The log, as it came.
    log: Vec<u8>,
}

impl Watched {
    pub fn view(&self) -> &View {
        &self.view
    }

    pub fn injected(&self) -> usize {
        self.injected.load(Ordering::Relaxed)
    }

    pub fn chunks_sent(&self) -> u32 {
        self.chunks.values().map(|(sent, _)| sent).sum()
    }

    pub fn chunks_skipped(&self) -> u32 {
        self.chunks.values().map(|(_, skipped)| skipped).sum()
    }

    pub fn phases(&self) -> Vec<TransferPhase> {
        let all = [TransferPhase::Comparing, TransferPhase::Sending, TransferPhase::Verifying];
        all.into_iter().filter(|phase| self.phases.contains(&(*phase as u8))).collect()
    }

    /// The log so far, decoded with the firmware's ELF file.
    pub fn log(&self, artefacts: &Artefacts) -> Vec<LogLine> {
        LogTable::read(&artefacts.firmware).unwrap().decoder().lines(&self.log)
    }

    pub fn send(&self, command: Command) {
        self.client.send(command).unwrap();
    }

    /// The next update, taken into account; `None` when none comes for a while.
    fn next(&mut self, patience: Duration) -> Option<Update> {
        let update = self.next_of_any_kind(patience)?;
        if let Update::Link { link } = &update {
            assert!(link.phase != Phase::Failed, "{}: {} {}", link.code, link.words, link.help);
        }
        Some(update)
    }

    fn next_of_any_kind(&mut self, patience: Duration) -> Option<Update> {
        let update = self.client.updates().unwrap().recv_timeout(patience).ok()?;
        if let Update::Transfer { transfer } = &update {
            self.chunks.insert(transfer.slot, (transfer.sent_chunks, transfer.skipped_chunks));
            self.phases.insert(transfer.phase as u8);
        }
        if let Update::Log { bytes } = &update {
            self.log.extend(bytes);
        }
        self.view.apply(&update);
        Some(update)
    }

    /// Waits for an update that `find` makes something of.
    pub fn wait_for<T>(&mut self, what: &str, find: impl Fn(&Update) -> Option<T>) -> T {
        let end = Instant::now() + PATIENCE;
        while Instant::now() < end {
            if let Some(found) = self.next(Duration::from_millis(100)).as_ref().and_then(&find) {
                return found;
            }
        }
        panic!("waited {PATIENCE:?} for {what}; the link: {:?}", self.view.link)
    }

    pub fn wait_until_online(&mut self) {
        self.wait_for("the persona", |update| match update {
            Update::Link { link } if link.phase == Phase::Online => Some(()),
            _ => None,
        });
    }

    /// Waits until nothing goes any more: the code, and the words.
    #[allow(dead_code)] // Only the board whose memory forgets comes to this.
    pub fn wait_until_failed(&mut self) -> (String, String) {
        let end = Instant::now() + PATIENCE;
        while Instant::now() < end {
            if let Some(Update::Link { link }) = self.next_of_any_kind(Duration::from_millis(100))
                && link.phase == Phase::Failed
            {
                return (link.code, format!("{} {}", link.words, link.help));
            }
        }
        panic!("waited {PATIENCE:?} for a failure; the link: {:?}", self.view.link)
    }

    /// Runs until the cable is cut: the tool then searches for its port.
    pub fn run_until_cut(&mut self) {
        self.wait_for("the cut", |update| match update {
            Update::Link { link } if link.phase == Phase::Searching => Some(()),
            _ => None,
        });
    }

    /// Waits for the end of a reply.
    pub fn wait_for_reply(&mut self) -> ChatMessage {
        self.wait_for("a reply", |update| match update {
            Update::Message { message, .. } if message.timing.is_some() => Some(message.clone()),
            _ => None,
        })
    }

    pub fn say_and_wait(&mut self, text: &str) -> ChatMessage {
        self.send(Command::Say(text.to_owned()));
        self.wait_for_reply()
    }

    /// Waits until every message was read and nothing has happened for a while.
    pub fn wait_until_idle(&mut self) {
        let end = Instant::now() + PATIENCE;
        let mut quiet_since = Instant::now();
        while Instant::now() < end {
            match self.next(Duration::from_millis(100)) {
                Some(Update::Cable { .. } | Update::Log { .. } | Update::Stats { .. }) | None => {}
                Some(_) => quiet_since = Instant::now(),
            }
            let is_busy = matches!(self.view.activity, Activity::Thinking | Activity::Writing);
            if !is_busy && quiet_since.elapsed() > Duration::from_secs(3) {
                return;
            }
        }
        panic!("never idle: {:?}", self.view.activity)
    }
}
