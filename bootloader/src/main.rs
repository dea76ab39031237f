//! The bootloader: moves out of the way, wires the serial port to `boot-core`, starts the firmware.
//!
//! What it decides is decided in [`boot_core::Loader`]; here are the board's ends of it. It must
//! not be able to panic: a loader that dies leaves a board that only a person at the plug can
//! wake. `devtool panics` looks for panic symbols in the linked program.
#![no_std]
#![no_main]

mod board_memory;
mod crash;

use bcm2835::{Access, Peripherals, Section, idle_unless, memory, silence_interrupts};
use board_memory::BoardMemory;
use boot_core::loader::LoaderState;
use boot_core::{Loader, Outcome};
use link::{Instant, Rates, VERSION};

/// Bytes moved between the serial port and the loader at a time.
const PIECE: usize = 512;

/// Longest sleep in microseconds: the LED wants to blink.
const LONGEST_SLEEP: u64 = 50_000;

/// Entered by the boot stub with what the Pi's own boot stage said, which the firmware will be
/// told too, and with where that had put this program.
#[unsafe(no_mangle)]
extern "C" fn wisp_main(_zero: u32, machine: u32, tags: u32, loaded_at: usize) -> ! {
    // SAFETY: first thing after the boot stub, once; the sections cover this program.
    let mut board = unsafe { bcm2835::start(&sections()) };
    // SAFETY: once, before anything else could look at these memories.
    let memory = unsafe { BoardMemory::take(loaded_at) };
    let regions = memory.regions();
    let random = board.random.word();
    let now = Instant(board.timer.now());
    let mut loader = Loader::new(memory, regions, VERSION, random, now);
    loader.offer_rates(Rates::of(|baud| board.uart.can_make(baud)));
    board.watchdog.start();
    match run(&mut board, &mut loader) {
        Ending::Launch => {
            let entry = loader.into_memory().install_firmware();
            board.uart.drain();
            silence_interrupts();
            // SAFETY: the firmware at `entry` was checked by SHA-256, the interrupts are silent.
            unsafe { bcm2835::launch(entry, machine, tags) }
        }
        Ending::Reboot => {
            board.uart.drain();
            bcm2835::reset()
        }
    }
}

/// How the loader ends.
enum Ending {
    Launch,
    Reboot,
}

/// Serves the cable until there is something to start.
fn run(board: &mut Peripherals, loader: &mut Loader<BoardMemory>) -> Ending {
    let mut piece = [0; PIECE];
    loop {
        board.watchdog.pat();
        let mut is_idle = true;
        let received = board.uart.try_read(&mut piece);
        if let Some(received) = piece.get(..received).filter(|bytes| !bytes.is_empty()) {
            loader.handle_bytes(Instant(board.timer.now()), received);
            is_idle = false;
        }
        match loader.poll(Instant(board.timer.now())) {
            Outcome::Continue => {}
            Outcome::Launch => return Ending::Launch,
            Outcome::Reboot => return Ending::Reboot,
        }
        // No more than the port takes at once: what waits in it can no longer be overtaken.
        let space = board.uart.transmit_space().min(PIECE);
        if let Some(room) = piece.get_mut(..space) {
            let count = loader.poll_transmit(Instant(board.timer.now()), room);
            if let Some(bytes) = room.get(..count).filter(|bytes| !bytes.is_empty()) {
                board.uart.try_write(bytes);
                is_idle = false;
            }
        }
        if let Some(baud) = loader.line_to_set() {
            let is_set = board.uart.set_baud(baud).is_ok();
            loader.line_set(Instant(board.timer.now()), is_set);
            is_idle = false;
        }
        let now = Instant(board.timer.now());
        board.led.light(is_lit(loader.state(), now));
        if is_idle {
            sleep(board, loader.poll_timeout());
        }
    }
}

/// Sleeps until a byte comes or it is time, whichever is first.
fn sleep(board: &mut Peripherals, until: Option<Instant>) {
    let longest = board.timer.now() + LONGEST_SLEEP;
    let until = until.map_or(longest, |until| until.0.min(longest));
    idle_unless(|| board.uart.has_received() || !board.timer.wake_at(until));
}

/// The LED: even and slow while waiting, short flashes with a host, hectic while working.
fn is_lit(state: LoaderState, now: Instant) -> bool {
    let milliseconds = now.0 / 1000;
    match state {
        LoaderState::Waiting => milliseconds & 512 != 0,
        LoaderState::Connected => milliseconds & 0x780 == 0,
        _ => milliseconds & 64 != 0,
    }
}

/// What the bootloader may touch: itself, the images it brings, the handover block, registers.
fn sections() -> [Section; 8] {
    [
        Section::new(memory::firmware_image(), Access::Data),
        Section::new(memory::persona(), Access::Data),
        Section::new(memory::bootloader(), Access::Execute),
        Section::new(memory::staging(), Access::Data),
        Section::new(memory::handover(), Access::Data),
        Section::new(memory::bootloader_stack(), Access::Data),
        Section::new(memory::bootloader_exception_stacks(), Access::Data),
        Section::new(memory::peripherals(), Access::Device),
    ]
}
