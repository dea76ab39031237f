//! The firmware: sets the board up, brings the persona to life, serves the cable.
//!
//! What it does is decided in [`device::Device`]; here are the board's ends of it.
#![no_std]
#![no_main]

extern crate alloc;

mod board;
mod crash;
mod kernels;
mod log;
mod main_loop;
mod self_test;

use bcm2835::{Clock, LockedHeap, Peripherals};
use board::PersonaFile;
use boot_core::handover;
use device::{Device, Options, Packing, Plan, Refuser, Tester};
use kernels::BoardKernels;
use link::message::{BoardFacts, Digest, Identity, Refusal, Role};
use link::{Instant, Rates, Session, VERSION};
use main_loop::Restart;
use model_format::{FormatError, Model};

/// Everything is allocated while the persona is set up; nothing is per token.
#[global_allocator]
static HEAP: LockedHeap = LockedHeap::new();

/// Entered by the boot stub.
#[unsafe(no_mangle)]
extern "C" fn wisp_main(_zero: u32, _machine: u32, _tags: u32) -> ! {
    // SAFETY: first thing after the boot stub, once; the sections cover this program.
    let mut board = unsafe { bcm2835::start(&board::sections()) };
    run_at_full_speed(&mut board);
    let record = board::read_handover();
    let is_test_wanted = board::take_test();
    let restart = match board::find_persona(&record) {
        Some(file) if is_test_wanted => test(&mut board, &file),
        Some(file) => live(&mut board, &file, &record),
        None => {
            defmt::error!("no persona in memory");
            refuse(&mut board, Refusal::BadPersona, 0)
        }
    };
    board::change_handover(match restart {
        Restart::Plain => handover::note_restart,
        Restart::Test => handover::note_test,
    });
    board.uart.drain();
    bcm2835::reset()
}

/// Runs the persona until a restart is wanted.
fn live(board: &mut Peripherals, file: &PersonaFile, record: &handover::Record) -> Restart {
    let model = match open(file) {
        Ok(model) => model,
        Err(error) => {
            defmt::error!("the persona's file is damaged at {=usize}", error.offset);
            return refuse(board, Refusal::BadPersona, error.offset as u32);
        }
    };
    let session = session(board, Some(file.digest));
    let region = board::heap_region(file);
    let plan = Plan::new(&model, &engine::Options::default(), region.len() as u64);
    if let Ok(plan) = &plan {
        // It fits, and the heap is filled from its beginning.
        let used = region.start..region.start + plan.total() as usize;
        // SAFETY: mapped memory behind the persona's file, and there is no heap yet.
        if let Err(detail) = unsafe { self_test::run(board, used) } {
            return refuse(board, Refusal::SelfTestFailed, detail);
        }
    }
    // SAFETY: once; the region is mapped, and the persona's file ends before it.
    unsafe { HEAP.start(region) };
    let device = plan.and_then(|plan| {
        defmt::info!("memory: {}", defmt::Display2Format(&plan));
        let seed = u64::from(board.random.word());
        let options = Options { engine: plan.options, seed, ..Options::default() };
        // The chip's watchdog runs since the bootloader, and packing weights takes its time.
        board.watchdog.pat();
        let mut packing = Packing::new(Instant(board.timer.now()));
        Device::new_telling(&model, BoardKernels, session, options, &mut |done, all| {
            if let Some(percent) = packing.note(Instant(board.timer.now()), done, all) {
                board.watchdog.pat();
                defmt::info!("packing weights: {=usize} %", percent);
            }
        })
    });
    let mut device = match device {
        Ok(device) => device,
        Err(error) => {
            defmt::error!("the persona cannot run: {}", defmt::Display2Format(&error));
            return refuse(board, error.refusal(), 0);
        }
    };
    device.set_board(board_facts(board));
    if let Some(crash) = &record.crash {
        device.set_crash(&crash.report());
    }
    let (used, size) = HEAP.usage();
    let bytes = file.bytes.len();
    defmt::info!("persona of {} bytes, {} of {} bytes of heap in use", bytes, used, size);
    main_loop::run(board, &mut device)
}

/// Tests all memory that this persona may use, and tells the host how far it is.
fn test(board: &mut Peripherals, file: &PersonaFile) -> Restart {
    let session = session(board, None);
    // SAFETY: mapped memory behind the persona's file, and in this program there is no heap.
    let words = unsafe { self_test::Words::new(board::heap_region(file)) };
    main_loop::run(board, &mut Tester::new(session, words))
}

/// Checks what has not been checked yet.
fn open(file: &PersonaFile) -> Result<Model<'static>, FormatError> {
    let model = Model::open(file.bytes)?;
    if !file.is_verified {
        model.verify_digest()?;
    }
    Ok(model)
}

/// What board this is, for whoever measures it.
fn board_facts(board: &mut Peripherals) -> BoardFacts {
    let (revision, memory_bytes) =
        board.mailbox.board().map_or((0, 0), |model| (model.revision, model.memory_end));
    BoardFacts { revision, memory_bytes, is_emulated: board.mailbox.is_emulated() }
}

/// Tells every host why there is no persona, until a restart is wanted.
fn refuse(board: &mut Peripherals, refusal: Refusal, detail: u32) -> Restart {
    let session = session(board, None);
    main_loop::run(board, &mut Refuser::new(session, refusal, detail))
}

/// A conversation with a host, under a new identity.
fn session(board: &mut Peripherals, persona: Option<Digest>) -> Session {
    let boot = board.random.word();
    let identity = Identity { role: Role::Firmware, boot, version: VERSION, persona };
    let mut session = Session::new(identity, board.random.word());
    session.offer_rates(Rates::of(|baud| board.uart.can_make(baud)));
    session
}

/// The Pi's boot stage starts the processor slowly and leaves the rest to the program.
fn run_at_full_speed(board: &mut Peripherals) {
    let highest = board.mailbox.highest_clock_rate(Clock::Arm);
    let set = highest.and_then(|rate| board.mailbox.set_clock_rate(Clock::Arm, rate));
    match (set, board.mailbox.board()) {
        (Ok(rate), Ok(model)) => {
            let (revision, megabytes) = (model.revision, model.memory_end >> 20);
            defmt::info!("board {:x}, {} MiB, processor at {} Hz", revision, megabytes, rate);
            defmt::info!("the serial port's clock runs at {=u32} Hz", board.uart.clock_hz());
        }
        _ => defmt::warn!("the GPU's firmware does not answer"),
    }
}
