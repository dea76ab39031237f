//! What must hold on a healthy board.

use core::hint::black_box;
use core::sync::atomic::{AtomicU8, AtomicU16, AtomicU32, AtomicU64, Ordering};

use bcm2835::{Clock, Peripherals, idle_unless, memory};
use embedded_hal::delay::DelayNs;

use crate::processor::{do_vectors_last, unaligned_word};

/// What went wrong: the value that was seen.
pub(crate) type Verdict = Result<(), u64>;

/// One check.
type Check = fn(&mut Peripherals) -> Verdict;

/// Every check and its name.
pub(crate) const ALL: [(&str, Check); 10] = [
    ("the image is where it was linked", in_place),
    ("zeroed data is zero", zeroed),
    ("atomics of every width", atomics),
    ("unaligned access", unaligned),
    ("a delay lasts", delay),
    ("an alarm ends sleep", alarm),
    ("an alarm in the past is refused", past_alarm),
    ("interrupts leave floats alone", floats),
    ("the mailbox answers", mailbox),
    ("random words differ", random),
];

fn expect(holds: bool, seen: u64) -> Verdict {
    if holds { Ok(()) } else { Err(seen) }
}

fn in_place(_: &mut Peripherals) -> Verdict {
    let here = in_place as *const () as usize;
    expect(memory::firmware_image().contains(&here), here as u64)
}

fn zeroed(_: &mut Peripherals) -> Verdict {
    static MANY: [AtomicU32; 1024] = [const { AtomicU32::new(0) }; 1024];
    let sum = MANY.iter().map(|word| u64::from(word.load(Ordering::Relaxed))).sum();
    expect(sum == 0, sum)
}

/// Exclusive loads and stores need the MMU on, on the real chip.
fn atomics(_: &mut Peripherals) -> Verdict {
    static BYTE: AtomicU8 = AtomicU8::new(250);
    static HALF: AtomicU16 = AtomicU16::new(1);
    static WORD: AtomicU32 = AtomicU32::new(1);
    static DOUBLE: AtomicU64 = AtomicU64::new(u32::MAX as u64);
    for _ in 0..3 {
        BYTE.fetch_add(3, Ordering::SeqCst);
        HALF.fetch_add(300, Ordering::SeqCst);
        WORD.fetch_add(1 << 20, Ordering::SeqCst);
        DOUBLE.fetch_add(1 << 33, Ordering::SeqCst);
    }
    let seen = DOUBLE.load(Ordering::SeqCst);
    expect(
        BYTE.load(Ordering::SeqCst) == 3
            && HALF.load(Ordering::SeqCst) == 901
            && WORD.compare_exchange(1 + (3 << 20), 7, Ordering::AcqRel, Ordering::Acquire)
                == Ok(1 + (3 << 20))
            && seen == (3 << 33) + u64::from(u32::MAX),
        seen,
    )
}

fn unaligned(_: &mut Peripherals) -> Verdict {
    let bytes = black_box([1u8, 2, 3, 4, 5, 6, 7, 8]);
    // SAFETY: reads four bytes inside the array.
    let word = unsafe { unaligned_word(bytes.as_ptr()) };
    expect(word == 0x0504_0302, u64::from(word))
}

fn delay(board: &mut Peripherals) -> Verdict {
    let start = board.timer.now();
    board.timer.delay_us(500);
    let lasted = board.timer.now() - start;
    expect(lasted >= 500, lasted)
}

fn alarm(board: &mut Peripherals) -> Verdict {
    let moment = board.timer.now() + 20_000;
    // A host so busy that 20 ms passed in between is no fault of the alarm.
    if board.timer.wake_at(moment) {
        let timer = &board.timer;
        while timer.now() < moment {
            idle_unless(|| timer.now() >= moment);
        }
    }
    let late = board.timer.now().wrapping_sub(moment);
    expect(late < u64::MAX / 2, late)
}

fn past_alarm(board: &mut Peripherals) -> Verdict {
    let now = board.timer.now();
    let refused = !board.timer.wake_at(now) && !board.timer.wake_at(now.saturating_sub(1000));
    expect(refused, now)
}

/// A chain of floating point operations, with an interrupt now and then, gives the bits it gives
/// without.
fn floats(board: &mut Peripherals) -> Verdict {
    fn chain() -> u32 {
        let mut sum = black_box(0.1f32);
        for step in 0..2000 {
            sum = sum * 1.000_1 + black_box(step as f32) / 3.0;
        }
        sum.to_bits()
    }
    let calm = chain();
    for _ in 0..200 {
        // Rings in the middle of the chain.
        let moment = board.timer.now() + 20;
        board.timer.wake_at(moment);
        let disturbed = chain();
        if disturbed != calm {
            return Err(u64::from(disturbed) << 32 | u64::from(calm));
        }
        board.timer.wake_at(board.timer.now() + 20);
        if !do_vectors_last(100_000) {
            return Err(1);
        }
    }
    Ok(())
}

fn mailbox(board: &mut Peripherals) -> Verdict {
    let Ok(model) = board.mailbox.board() else { return Err(1) };
    let Ok(arm) = board.mailbox.clock_rate(Clock::Arm) else { return Err(2) };
    let Ok(warmth) = board.mailbox.temperature() else { return Err(3) };
    // The map must fit: the GPU's memory begins behind the bootloader's.
    let map_end = memory::bootloader_exception_stacks().end as u64;
    expect(u64::from(model.memory_end) >= map_end, u64::from(model.memory_end))?;
    expect((250_000_000..=1_200_000_000).contains(&arm), u64::from(arm))?;
    expect((1_000..100_000).contains(&warmth), u64::from(warmth))
}

fn random(board: &mut Peripherals) -> Verdict {
    let words: [u32; 4] = core::array::from_fn(|_| board.random.word());
    let [first, rest @ ..] = words;
    expect(!rest.contains(&first), u64::from(first))
}
