// SPDX-License-Identifier: MIT
//! Where in a run its PEs were: some thousands of them one by one, the others in bins of equally many.
//!
//! Time is the sum of all phases so far: what the processor was idle is not in it. A bin has a part for each thread
//! that ran in it. When there are too many bins, each two become one.

use std::collections::BTreeMap;

use pe_replay::Phases;
use wire::record::PeRecord;
use wire::{DelimiterKind, ThreadNumber};

/// How many PEs are kept one by one.
pub const MOST_SINGLE: usize = 20_000;
/// How many bins there are at most.
const MOST_BINS: usize = 1024;
/// How many threads have a lane of their own; the others share the last one.
pub const MOST_LANES: usize = 48;
/// How many marks are kept.
pub const MOST_MARKS: usize = 1000;

/// A PE in the run.
#[derive(Clone, Debug)]
pub struct Single {
    /// Its number.
    pub pe: u64,
    /// Its thread's lane.
    pub lane: usize,
    /// When the kernel had committed the PE before.
    pub start: u64,
    /// What ended it.
    pub delimiter: DelimiterKind,
    /// RIP at its end.
    pub rip: u64,
    /// Its instructions.
    pub instructions: u64,
    /// Pages that it wrote.
    pub frames: u16,
    /// Where its time went.
    pub phases: Phases,
}

/// What some PEs of one thread come to.
#[derive(Clone, Copy, Debug, Default)]
pub struct Part {
    /// How many they are.
    pub pes: u64,
    /// Where their time went.
    pub phases: Phases,
}

/// PEs that follow each other.
#[derive(Clone, Debug, Default)]
pub struct Bin {
    /// The first one's number.
    pub first: u64,
    /// How many they are.
    pub pes: u64,
    /// When the first one began.
    pub start: u64,
    /// When the last one was committed.
    pub end: u64,
    /// By lane.
    pub parts: BTreeMap<usize, Part>,
}

/// What happened to a PE besides that it was run.
#[derive(Clone, Debug)]
pub struct Mark {
    /// The PE's number.
    pub pe: u64,
    /// Its thread's lane.
    pub lane: usize,
    /// When it began.
    pub start: u64,
    /// When it was committed.
    pub end: u64,
    /// Attempts that diverged.
    pub divergences: usize,
    /// Whether a third run decided, or was made anyway.
    pub third_run: bool,
    /// Flips that hit it.
    pub flips: u16,
    /// Second runs that the counter stopped too late.
    pub counter_misses: u16,
}

/// Where PEs were.
#[derive(Debug)]
pub struct Timeline {
    /// From which PE on they are kept one by one.
    pub from: u64,
    /// The PEs that are.
    pub singles: Vec<Single>,
    /// The others in bins.
    pub bins: Vec<Bin>,
    /// How many PEs a bin has at most.
    pub bin_size: u64,
    /// The threads of the lanes, in the order in which they ran first.
    pub lanes: Vec<ThreadNumber>,
    /// PEs to which something happened.
    pub marks: Vec<Mark>,
    /// How many more there were.
    pub unmarked: u64,
    /// When the last PE was committed.
    pub end: u64,
    /// How many PEs there were.
    pub pes: u64,
}

impl Timeline {
    /// No PE so far; single ones are kept from this number on.
    pub fn new(from: u64) -> Self {
        Self {
            from,
            singles: Vec::new(),
            bins: Vec::new(),
            bin_size: 1,
            lanes: Vec::new(),
            marks: Vec::new(),
            unmarked: 0,
            end: 0,
            pes: 0,
        }
    }

    /// Whether threads share the last lane.
    pub fn is_crowded(&self) -> bool {
        self.lanes.len() > MOST_LANES
    }

    /// Adds a PE.
    pub fn add(&mut self, record: &PeRecord) {
        let lane = self.lane(record.thread);
        let (pe, start) = (record.sequence, self.end);
        let end = start + record.phases.total();
        self.mark(record, lane, start, end);
        if pe >= self.from && self.singles.len() < MOST_SINGLE {
            self.singles.push(Single {
                pe,
                lane,
                start,
                delimiter: record.delimiter,
                rip: record.rip,
                instructions: record.instructions,
                frames: record.frames_written,
                phases: record.phases,
            });
        } else {
            self.put(record, lane, start, end);
        }
        (self.end, self.pes) = (end, self.pes + 1);
    }

    fn lane(&mut self, thread: ThreadNumber) -> usize {
        let known = self.lanes.iter().position(|known| *known == thread);
        let place = known.unwrap_or_else(|| {
            // One more than have a lane tells that some share one.
            if self.lanes.len() <= MOST_LANES {
                self.lanes.push(thread);
            }
            self.lanes.len() - 1
        });
        place.min(MOST_LANES - 1)
    }

    fn mark(&mut self, record: &PeRecord, lane: usize, start: u64, end: u64) {
        let third_run = record.phases.get(pe_replay::TimedPhase::ThirdRun) > 0;
        let (flips, counter_misses) = (record.flips, record.counter_misses);
        let divergences = record.divergences.len();
        // In mode `triple` each PE has a third run: that is told by the policy, not by marks.
        if divergences == 0 && flips == 0 && counter_misses == 0 {
            return;
        }
        if self.marks.len() == MOST_MARKS {
            self.unmarked += 1;
            return;
        }
        let pe = record.sequence;
        self.marks.push(Mark { pe, lane, start, end, divergences, third_run, flips, counter_misses });
    }

    fn put(&mut self, record: &PeRecord, lane: usize, start: u64, end: u64) {
        if self.bins.last().is_none_or(|bin| bin.pes >= self.bin_size || bin.end != start) {
            if self.bins.len() == MOST_BINS {
                self.halve();
            }
            self.bins.push(Bin { first: record.sequence, start, ..Bin::default() });
        }
        let Some(bin) = self.bins.last_mut() else { return };
        bin.pes += 1;
        bin.end = end;
        bin.parts.entry(lane).or_default().add(1, &record.phases);
    }

    /// Makes one bin of each two, unless there are single PEs between them.
    fn halve(&mut self) {
        self.bin_size *= 2;
        let mut halves: Vec<Bin> = Vec::with_capacity(MOST_BINS);
        for bin in self.bins.drain(..) {
            match halves.last_mut() {
                Some(half) if half.pes + bin.pes <= self.bin_size && half.end == bin.start => {
                    half.merge(&bin)
                }
                Some(_) | None => halves.push(bin),
            }
        }
        self.bins = halves;
    }
}

impl Bin {
    /// Adds the bin behind this one.
    fn merge(&mut self, next: &Self) {
        self.pes += next.pes;
        self.end = next.end;
        for (lane, part) in &next.parts {
            self.parts.entry(*lane).or_default().add(part.pes, &part.phases);
        }
    }
}

impl Part {
    fn add(&mut self, pes: u64, phases: &Phases) {
        self.pes += pes;
        self.phases.0.iter_mut().zip(phases.0).for_each(|(sum, one)| *sum += one);
    }
}
