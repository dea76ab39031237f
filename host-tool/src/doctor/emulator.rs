//! QEMU: whether it is there, and has both kinds of board.

use super::{Area, Finding, Level, Problem};
use crate::board_kind::BoardKind;
use crate::errors::WispError;

/// What was found out about QEMU.
#[derive(Clone, Debug)]
pub struct EmulatorFacts {
    /// Its program.
    pub program: String,
    /// The first line of what it says about its version, or why it does not run.
    pub version: Result<String, String>,
    /// The boards that it has, one a line, as it lists them.
    pub machines: String,
    /// Those of the program for 64 bits; empty if that is not there.
    pub machines_of_64_bits: String,
    /// Whether anything fails without it: in the source tree the tests do.
    pub is_needed: bool,
}

/// Says what the facts mean.
pub(super) fn examine(facts: &EmulatorFacts) -> Finding {
    let level = if facts.is_needed { Level::Wrong } else { Level::Note };
    let version = match &facts.version {
        Ok(version) => version,
        Err(cause) => {
            let (program, cause) = (facts.program.clone(), cause.clone());
            return Finding::of(Area::Qemu, level, &WispError::QemuMissing { program, cause });
        }
    };
    let has = |machines: &str, board: BoardKind| {
        machines.lines().any(|line| line.split_whitespace().next() == Some(board.machine()))
    };
    if !has(&facts.machines, BoardKind::Zero) {
        let version = version.clone();
        return Finding::of(Area::Qemu, level, &Problem::NoRaspi0 { version });
    }
    // Who emulates a Zero only needs no other.
    if facts.is_needed && !has(&facts.machines_of_64_bits, BoardKind::Zero2W) {
        return Finding::of(Area::Qemu, level, &Problem::NoRaspi3b);
    }
    Finding::fine(Area::Qemu, &format!("{version}, with raspi0"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts() -> EmulatorFacts {
        EmulatorFacts {
            program: "qemu-system-arm".into(),
            version: Ok("QEMU emulator version 7.2.0".into()),
            machines: "raspi0               Raspberry Pi Zero\nraspi2b   Raspberry Pi 2B\n".into(),
            machines_of_64_bits: "raspi3b              Raspberry Pi 3B\n".into(),
            is_needed: true,
        }
    }

    #[test]
    fn a_whole_emulator_is_fine() {
        let finding = examine(&facts());
        assert_eq!((finding.level, finding.code.as_str()), (Level::Fine, "wisp::qemu::ok"));
        assert!(finding.message.contains("7.2.0"));
    }

    #[test]
    fn a_missing_one_matters_where_it_is_needed() {
        let missing = EmulatorFacts { version: Err("not found".into()), ..facts() };
        let finding = examine(&missing);
        assert_eq!((finding.level, finding.code.as_str()), (Level::Wrong, "wisp::qemu::missing"));
        let finding = examine(&EmulatorFacts { is_needed: false, ..missing });
        assert_eq!(finding.level, Level::Note);
    }

    #[test]
    fn one_without_the_board_is_too_old() {
        let machines = "raspi0-like   Another\nraspi2b   Raspberry Pi 2B\n".into();
        let finding = examine(&EmulatorFacts { machines, ..facts() });
        assert_eq!((finding.level, finding.code.as_str()), (Level::Wrong, "wisp::qemu::no_raspi0"));
    }

    #[test]
    fn the_second_board_is_missed_where_the_tests_need_it() {
        let one = EmulatorFacts { machines_of_64_bits: String::new(), ..facts() };
        let finding = examine(&one);
        assert_eq!(
            (finding.level, finding.code.as_str()),
            (Level::Wrong, "wisp::qemu::no_raspi3b")
        );
        assert_eq!(examine(&EmulatorFacts { is_needed: false, ..one }).level, Level::Fine);
    }
}
