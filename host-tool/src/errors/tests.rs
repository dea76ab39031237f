//! Every error has a code, a next step, and a sample here.

use std::collections::HashSet;
use std::io;

use link::message::Refusal;

use super::*;

fn samples() -> Vec<WispError> {
    let path = || "/dev/ttyUSB0".to_string();
    let file = || PathBuf::from("file");
    let cause = || io::Error::other("cause");
    vec![
        WispError::PortNotFound { path: path() },
        WispError::PortPermission { path: path(), group: "dialout".into() },
        WispError::PortBusy { path: path(), holder: String::new() },
        WispError::PortNotSerial { path: path() },
        WispError::PortOpen { path: path(), cause: "cause".into() },
        WispError::NoPort,
        WispError::PortAddress { text: "tcp:".into(), cause: "no host" },
        WispError::Silent { port: path(), seconds: 3 },
        WispError::ProtocolVersion { ours: 1 },
        WispError::QemuMissing { program: "qemu".into(), cause: "cause".into() },
        WispError::QemuStopped { status: "1".into(), output: String::new() },
        WispError::QemuCancelled,
        WispError::ArtefactMissing {
            what: "firmware",
            looked_for: "x".into(),
            make: "firmware",
            option: "--firmware",
        },
        WispError::FileRead { path: file(), cause: cause() },
        WispError::FileWrite { path: file(), cause: cause() },
        WispError::FileExists { path: file() },
        WispError::PersonaMissing { looked_for: "x" },
        WispError::BadFirmware { path: file(), cause: "cause".into() },
        WispError::BadPersona { path: file(), cause: "cause".into() },
        WispError::LogTable { path: file(), cause: "cause".into() },
        WispError::Interrupted { kept: 1, total: 2 },
        WispError::Cancelled,
        WispError::WrongBoard { board: BoardKind::Zero2W, firmware: BoardKind::Zero },
        WispError::NoStart { seconds: 3 },
        WispError::NotTested,
        WispError::NothingToLaunch { missing: "firmware" },
        WispError::Refused(BoardRefused { refusal: Refusal::NotReady, detail: 0 }),
        WispError::Reported(Reported {
            message: "message".into(),
            code: "wisp::sample".into(),
            help: "a next step".into(),
        }),
        WispError::History(HistoryError::Nowhere),
        WispError::SdCard(SdCardError::KernelTooLarge { bytes: 2, limit: 1 }),
        WispError::Listen { port: 1, cause: cause() },
        WispError::Bench(BenchError::OldFirmware),
        WispError::Start { what: "the relay", cause: cause() },
        WispError::Random { cause: "cause".into() },
        WispError::DriverGone,
        WispError::Terminal { cause: cause() },
    ]
}

#[test]
fn every_error_has_its_own_code_and_a_next_step() {
    let samples = samples();
    let mut codes = HashSet::new();
    for error in &samples {
        let code = error.code_text();
        assert!(code.starts_with("wisp::"), "{error:?} has the code {code:?}");
        assert!(codes.insert(code.clone()), "{code} is used twice");
        assert!(error.help_text().len() > 10, "{code} says no next step");
        assert!(!error.to_string().is_empty());
    }
}

#[test]
fn nobody_is_told_to_join_root() {
    let help = |group: &str| {
        WispError::PortPermission { path: "x".into(), group: group.into() }.help_text()
    };
    assert!(help("dialout").contains("usermod -aG dialout"));
    assert!(help("root").contains("udev") && !help("root").contains("usermod"));
}

/// A variant added without a sample would go unchecked.
#[test]
fn no_variant_is_missing_from_the_samples() {
    let (catalogue, _) =
        include_str!("../errors.rs").split_once("/// How to be permitted").unwrap();
    assert_eq!(catalogue.matches("#[error(").count(), samples().len());
}
