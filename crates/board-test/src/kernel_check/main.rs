//! Every lane-shared kernel of `arm1176` against the portable definition: each bit, on random and bad data.
//!
//! ```text
//! qemu-system-arm -M raspi0 -kernel kernel-check -display none -monitor none -serial stdio -semihosting
//!     -icount shift=0
//! ```
//! First kernels with one wrong bit, which must be noticed, then the real ones, then what they cost:
//! under `-icount shift=0` an instruction takes a nanosecond.
#![no_std]
#![no_main]

mod cases;
#[path = "../console.rs"]
mod console;
mod counts;
mod data;
mod guarded;
#[path = "../no_heap.rs"]
mod no_heap;
mod overflow;
mod packing;
#[path = "../semihosting.rs"]
mod semihosting;
mod wrong;

use arm1176::Arm1176;
use bcm2835::Peripherals;
use console::{end, say};

use cases::{Bench, Flaw};
use wrong::{ALL_KERNELS, Wrong};

/// Entered by the boot stub.
#[unsafe(no_mangle)]
extern "C" fn wisp_main(_zero: u32, _machine: u32, _tags: u32) -> ! {
    // SAFETY: first thing after the boot stub, once; the sections cover this program.
    let mut board = unsafe { bcm2835::start(&guarded::sections()) };
    // SAFETY: once, and the sections map the regions.
    let mut bench = unsafe { Bench::new() };
    let outcome = check(&mut board, &mut bench);
    end(&mut board, outcome)
}

/// What can be wrong.
#[derive(Debug)]
#[allow(dead_code, reason = "read by Debug only")]
enum Failure {
    /// A kernel differs from the portable one, or overflows.
    Kernel(Flaw),
    /// A group of weights that are not finite is packed in bits that another machine may not give.
    Packing,
    /// A kernel with a wrong bit passed.
    Unnoticed(&'static str),
    /// A sum overflowed, or one that should have did not.
    Overflow(&'static str),
}

fn check(board: &mut Peripherals, bench: &mut Bench) -> Result<(), Failure> {
    for (kernel, name) in ALL_KERNELS {
        if cases::run(kernel, &Wrong::new(kernel), bench).is_ok() {
            return Err(Failure::Unnoticed(name));
        }
        say(board, format_args!("kernel {name} with a wrong bit: noticed"));
    }
    say(board, format_args!("wisp: kernel_check_wrong_bits {} noticed", ALL_KERNELS.len()));
    let mut all = 0;
    for (kernel, name) in ALL_KERNELS {
        let cases = cases::run(kernel, &Arm1176, bench).map_err(Failure::Kernel)?;
        say(board, format_args!("kernel {name} cases {cases}"));
        all += cases;
    }
    say(board, format_args!("wisp: kernel_check_cases {all} cases"));
    say(board, format_args!("wisp: kernel_check_compared {} numbers", bench.compared));
    let groups = overflow::check(bench).map_err(Failure::Overflow)?;
    say(board, format_args!("wisp: kernel_check_full_scale_groups {groups} without_overflow"));
    let groups = packing::check(bench).ok_or(Failure::Packing)?;
    say(board, format_args!("wisp: kernel_check_packed_not_finite {groups} groups"));
    counts::print(board, bench);
    Ok(())
}
