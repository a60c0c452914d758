// SPDX-License-Identifier: MIT
//! What the PEs of each process came to.

use super::processor::Processor;
use super::{Objects, ProcessId};

/// What PEs came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// How many there were, each counted once however often it was run.
    pub pes: u64,
    /// Divergences.
    pub divergences: u64,
    /// Attempts started over after one.
    pub restarts: u64,
}

impl<P: Processor> Objects<P> {
    /// What the PEs of a process came to so far, without the one that is served.
    pub fn counts_of(&self, process: ProcessId) -> Counts {
        let counts = self.processes[process].counts;
        let is_current = self.threads[self.current].process == process;
        Counts { pes: counts.pes + if is_current { self.sequence - self.turn } else { 0 }, ..counts }
    }

    /// Counts what has happened in a PE of the current thread.
    pub fn count_divergences(&mut self, divergences: u64, restarts: u64) {
        let counts = &mut self.processes[self.threads[self.current].process].counts;
        counts.divergences += divergences;
        counts.restarts += restarts;
    }
}
