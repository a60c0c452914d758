// SPDX-License-Identifier: MIT
//! Where the time of a PE goes: disjoint phases that sum exactly to the total.

use serde::{Deserialize, Serialize};
use strum::VariantArray;

/// A part of the work on a PE.
#[derive(Clone, Copy, Debug, PartialEq, Eq, VariantArray)]
pub enum Phase {
    /// Run 1, from user entry to stop, bias removed.
    FirstRun,
    /// First-run treatment: the tracker's write faults and checkpoint copies.
    Treatment,
    /// Getting ready to run the PE again: PM0 put in place, registers restored.
    Restart,
    /// Cache flush between the runs.
    Flush,
    /// Run 2, from user entry to stop, bias removed.
    SecondRun,
    /// Run 3, from user entry to stop, bias removed.
    ThirdRun,
    /// Comparison and commit.
    VerifyCommit,
    /// System calls, loading of pages, scheduling, records.
    Other,
}

impl Phase {
    /// All phases, in the order in which they are printed.
    pub const ALL: [Self; 8] = *Self::VARIANTS.first_chunk().unwrap();
}

/// Durations by phase, in the counter's unit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Phases(pub [u64; Phase::ALL.len()]);

impl Phases {
    /// The duration of one phase.
    pub fn get(&self, phase: Phase) -> u64 {
        self.0[phase as usize]
    }

    /// The sum of all phases.
    pub fn total(&self) -> u64 {
        self.0.iter().sum()
    }
}

/// Attributes all time that passes to one phase after the other.
///
/// Every lap starts where the last one ended, so the phases sum to the time
/// between the first mark and the last by construction.
#[derive(Clone, Copy, Debug)]
pub struct Stopwatch {
    mark: u64,
    /// What has been attributed so far.
    pub phases: Phases,
}

impl Stopwatch {
    /// Starts at `now`.
    pub fn start(now: u64) -> Self {
        Self { mark: now, phases: Phases::default() }
    }

    /// Attributes the time since the last mark to `phase`; returns how long that was.
    pub fn lap(&mut self, phase: Phase, now: u64) -> u64 {
        let ticks = now.wrapping_sub(self.mark);
        let sum = &mut self.phases.0[phase as usize];
        // To look whether the sum wraps round would cost three instructions each time.
        (*sum, self.mark) = (sum.wrapping_add(ticks), now);
        ticks
    }

    /// The last mark.
    pub fn mark(&self) -> u64 {
        self.mark
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn laps_sum_to_the_elapsed_time() {
        let mut watch = Stopwatch::start(100);
        let laps = [(Phase::FirstRun, 150), (Phase::Other, 151), (Phase::FirstRun, 200)];
        assert_eq!(laps.map(|(phase, now)| watch.lap(phase, now)), [50, 1, 49]);
        assert_eq!(watch.phases.total(), 100);
        assert_eq!(watch.phases.get(Phase::FirstRun), 99);
    }

    #[test]
    fn the_mark_is_the_end_of_the_last_lap() {
        let mut watch = Stopwatch::start(100);
        assert_eq!(watch.mark(), 100);
        watch.lap(Phase::FirstRun, 150);
        assert_eq!(watch.mark(), 150);
    }
}
