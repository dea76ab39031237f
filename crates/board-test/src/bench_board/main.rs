//! Runs a model on the board for the bench: marks what is measured, and says what each mark was.
//!
//! ```text
//! qemu-system-arm -M raspi0 -icount shift=0 -kernel bench-board -semihosting -serial stdio
//!     -device loader,file=FILE.wisp,addr=PERSONA,force-raw=on
//!     -device loader,data=PLACEMENT,data-len=4,addr=HANDOVER
//!     -device loader,data=SCOPE,data-len=4,addr=HANDOVER+4
//!     -plugin libcycle_model.so,marker=BENCH_MARK,... -d plugin
//! ```
//! `crates/bench` starts it so and reads the answer: a line `memory PURPOSE BYTES` for each thing
//! that the engine allocated, `rounds MEASUREMENT TOKENS ROUNDS` for a story, and at the end `segment MEASUREMENT PART` for each stretch between
//! two marks.
#![no_std]
#![no_main]

extern crate alloc;

#[path = "../console.rs"]
mod console;
mod conversation;
mod kernels;
mod marks;
mod script;
#[path = "../semihosting.rs"]
mod semihosting;

use bcm2835::{Access, LockedHeap, Peripherals, Section, memory};
use console::{end, say};
use model_format::{Model, stated_length};
use script::{Scope, Wish};

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
    match wish() {
        Some(wish) => script::run(&model, wish, |purpose, bytes| {
            say(board, format_args!("memory {purpose} {bytes}"));
        })?,
        None => conversation::run(&model, |measurement, tokens, rounds| {
            say(board, format_args!("rounds {measurement} {tokens} {rounds}"));
        })?,
    }
    for (measurement, part) in marks::notes().ok_or("more segments than notes")? {
        say(board, format_args!("segment {measurement} {part}"));
    }
    Ok(())
}

/// What the emulator's command line asks for; `None`: a conversation.
fn wish() -> Option<Wish> {
    let words = memory::handover().start as *const [u32; 2];
    // SAFETY: mapped, aligned, and any words will do; nobody else writes there.
    let [placement, scope] = unsafe { words.read_volatile() };
    let scope = match scope {
        0 => Scope::Tokens,
        1 => Scope::PartsAndPrompts,
        2 => Scope::Quick,
        _ => return None,
    };
    Some(Wish { packs_lanes: placement != 0, scope })
}

/// What the firmware maps: the engine is to run under the same memory attributes.
fn sections() -> [Section; 8] {
    [
        Section::new(memory::firmware_image(), Access::Execute),
        Section::new(memory::firmware_data(), Access::Data),
        Section::new(memory::firmware_stack(), Access::Data),
        Section::new(memory::firmware_exception_stacks(), Access::Data),
        Section::new(memory::firmware_heap(), Access::Data),
        Section::new(memory::persona(), Access::Data),
        Section::new(memory::handover(), Access::Data),
        Section::new(memory::peripherals(), Access::Device),
    ]
}
