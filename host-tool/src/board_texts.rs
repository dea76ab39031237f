//! What the board refuses and how it crashes, in words: message, stable code, next step.

use link::conversation::Crash;
use link::message::{CrashKind, Refusal, Role};

/// One entry of the catalogue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Text {
    /// What happened.
    pub message: &'static str,
    /// Stable name.
    pub code: &'static str,
    /// What to do next.
    pub help: &'static str,
}

/// Every refusal there is, for tests and documentation.
pub const REFUSALS: [Refusal; 17] = [
    Refusal::WrongProgram,
    Refusal::Malformed,
    Refusal::WrongAddress,
    Refusal::WrongSize,
    Refusal::NotOffered,
    Refusal::WrongChunkLength,
    Refusal::DigestMismatch,
    Refusal::NotReady,
    Refusal::BadPersona,
    Refusal::TextTooLong,
    Refusal::WrongId,
    Refusal::NothingToRegenerate,
    Refusal::WrongRestore,
    Refusal::OutOfMemory,
    Refusal::Busy,
    Refusal::AlreadyBegun,
    Refusal::SelfTestFailed,
];

/// Every kind of crash there is.
pub const CRASH_KINDS: [CrashKind; 6] = [
    CrashKind::Panic,
    CrashKind::UndefinedInstruction,
    CrashKind::PrefetchAbort,
    CrashKind::DataAbort,
    CrashKind::Unexpected,
    CrashKind::Watchdog,
];

const SAME_RELEASE: &str = "This is a mismatch between this program and the board's. Use both from the same release; if they are, please report it.";

/// The text of a refusal. `detail` is what the board said it is about.
pub fn refusal(refusal: Refusal, detail: u32) -> Text {
    match refusal {
        Refusal::WrongProgram => Text {
            message: "the program that runs on it does not know this request",
            code: "wisp::refused::wrong_program",
            help: "Run `wisp load` to bring the board up to date, then try again.",
        },
        Refusal::Malformed => Text {
            message: "it could not read a message",
            code: "wisp::refused::malformed",
            help: SAME_RELEASE,
        },
        Refusal::WrongAddress => Text {
            message: "the image does not belong where it was to go",
            code: "wisp::refused::wrong_address",
            help: "Give the firmware with --firmware and the persona with --persona, not the other way round.",
        },
        Refusal::WrongSize if detail == 0 => Text {
            message: "the firmware is empty or larger than its place (992 KiB)",
            code: "wisp::refused::wrong_size",
            help: "Build the firmware in its small profile: `make firmware`, for a Zero 2 W `make zero2w`.",
        },
        Refusal::WrongSize => Text {
            message: "the persona is empty or larger than its place (384 MiB)",
            code: "wisp::refused::wrong_size",
            help: "Quantise the model (`wisp-model quantise`) or take a smaller one.",
        },
        Refusal::NotOffered => Text {
            message: "it was sent a piece of an image that it does not expect",
            code: "wisp::refused::not_offered",
            help: "Run the same command again: the upload goes on where it stopped.",
        },
        Refusal::WrongChunkLength => Text {
            message: "it was sent a piece of the wrong length",
            code: "wisp::refused::wrong_chunk_length",
            help: SAME_RELEASE,
        },
        Refusal::DigestMismatch => Text {
            message: "the image arrived changed: its SHA-256 is not the one announced",
            code: "wisp::refused::digest_mismatch",
            help: "Run the same command again: only the damaged pieces travel. If it stays so, the board's memory may be faulty.",
        },
        Refusal::NotReady => Text {
            message: "the firmware or the persona is missing or was not verified",
            code: "wisp::refused::not_ready",
            help: "Run `wisp load --persona FILE`.",
        },
        Refusal::BadPersona => Text {
            message: "the persona's file is damaged or of an unknown format",
            code: "wisp::refused::bad_persona",
            help: "Check it with `wisp-model inspect FILE`, make it anew, or use firmware of the same release.",
        },
        Refusal::TextTooLong => Text {
            message: "the message is too long",
            code: "wisp::refused::text_too_long",
            help: "Write at most 1024 bytes at once; send the rest as another message.",
        },
        Refusal::WrongId => Text {
            message: "it has another idea of where the conversation stands",
            code: "wisp::refused::wrong_id",
            help: "Start the conversation anew with `/forget`.",
        },
        Refusal::NothingToRegenerate => Text {
            message: "there is no reply to answer again",
            code: "wisp::refused::nothing_to_regenerate",
            help: "Write something first.",
        },
        Refusal::AlreadyBegun => Text {
            message: "it cannot begin: it remembers a conversation that is not shown here",
            code: "wisp::refused::already_begun",
            help: "Say something, or let it forget first.",
        },
        Refusal::WrongRestore => Text {
            message: "the conversation could not be given back to it",
            code: "wisp::refused::wrong_restore",
            help: "Start the conversation anew with `/forget`.",
        },
        Refusal::OutOfMemory => Text {
            message: "the persona needs more memory than the board has",
            code: "wisp::refused::out_of_memory",
            help: "Take a smaller model, or one with a shorter context.",
        },
        Refusal::SelfTestFailed => Text {
            message: "it has tested itself, and its memory or its arithmetic is not sound",
            code: "wisp::refused::self_test",
            help: "Take its power away for ten seconds. If it says this again, try another supply and `arm_freq=700` on the card; then the board is worn out.",
        },
        Refusal::Busy => Text {
            message: "too many messages wait to be read",
            code: "wisp::refused::busy",
            help: "Nothing to do: the message is sent again by itself.",
        },
    }
}

/// What a failed self-test has found, to be put behind its text; of other refusals nothing.
pub fn place(refusal: Refusal, detail: u32) -> String {
    // Below are numbers of kernels, as the protocol says.
    const KERNELS: u32 = 16;
    match (refusal, detail) {
        (Refusal::SelfTestFailed, kernel @ ..KERNELS) => {
            format!(" (kernel {kernel} computes something else than its twin)")
        }
        (Refusal::SelfTestFailed, address) => {
            format!(" (memory at {address:#010x} does not keep what is written)")
        }
        _ => String::new(),
    }
}

/// The text of a crash.
pub fn crash(kind: CrashKind) -> Text {
    match kind {
        CrashKind::Panic => Text {
            message: "stopped itself because something impossible happened",
            code: "wisp::crash::panic",
            help: "It has restarted and the conversation goes on. Please report the text of the panic.",
        },
        CrashKind::UndefinedInstruction => Text {
            message: "met an instruction that the processor does not know",
            code: "wisp::crash::undefined_instruction",
            help: "It has restarted. Firmware built for another processor? `make firmware` builds a Zero's, `make zero2w` a Zero 2 W's.",
        },
        CrashKind::PrefetchAbort => Text {
            message: "jumped to where there is no program",
            code: "wisp::crash::prefetch_abort",
            help: "It has restarted. Please report the program counter and link register.",
        },
        CrashKind::DataAbort => Text {
            message: "touched memory that is not there",
            code: "wisp::crash::data_abort",
            help: "It has restarted. Please report the fault address and program counter.",
        },
        CrashKind::Unexpected => Text {
            message: "got an exception that nobody asked for",
            code: "wisp::crash::unexpected",
            help: "It has restarted. Check the power supply; please report it if it comes back.",
        },
        CrashKind::Watchdog => Text {
            message: "stopped answering, and the watchdog restarted it",
            code: "wisp::crash::watchdog",
            help: "The conversation goes on. Run `wisp monitor` to see the last log lines before it.",
        },
    }
}

/// One line with everything a report of this crash needs. The board's text is made harmless.
pub fn crash_line(report: &Crash) -> String {
    let program = match report.role {
        Role::Bootloader => "bootloader",
        Role::Firmware => "firmware",
        Role::Host => "program",
    };
    let mut line = format!(
        "The {program} {} (pc {:#010x}, lr {:#010x}",
        crash(report.kind).message,
        report.program_counter,
        report.link_register
    );
    if report.fault_status != 0 || report.fault_address != 0 {
        line.push_str(&format!(
            ", fault status {:#x} at address {:#010x}",
            report.fault_status, report.fault_address
        ));
    }
    line.push(')');
    if !report.message.is_empty() {
        line.push_str(": ");
        line.push_str(&crate::sanitise::one_line(&report.message));
    }
    line
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_refusal_and_crash_has_its_own_code_and_a_next_step() {
        let texts = REFUSALS
            .iter()
            .map(|r| refusal(*r, 0))
            .chain(CRASH_KINDS.iter().map(|k| crash(*k)))
            .collect::<Vec<_>>();
        let codes: HashSet<_> = texts.iter().map(|text| text.code).collect();
        assert_eq!(codes.len(), REFUSALS.len() + CRASH_KINDS.len());
        for text in texts {
            assert!(!text.message.is_empty() && text.help.len() > 10, "{text:?}");
        }
    }

    #[test]
    fn a_failed_self_test_says_what_it_found() {
        assert_eq!(
            place(Refusal::SelfTestFailed, 0x0208_6100),
            " (memory at 0x02086100 does not keep what is written)"
        );
        assert!(place(Refusal::SelfTestFailed, 3).contains("kernel 3 "));
        assert_eq!(place(Refusal::BadPersona, 0x0208_6100), "");
    }

    #[test]
    fn a_crash_line_names_the_place_and_hides_control_characters() {
        let line = crash_line(&Crash {
            role: Role::Firmware,
            kind: CrashKind::DataAbort,
            program_counter: 0x8abc,
            link_register: 0x9000,
            fault_status: 5,
            fault_address: 0xdead_0000,
            message: "\x1b[2Jboo\nboo".to_string(),
        });
        assert!(line.contains("pc 0x00008abc") && line.contains("0xdead0000"), "{line}");
        assert!(!line.chars().any(char::is_control), "{line:?}");
    }
}
