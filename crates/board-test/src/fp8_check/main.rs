//! The fp8 kernels of `arm1176` against the portable definition: every bit, on the board's processor.
//!
//! ```text
//! qemu-system-arm -M raspi0 -kernel fp8-check -display none -monitor none -serial stdio -semihosting
//!     -icount shift=0
//! ```
//! Under `-icount shift=0` an instruction takes a nanosecond, so that interrupts come at the same
//! places in every run, and microseconds are thousands of instructions.
#![no_std]
#![no_main]

mod cases;
#[path = "../console.rs"]
mod console;
#[path = "../no_heap.rs"]
mod no_heap;
#[path = "../semihosting.rs"]
mod semihosting;
mod storm;

use bcm2835::{Access, Peripherals, Section, memory};
use cases::Arena;
use console::{end, say};

/// Entered by the boot stub.
#[unsafe(no_mangle)]
extern "C" fn wisp_main(_zero: u32, _machine: u32, _tags: u32) -> ! {
    // SAFETY: first thing after the boot stub, once; the sections cover this program.
    let mut board = unsafe { bcm2835::start(&sections()) };
    // SAFETY: once; the sections map its regions, and nothing else uses them.
    let mut arena = unsafe { Arena::new() };
    let outcome = check(&mut board, &mut arena);
    end(&mut board, outcome)
}

fn check(board: &mut Peripherals, arena: &mut Arena) -> Result<(), cases::Difference> {
    let noticed = cases::planted(arena)?;
    say(board, format_args!("wisp: fp8_check_planted_errors {noticed} noticed"));
    let compared = cases::all(arena)?;
    say(board, format_args!("wisp: fp8_check_cases {compared} cases"));
    let interrupted = storm::all(board, arena)?;
    say(board, format_args!("wisp: fp8_check_interrupted {interrupted} short_vectors"));
    for vectors in [1, 2, 4, 8, 16, 32] {
        let shape = cases::Shape { rows: 384, columns: 1024, vectors };
        let start = board.timer.now();
        cases::run_once(arena, shape);
        let instructions = (board.timer.now() - start) * 1000;
        let milli = instructions * 1000 / (shape.rows * shape.columns * vectors) as u64;
        let (whole, rest) = (milli / 1000, milli % 1000);
        let name = format_args!("fp8_kernel_instructions_per_product_{vectors}");
        say(board, format_args!("wisp: {name} {whole}.{rest:03} instructions"));
    }
    Ok(())
}

/// The program, and regions of the heap with nothing mapped in between.
fn sections() -> [Section; 9] {
    let region = |index| Section::new(cases::region(index), Access::Data);
    [
        Section::new(memory::firmware_image(), Access::Execute),
        Section::new(memory::firmware_data(), Access::Data),
        Section::new(memory::firmware_stack(), Access::Data),
        Section::new(memory::firmware_exception_stacks(), Access::Data),
        Section::new(memory::peripherals(), Access::Device),
        region(0),
        region(1),
        region(2),
        region(3),
    ]
}
