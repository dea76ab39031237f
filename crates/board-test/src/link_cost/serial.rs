//! The receive interrupt, and the way out of its ring.
//!
//! A microsecond is a thousand instructions, and an interrupt takes a few hundred. So many
//! interrupts are timed together with the waiting between them, which is a loop of five
//! instructions that counts its rounds: the rest is the interrupts, exactly.

use bcm2835::Peripherals;

/// The PL011's DR and FR (BCM2835 ARM Peripherals p. 179 and 181).
const DATA: usize = 0x2020_1000;
const FLAGS: usize = 0x2020_1018;
/// RXFE: the receive queue is empty.
const RECEIVE_EMPTY: u32 = 1 << 4;
/// RXFF: it is full, which is 16 bytes.
const RECEIVE_FULL: u32 = 1 << 6;
/// TXFE: nothing is left to send.
const TRANSMIT_EMPTY: u32 = 1 << 7;

/// The processor's mode (TRM 2.9): supervisor, with interrupts let in or masked.
const LET_IN: u32 = 0x13;
const MASKED: u32 = 0x93;

/// Bytes in a full receive queue (p. 175).
const QUEUE: u64 = 16;

/// Instructions of one round of [`wait_and_let_in`]'s loop.
const LOOP: u64 = 5;

/// Interrupts measured together: what they bring fits the driver's ring.
const INTERRUPTS: u64 = 1000;

/// Bytes that the firmware's main loop moves at a time.
const PIECE: usize = 2048;

/// What a round of measuring waits for.
struct Wait {
    /// Written to the other end, which answers with the bytes to wait for.
    request: u8,
    /// Bits of the flags that show that they are there, and their value.
    flags: u32,
    value: u32,
    /// Whether the interrupt is let in then.
    mode: u32,
}

/// A full queue.
const FULL: Wait = Wait { request: b'#', flags: RECEIVE_FULL, value: RECEIVE_FULL, mode: LET_IN };
/// A single byte.
const SINGLE: Wait = Wait { request: b'.', flags: RECEIVE_EMPTY, value: 0, mode: LET_IN };
/// Nothing: what a round costs without an interrupt.
const NOTHING: Wait =
    Wait { request: b' ', flags: TRANSMIT_EMPTY, value: TRANSMIT_EMPTY, mode: MASKED };

/// Measures everything of the serial port.
pub(crate) fn measure(board: &mut Peripherals) -> Result<(), &'static str> {
    let own = interrupts(board, &NOTHING);
    for (name, wait, bytes, has_bursts) in
        [("burst", FULL, QUEUE, true), ("full", FULL, QUEUE, false), ("single", SINGLE, 1, false)]
    {
        board.uart.set_bursts(has_bursts);
        let instructions = interrupts(board, &wait).saturating_sub(own);
        let (count, ring) = read_all(board);
        if count != INTERRUPTS * bytes {
            return Err("interrupts that did not bring what was asked for");
        }
        crate::say(board, format_args!("interrupt {name} {INTERRUPTS} {instructions}"));
        crate::say(board, format_args!("ring {name} {count} {}", ring * 1000));
    }
    // QEMU raises the interrupt for a single byte: it must be noticed at the first that there are
    // no bursts, and cost no more than what that one brought.
    board.uart.set_bursts(true);
    interrupts(board, &SINGLE);
    if read_all(board).0 != INTERRUPTS - 1 {
        return Err("an interrupt without a burst that was not noticed");
    }
    unmask();
    Ok(())
}

/// Asks, waits and lets interrupts in as often as [`INTERRUPTS`] says: instructions, without those
/// of waiting.
#[inline(never)]
fn interrupts(board: &mut Peripherals, wait: &Wait) -> u64 {
    let start = board.timer.now();
    let mut rounds = 0u64;
    for _ in 0..INTERRUPTS {
        rounds += u64::from(wait_and_let_in(wait));
    }
    let micros = board.timer.now() - start;
    (micros * 1000).saturating_sub(rounds * LOOP)
}

/// Asks the other end for bytes, waits with interrupts masked until they are there, lets
/// interrupts in for a moment, and returns how many rounds it waited.
fn wait_and_let_in(wait: &Wait) -> u32 {
    let rounds;
    // SAFETY: sends a byte, reads one register that nothing depends on, and lets interrupts in,
    // which is always allowed.
    unsafe {
        core::arch::asm!(
            "cpsid i",
            "str {request}, [{data}]",
            "2: ldr {now}, [{register}]",
            "add {rounds}, {rounds}, #1",
            "and {now}, {now}, {flags}",
            "teq {now}, {value}",
            "bne 2b",
            "msr cpsr_c, {mode}",
            "nop",
            "cpsid i",
            data = in(reg) DATA,
            request = in(reg) u32::from(wait.request),
            register = in(reg) FLAGS,
            now = out(reg) _,
            rounds = inout(reg) 0 => rounds,
            flags = in(reg) wait.flags,
            value = in(reg) wait.value,
            mode = in(reg) wait.mode,
        );
    }
    rounds
}

fn unmask() {
    // SAFETY: the vectors are set.
    unsafe { core::arch::asm!("cpsie i") };
}

/// Empties the ring as the main loop does; bytes and microseconds.
fn read_all(board: &mut Peripherals) -> (u64, u64) {
    let mut piece = [0; PIECE];
    let mut bytes = 0;
    let start = board.timer.now();
    loop {
        let count = board.uart.try_read(&mut piece);
        if count == 0 {
            return (bytes, board.timer.now() - start);
        }
        bytes += count as u64;
    }
}
