//! Interrupts while short vectors are on: the handler must not see FPSCR.LEN, nor change a sum.

use core::hint::black_box;
use core::sync::atomic::{AtomicU32, Ordering};

use bcm2835::Peripherals;

use crate::cases::{self, Arena, Data, Difference, Shape};

/// Interrupts that came while LEN was not 1.
#[unsafe(no_mangle)]
static STORM_SHORT_VECTORS: AtomicU32 = AtomicU32::new(0);

// Vectors in front of the board's own: the interrupt's counts, then goes on to the real one.
core::arch::global_asm!(
    r#"
.section .text.storm, "ax"
.arch armv6k
.fpu vfpv2
.arm
.balign 32
storm_vectors:
    ldr     pc, =exception_vectors
    ldr     pc, =exception_vectors + 4
    ldr     pc, =exception_vectors + 8
    ldr     pc, =exception_vectors + 12
    ldr     pc, =exception_vectors + 16
    ldr     pc, =exception_vectors + 20
    b       .Lstorm_interrupt
    ldr     pc, =exception_vectors + 28

.Lstorm_interrupt:
    push    {r0, r1}
    vmrs    r0, fpscr
    tst     r0, #0x70000            @ LEN - 1
    ldrne   r1, =STORM_SHORT_VECTORS
    ldrne   r0, [r1]
    addne   r0, r0, #1
    strne   r0, [r1]
    pop     {r0, r1}
    ldr     pc, =exception_vectors + 24
    .ltorg
"#,
    options(raw)
);

unsafe extern "C" {
    static storm_vectors: [u32; 8];
}

/// An alarm at every microsecond of a product, at changing places within the microsecond; returns
/// how many interrupts came while a kernel had short vectors on.
pub(crate) fn all(board: &mut Peripherals, arena: &mut Arena) -> Result<u32, Difference> {
    // SAFETY: every vector leads to the board's own, and the interrupt's uses only its stack and
    // registers it restores (TRM 3.2.43: secure vector base address).
    unsafe {
        core::arch::asm!(
            "mcr p15, 0, {vectors}, c12, c0, 0",
            "mcr p15, 0, {zero}, c7, c5, 4",
            vectors = in(reg) &raw const storm_vectors,
            zero = in(reg) 0,
        );
    }
    for vectors in [1, 4, 5] {
        let shape = Shape { rows: 16, columns: 224, vectors };
        for moment in 0..200 {
            cases::one(arena, shape, Data::Ordinary, moment, || {
                let at = board.timer.now() + 2 + u64::from(moment % 16);
                board.timer.wake_at(at);
                // Instructions that are not a multiple of a microsecond's thousand.
                for _ in 0..moment * 7 {
                    black_box(());
                }
            })?;
        }
    }
    Ok(STORM_SHORT_VECTORS.load(Ordering::Relaxed))
}
