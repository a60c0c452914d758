// SPDX-License-Identifier: MIT
//! Compares the results of the runs and says which of them agree.

use crate::compare;
use crate::difference::Difference;
use crate::execution::Run;
use crate::executor::{Course, pages};
use crate::lifecycle::{Ends, Event, Lifecycle};
use crate::machine::Machine;
use crate::observer::Observer;
use crate::placement::Placement;
use crate::registers::RegisterSet;
use crate::stop::{Delimiter, End};

impl<M: Machine, P: Placement, O: Observer<M>> Course<'_, M, P, O> {
    /// Compares the results of all runs up to `last`, which is the third one in triple mode or after a difference was
    /// found between the first two.
    #[inline(always)]
    pub(crate) fn verify(&mut self, last: Run, life: &mut Lifecycle) -> Event {
        if P::AT_ONCE || last == Run::Third {
            self.tracker.finish(pages!(self), last);
        }
        if last == Run::Third {
            let seen = life.difference.filter(|_| !life.rules.triple);
            return life.noted(self.vote(life.ends, seen));
        }
        match self.difference(&life.ends, Run::First, Run::Second, true) {
            None => Event::Agreed,
            Some(difference) => life.noted(self.doubt(Event::Differed, difference)),
        }
    }

    /// The first thing on which two runs differ: how they ended, what they left in their registers, what in memory. It
    /// is looked for only where they are not the same at first sight.
    #[inline(always)]
    fn difference(&mut self, ends: &Ends, a: Run, b: Run, verifies: bool) -> Option<Difference> {
        let [one, other] = [a, b].map(|run| &*self.executor.results[run as usize]);
        let is_same = ends[a as usize] == ends[b as usize] && self.machine.is_same(one, other);
        if !is_same && let found @ Some(_) = self.registers([a, b], [a, b].map(|run| ends[run as usize])) {
            return found;
        }
        self.tracker.difference(pages!(self), a, b, verifies)
    }

    /// Which of three results two runs agree on. Without triple mode, runs 1 and 2 are known to differ, as `seen`.
    #[cold]
    fn vote(&mut self, ends: Ends, seen: Option<Difference>) -> (Event, Option<Difference>) {
        let mut differs = |a, b| {
            self.visit(None);
            self.difference(&ends, a, b, false)
        };
        let first = seen.or_else(|| differs(Run::First, Run::Second));
        let (outvoted, difference) = match (first, differs(Run::First, Run::Third)) {
            (None, None) => return (Event::Agreed, None),
            (Some(difference), None) => (Run::Second, difference),
            // If runs 1 and 2 agree, and runs 2 and 3, what run 1 left was hit since it was compared with run 2's.
            (first, Some(third)) => match (differs(Run::Second, Run::Third), first) {
                (None, first) => (Run::First, first.unwrap_or(third)),
                (Some(_), None) => (Run::Third, third),
                (Some(_), Some(difference)) => return self.doubt(Event::Differed, difference),
            },
        };
        let agreed = if outvoted == Run::First { Run::Second } else { Run::First };
        // What the other two agree on may not be in memory any more, or no result.
        let is_lost =
            outvoted == Run::Third && P::SHARED || ends[agreed as usize].delimiter == Delimiter::Watchdog;
        let event = if is_lost { Event::Differed } else { Event::Outvoted(outvoted) };
        self.doubt(event, difference)
    }

    /// Where results differ, what they started from must be known to be right.
    #[cold]
    fn doubt(&mut self, event: Event, seen: Difference) -> (Event, Option<Difference>) {
        self.observer.differed(self.machine);
        let damage = match (self.thread.damage(), event) {
            (None, Event::Outvoted(run)) => self.tracker.damage(pages!(self), run, seen),
            (damage, _) => damage,
        };
        (if damage.is_some() { Event::Damaged } else { event }, damage.or(Some(seen)))
    }

    /// The first difference between two ends of runs and the registers that they left.
    #[cold]
    pub(crate) fn registers(&mut self, runs: [Run; 2], [a, b]: [End; 2]) -> Option<Difference> {
        runs.into_iter().for_each(|run| self.executor.results[run as usize].normalize());
        let [one, other] = runs.map(|run| &*self.executor.results[run as usize]);
        compare::differences((one, a), (other, b)).next()
    }
}
