//! Cache and memory on streams whose time can be worked out by hand.

use crate::accesses::Accesses;
use crate::data_cache::{DataCache, MemorySpeed, Request};

const LINE: u32 = 32;

fn cache(latency: u64, cycles_per_line: u64, outstanding: usize) -> DataCache {
    DataCache::new(MemorySpeed { latency, cycles_per_line, outstanding })
}

/// Reads `lines` lines one after the other, each when the one before is there, with a preload so
/// many lines ahead. Returns the cycles per line.
fn stream(cache: &mut DataCache, lines: u32, ahead: Option<u32>) -> u64 {
    let mut now = 0;
    for line in 0..lines {
        if let Some(ahead) = ahead {
            cache.access((line + ahead) * LINE, Request::Prefetch, now);
        }
        now = now.max(cache.access(line * LINE, Request::Read, now));
    }
    now / u64::from(lines)
}

/// Without preloads each line costs its latency; with them, the bandwidth is what remains.
#[test]
fn a_stream_pays_the_latency_or_the_bandwidth() {
    let mut plain = cache(150, 71, 3);
    assert_eq!(stream(&mut plain, 1000, None), 150);
    assert_eq!((plain.misses, plain.prefetches), (1000, 0));
    let mut ahead = cache(150, 71, 3);
    assert_eq!(stream(&mut ahead, 1000, Some(6)), 71);
    // Only the first lines had no preload.
    assert_eq!((ahead.misses, ahead.prefetches), (6, 1000));
    // One fill at a time hides nothing: each waits for the one before.
    assert_eq!(stream(&mut cache(150, 71, 1), 1000, Some(6)), 150);
    // A slow bus is the limit whatever the latency.
    assert_eq!(stream(&mut cache(50, 97, 3), 1000, None), 97);
}

/// Every byte of a line comes with the line; while it is on its way, another load waits for it.
#[test]
fn a_line_is_fetched_once() {
    let mut cache = cache(150, 71, 3);
    assert_eq!(cache.access(0x1000, Request::Read, 10), 160);
    assert_eq!(cache.access(0x101C, Request::Read, 12), 160);
    assert!(cache.access(0x101F, Request::Read, 500) <= 500);
    assert_eq!(cache.misses, 1);
}

/// 16 KiB stay; five lines of one set do not, as they are replaced in turn.
#[test]
fn capacity_and_conflicts() {
    let mut whole = cache(150, 71, 3);
    for _ in 0..2 {
        for line in 0..512 {
            whole.access(line * LINE, Request::Read, 0);
        }
    }
    assert_eq!(whole.misses, 512);
    let mut conflict = cache(150, 71, 3);
    for _ in 0..10 {
        for way in 0..5 {
            conflict.access(way * 4096, Request::Read, 0);
        }
    }
    // Round robin over four ways never keeps the one that is needed next.
    assert_eq!(conflict.misses, 50);
    let mut fits = cache(150, 71, 3);
    for _ in 0..10 {
        for way in 0..4 {
            fits.access(way * 4096, Request::Read, 0);
        }
    }
    assert_eq!(fits.misses, 4);
}

/// A store that misses fetches nothing and holds nobody up.
#[test]
fn only_reads_allocate() {
    let mut cache = cache(150, 71, 3);
    assert_eq!(cache.access(0x2000, Request::Write, 7), 7);
    assert_eq!((cache.misses, cache.prefetches), (0, 0));
    assert_eq!(cache.access(0x2000, Request::Read, 8), 158);
}

/// An instruction asks once for each line that it touches, and for none of a peripheral.
#[test]
fn lines_of_an_instruction() {
    let mut accesses = Accesses::default();
    // Ten words of an LDM, over a border.
    for word in 0..10 {
        accesses.add(0x1008 + 4 * word, 4);
    }
    assert_eq!(accesses.first(), Some(0x1008));
    assert_eq!(accesses.lines(), [0x1000 / LINE, 0x1020 / LINE]);
    // A word that lies in two lines.
    accesses.clear();
    accesses.add(0x101E, 4);
    assert_eq!(accesses.lines(), [0x1000 / LINE, 0x1020 / LINE]);
    accesses.clear();
    accesses.add(0x2000_3004, 4);
    assert_eq!((accesses.first(), accesses.lines()), (Some(0x2000_3004), &[][..]));
}
