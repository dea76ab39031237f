//! The two kinds of board, and what differs between them on this side of the cable.

use std::fmt;

use clap::ValueEnum;
use link::message::Processor;
use object::elf;

/// A kind of board.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum BoardKind {
    /// Raspberry Pi Zero or Zero W
    #[default]
    Zero,
    /// Raspberry Pi Zero 2 W; emulated as a Raspberry Pi 3B
    #[value(name = "zero2w")]
    Zero2W,
}

impl BoardKind {
    /// The compiler's name for it: the build has a folder of this name.
    pub fn target(self) -> &'static str {
        match self {
            Self::Zero => "armv6-none-eabihf",
            Self::Zero2W => "aarch64-unknown-none",
        }
    }

    /// The emulator's program.
    pub fn emulator(self) -> &'static str {
        match self {
            Self::Zero => crate::board::QEMU,
            // Debian has both programs in one package.
            Self::Zero2W => "qemu-system-aarch64",
        }
    }

    /// The emulator's name for it. It has no Zero 2 W; the 3B has the same processor and peripherals.
    pub fn machine(self) -> &'static str {
        match self {
            Self::Zero => "raspi0",
            Self::Zero2W => "raspi3b",
        }
    }

    /// What the Pi's boot stage looks for on a card: the bootloader, with the firmware behind it.
    pub fn kernel_file(self) -> &'static str {
        match self {
            Self::Zero => "kernel.img",
            Self::Zero2W => "kernel8.img",
        }
    }

    /// What `make` is told to build a program for it.
    pub(crate) fn make(self, program: &'static str) -> &'static str {
        match self {
            Self::Zero => program,
            Self::Zero2W => "zero2w",
        }
    }

    /// The board whose processor an ELF file is for.
    pub(crate) fn of_elf(machine: elf::Machine) -> Option<Self> {
        match machine {
            elf::EM_ARM => Some(Self::Zero),
            elf::EM_AARCH64 => Some(Self::Zero2W),
            _ => None,
        }
    }

    /// The board with this processor.
    pub fn of_processor(processor: Processor) -> Self {
        match processor {
            Processor::Arm1176 => Self::Zero,
            Processor::CortexA53 => Self::Zero2W,
        }
    }

    /// What `--board` calls it.
    pub fn option(self) -> &'static str {
        match self {
            Self::Zero => "zero",
            Self::Zero2W => "zero2w",
        }
    }

    /// The board that says it has this revision code: bits 12 to 15 of one with bit 23 set are the
    /// processor, 0 the BCM2835, 2 the BCM2837 (Raspberry Pi's documentation, "Raspberry Pi revision
    /// codes"). `None` for another processor, and for 0, which says nothing.
    pub fn of_revision(revision: u32) -> Option<Self> {
        match (revision >> 23 & 1, revision >> 12 & 0xF) {
            (1, 0) => Some(Self::Zero),
            (1, 2) => Some(Self::Zero2W),
            _ => None,
        }
    }

    /// The board for which a raw image may be: by its first instruction. No text begins so, and no
    /// persona.
    pub(crate) fn of_raw(image: &[u8]) -> Option<Self> {
        let word = u32::from_le_bytes(*image.first_chunk()?);
        // Interrupts are masked first (`crates/bcm2835/src/board/zero2w/boot.rs`).
        if word == 0xd503_4fdf {
            return Some(Self::Zero2W);
        }
        // An instruction that is always carried out (ARM ARM, A3.2).
        (word >> 24 >= 0xe0).then_some(Self::Zero)
    }
}

impl fmt::Display for BoardKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Zero => "Raspberry Pi Zero",
            Self::Zero2W => "Raspberry Pi Zero 2 W",
        })
    }
}

/// The name behind a revision code: bits 4 to 11 of one with bit 23 set (Raspberry Pi's
/// documentation, "Raspberry Pi revision codes").
pub(crate) fn model_name(revision: u32) -> &'static str {
    match (revision >> 23 & 1, revision >> 4 & 0xFF) {
        (0, _) => "",
        (_, 0x00) => "Raspberry Pi A",
        (_, 0x01) => "Raspberry Pi B",
        (_, 0x02) => "Raspberry Pi A+",
        (_, 0x03) => "Raspberry Pi B+",
        (_, 0x06) => "Compute Module 1",
        (_, 0x08) => "Raspberry Pi 3B",
        (_, 0x09) => "Raspberry Pi Zero",
        (_, 0x0C) => "Raspberry Pi Zero W",
        (_, 0x12) => "Raspberry Pi Zero 2 W",
        _ => "Raspberry Pi of another kind",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_option_is_the_one_that_is_read() {
        for kind in [BoardKind::Zero, BoardKind::Zero2W] {
            assert_eq!(BoardKind::from_str(kind.option(), false), Ok(kind));
        }
    }

    #[test]
    fn boards_are_told_by_their_revision() {
        // Zero 1.3, Zero W, and what QEMU's raspi0 says.
        for revision in [0x90_0093, 0x90_00c1, 0x92_0092] {
            assert_eq!(BoardKind::of_revision(revision), Some(BoardKind::Zero));
        }
        // Zero 2 W, and the 3B that stands for it in QEMU.
        for revision in [0x90_2120, 0xa0_2082] {
            assert_eq!(BoardKind::of_revision(revision), Some(BoardKind::Zero2W));
        }
        // Unknown, a 2B, a 4B, and a B+ of before there were such codes.
        for revision in [0, 0xa0_1041, 0xa0_3111, 0x0010] {
            assert_eq!(BoardKind::of_revision(revision), None);
        }
    }

    #[test]
    fn raw_images_are_told_apart_and_texts_are_none() {
        assert_eq!(BoardKind::of_raw(&[0xd3, 0x00, 0x0e, 0xf1]), Some(BoardKind::Zero));
        assert_eq!(BoardKind::of_raw(&[0xdf, 0x4f, 0x03, 0xd5, 0]), Some(BoardKind::Zero2W));
        for other in [&b"# A text"[..], b"WISP", &[0xff; 3], "Ա Ա Ա Ա".as_bytes()] {
            assert_eq!(BoardKind::of_raw(other), None, "{other:?}");
        }
    }

    #[test]
    fn boards_have_names() {
        assert_eq!(model_name(0x90_00C1), "Raspberry Pi Zero W");
        assert_eq!(model_name(0x90_2120), "Raspberry Pi Zero 2 W");
        assert_eq!(model_name(0xA0_2082), "Raspberry Pi 3B");
    }
}
