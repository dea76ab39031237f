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
#[path = "../semihosting.rs"]
mod semihosting;
mod storm;

use core::alloc::{GlobalAlloc, Layout};
use core::fmt::Write;

use bcm2835::{Access, Fault, Peripherals, Section, memory};
use cases::Arena;

/// The engine links an allocator; its kernels never call it.
struct NoHeap;

#[global_allocator]
static NO_HEAP: NoHeap = NoHeap;

// SAFETY: refusing every request keeps the contract of an allocator.
unsafe impl GlobalAlloc for NoHeap {
    unsafe fn alloc(&self, _: Layout) -> *mut u8 {
        core::ptr::null_mut()
    }

    unsafe fn dealloc(&self, _: *mut u8, _: Layout) {}
}

/// Entered by the boot stub.
#[unsafe(no_mangle)]
extern "C" fn wisp_main(_zero: u32, _machine: u32, _tags: u32) -> ! {
    // SAFETY: first thing after the boot stub, once; the sections cover this program.
    let mut board = unsafe { bcm2835::start(&sections()) };
    // SAFETY: once; the sections map its regions, and nothing else uses them.
    let mut arena = unsafe { Arena::new() };
    match check(&mut board, &mut arena) {
        Ok(()) => semihosting::exit(0),
        Err(what) => {
            say(&mut board, format_args!("failed: {what:?}"));
            semihosting::exit(1)
        }
    }
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

/// Writes a line and waits until it has left.
fn say(board: &mut Peripherals, line: core::fmt::Arguments<'_>) {
    struct Port<'a>(&'a mut bcm2835::Uart);
    impl Write for Port<'_> {
        fn write_str(&mut self, text: &str) -> core::fmt::Result {
            embedded_io::Write::write_all(self.0, text.as_bytes()).map_err(|_| core::fmt::Error)
        }
    }
    let _ = writeln!(Port(&mut board.uart), "{line}");
    board.uart.drain();
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

/// Called by the exception vectors.
#[unsafe(no_mangle)]
fn wisp_fault(_fault: &Fault) -> ! {
    semihosting::exit(5)
}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    semihosting::exit(4)
}
