//! Whether the board's own `memcpy` and `memmove` do what they must, for every alignment.

use core::hint::black_box;

/// Longest copy tried: longer than every loop of theirs, with what is left over.
const LONGEST: usize = 70;

/// Bytes before and after that must not change.
const MARGIN: usize = 24;

const SIZE: usize = LONGEST + 2 * MARGIN;

/// Copies in every way; says how many, or that one went wrong.
pub(crate) fn check() -> Result<u32, &'static str> {
    let mut count = 0;
    for length in 0..=LONGEST {
        for from in MARGIN..MARGIN + 4 {
            for to in MARGIN..MARGIN + 4 {
                count += u32::from(is_copied(from, to, length)?);
            }
            // Overlapping, by all that makes a difference.
            for to in MARGIN - 20..MARGIN + 20 {
                count += u32::from(is_moved(from, to, length)?);
            }
        }
    }
    Ok(count)
}

fn is_copied(from: usize, to: usize, length: usize) -> Result<bool, &'static str> {
    let source: [u8; SIZE] = numbered();
    let mut copied = [0; SIZE];
    let (Some(source_part), Some(part)) =
        (source.get(from..from + length), copied.get_mut(to..to + length))
    else {
        return Err("a part out of bounds");
    };
    black_box(part).copy_from_slice(black_box(source_part));
    let right = copied.iter().enumerate().all(|(at, byte)| {
        let expected = at.checked_sub(to).filter(|at| *at < length).map_or(0, |at| from + at + 1);
        usize::from(*byte) == expected
    });
    if right { Ok(true) } else { Err("memcpy") }
}

fn is_moved(from: usize, to: usize, length: usize) -> Result<bool, &'static str> {
    let mut bytes: [u8; SIZE] = numbered();
    black_box(&mut bytes).copy_within(black_box(from..from + length), to);
    let right = bytes.iter().enumerate().all(|(at, byte)| {
        let expected = at.checked_sub(to).filter(|at| *at < length).map_or(at, |at| from + at) + 1;
        usize::from(*byte) == expected
    });
    if right { Ok(true) } else { Err("memmove") }
}

/// 1, 2, 3 and so on.
fn numbered() -> [u8; SIZE] {
    let mut bytes = [0; SIZE];
    bytes.iter_mut().zip(1..).for_each(|(place, byte)| *place = byte);
    bytes
}
