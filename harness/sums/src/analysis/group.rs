// SPDX-License-Identifier: MIT
//! PEs that have something in common, added up.

use pe_replay::{Phases, TimedPhase};
use wire::ThreadNumber;
use wire::record::PeRecord;

use crate::durations::{Durations, hold};
use crate::spread::Spread;

/// PEs that have something in common.
#[derive(Clone, Debug)]
pub struct Group {
    /// What they have in common, in words.
    pub name: String,
    /// The thread whose they all are, if that is what they have in common.
    pub thread: Option<ThreadNumber>,
    /// How many they are.
    pub pes: u64,
    /// Their instructions.
    pub instructions: u64,
    /// The pages that they wrote, summed over PEs.
    pub frames: u64,
    /// The faults by which these were found.
    pub write_faults: u64,
    /// Their divergences.
    pub divergences: u64,
    /// Where their time went.
    pub phases: Phases,
    /// How long each phase was.
    pub durations: Durations,
    /// How long each PE took from its first instruction to its commit.
    pub holds: Spread,
}

impl Group {
    /// No PE so far.
    pub fn new(name: String) -> Self {
        Self {
            name,
            thread: None,
            pes: 0,
            instructions: 0,
            frames: 0,
            write_faults: 0,
            divergences: 0,
            phases: Phases::default(),
            durations: Durations::default(),
            holds: Spread::default(),
        }
    }

    /// No PE of a thread so far.
    pub fn of_thread(thread: ThreadNumber) -> Self {
        Self { thread: Some(thread), ..Self::new(thread.to_string()) }
    }

    /// Adds a PE.
    pub fn add(&mut self, record: &PeRecord) {
        self.pes += 1;
        self.instructions += record.instructions;
        self.frames += u64::from(record.frames_written);
        self.write_faults += u64::from(record.write_faults);
        self.divergences += record.divergences.len() as u64;
        self.phases.0.iter_mut().zip(record.phases.0).for_each(|(sum, one)| *sum += one);
        self.durations.add(&record.phases);
        self.holds.add(hold(&record.phases));
    }

    /// Adds all PEs of another one.
    pub fn merge(&mut self, other: &Self) {
        self.pes += other.pes;
        self.instructions += other.instructions;
        self.frames += other.frames;
        self.write_faults += other.write_faults;
        self.divergences += other.divergences;
        self.phases.0.iter_mut().zip(other.phases.0).for_each(|(sum, one)| *sum += one);
        self.durations.merge(&other.durations);
        self.holds.merge(&other.holds);
    }

    /// All time over that of the second run; none where that took no time.
    pub fn over_second_run(&self) -> Option<f64> {
        let second = self.phases.get(TimedPhase::SecondRun);
        (second > 0).then(|| self.phases.total() as f64 / second as f64)
    }

    /// The middle PE's duration of a phase.
    pub fn median(&self, phase: TimedPhase) -> u64 {
        self.durations.of(phase).median()
    }

    /// The longest duration of a phase.
    pub fn worst(&self, phase: TimedPhase) -> u64 {
        self.durations.of(phase).highest()
    }
}
