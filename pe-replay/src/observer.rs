// SPDX-License-Identifier: MIT
//! Eyes of a test: told of each step in the life of a PE, and shown what the engine keeps, to damage
//! it between two steps.
//!
//! Faults inside a run are [injected](crate::inject) by the engine; those between two
//! of its own operations an observer brings about.

use crate::execution::Run;
use crate::lifecycle::{Event, Lifecycle, Phase};
use crate::machine::Machine;
use crate::placement::EntryOf;
use crate::pool::{Open, Pool};
use crate::tracker::Attempt;

/// What the engine keeps during a PE.
pub struct Internals<'a, M: Machine> {
    /// What runs 1 and 3 start from.
    pub start: &'a mut M::Place,
    /// What run 2 starts from.
    pub shadow: &'a mut M::Place,
    /// What each run left; which of them hold something depends on the phase.
    pub results: &'a mut [M::Place; Run::ALL.len()],
    /// The state machine, between two phases.
    pub life: Option<&'a mut Lifecycle>,
    /// The open pages.
    pub open: &'a mut Open,
    /// What is known of the attempt.
    pub attempt: &'a mut Attempt,
    /// The pages of all trackers.
    pub pool: &'a mut Pool<M::Frame, M::Slot>,
}

impl<M: Machine> Internals<'_, M> {
    /// The open pages, with the engine's copies.
    pub fn pages(&self) -> impl Iterator<Item = &EntryOf<M>> {
        self.open.iter(&self.pool.entries)
    }
}

/// What watches PEs.
pub trait Observer<M: Machine> {
    /// Whether anybody watches.
    const WATCHES: bool = true;
    /// Whether run 1's result is taken for run 2's, which is not executed; that is for tests that show it is needed.
    fn skips_run_2(&self) -> bool {
        false
    }
    /// Told of each step.
    fn stepped(&mut self, _machine: &mut M, _from: Phase, _event: Event, _to: Phase) {}
    /// Shown what the engine keeps before each phase and each comparison, but the one of runs 1 and 2,
    /// and after a page joined the set.
    fn visit(&mut self, _machine: &mut M, _internals: Internals<'_, M>) {}
}

/// Nobody watches.
impl<M: Machine> Observer<M> for () {
    const WATCHES: bool = false;
}
