//! `config.txt`: what the Pi's boot stage is told, every line explained in the file itself.

use super::boot_files::Variant;
use crate::board_kind::BoardKind;
use crate::image::{FIRMWARE_ADDRESS, PERSONA_ADDRESS};

/// Name of the persona on the card.
pub const PERSONA: &str = "persona.wisp";

/// Name of the file itself.
pub const CONFIG: &str = "config.txt";

/// The text, for this board and these boot files, and whether the persona lies on the card too.
pub fn config(board: BoardKind, variant: Variant, has_persona: bool) -> String {
    let (boards, with_bluetooth, processor) = match board {
        BoardKind::Zero => ("Zero or Zero W", "Zero W", ""),
        BoardKind::Zero2W => (
            "Zero 2 W",
            "Zero 2 W",
            "# The bootloader and the firmware are for 64 bits.\n\
             arm_64bit=1\n\
             \n",
        ),
    };
    let kernel = board.kernel_file();
    let persona = match has_persona {
        true => format!(
            "# The persona, to where the firmware looks for it. (This line has no \"=\".)\n\
             initramfs {PERSONA} {PERSONA_ADDRESS:#010x}\n"
        ),
        false => String::from("# There is no persona on this card: it comes by cable.\n"),
    };
    let graphics = match variant {
        Variant::CutDown => {
            "# Memory for the graphics processor, in MB: as little as it takes, and never\n\
             # more than 64, because Wisp uses all up to 424.\n\
             gpu_mem=16\n\
             # The boot stage that is content with so little, and what belongs to it.\n\
             start_file=start_cd.elf\n\
             fixup_file=fixup_cd.dat\n"
        }
        Variant::Whole => {
            "# Memory for the graphics processor, in MB: it shows nothing here. Never more\n\
             # than 64, because Wisp uses all up to 424.\n\
             gpu_mem=32\n"
        }
    };
    format!(
        "# Wisp on a Raspberry Pi {boards}, written by `wisp sdcard`.\n\
         # Made from the manuals: not run on a board yet.\n\
         \n\
         {processor}\
         # The bootloader, with the firmware behind it, and where it is loaded to.\n\
         kernel={kernel}\n\
         kernel_address={FIRMWARE_ADDRESS:#x}\n\
         \n\
         {persona}\
         \n\
         # No device tree: Wisp reads none, and none may lie where the persona goes.\n\
         device_tree=\n\
         \n\
         # The serial port on pins 8 and 10 of the header. Its clock in Hz makes every\n\
         # rate up to 3 Mbaud. A {with_bluetooth} needs nothing more: Wisp takes the port away\n\
         # from Bluetooth.\n\
         enable_uart=1\n\
         init_uart_clock=48000000\n\
         \n\
         {graphics}\
         \n\
         # The processor's highest clock in MHz, which the firmware asks for.\n\
         arm_freq=1000\n\
         \n\
         # No picture and no pause before the start.\n\
         disable_splash=1\n\
         boot_delay=0\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_files_are_the_golden_ones() {
        let zero = include_str!("../../tests/golden/config.txt");
        assert_eq!(config(BoardKind::Zero, Variant::CutDown, true), zero);
        let zero2w = include_str!("../../tests/golden/config-zero2w.txt");
        assert_eq!(config(BoardKind::Zero2W, Variant::CutDown, true), zero2w);
    }

    #[test]
    fn the_other_variants_differ_where_they_must() {
        let lines = |text: String| -> Vec<String> {
            let is_setting = |line: &&str| !line.is_empty() && !line.starts_with('#');
            text.lines().filter(is_setting).map(String::from).collect()
        };
        let config = |variant, has_persona| config(BoardKind::Zero, variant, has_persona);
        let usual = lines(config(Variant::CutDown, true));
        let alone = lines(config(Variant::CutDown, false));
        let without = |name: &'static str| {
            usual.iter().filter(move |line| !line.starts_with(name)).cloned().collect::<Vec<_>>()
        };
        assert_eq!(alone, without("initramfs"));
        let whole = lines(config(Variant::Whole, true));
        assert!(whole.contains(&"gpu_mem=32".to_string()));
        assert!(!whole.iter().any(|line| line.starts_with("start_file")));
    }

    /// Older boot stages read no more of a line.
    #[test]
    fn no_line_is_longer_than_the_boot_stage_reads() {
        for variant in [Variant::CutDown, Variant::Whole] {
            for has_persona in [false, true] {
                for board in [BoardKind::Zero, BoardKind::Zero2W] {
                    let text = config(board, variant, has_persona);
                    assert!(text.is_ascii());
                    assert!(text.lines().all(|line| line.len() <= 80), "{text}");
                }
            }
        }
    }
}
