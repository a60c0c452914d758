// SPDX-License-Identifier: MIT
//! Executes one run to its end, through write faults, flips, interrupts before
//! their time and single steps.

use core::cmp::Ordering;

use super::{Engine, counted};
use crate::life::{Approach, Event, Life, Run, RunEnd};
use crate::machine::{Machine, Order};
use crate::phases::{Phase as Timed, Stopwatch};
use crate::policy::Mode;
use crate::stop::{Cause, Delimiter, vector};
use crate::uprr::{INTERRUPT_FLAG, TRAP_FLAG};
use crate::wire::config::Mutation;
use crate::written::SetFull;

impl<M: Machine> Engine<M> {
    /// Executes a run to its end, and leaves its registers in the normal form.
    #[inline]
    pub(super) fn run(&mut self, machine: &mut M, run: Run, approach: Approach, life: &Life) -> Event {
        if run == Run::Second && self.mutation == Some(Mutation::SkipSecondRun) {
            let result = self.registers.of(Run::First).clone();
            self.registers.of_mut(run).clone_from(&result);
            return Event::Ended(life.end(Run::First));
        }
        if run == Run::Third {
            self.account.third_runs += 1;
        }
        let end = self.enter_until(machine, run, approach);
        match life.target(run) {
            Some(target) if self.is_overshot(run, end, target, life.end(target)) => Event::Overshot(end),
            Some(_) | None => Event::Ended(end),
        }
    }

    #[inline]
    fn enter_until(&mut self, machine: &mut M, run: Run, approach: Approach) -> RunEnd {
        let (limit, free_until) = match approach {
            Approach::Free { limit } => (limit, limit),
            Approach::Exact { count, margin } => (count, count.saturating_sub(margin)),
        };
        let (in_run, before_run) = match run {
            Run::First => (Timed::FirstRun, Timed::Treatment),
            Run::Second => (Timed::SecondRun, Timed::Restart),
            Run::Third => (Timed::ThirdRun, Timed::Restart),
        };
        let mut count = 0;
        // Whether the run's own registers hold where it is.
        let mut begun = false;
        let mut fresh = true;
        // What passes between two entries belongs to what the last stop was for;
        // before the first entry, to preparing.
        let afresh = run == Run::First && self.account.divergences.is_empty();
        let mut gap = if afresh { Timed::Other } else { Timed::Restart };
        self.interrupts_off = false;
        let delimiter = loop {
            if count >= limit {
                break Delimiter::Limit;
            }
            let mut target = if count < free_until { free_until } else { limit };
            let step = count >= free_until && limit > free_until;
            let mut next_flip = None;
            if !self.injections.is_empty() {
                if !begun {
                    self.flip_saved(run);
                    if self.is_flip_due(run, count) {
                        self.registers.begin(run);
                        begun = true;
                    }
                }
                self.flip_due(machine, run, count);
                next_flip = self.next_flip(run, count);
                target = next_flip.map_or(target, |at| target.min(at));
            }
            let budget = if step { limit - count } else { target - count };
            let order = Order { budget, step, interrupts_off: self.interrupts_off, fresh };
            let (start, state) = self.registers.source_and_result(run);
            let source = if begun { None } else { Some(start) };
            let user_trap = source.map_or(state.rflags, |source| source.rflags) & TRAP_FLAG;
            self.events.entries += 1;
            let stop = machine.enter(source, state, order);
            begun = true;
            fresh = false;
            if self.entered.is_none() {
                self.entered = Some(stop.entered);
                if self.sequence == 0 {
                    // All time is counted from the first user entry of the process.
                    self.watch = Stopwatch::start(stop.entered);
                }
            }
            self.watch.lap(gap, stop.entered);
            self.watch.lap(in_run, stop.entered.wrapping_add(stop.ticks));
            gap = before_run;
            count += stop.instructions;
            if step && user_trap == 0 {
                state.rflags &= !TRAP_FLAG;
            }
            match stop.cause {
                Cause::Counter if count >= limit => break Delimiter::Limit,
                Cause::Counter => {
                    if next_flip != Some(count) && count < target {
                        self.account.early_overflows = self.account.early_overflows.saturating_add(1);
                    }
                }
                Cause::Exception { vector: vector::DEBUG, .. } if step && user_trap == 0 => {}
                cause @ (Cause::Syscall | Cause::Exception { .. } | Cause::Watchdog) => {
                    match self.treat(machine, run, cause) {
                        Some(delimiter) => break delimiter,
                        None => self.watch.lap(Timed::Treatment, machine.now()),
                    }
                }
            }
        };
        if !begun {
            self.registers.begin(run);
        }
        RunEnd { delimiter, count }
    }

    /// Whether a run went past the limit that ended its `target`, or stands there
    /// before an instruction that faults: the counter's interrupt was late, and by
    /// then anything may have ended the run. With interrupts off it was not late
    /// but could not come, which is a divergence.
    fn is_overshot(&mut self, run: Run, end: RunEnd, target: Run, goal: RunEnd) -> bool {
        if end.delimiter == Delimiter::Watchdog {
            return false;
        }
        let late = match end.count.cmp(&goal.count) {
            Ordering::Less => false,
            Ordering::Equal => end.delimiter != Delimiter::Limit && self.has_come_to(run, target),
            Ordering::Greater => true,
        };
        late && self.registers.of(run).rflags & INTERRUPT_FLAG != 0
    }

    /// Whether two runs' registers are equal.
    #[cold]
    fn has_come_to(&mut self, run: Run, target: Run) -> bool {
        self.registers.normalize(run);
        self.registers.normalize(target);
        self.registers.of(run) == self.registers.of(target)
    }

    /// Decides what a stop other than the counter's means: the tracker's own
    /// write fault (`None`, and the run goes on) or the end of the run.
    pub(super) fn treat(&mut self, machine: &mut M, run: Run, cause: Cause) -> Option<Delimiter> {
        let delimiter = Delimiter::of(cause);
        let Some(address) = cause.write_fault() else { return Some(delimiter) };
        let Some(page) = machine.page(address).filter(|page| page.writable) else { return Some(delimiter) };
        if self.policy.mode == Mode::Off {
            return Some(delimiter);
        }
        let opened = match run {
            // It was not the tracker that forbade this write.
            _ if page.open => return Some(delimiter),
            Run::First => self.set.open(counted!(self, machine), page),
            // A later run finds all of run 1's pages writable. A write anywhere else
            // is where run 1 met the dirty-frame limit, or a divergence. Should run 1
            // be the one that is outvoted, the PE ends here, before that write.
            Run::Second | Run::Third if self.set.open_late(counted!(self, machine), run, page) => Ok(()),
            Run::Second | Run::Third => Err(SetFull),
        };
        match opened {
            Ok(()) => {
                self.account.write_faults = self.account.write_faults.saturating_add(1);
                None
            }
            Err(SetFull) => Some(Delimiter::DirtyLimit { address }),
        }
    }
}
