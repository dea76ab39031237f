//! How the board's light shows that the program lives.

use link::Instant;

/// Whether the light is on: a heartbeat of two beats every second and a half, and while there is
/// work, a flicker.
pub fn is_lit(now: Instant, is_working: bool) -> bool {
    let milliseconds = now.0 / 1000;
    if is_working {
        return milliseconds & 64 != 0;
    }
    matches!(milliseconds % 1500, 0..60 | 180..240)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_beats_twice_and_flickers_at_work() {
        let changes = |is_working| {
            let lit = |millisecond: u64| is_lit(Instant(millisecond * 1000), is_working);
            (1..3000).filter(|now| lit(*now) != lit(*now - 1)).count()
        };
        assert_eq!((changes(false), changes(true)), (2 * 4 - 1, 2999 / 64));
    }
}
