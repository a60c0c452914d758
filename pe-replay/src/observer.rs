// SPDX-License-Identifier: MIT
//! Eyes of a test: told of each step in the life of a PE, and shown what the engine keeps, to damage
//! it between two steps.
//!
//! Faults between two of the engine's own operations an observer brings about when it is shown what there
//! is; for those inside a run it has the run stopped.

use crate::execution::Run;
use crate::lifecycle::{Event, Lifecycle, Phase};
use crate::machine::Machine;
use crate::placement::{EntryOf, Placement};
use crate::pool::{Pages, Pool};
use crate::tracker::Tracker;

/// What the engine keeps during a PE.
pub struct Internals<'a, M: Machine, P> {
    /// What runs 1 and 3 start from.
    pub start: &'a mut M::Place,
    /// What run 2 starts from.
    pub shadow: &'a mut M::Place,
    /// What each run left; which of them hold something depends on the phase.
    pub results: &'a mut [M::Place; Run::ALL.len()],
    /// Whether interrupts are off in the current run, of which no register tells.
    pub interrupts_off: &'a mut bool,
    /// The state machine, between two phases.
    pub life: Option<&'a mut Lifecycle>,
    /// The written set.
    pub tracker: &'a mut Tracker<P>,
    /// The pages of all trackers.
    pub pool: &'a mut Pool<M::Frame, M::Slot>,
}

impl<M: Machine, P: Placement> Internals<'_, M, P> {
    /// The open pages, with the engine's copies.
    pub fn pages(&self) -> impl Iterator<Item = &EntryOf<M>> {
        self.tracker.open.iter(&self.pool.entries)
    }

    /// The frame in which a run sees an address, to be changed there: from now on the page counts as written, if pages
    /// are tracked and there is room.
    pub fn expose(&mut self, machine: &mut M, run: Run, address: u64) -> Option<M::Frame> {
        machine.settle(P::view(run));
        let page = machine.page(address)?;
        self.tracker.expose(&mut Pages { machine, pool: self.pool }, run, page)
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
    fn visit<P: Placement>(&mut self, _machine: &mut M, _internals: Internals<'_, M, P>) {}
    /// After how many instructions, `count` or more, a run is to be stopped next. Asked also of who does not watch; a run
    /// that is not to be stopped is executed as if there were no observer.
    fn next_stop(&self, _run: Run, _count: u64) -> Option<u64> {
        None
    }
    /// Shown a run that is to be stopped: before its registers are taken from what it starts from (then there is no
    /// `count`), and wherever it stands on its way, after `count` instructions. Returns how many bits it has flipped.
    fn stopped<P: Placement>(
        &mut self,
        _machine: &mut M,
        _internals: Internals<'_, M, P>,
        _run: Run,
        _count: Option<u64>,
    ) -> u16 {
        0
    }
    /// Told, also if it does not watch, that results of runs differ.
    fn differed(&mut self, _machine: &mut M) {}
}

/// Nobody watches.
impl<M: Machine> Observer<M> for () {
    const WATCHES: bool = false;
}
