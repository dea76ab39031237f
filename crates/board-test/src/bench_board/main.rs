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
//! that the engine allocated, and at the end `segment MEASUREMENT PART` for each stretch between
//! two marks.
#![no_std]
#![no_main]

extern crate alloc;

mod kernels;
mod marks;
mod script;
#[path = "../semihosting.rs"]
mod semihosting;

use core::alloc::{GlobalAlloc, Layout};
use core::cell::RefCell;
use core::fmt::Write;
use core::ptr::{NonNull, null_mut};

use bcm2835::{Access, Fault, Peripherals, Section, memory};
use critical_section::Mutex;
use linked_list_allocator::Heap;
use model_format::{Model, stated_length};
use script::{Scope, Wish};

struct LockedHeap(Mutex<RefCell<Heap>>);

#[global_allocator]
static HEAP: LockedHeap = LockedHeap(Mutex::new(RefCell::new(Heap::empty())));

// SAFETY: `Heap` keeps the contract of an allocator, and masking interrupts makes us its only
// user: there is one core.
unsafe impl GlobalAlloc for LockedHeap {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        critical_section::with(|section| {
            let mut heap = self.0.borrow_ref_mut(section);
            heap.allocate_first_fit(layout).map_or(null_mut(), NonNull::as_ptr)
        })
    }

    // Memory is given back when QEMU ends.
    unsafe fn dealloc(&self, _memory: *mut u8, _layout: Layout) {}
}

/// Entered by the boot stub.
#[unsafe(no_mangle)]
extern "C" fn wisp_main(_zero: u32, _machine: u32, _tags: u32) -> ! {
    // SAFETY: first thing after the boot stub, once; the sections cover this program.
    let mut board = unsafe { bcm2835::start(&sections()) };
    let heap = memory::firmware_heap();
    critical_section::with(|section| {
        // SAFETY: once; mapped memory that nothing else uses.
        unsafe { HEAP.0.borrow_ref_mut(section).init(heap.start as *mut u8, heap.len()) }
    });
    match run(&mut board) {
        Ok(()) => semihosting::exit(0),
        Err(why) => {
            say(&mut board, format_args!("failed: {why}"));
            semihosting::exit(1)
        }
    }
}

fn run(board: &mut Peripherals) -> Result<(), &'static str> {
    let region = memory::persona();
    // SAFETY: mapped memory that nobody writes.
    let region = unsafe { core::slice::from_raw_parts(region.start as *const u8, region.len()) };
    let file = stated_length(region).and_then(|length| region.get(..length)).ok_or("no persona")?;
    let model = Model::open(file).map_err(|_| "damaged persona")?;
    script::run(&model, wish(), |purpose, bytes| {
        say(board, format_args!("memory {purpose} {bytes}"));
    })?;
    for (measurement, part) in marks::notes().ok_or("more segments than notes")? {
        say(board, format_args!("segment {measurement} {part}"));
    }
    Ok(())
}

/// What the emulator's command line asks for.
fn wish() -> Wish {
    let words = memory::handover().start as *const [u32; 2];
    // SAFETY: mapped, aligned, and any words will do; nobody else writes there.
    let [placement, scope] = unsafe { words.read_volatile() };
    let scope = match scope {
        0 => Scope::Tokens,
        1 => Scope::PartsAndPrompts,
        _ => Scope::Quick,
    };
    Wish { packs_lanes: placement != 0, scope }
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

/// Called by the exception vectors.
#[unsafe(no_mangle)]
fn wisp_fault(_fault: &Fault) -> ! {
    semihosting::exit(5)
}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    semihosting::exit(4)
}
