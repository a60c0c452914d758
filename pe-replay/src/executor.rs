// SPDX-License-Identifier: MIT
//! What a processor needs while it executes PEs, and the way of a PE from Prepare to Commit or a
//! verdict: carries out what the state machine asks for, on a [`Machine`].
//!
//! The kernel calls [`Executor::execute`] for every stretch of user code; host tests call it on
//! a model.

use core::ops::DerefMut;

use arrayvec::ArrayVec;
use pmu::{Margin, Repeats};

use crate::compare::Difference;
use crate::digest::Digest;
use crate::events::{Counted, Pages, Work};
use crate::inject::Injection;
use crate::life::{Action, Ends, Event, Life, Rules, Run, Verdict};
use crate::machine::{Machine, Memory, Page, Processor};
use crate::mutation::Mutation;
use crate::observer::{Inside, Observer};
use crate::phases::{Phase as Timed, Stopwatch};
use crate::placement::Placement;
use crate::policy::{Flush, MAX_DIVERGENCES, Mode, Policy};
use crate::pool::Pool;
use crate::registers::RegisterSet;
use crate::run::Tracking;
use crate::stop::{Delimiter, End};
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
    /// Flips applied.
    pub flips: u16,
    /// The time from the first user entry to the end of the PE, all attempts, in
    /// the counter's unit: so long were interrupts held back.
    pub longest_hold: u64,
}

impl Account {
    /// Whether nothing happened that does not happen in every PE.
    #[inline]
    pub fn is_quiet(&self) -> bool {
        self.divergences.is_empty()
            && self.third_runs | self.counter_misses | self.early_overflows | self.flips == 0
            && self.debug_exceptions == 0
    }
}

/// How a PE is run, its space's own, as an executive holds it.
pub enum Replay {
    /// Every PE is run once.
    Off(Policy),
    /// Pages in place, compared byte by byte.
    Bytes(Tracker<crate::placement::bytes::Bytes>),
    /// Pages in place, compared by hash.
    Hash(Tracker<crate::placement::hash::Hash>),
}

/// What a processor needs while it executes.
pub struct Executor<P, F, S> {
    pub(crate) results: [P; Run::ALL.len()],
    pub(crate) margin: Margin,
    mutation: Option<Mutation>,
    /// A flip cleared RFLAGS.IF in the current run.
    pub(crate) interrupts_off: bool,
    /// Injections of this PE that were applied, a bit each.
    pub(crate) applied: u32,
    /// Whether user mode was entered since [`start`](Self::start).
    pub(crate) started: bool,
    /// When user mode was entered first in the current PE.
    pub(crate) entered: Option<u64>,
    pub(crate) account: Account,
    /// The entries of all written sets.
    pub pool: Pool<F, S>,
    /// What the machine was made to do.
    pub work: Work,
    /// Where time goes; the owner laps what happens between PEs.
    pub watch: Stopwatch,
}

/// The executor of a machine.
pub type ExecutorOf<M> = Executor<<M as Processor>::Place, <M as Memory>::Frame, <M as Memory>::Slot>;

/// The thread of a machine.
pub type ThreadOf<M> = Thread<<M as Processor>::Place>;

/// All that takes part in a PE.
pub(crate) struct Course<'a, M: Machine, T, O> {
    pub machine: &'a mut M,
    pub executor: &'a mut ExecutorOf<M>,
    pub thread: &'a mut ThreadOf<M>,
    pub tracker: &'a mut T,
    pub injections: &'a [Injection],
    pub observer: &'a mut O,
}

/// The pages of a course. A macro, since a method would borrow all of it.
macro_rules! pages {
    ($course:expr) => {
        &mut $crate::events::Pages {
            counted: $crate::events::Counted {
                machine: &mut *$course.machine,
                work: &mut $course.executor.work,
            },
            pool: &mut $course.executor.pool,
        }
    };
}
pub(crate) use pages;

impl<R: RegisterSet, P: DerefMut<Target = R>, F: Copy + Eq, S: Copy> Executor<P, F, S> {
    /// An executor before its first PE. `margin` is the counter's; what is in `results` does not
    /// matter.
    pub fn new(
        results: [P; Run::ALL.len()],
        pool: Pool<F, S>,
        margin: Margin,
        mutation: Option<Mutation>,
        now: u64,
    ) -> Self {
        Self {
            results,
            margin,
            mutation,
            interrupts_off: false,
            applied: 0,
            started: false,
            entered: None,
            account: Account::default(),
            pool,
            work: Work::default(),
            watch: Stopwatch::start(now),
        }
    }

    /// Counts all work and time anew, from the next entry into user mode.
    pub fn start(&mut self, now: u64) {
        (self.started, self.work, self.watch) = (false, Work::default(), Stopwatch::start(now));
    }

    /// What is recorded about the last PE.
    pub fn account(&self) -> &Account {
        &self.account
    }

    /// What this executor is to leave out; nothing unless that is compiled in.
    #[inline(always)]
    pub(crate) fn mutation(&self) -> Option<Mutation> {
        if cfg!(feature = "mutants") { self.mutation } else { None }
    }

    /// One PE of a thread: executes user code from its registers, at most `limit` instructions of it if that is less than
    /// the policy's, and leaves the committed state there. `injections` are those of this PE.
    #[inline(always)]
    pub fn execute<M: Machine<Registers = R, Place = P, Frame = F, Slot = S>, O: Observer<M>>(
        &mut self,
        machine: &mut M,
        thread: &mut ThreadOf<M>,
        replay: &mut Replay,
        limit: u64,
        injections: &[Injection],
        observer: &mut O,
    ) -> Outcome {
        match replay {
            Replay::Off(policy) => self.execute_once(machine, thread, policy, limit, injections, observer),
            Replay::Bytes(it) => self.execute_replayed(machine, thread, it, limit, injections, observer),
            Replay::Hash(it) => self.execute_replayed(machine, thread, it, limit, injections, observer),
        }
    }

    /// One PE, run once: there is nothing to compare with and nothing to start again from.
    pub fn execute_once<M: Machine<Registers = R, Place = P, Frame = F, Slot = S>, O: Observer<M>>(
        &mut self,
        machine: &mut M,
        thread: &mut ThreadOf<M>,
        policy: &Policy,
        limit: u64,
        injections: &[Injection],
        observer: &mut O,
    ) -> Outcome {
        self.open();
        thread.prepare_alone();
        let mut course = Course { machine, executor: self, thread, tracker: &mut (), injections, observer };
        let end = course.run_once(limit.min(policy.limit));
        let Course { machine, executor, thread, .. } = course;
        executor.close(machine);
        if end.delimiter == Delimiter::Watchdog {
            let difference = crate::life::endless(end);
            executor.account.divergences.push(difference);
            let end_rip = executor.results[Run::First as usize].position().0;
            return Outcome::Persistent { difference, end_rip };
        }
        thread.commit_alone(&mut executor.results[Run::First as usize]);
        Outcome::Committed(end)
    }

    /// One PE, run as often as the tracker's policy says.
    pub fn execute_replayed<
        M: Machine<Registers = R, Place = P, Frame = F, Slot = S>,
        T: Placement,
        O: Observer<M>,
    >(
        &mut self,
        machine: &mut M,
        thread: &mut ThreadOf<M>,
        tracker: &mut Tracker<T>,
        limit: u64,
        injections: &[Injection],
        observer: &mut O,
    ) -> Outcome {
        self.open();
        let mut course = Course { machine, executor: self, thread, tracker, injections, observer };
        let outcome = course.live(limit);
        let Course { machine, executor, .. } = course;
        executor.close(machine);
        outcome
    }

    #[inline(always)]
    fn open(&mut self) {
        (self.account, self.entered, self.applied) = (Account::default(), None, 0);
    }

    #[inline(always)]
    fn close(&mut self, machine: &mut impl Processor) {
        self.watch.lap(Timed::VerifyCommit, machine.now());
        self.account.longest_hold = self.entered.map_or(0, |entered| self.watch.mark().wrapping_sub(entered));
    }

    /// The digest of what the last PE, which was committed so, has left behind; to be asked for before
    /// the registers are changed.
    pub fn digest<M: Machine<Registers = R, Place = P, Frame = F, Slot = S>>(
        &self,
        machine: &mut M,
        thread: &ThreadOf<M>,
        replay: &Replay,
        end: End,
    ) -> Digest {
        let registers = thread.registers();
        match replay {
            Replay::Off(_) => Digest::new(registers, end, core::iter::empty()),
            Replay::Bytes(it) => Digest::new(registers, end, it.last_written(&self.pool, machine)),
            Replay::Hash(it) => Digest::new(registers, end, it.last_written(&self.pool, machine)),
        }
    }

    /// Gives up the pages of a tracker for which `which` holds, between two PEs.
    pub fn give_up<M: Machine<Registers = R, Place = P, Frame = F, Slot = S>>(
        &mut self,
        machine: &mut M,
        replay: &mut Replay,
        which: impl FnMut(&mut M, &Page<F, S>) -> bool,
    ) {
        let counted = Counted { machine, work: &mut self.work };
        let mut pages = Pages { counted, pool: &mut self.pool };
        match replay {
            Replay::Off(_) => {}
            Replay::Bytes(it) => it.give_up(&mut pages, which),
            Replay::Hash(it) => it.give_up(&mut pages, which),
        }
    }
}

impl Replay {
    /// Replay by a policy. Of those that share an executor each has a number of its own.
    pub fn new(number: u32, policy: Policy) -> Self {
        use crate::policy::Comparison;
        match (policy.mode, policy.comparison) {
            (Mode::Off, _) => Self::Off(policy),
            (Mode::Dual | Mode::Triple, Comparison::Bytes) => Self::Bytes(Tracker::new(number, policy)),
            (Mode::Dual | Mode::Triple, Comparison::Hash) => Self::Hash(Tracker::new(number, policy)),
        }
    }
}

/// Carries out what the state machine asked for. A macro, so that where this is known, nothing else is compiled.
macro_rules! carry_out {
    ($course:ident, $life:ident, $action:expr) => {
        match $action {
            Action::Prepare => $course.prepare(),
            Action::Execute(Run::Second, _) if $course.skips_run_2() => {
                let [first, second, _] = &mut $course.executor.results;
                second.clone_from(first);
                $life.ends.second = $life.ends.first;
                Event::Ended
            }
            Action::Execute(Run::First, approach) => {
                let (end, event) = $course.run(Run::First, approach, None);
                $life.ends.first = end;
                event
            }
            Action::Execute(Run::Second, approach) => {
                let (end, event) = $course.run(Run::Second, approach, $life.target(Run::Second));
                $life.ends.second = end;
                event
            }
            Action::Execute(Run::Third, approach) => {
                let (end, event) = $course.run(Run::Third, approach, $life.target(Run::Third));
                $life.ends.third = end;
                event
            }
            // What nobody else ever sees can be kept in registers.
            Action::ExecuteAll { limit } if T::AT_ONCE => {
                let mut copy = $life;
                let event = $course.run_all(limit, &mut copy);
                $life = copy;
                event
            }
            Action::ExecuteAll { .. } => unreachable!("runs in one frame do not go on at once"),
            Action::Turn(run) => $course.turn(run, $life.rules.triple, $life.target(run).is_some()),
            Action::Verify(run) => $course.verify(run, $life.ends, $life.rules.triple, $life.difference),
            Action::RollBack => $course.roll_back($life.difference),
            Action::Commit { .. } | Action::GiveUp(_) => unreachable!("the PE is over"),
        }
    };
}

impl<M: Machine, T: Placement, O: Observer<M>> Course<'_, M, Tracker<T>, O> {
    /// A PE's life, in the order in which nearly all live it: there the compiler knows where in it the
    /// PE is, and that saves some 200 instructions. What follows on what is for [`Life`] to say.
    #[inline(always)]
    fn live(&mut self, limit: u64) -> Outcome {
        let policy = &self.tracker.policy;
        let (mut life, mut action) = Life::begin(Rules {
            triple: policy.mode == Mode::Triple,
            recovery: policy.recovery,
            limit: limit.min(policy.limit),
            margin: self.executor.margin,
            // A late counter, or one that does not tell where in a REP it stopped, has one run to show the way.
            at_once: T::AT_ONCE
                && self.executor.margin.far == 0
                && self.machine.repeats() == Repeats::PerIteration,
        });
        if O::WATCHES {
            self.visit(Some(&mut life));
        }
        macro_rules! usually {
            ($($usual:pat => $same:expr),*) => {$(
                let $usual = action else { return self.live_on(life, action) };
                let event = carry_out!(self, life, $same);
                action = self.step(&mut life, event);
            )*};
        }
        // Said once more behind the arrow, so that the compiler knows it, too.
        usually!(
            Action::Prepare => Action::Prepare,
            Action::Execute(Run::First, approach) => Action::Execute(Run::First, approach),
            Action::Turn(Run::Second) => Action::Turn(Run::Second),
            Action::Execute(Run::Second, approach) => Action::Execute(Run::Second, approach),
            Action::Verify(Run::Second) => Action::Verify(Run::Second)
        );
        let Action::Commit { outvoted: None } = action else { return self.live_on(life, action) };
        self.commit(None, life.ends, None)
    }

    /// The rest of a PE's life, however it goes.
    #[cold]
    #[inline(never)]
    fn live_on(&mut self, mut life: Life, mut action: Action) -> Outcome {
        let outcome = loop {
            let event = match action {
                Action::Commit { outvoted } => break self.commit(outvoted, life.ends, life.difference),
                Action::GiveUp(verdict) => break self.give_up(verdict, life.difference),
                action => carry_out!(self, life, action),
            };
            action = self.step(&mut life, event);
        };
        self.executor.account.counter_misses = life.misses;
        outcome
    }

    /// What `life` says to do after `event`; the observer is told.
    #[inline(always)]
    fn step(&mut self, life: &mut Life, event: Event) -> Action {
        let before = life.phase;
        let action = life.step(event);
        if O::WATCHES {
            self.observer.stepped(self.machine, before, event, life.phase);
            self.visit(Some(life));
        }
        action
    }

    /// Brings the written set and the start state up to date.
    #[inline(always)]
    fn prepare(&mut self) -> Event {
        self.tracker.prepare(pages!(self), self.thread.number);
        self.thread.prepare(self.machine);
        Event::Done
    }

    /// Puts PM0 and the start state in place for run 2 or 3, and flushes the caches before if
    /// that is asked for.
    #[inline(always)]
    fn turn(&mut self, run: Run, is_triple: bool, has_target: bool) -> Event {
        match self.tracker.policy.flush {
            Flush::Never => {}
            Flush::Retry if is_triple || run == Run::Second => {}
            Flush::Lines | Flush::All | Flush::Retry => self.flush(),
        }
        let may_miss = has_target && self.executor.margin.far > 0;
        let turned = self.tracker.turn(pages!(self), run, may_miss);
        self.executor.watch.lap(Timed::Restart, self.machine.now());
        match turned {
            Ok(()) => Event::Done,
            Err(difference) => Event::Damaged(difference),
        }
    }

    #[cold]
    #[inline(never)]
    fn flush(&mut self) {
        // What came before belongs to getting ready.
        self.executor.watch.lap(Timed::Restart, self.machine.now());
        let work = &mut self.executor.work;
        match self.tracker.policy.flush {
            Flush::Never => {}
            Flush::Lines => {
                work.lines_flushed += self.machine.flush_lines();
                work.translation_flushes += 1;
            }
            Flush::All | Flush::Retry => {
                self.machine.flush_caches();
                work.cache_flushes += 1;
            }
        }
        self.executor.watch.lap(Timed::Flush, self.machine.now());
    }

    /// Makes the result that was agreed on the state.
    #[inline(always)]
    fn commit(&mut self, outvoted: Option<Run>, ends: Ends, seen: Option<Difference>) -> Outcome {
        let result = if outvoted == Some(Run::First) { Run::Second } else { Run::First };
        let end = ends.of(result);
        let is_blocked = matches!(end.delimiter, Delimiter::DirtyLimit { .. }) && end.count == 0;
        if is_blocked && outvoted.is_none() && self.is_unchanged(result) {
            // Committed, it would only come back to the same write.
            return match self.tracker.roll_back(pages!(self), None) {
                Ok(()) => Outcome::OutOfFrames,
                Err(difference) => Outcome::Damaged { difference },
            };
        }
        if let (Some(run), Some(difference)) = (outvoted, seen) {
            self.executor.account.outvoted = Some(run);
            self.executor.account.divergences.push(difference);
        }
        let is_mutant = self.executor.mutation().is_some();
        let [first, second, third] = &mut self.executor.results;
        match outvoted {
            // A mutant's results need not be equal.
            _ if is_mutant => self.thread.commit_alone(first),
            None | Some(Run::Third) => self.thread.commit(first, second),
            Some(Run::First) => self.thread.commit(second, third),
            Some(Run::Second) => self.thread.commit(first, third),
        }
        self.executor.account.frames_written = self.tracker.commit(pages!(self), outvoted);
        Outcome::Committed(end)
    }

    /// Whether a run has changed no register.
    #[cold]
    #[inline(never)]
    fn is_unchanged(&mut self, run: Run) -> bool {
        let result = &mut self.executor.results[run as usize];
        result.normalize();
        **result == *self.thread.start
    }

    /// Puts PM0 and the start state back, if they can be trusted.
    #[cold]
    #[inline(never)]
    fn roll_back(&mut self, seen: Option<Difference>) -> Event {
        if let Some(difference) = seen {
            self.executor.account.divergences.push(difference);
        }
        let damage = self.thread.damage();
        let put_back = self.tracker.roll_back(pages!(self), seen);
        self.executor.watch.lap(Timed::Restart, self.machine.now());
        if self.tracker.policy.flush != Flush::Never {
            self.flush();
        }
        match (damage, put_back) {
            (None, Ok(())) => Event::Done,
            (Some(difference), _) | (None, Err(difference)) => Event::Damaged(difference),
        }
    }

    #[cold]
    #[inline(never)]
    fn give_up(&mut self, verdict: Verdict, seen: Option<Difference>) -> Outcome {
        let difference = seen.unwrap_or(Difference::NONE);
        match verdict {
            Verdict::Persistent => {
                let end_rip = self.executor.results[Run::First as usize].position().0;
                Outcome::Persistent { difference, end_rip }
            }
            Verdict::Damaged => {
                // Nobody may go on from there, but the machine's tables have to be in order.
                let _ = self.tracker.roll_back(pages!(self), None);
                Outcome::Damaged { difference }
            }
        }
    }
}

impl<M: Machine, T: Tracking<M>, O: Observer<M>> Course<'_, M, T, O> {
    /// Shows the observer what there is.
    #[inline(always)]
    pub(crate) fn visit(&mut self, life: Option<&mut Life>) {
        let Some(counts) = self.tracker.counts().filter(|_| O::WATCHES) else { return };
        let Executor { results, pool, .. } = self.executor;
        let inside = Inside { thread: self.thread, results, frames: T::FRAMES, life, counts, pool };
        self.observer.visit(self.machine, inside);
    }

    /// Whether run 2 is to be left out.
    #[inline(always)]
    pub(crate) fn skips_run_2(&self) -> bool {
        self.executor.mutation() == Some(Mutation::SkipSecondRun)
    }
}
