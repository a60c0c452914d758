// SPDX-License-Identifier: MIT
//! The way of a PE from Prepare to Commit or a verdict: does what the state machine asks for, on a
//! [`Machine`].
//!
//! The kernel calls [`Executor::execute`] for every stretch of user code; host tests call it on
//! a model.

use pmu::Repeats;

use crate::difference::Difference;
use crate::execution::Run;
use crate::executor::{Account, Course, Executor, Outcome, ThreadOf, pages};
use crate::lifecycle::{Approach, Event, Lifecycle, Phase, Rules, Verdict, endless};
use crate::machine::Machine;
use crate::observer::Observer;
use crate::phases::Phase as Timed;
use crate::placement::bytes::Bytes;
use crate::placement::hash::Hash;
use crate::placement::off::Off;
use crate::placement::{EntryOf, Placement};
use crate::policy::{Comparison, Flush, Mode, Policy};
use crate::pool::Pages;
use crate::registers::RegisterSet;
use crate::run::FIRST_GAP;
use crate::stop::{Delimiter, End, FAULT_FETCH};
use crate::tracker::Tracker;

/// How a PE is run, its space's own, as an executive holds it.
pub enum Replay {
    /// Every PE is run once.
    Off(Tracker<Off>),
    /// Pages in place, compared byte by byte.
    Bytes(Tracker<Bytes>),
    /// Pages in place, compared by hash.
    Hash(Tracker<Hash>),
}

impl Replay {
    /// Replay by a policy. Of those that share an executor each has a number of its own.
    pub fn new(number: u32, policy: Policy) -> Self {
        match (policy.mode, policy.comparison) {
            (Mode::Off, _) => Self::Off(Tracker::new(number, policy)),
            (Mode::Dual | Mode::Triple, Comparison::Bytes) => Self::Bytes(Tracker::new(number, policy)),
            (Mode::Dual | Mode::Triple, Comparison::Hash) => Self::Hash(Tracker::new(number, policy)),
        }
    }
}

/// Does something with a space's tracker, whatever the placement of its pages is.
macro_rules! tracked {
    ($replay:expr, $tracker:ident => $work:expr) => {
        match $replay {
            $crate::replay::Replay::Off($tracker) => $work,
            $crate::replay::Replay::Bytes($tracker) => $work,
            $crate::replay::Replay::Hash($tracker) => $work,
        }
    };
}
pub(crate) use tracked;

/// What is to be told of something that is done, unless copies were found to be damaged.
#[inline(always)]
fn done(damage: Option<Difference>) -> (Event, Option<Difference>) {
    // Where there is none, none is copied.
    damage.map_or((Event::Done, None), |damage| (Event::Damaged, Some(damage)))
}

impl<M: Machine> Executor<M> {
    /// [Executes](Course::execute) one PE of a thread, as its space has it.
    #[inline(always)]
    pub fn execute(
        &mut self,
        machine: &mut M,
        thread: &mut ThreadOf<M>,
        replay: &mut Replay,
        limit: u64,
        observer: &mut impl Observer<M>,
    ) -> Outcome {
        let executor = &mut *self;
        let outcome = tracked!(replay, tracker => {
            Course { machine: &mut *machine, executor, thread, tracker, observer }.run_pe(limit)
        });
        self.end(machine);
        outcome
    }

    /// Books the time up to the end of a PE, in one place, which a profile finds.
    #[inline(always)]
    fn end(&mut self, machine: &mut M) {
        self.watch.lap(Timed::VerifyCommit, machine.now());
        self.account.longest_hold = self.watch.mark().wrapping_sub(self.entered);
    }

    /// The pages that the last PE wrote, which was committed, each with its address and its home; without
    /// those that only a flip has changed, where the process may not write.
    pub fn last_written(&self, replay: &Replay) -> impl Iterator<Item = (u64, M::Frame)> {
        let open = tracked!(replay, it => it.open);
        // The others' idle time has been counted up.
        let written = open.iter(&self.pool.entries).filter(|entry| entry.idle == 0);
        written.map(|entry| (entry.page.address, entry.page.frame))
    }

    /// Gives up the pages of a tracker for which `which` holds, between two PEs.
    pub fn give_up(&mut self, machine: &mut M, replay: &mut Replay, which: impl FnMut(&EntryOf<M>) -> bool) {
        tracked!(replay, it => it.give_up(&mut Pages { machine, pool: &mut self.pool }, which));
    }
}

impl<M: Machine, P: Placement, O: Observer<M>> Course<'_, M, P, O> {
    /// One PE of the thread: executes user code from its registers, at most `limit` instructions of it if that is less than
    /// the policy's, and leaves the committed state there.
    pub fn execute(&mut self, limit: u64) -> Outcome {
        let outcome = self.run_pe(limit);
        self.executor.end(self.machine);
        outcome
    }

    #[inline(always)]
    fn run_pe(&mut self, limit: u64) -> Outcome {
        self.executor.account = Account::default();
        if P::FRAMES == 0 { self.run_once(limit) } else { self.run_through(limit) }
    }

    /// A PE that is run once: there is nothing to compare with and nothing to start again from.
    #[inline(always)]
    pub(crate) fn run_once(&mut self, limit: u64) -> Outcome {
        self.thread.prepare_alone();
        let approach = Approach { limit: limit.min(self.tracker.policy.limit), exact: None };
        let (end, _) = self.execute_until(Run::First, approach, FIRST_GAP);
        let [result, ..] = &mut self.executor.results;
        if end.delimiter == Delimiter::Watchdog {
            let difference = endless(end);
            self.executor.account.divergences.push(difference);
            return Outcome::Persistent { difference, end_rip: result.position().0 };
        }
        self.thread.commit_alone(result);
        Outcome::Committed(end)
    }

    /// All of a PE, its phases in the order in which nearly all have them: there the compiler knows which
    /// one it is, and that saves some 200 instructions. What follows on what is for [`Lifecycle`] to say.
    #[inline(always)]
    pub(crate) fn run_through(&mut self, limit: u64) -> Outcome {
        let policy = &self.tracker.policy;
        let mut life = Lifecycle::begin(Rules {
            triple: policy.mode == Mode::Triple,
            recovery: policy.recovery,
            limit: limit.min(policy.limit),
            margin: self.executor.margin,
            // A late counter, or one that does not tell where in a REP it stopped, has one run to show the way.
            at_once: P::AT_ONCE
                && self.executor.margin.far == 0
                && self.machine.repeats() == Repeats::PerIteration,
        });
        let mut phase = life.phase;
        self.visit(Some(&mut life));
        macro_rules! usually {
            ($($usual:expr),*) => {$(
                if phase != $usual {
                    return self.go_through(life, phase);
                }
                phase = self.pass(&mut life, $usual);
            )*};
        }
        usually!(
            Phase::Preparing,
            Phase::Running(Run::First),
            Phase::Turning(Run::Second),
            Phase::Running(Run::Second),
            Phase::Verifying(Run::Second)
        );
        match phase {
            Phase::Committing(None) => self.commit(None, &life),
            _ => self.go_through(life, phase),
        }
    }

    /// The rest of a PE, whatever its phases are.
    #[cold]
    fn go_through(&mut self, mut life: Lifecycle, mut phase: Phase) -> Outcome {
        let outcome = loop {
            phase = match phase {
                Phase::Committing(outvoted) => break self.commit(outvoted, &life),
                Phase::GivingUp(verdict) => break self.give_up(verdict, life.difference),
                phase => self.pass(&mut life, phase),
            };
        };
        self.executor.account.counter_misses = life.misses;
        outcome
    }

    /// Passes a phase; returns the one that begins.
    #[inline(always)]
    fn pass(&mut self, life: &mut Lifecycle, phase: Phase) -> Phase {
        let event = match phase {
            Phase::Preparing => {
                self.tracker.prepare(pages!(self), self.thread);
                self.thread.prepare(self.machine);
                Event::Done
            }
            Phase::Running(Run::Second) if self.observer.skips_run_2() => {
                let [first, second, _] = &mut self.executor.results;
                second.clone_from(first);
                life.ends[1] = life.ends[0];
                Event::Ended
            }
            Phase::Running(run) => self.run(run, life),
            Phase::RunningAll if P::AT_ONCE => self.run_all(life),
            Phase::RunningAll => unreachable!("runs in one frame do not go on at once"),
            Phase::Turning(run) => self.turn(run, life),
            Phase::Verifying(run) => self.verify(run, life),
            Phase::RollingBack => self.roll_back(life),
            Phase::Committing(_) | Phase::GivingUp(_) => unreachable!("the PE is over"),
        };
        let before = life.phase;
        let phase = life.step(event);
        if O::WATCHES {
            self.observer.stepped(self.machine, before, event, phase);
            self.visit(Some(life));
        }
        phase
    }

    /// Puts PM0 and the start state in place for run 2 or 3, and flushes the caches before if
    /// that is asked for.
    #[inline(always)]
    fn turn(&mut self, run: Run, life: &mut Lifecycle) -> Event {
        let flush = self.tracker.policy.flush;
        if flush != Flush::Never && (flush != Flush::Retry || !life.rules.triple && run != Run::Second) {
            self.flush();
        }
        let may_miss = self.executor.margin.far > 0 && life.target(run).is_some();
        let turned = self.tracker.turn(pages!(self), run, may_miss);
        self.executor.watch.lap(Timed::Restart, self.machine.now());
        life.noted(done(turned))
    }

    #[cold]
    fn flush(&mut self) {
        // What came before belongs to getting ready.
        self.executor.watch.lap(Timed::Restart, self.machine.now());
        if self.tracker.policy.flush == Flush::Lines {
            self.machine.flush_lines();
        } else {
            self.machine.flush_caches();
        }
        self.executor.watch.lap(Timed::Flush, self.machine.now());
    }

    /// Makes the result that was agreed on the state.
    #[inline(always)]
    fn commit(&mut self, outvoted: Option<Run>, life: &Lifecycle) -> Outcome {
        let result = if outvoted == Some(Run::First) { Run::Second } else { Run::First };
        let end = life.ends[result as usize];
        let is_full = matches!(end.delimiter, Delimiter::DirtyLimit { .. });
        if is_full && outvoted.is_none() && self.is_unchanged(result, end) {
            // Committed, it would only come back to the same write.
            let damage = self.tracker.roll_back(pages!(self), None);
            return damage.map_or(Outcome::OutOfFrames, |difference| Outcome::Damaged { difference });
        }
        if let (Some(run), Some(difference)) = (outvoted, life.difference) {
            self.executor.account.outvoted = Some(run);
            self.executor.account.divergences.push(difference);
        }
        let [first, second, third] = &mut self.executor.results;
        match outvoted {
            None | Some(Run::Third) => self.thread.commit(first, second),
            Some(Run::First) => self.thread.commit(second, third),
            Some(Run::Second) => self.thread.commit(first, third),
        }
        let age = !matches!(end.delimiter, Delimiter::PageFault { error: FAULT_FETCH.., .. });
        self.executor.account.frames_written = self.tracker.commit(pages!(self), outvoted, age.into());
        Outcome::Committed(end)
    }

    /// Whether a run has executed nothing, and changed no register.
    #[cold]
    fn is_unchanged(&mut self, run: Run, end: End) -> bool {
        let result = &mut self.executor.results[run as usize];
        result.normalize();
        end.count == 0 && **result == *self.thread.start
    }

    /// Puts PM0 and the start state back, if they can be trusted.
    #[cold]
    fn roll_back(&mut self, life: &mut Lifecycle) -> Event {
        let seen = life.difference;
        if let Some(difference) = seen {
            self.executor.account.divergences.push(difference);
        }
        let damage = self.tracker.roll_back(pages!(self), seen);
        self.executor.watch.lap(Timed::Restart, self.machine.now());
        if self.tracker.policy.flush != Flush::Never {
            self.flush();
        }
        life.noted(done(self.thread.damage().or(damage)))
    }

    #[cold]
    fn give_up(&mut self, verdict: Verdict, seen: Option<Difference>) -> Outcome {
        let difference = seen.unwrap_or(Difference::NONE);
        match verdict {
            Verdict::Persistent => {
                let end_rip = self.executor.results[Run::First as usize].position().0;
                Outcome::Persistent { difference, end_rip }
            }
            Verdict::Damaged => {
                // Nobody may go on from there, but the machine's tables have to be in order.
                self.tracker.roll_back(pages!(self), None);
                Outcome::Damaged { difference }
            }
        }
    }
}
