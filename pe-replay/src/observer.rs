// SPDX-License-Identifier: MIT
//! Eyes of a test: told of each step in the life of a PE, and shown what the engine keeps, to damage
//! it between two steps.
//!
//! Faults inside a run are [injected](crate::inject) by the engine; those between two
//! of its own operations an observer brings about.

use core::ops::DerefMut;

use crate::execution::Run;
use crate::lifecycle::{Event, Lifecycle, Phase};
use crate::machine::{Machine, Processor, RegistersOf};
use crate::pool::{Open, Pool};
use crate::thread::Thread;
use crate::tracker::Attempt;

/// A saved register set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stored {
    /// What runs 1 and 3 start from.
    Start,
    /// What run 2 starts from.
    Shadow,
    /// What a run left.
    Result(Run),
}

/// What a tracker keeps beside its pages.
pub struct Counts<'a> {
    /// The open pages.
    pub open: &'a mut Open,
    /// What is known of the attempt.
    pub attempt: &'a mut Attempt,
}

/// What the engine keeps during a PE.
pub struct Internals<'a, M: Machine> {
    pub(crate) thread: &'a mut Thread<<M as Processor>::Place>,
    pub(crate) results: &'a mut [<M as Processor>::Place; Run::ALL.len()],
    pub(crate) frames: usize,
    /// The state machine, between two phases.
    pub life: Option<&'a mut Lifecycle>,
    /// The tracker's own numbers.
    pub counts: Counts<'a>,
    /// The pages.
    pub pool: &'a mut Pool<M::Frame, M::Slot>,
}

/// A page of the written set, with the engine's copies.
#[derive(Clone, Copy, Debug)]
pub struct Tracked<F> {
    /// The address that it is known by.
    pub address: u64,
    /// Where it lives.
    pub home: F,
    /// The copies, as far as there are that many: checkpoint, second and spare, or one for each run.
    pub copies: [Option<F>; 3],
}

impl<M: Machine> Internals<'_, M> {
    /// A saved register set. Which of them hold something depends on the phase.
    pub fn stored(&mut self, which: Stored) -> &mut RegistersOf<M> {
        let place = match which {
            Stored::Start => &mut self.thread.start,
            Stored::Shadow => &mut self.thread.shadow,
            Stored::Result(run) => &mut self.results[run as usize],
        };
        place.deref_mut()
    }

    /// The open pages.
    pub fn pages(&self) -> impl Iterator<Item = Tracked<M::Frame>> {
        let frames = self.frames;
        self.counts.open.iter(&self.pool.entries).map(move |entry| Tracked {
            address: entry.page.address,
            home: entry.page.frame,
            copies: core::array::from_fn(|at| entry.frames[..frames].get(at).copied()),
        })
    }
}

/// What watches PEs.
pub trait Observer<M: Machine> {
    /// Whether anybody watches.
    const WATCHES: bool = true;
    /// Whether run 1's result is taken for run 2's, which is not executed; that is for tests that show it is needed.
    #[inline(always)]
    fn skips_run_2(&self) -> bool {
        false
    }
    /// Told of each step.
    #[inline(always)]
    fn stepped(&mut self, _machine: &mut M, _from: Phase, _event: Event, _to: Phase) {}
    /// Shown what the engine keeps before each phase and each comparison, but the one of runs 1 and 2,
    /// and after a page joined the set.
    #[inline(always)]
    fn visit(&mut self, _machine: &mut M, _internals: Internals<'_, M>) {}
}

/// Nobody watches.
impl<M: Machine> Observer<M> for () {
    const WATCHES: bool = false;
}
