// SPDX-License-Identifier: MIT
//! How long each phase of PEs was.

use pe_replay::{Phases, TimedPhase};

use super::spread::Spread;

/// How long a PE took from its first instruction to its commit: its time without what the kernel did before.
pub fn hold(phases: &Phases) -> u64 {
    phases.total().saturating_sub(phases.get(TimedPhase::Other))
}

/// How long each phase of some PEs was.
#[derive(Clone, Debug, Default)]
pub struct Durations([Spread; TimedPhase::ALL.len()]);

impl Durations {
    /// Adds a PE's phases.
    pub fn add(&mut self, phases: &Phases) {
        self.0.iter_mut().zip(phases.0).for_each(|(all, one)| all.add(one));
    }

    /// Adds those of other PEs.
    pub fn merge(&mut self, other: &Self) {
        self.0.iter_mut().zip(&other.0).for_each(|(all, more)| all.merge(more));
    }

    /// How long a phase was.
    pub fn of(&self, phase: TimedPhase) -> &Spread {
        &self.0[phase as usize]
    }

    /// The middle PE's duration of each phase.
    pub fn medians(&self) -> Phases {
        Phases(self.0.each_ref().map(Spread::median))
    }
}
