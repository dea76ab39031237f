//! Runs a persona's transformer on the board and says every token and a hash of every logit.
//!
//! ```text
//! qemu-system-arm -M raspi0 -kernel engine-check -device loader,file=FILE.wisp,addr=ADDRESS,force-raw=on
//!     -display none -monitor none -serial stdio -semihosting [-icount shift=0]
//! ```
//! with the address of the persona in `linker/memory.ld`. The host runs the same and compares
//! (`host-tool/tests/board_programs.rs`). Each line is `token POSITION TOKEN HASH MICROSECONDS`;
//! under `-icount shift=0` a microsecond is a thousand instructions.
#![no_std]
#![no_main]

extern crate alloc;

#[path = "../console.rs"]
mod console;
#[path = "../kernels.rs"]
mod kernels;
#[path = "../semihosting.rs"]
mod semihosting;

use core::ops::Range;

use bcm2835::{Access, LockedHeap, Peripherals, Section, memory};
use console::{end, say};
use engine::{Engine, Options, Placement, Step, argmax};
use kernels::BoardKernels;
use model_format::{Model, WeightFormat, stated_length};

/// Tokens computed, as many as the golden text of stories260K has.
const TOKENS: usize = 255;

/// Tokens that are then dropped after the opening, and those that are read after that.
const DROPPED: usize = 101;
const BATCH: [u32; 11] = [7, 9, 300, 301, 8, 3, 410, 411, 412, 1, 500];

/// Multiply-adds in a step: the batch takes many.
const BUDGET: u32 = 10_000;

#[global_allocator]
static HEAP: LockedHeap = LockedHeap::new();

/// Entered by the boot stub.
#[unsafe(no_mangle)]
extern "C" fn wisp_main(_zero: u32, _machine: u32, _tags: u32) -> ! {
    // SAFETY: first thing after the boot stub, once; the sections cover this program.
    let mut board = unsafe { bcm2835::start(&sections()) };
    // SAFETY: once; the sections map it, and nothing else uses it.
    unsafe { HEAP.start(memory::firmware_heap()) };
    let outcome = run(&mut board);
    end(&mut board, outcome)
}

fn run(board: &mut Peripherals) -> Result<(), &'static str> {
    let region = memory::persona();
    // SAFETY: mapped memory that nobody writes.
    let region = unsafe { core::slice::from_raw_parts(region.start as *const u8, region.len()) };
    let file = stated_length(region).and_then(|length| region.get(..length)).ok_or("no persona")?;
    let model = Model::open(file).map_err(|_| "damaged persona")?;
    check(board, &model, Placement::Lanes)?;
    if model.classifier().is_some_and(|tensor| tensor.format == WeightFormat::Fp8E4M3) {
        check(board, &model, Placement::InPlace)?;
    }
    Ok(())
}

/// Computes the tokens one by one, then drops the beginning and reads some in one batch.
fn check(
    board: &mut Peripherals,
    model: &Model<'_>,
    placement: Placement,
) -> Result<(), &'static str> {
    let options = Options { context: TOKENS, placement, ..Options::default() };
    let mut engine = Engine::new(model, BoardKernels, options).map_err(|_| "no engine")?;
    let mut token = model.persona().style.begin();
    let mut hash = FNV_START;
    let mut report = |board: &mut Peripherals, position: usize, logits: &[f32], micros: u64| {
        for logit in logits {
            hash = fnv(hash, logit.to_bits());
        }
        let token = argmax(logits);
        say(board, format_args!("token {position} {token} {hash:08x} {micros}"));
        token
    };
    for position in 0..TOKENS {
        let start = board.timer.now();
        engine.begin(&[token], true).map_err(|_| "token refused")?;
        while engine.step(u32::MAX) == Step::Working {}
        let micros = board.timer.now() - start;
        token = report(board, position, engine.logits(), micros);
    }
    engine.shift(1, DROPPED).map_err(|_| "no shift")?;
    engine.begin(&BATCH, true).map_err(|_| "batch refused")?;
    while engine.step(BUDGET) == Step::Working {}
    report(board, TOKENS, engine.logits(), 0);
    Ok(())
}

/// FNV-1a (Fowler, Noll, Vo), 32 bits, over whole words.
const FNV_START: u32 = 0x811C_9DC5;

fn fnv(hash: u32, word: u32) -> u32 {
    (hash ^ word).wrapping_mul(0x0100_0193)
}

/// What the firmware maps: the engine is to run under the same memory attributes.
fn sections() -> [Section; 7] {
    let section =
        |range: Range<usize>, access| Section { start: range.start, end: range.end, access };
    [
        section(memory::firmware_image(), Access::Execute),
        section(memory::firmware_data(), Access::Data),
        section(memory::firmware_stack(), Access::Data),
        section(memory::firmware_exception_stacks(), Access::Data),
        section(memory::firmware_heap(), Access::Data),
        section(memory::persona(), Access::Data),
        section(memory::peripherals(), Access::Device),
    ]
}
