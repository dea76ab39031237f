//! What the exception syndrome register says (ARM ARM, ESR_EL1).

use crate::exception::FaultKind;

/// Bits 31 to 26: the class of the exception.
const CLASS: u32 = 26;

/// What kind of fault this syndrome describes.
pub(super) fn kind(syndrome: u32) -> FaultKind {
    match syndrome >> CLASS {
        // Unknown reason, and BRK, with which compiled code ends what must not go on.
        0x00 | 0x3c => FaultKind::UndefinedInstruction,
        // Instruction abort from below and from here; misaligned program counter.
        0x20..=0x22 => FaultKind::PrefetchAbort,
        // Data abort from below and from here.
        0x24 | 0x25 => FaultKind::DataAbort,
        _ => FaultKind::Unexpected,
    }
}

/// Whether the fault address register means anything for such a fault.
pub(super) fn has_address(kind: FaultKind) -> bool {
    matches!(kind, FaultKind::PrefetchAbort | FaultKind::DataAbort)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Syndromes as QEMU's Cortex-A53 gives them: a translation fault of a load at level 2, one of an
    /// instruction at level 3, `udf`, `brk #1`, `svc #0`.
    #[test]
    fn every_class_has_its_kind() {
        for (syndrome, expected) in [
            (0x9600_0006, FaultKind::DataAbort),
            (0x8600_0007, FaultKind::PrefetchAbort),
            (0x8a00_0000, FaultKind::PrefetchAbort),
            (0x0200_0000, FaultKind::UndefinedInstruction),
            (0xf200_0001, FaultKind::UndefinedInstruction),
            (0x5600_0000, FaultKind::Unexpected),
        ] {
            assert_eq!(kind(syndrome), expected, "{syndrome:#x}");
        }
    }

    #[test]
    fn only_aborts_have_an_address() {
        assert!(has_address(FaultKind::DataAbort) && has_address(FaultKind::PrefetchAbort));
        assert!(
            !has_address(FaultKind::UndefinedInstruction) && !has_address(FaultKind::Unexpected)
        );
    }
}
