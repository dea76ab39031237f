//! What was measured: the board, the persona and the options, in `run.json`.

use link::message::{BoardFacts, Identity};
use model_format::{AlignedBytes, Model};
use serde::{Deserialize, Serialize};

use crate::board_kind::model_name;
use crate::image::Image;

/// The persona on the board.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PersonaFacts {
    /// SHA-256 of its file, as the board says.
    pub digest: String,
    /// What only the file itself tells; absent when the board had the persona already.
    pub file: Option<FileFacts>,
}

/// What a persona's file says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileFacts {
    /// Its name.
    pub name: String,
    /// Its size in bytes.
    pub bytes: usize,
    /// How most of its weights are stored.
    pub format: String,
    /// Number of weights.
    pub parameters: u64,
    /// Width.
    pub dim: usize,
    /// Layers.
    pub layers: usize,
    /// Tokens of its vocabulary.
    pub vocabulary: usize,
    /// Tokens of its context.
    pub context: usize,
}

impl FileFacts {
    /// Reads them from an image that is a persona.
    pub fn of(image: &Image) -> Option<Self> {
        let bytes = AlignedBytes::copy_of(&image.bytes);
        let model = Model::open(&bytes).ok()?;
        let architecture = model.architecture();
        let largest = model.tensors().max_by_key(|(_, _, tensor)| tensor.weights());
        Some(Self {
            name: image.name.clone(),
            bytes: image.bytes.len(),
            format: largest
                .map(|(_, _, tensor)| format!("{:?}", tensor.format).to_lowercase())
                .unwrap_or_default(),
            parameters: model.parameters(),
            dim: architecture.dim,
            layers: architecture.layers,
            vocabulary: architecture.vocabulary,
            context: architecture.context,
        })
    }
}

/// The board.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hardware {
    /// Revision code as in Raspberry Pi's documentation, in hexadecimal; empty when unknown.
    pub revision: String,
    /// What this code means.
    pub model: String,
    /// Bytes of memory that the GPU leaves to the processor.
    pub memory_bytes: u32,
    /// An emulator ran it: no figure of time is one of a board.
    pub is_emulated: bool,
    /// Version of its firmware.
    pub firmware: String,
    /// How it was reached. No path of a socket, no name of a computer.
    pub port: String,
}

impl Hardware {
    /// Puts together what the board's hello, its details and the port say.
    pub fn new(peer: &Identity, board: &BoardFacts, port: &str) -> Self {
        let [major, minor, patch] = peer.version;
        let revision = match board.revision {
            0 => String::new(),
            code => format!("{code:x}"),
        };
        let port = match port.split_once(':') {
            Some((kind @ ("unix" | "tcp"), _)) => format!("{kind} socket"),
            _ => port.to_string(),
        };
        Self {
            revision,
            model: model_name(board.revision).to_string(),
            memory_bytes: board.memory_bytes,
            is_emulated: board.is_emulated,
            firmware: format!("{major}.{minor}.{patch}"),
            port,
        }
    }
}

/// How it was measured.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Choices {
    /// `built-in`, or the name of the file.
    pub prompts: String,
    /// SHA-256 of the prompts.
    pub prompts_digest: String,
    /// Rounds before those that count.
    pub warm_up: u32,
    /// Rounds that count.
    pub repeats: u32,
    /// Longest reply.
    pub max_tokens: u16,
    /// Sampling temperature; 0 takes the likeliest token always.
    pub temperature: f64,
    /// Top-p.
    pub top_p: f64,
    /// Seed of the persona's dice, the same in each repeat.
    pub seed: u64,
    /// Whether the clock of an emulated board counted instructions, a million as a millisecond.
    pub instructions: bool,
    /// Whether what was said is in `cases.jsonl`.
    pub include_text: bool,
}

/// All of `run.json`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Run {
    /// Version of this program.
    pub wisp: String,
    /// When it began, UTC.
    pub date: String,
    /// The same in seconds since 1970.
    pub unix_seconds: u64,
    /// The board.
    pub board: Hardware,
    /// The persona.
    pub persona: PersonaFacts,
    /// How it was measured.
    pub options: Choices,
}

impl Run {
    /// One line about board and persona.
    pub fn title(&self) -> String {
        let persona = match &self.persona.file {
            Some(file) => format!("{} ({})", file.name, file.format),
            None => format!("persona {}", self.persona.digest.get(..12).unwrap_or("unknown")),
        };
        format!("{persona} on {}", self.board_words())
    }

    /// Said wherever figures of time are shown that are not a board's.
    pub fn clock_warning(&self) -> Option<&'static str> {
        match (self.board.is_emulated, self.options.instructions) {
            (false, _) => None,
            (true, false) => Some("emulated: these seconds are QEMU's, not a board's"),
            (true, true) => {
                Some("emulated: a millisecond is a million instructions, not a board's time")
            }
        }
    }

    fn board_words(&self) -> &str {
        match (self.board.is_emulated, self.board.model.as_str()) {
            (true, _) => "an emulated board",
            (false, "") => "a board that does not say what it is",
            (false, model) => model,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use link::message::Role;

    #[test]
    fn the_board_is_named_and_paths_are_not() {
        let peer =
            Identity { role: Role::Firmware, boot: 1, version: [0, 1, 2], persona: Some([7; 32]) };
        let facts = BoardFacts { revision: 0x90_0093, memory_bytes: 1, is_emulated: false };
        let board = Hardware::new(&peer, &facts, "unix:/home/somebody/board");
        assert_eq!(
            (board.model.as_str(), board.revision.as_str()),
            ("Raspberry Pi Zero", "900093")
        );
        assert_eq!((board.port.as_str(), board.firmware.as_str()), ("unix socket", "0.1.2"));
        let board = Hardware::new(&peer, &BoardFacts::default(), "/dev/ttyUSB0");
        assert_eq!((board.model.as_str(), board.revision.as_str()), ("", ""));
        assert_eq!(board.port, "/dev/ttyUSB0");
    }

    #[test]
    fn a_run_is_read_back_with_and_without_the_file() {
        let mut run = Run { wisp: "1".into(), ..Run::default() };
        for file in [
            None,
            Some(FileFacts {
                name: "Ada".into(),
                bytes: 1,
                format: "fp8e4m3".into(),
                parameters: 2,
                dim: 3,
                layers: 4,
                vocabulary: 5,
                context: 6,
            }),
        ] {
            run.persona = PersonaFacts { digest: "ab".repeat(32), file };
            let text = serde_json::to_string(&run).unwrap();
            assert_eq!(serde_json::from_str::<Run>(&text).unwrap(), run);
        }
        assert_eq!(run.title(), "Ada (fp8e4m3) on a board that does not say what it is");
        run.persona.file = None;
        assert_eq!(run.clock_warning(), None);
        run.board.is_emulated = true;
        assert!(run.clock_warning().unwrap().contains("QEMU's"));
        run.options.instructions = true;
        assert!(run.clock_warning().unwrap().contains("instructions"));
        assert_eq!(run.title(), "persona abababababab on an emulated board");
    }
}
