//! The level one data cache and the memory behind it (DDI 0301H, 7.2).
//!
//! 16 KiB in four ways of 32-byte lines, allocated on reads only, replaced round robin by one
//! counter, not blocking. A store that misses goes to the write buffer, which is not modelled.
//!
//! Memory is three numbers: the latency of a line, the cycles between lines (bandwidth), and how
//! many fills can be under way. The BCM2835 gives none of them; see the README. A preload that finds
//! no free fill waits in a queue and holds nobody up, which is an assumption.

const SETS: usize = 128;
const WAYS: usize = 4;
/// log2 of the line length.
pub const LINE_BITS: u32 = 5;

/// What memory can do, in core cycles.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemorySpeed {
    /// From the request of a line to its critical word.
    pub latency: u64,
    /// Between one line and the next: 32 bytes a line.
    pub cycles_per_line: u64,
    /// Lines that can be under way at a time; at least one.
    pub outstanding: usize,
}

/// Who wants the line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Request {
    /// A load.
    Read,
    /// A store.
    Write,
    /// PLD.
    Prefetch,
}

#[derive(Clone, Copy, Debug, Default)]
struct Line {
    /// Line number + 1; 0 when empty.
    tag: u32,
    /// When its critical word is there.
    ready: u64,
}

/// Lines, and the fills under way.
#[derive(Clone, Debug)]
pub struct DataCache {
    speed: MemorySpeed,
    sets: Vec<[Line; WAYS]>,
    replace_next: usize,
    bus_free: u64,
    /// When each fill ends; the oldest is at `oldest`.
    fills: Vec<u64>,
    oldest: usize,
    /// Lines filled for loads.
    pub misses: u64,
    /// Lines filled for preloads.
    pub prefetches: u64,
}

impl DataCache {
    /// An empty cache before a memory of this speed.
    pub fn new(speed: MemorySpeed) -> Self {
        Self {
            speed,
            sets: vec![[Line::default(); WAYS]; SETS],
            replace_next: 0,
            bus_free: 0,
            fills: vec![0; speed.outstanding.max(1)],
            oldest: 0,
            misses: 0,
            prefetches: 0,
        }
    }

    /// Asks in cycle `now` for the line that holds `address`; returns when it is there.
    pub fn access(&mut self, address: u32, request: Request, now: u64) -> u64 {
        let line = address >> LINE_BITS;
        let tag = line + 1;
        let set = line as usize % SETS;
        if let Some(hit) = self.sets[set].iter().find(|way| way.tag == tag) {
            return hit.ready;
        }
        match request {
            Request::Write => return now,
            Request::Read => self.misses += 1,
            Request::Prefetch => self.prefetches += 1,
        }
        let ready = self.fill(now);
        let way = self.victim(set);
        self.sets[set][way] = Line { tag, ready };
        ready
    }

    /// An empty way, or the next in turn.
    fn victim(&mut self, set: usize) -> usize {
        if let Some(empty) = self.sets[set].iter().position(|way| way.tag == 0) {
            return empty;
        }
        let way = self.replace_next;
        self.replace_next = (way + 1) % WAYS;
        way
    }

    /// Starts a fill when the bus and a fill buffer are free.
    fn fill(&mut self, now: u64) -> u64 {
        let start = now.max(self.bus_free).max(self.fills[self.oldest]);
        let end = start + self.speed.latency.max(self.speed.cycles_per_line);
        self.bus_free = start + self.speed.cycles_per_line;
        self.fills[self.oldest] = end;
        self.oldest = (self.oldest + 1) % self.fills.len();
        end
    }
}
