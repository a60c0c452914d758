// SPDX-License-Identifier: MIT
//! What a processor needs while it executes PEs, and what takes part in one.

use arrayvec::ArrayVec;
use pmu::Margin;

use crate::difference::Difference;
use crate::execution::Run;
use crate::lifecycle::Lifecycle;
use crate::machine::{Machine, Processor};
use crate::observer::{Internals, Observer};
use crate::phases::Stopwatch;
use crate::placement::Placement;
use crate::policy::MAX_DIVERGENCES;
use crate::pool::Pool;
use crate::stop::End;
use crate::thread::Thread;
use crate::tracker::Tracker;

/// What became of a PE.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Its result is the state.
    Committed(End),
    /// It diverges persistently; the state is that before it.
    Persistent {
        /// The first difference of the last attempt.
        difference: Difference,
        /// Where the last first run ended.
        end_rip: u64,
    },
    /// A fault hit one of the engine's copies of the state before it, and nothing
    /// tells which one: that state is lost.
    Damaged {
        /// Where the copies differ.
        difference: Difference,
    },
    /// Its first instruction needs more frames at once than the pool has; the
    /// state is that before it.
    OutOfFrames,
}

/// What is recorded about a PE beside its outcome.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Account {
    /// Pages written.
    pub frames_written: u16,
    /// Write faults taken for them, all attempts.
    pub write_faults: u16,
    /// First difference of each attempt in which not all runs agreed.
    pub divergences: ArrayVec<Difference, { MAX_DIVERGENCES as usize }>,
    /// The run whose result was not taken, where two of three agreed.
    pub outvoted: Option<Run>,
    /// Third runs.
    pub third_runs: u16,
    /// Runs repeated because the counter overshot.
    pub counter_misses: u16,
    /// Counter interrupts before their time, or after it.
    pub early_overflows: u16,
    /// Debug exceptions taken to stop exactly, all attempts.
    pub debug_exceptions: u32,
    /// Bits that an observer has flipped.
    pub flips: u16,
    /// The time from the first user entry to the end of the PE, all attempts, in
    /// the counter's unit: so long were interrupts held back.
    pub longest_hold: u64,
}

/// What a processor needs while it executes.
pub struct Executor<M: Machine> {
    pub(crate) results: [M::Place; Run::ALL.len()],
    pub(crate) margin: Margin,
    /// Whether an observer has cleared RFLAGS.IF in the current run.
    pub(crate) interrupts_off: bool,
    /// Whether user mode was entered.
    pub(crate) started: bool,
    /// When user mode was entered first in the current PE.
    pub(crate) entered: u64,
    /// What is recorded about the last PE.
    pub account: Account,
    /// The entries of all written sets.
    pub pool: Pool<M::Frame, M::Slot>,
    /// Where time goes; the owner laps what happens between PEs.
    pub watch: Stopwatch,
}

/// The thread of a machine.
pub type ThreadOf<M> = Thread<<M as Processor>::Place>;

impl<M: Machine> Executor<M> {
    /// An executor before its first PE. `margin` is the counter's; what is in `results` does not
    /// matter.
    pub fn new(
        results: [M::Place; Run::ALL.len()],
        pool: Pool<M::Frame, M::Slot>,
        margin: Margin,
        now: u64,
    ) -> Self {
        Self {
            results,
            margin,
            interrupts_off: false,
            started: false,
            entered: now,
            account: Account::default(),
            pool,
            watch: Stopwatch::start(now),
        }
    }
}

/// All that takes part in a PE.
pub struct Course<'a, M: Machine, P, O> {
    /// What executes user code.
    pub machine: &'a mut M,
    /// What the processor needs for that.
    pub executor: &'a mut Executor<M>,
    /// The thread that is executed.
    pub thread: &'a mut ThreadOf<M>,
    /// The written set of its space.
    pub tracker: &'a mut Tracker<P>,
    /// Who watches.
    pub observer: &'a mut O,
}

impl<M: Machine, P: Placement, O: Observer<M>> Course<'_, M, P, O> {
    /// Shows the observer what there is.
    #[inline(always)]
    pub(crate) fn visit(&mut self, life: Option<&mut Lifecycle>) {
        if O::WATCHES {
            self.show(life, |observer, machine, internals| observer.visit(machine, internals));
        }
    }

    /// Lets the observer change what there is while a run stands still, before its registers are in place (no `count`)
    /// or after so many instructions.
    #[cold]
    pub(crate) fn pause(&mut self, run: Run, count: Option<u64>) {
        let flips = self.show(None, |observer, machine, it| observer.stopped(machine, it, run, count));
        self.executor.account.flips += flips;
    }

    #[inline(always)]
    fn show<T>(
        &mut self,
        life: Option<&mut Lifecycle>,
        to: impl FnOnce(&mut O, &mut M, Internals<'_, M, P>) -> T,
    ) -> T {
        let Executor { results, interrupts_off, pool, .. } = self.executor;
        let Thread { start, shadow, .. } = self.thread;
        let tracker = &mut *self.tracker;
        let internals = Internals { start, shadow, results, interrupts_off, life, tracker, pool };
        to(self.observer, self.machine, internals)
    }
}

/// The pages of a course. A macro, since a method would borrow all of it.
macro_rules! pages {
    ($course:expr) => {
        &mut $crate::pool::Pages { machine: &mut *$course.machine, pool: &mut $course.executor.pool }
    };
}
pub(crate) use pages;
