//! One core with one memory: the pipeline and the cache before it.

use crate::accesses::Accesses;
use crate::branch::Outcome;
use crate::data_cache::{DataCache, LINE_BITS, MemorySpeed, Request};
use crate::operation::{Operation, Transfer};
use crate::pipeline::{MemoryTiming, Pipeline};
use crate::report::Counts;

/// Bytes of a cache line.
const LINE_BYTES: u64 = 1 << LINE_BITS;

/// What happened when an instruction was executed; the same for every memory.
#[derive(Clone, Copy, Debug)]
pub struct Executed<'a> {
    /// The instruction.
    pub operation: &'a Operation,
    /// Memory that it accessed.
    pub accesses: &'a Accesses,
    /// Its first address takes a second access.
    pub misaligned: bool,
    /// A line that a preload asks for now.
    pub preloads: Option<u32>,
    /// How it was predicted.
    pub outcome: Outcome,
}

/// A core and its memory.
#[derive(Clone, Debug)]
pub struct Model {
    pipeline: Pipeline,
    /// None: every access hits.
    cache: Option<DataCache>,
    loads: u64,
}

impl Model {
    /// A core before a memory of this speed; without one, every access hits the cache.
    pub fn new(speed: Option<MemorySpeed>) -> Self {
        Self { pipeline: Pipeline::default(), cache: speed.map(DataCache::new), loads: 0 }
    }

    /// Executes one instruction.
    pub fn execute(&mut self, executed: &Executed<'_>) {
        let operation = executed.operation;
        let start = self.pipeline.issue_cycle(operation);
        let timing = self.memory(executed, start);
        self.pipeline.issue(operation, start, timing, executed.outcome);
    }

    fn memory(&mut self, executed: &Executed<'_>, start: u64) -> MemoryTiming {
        if let (Some(cache), Some(address)) = (&mut self.cache, executed.preloads) {
            cache.access(address, Request::Prefetch, start);
        }
        let Some(memory) = &executed.operation.memory else {
            return MemoryTiming::default();
        };
        let mut ready = start;
        match memory.transfer {
            Transfer::Prefetch => {}
            Transfer::Store => {
                if let Some(cache) = &mut self.cache {
                    for line in executed.accesses.lines() {
                        cache.access(line << LINE_BITS, Request::Write, start);
                    }
                }
            }
            Transfer::Load => {
                self.loads += u64::from(executed.accesses.first().is_some());
                if let Some(cache) = &mut self.cache {
                    for line in executed.accesses.lines() {
                        ready = ready.max(cache.access(line << LINE_BITS, Request::Read, start));
                    }
                }
            }
        }
        MemoryTiming { misaligned: executed.misaligned, delay: ready - start }
    }

    /// Everything counted since the beginning, but for the instructions, which are not counted here.
    pub fn counts(&self) -> Counts {
        let (misses, prefetches) = match &self.cache {
            Some(cache) => (cache.misses, cache.prefetches),
            None => (0, 0),
        };
        Counts {
            instructions: 0,
            cycles: self.pipeline.cycles(),
            loads: self.loads,
            misses,
            prefetches,
            stall: self.pipeline.stalled(),
            bytes: (misses + prefetches) * LINE_BYTES,
        }
    }
}
