// SPDX-License-Identifier: MIT
//! Compares the results of the runs and says which of them agree.

use crate::compare;
use crate::difference::{Difference, Field};
use crate::execution::Run;
use crate::executor::{Course, pages};
use crate::life::{Ends, Event};
use crate::machine::Machine;
use crate::mutation::Mutation;
use crate::observer::Observer;
use crate::placement::Placement;
use crate::registers::RegisterSet;
use crate::stop::Delimiter;
use crate::tracker::Tracker;

impl<M: Machine, T: Placement, O: Observer<M>> Course<'_, M, Tracker<T>, O> {
    /// Compares the results of all runs up to `last`, which is the third one in triple mode or after `seen` was found
    /// between the first two.
    #[inline(always)]
    pub(crate) fn verify(
        &mut self,
        last: Run,
        ends: Ends,
        is_triple: bool,
        seen: Option<Difference>,
    ) -> Event {
        if T::AT_ONCE {
            self.tracker.gather(pages!(self), last);
        }
        if self.skips_run_2() {
            self.tracker.adopt(pages!(self));
            return Event::Agreed;
        }
        if last == Run::Third {
            return self.vote(ends, if is_triple { None } else { seen });
        }
        match self.compare(ends) {
            None => Event::Agreed,
            Some(difference) => self.doubt(Event::Differed(difference)),
        }
    }

    /// Compares runs 1 and 2, in the normal case.
    #[inline(always)]
    fn compare(&mut self, ends: Ends) -> Option<Difference> {
        let [first, second, _] = &self.executor.results;
        let is_same = ends.first == ends.second && self.machine.is_same(first, second);
        if !is_same && let Some(difference) = self.first_difference(ends, Run::First, Run::Second) {
            return Some(difference);
        }
        if self.skipped() == Some(Field::Memory) {
            self.tracker.adopt(pages!(self));
            return None;
        }
        self.tracker.difference(pages!(self), Run::First, Run::Second, true)
    }

    /// Which of three results two runs agree on.
    #[cold]
    #[inline(never)]
    fn vote(&mut self, ends: Ends, seen: Option<Difference>) -> Event {
        self.tracker.finish(pages!(self), Run::Third);
        // Without triple mode, runs 1 and 2 are known to differ.
        let first_pair = seen.or_else(|| self.difference(ends, Run::First, Run::Second));
        let event = match (first_pair, self.difference(ends, Run::First, Run::Third)) {
            (None, None) => return Event::Agreed,
            (None, Some(difference)) => match self.difference(ends, Run::Second, Run::Third) {
                // What run 1 left was hit since it was compared with run 2's.
                None => Event::Outvoted(Run::First, difference),
                Some(_) => Event::Outvoted(Run::Third, difference),
            },
            (Some(difference), None) => Event::Outvoted(Run::Second, difference),
            (Some(difference), Some(_)) => match self.difference(ends, Run::Second, Run::Third) {
                None => Event::Outvoted(Run::First, difference),
                Some(_) => Event::Differed(difference),
            },
        };
        let event = match event {
            // What the other two agree on is not in memory any more, or no result.
            Event::Outvoted(run, difference)
                if run == Run::Third && T::LAST_ONLY
                    || ends.of(if run == Run::First { Run::Second } else { Run::First }).delimiter
                        == Delimiter::Watchdog =>
            {
                Event::Differed(difference)
            }
            event => event,
        };
        self.doubt(event)
    }

    /// Where results differ, what they started from must be known to be right.
    #[cold]
    #[inline(never)]
    fn doubt(&mut self, event: Event) -> Event {
        let damage = match (self.thread.damage(), event) {
            (None, Event::Outvoted(run, seen)) => self.tracker.damage(pages!(self), run, seen),
            (damage, _) => damage,
        };
        damage.map_or(event, Event::Damaged)
    }

    /// The first difference between the registers that two runs left.
    #[cold]
    #[inline(never)]
    fn first_difference(&mut self, ends: Ends, a: Run, b: Run) -> Option<Difference> {
        [a, b].into_iter().for_each(|run| self.executor.results[run as usize].normalize());
        let result = |run| (&*self.executor.results[run as usize], ends.of(run));
        compare::first_difference(result(a), result(b), self.skipped())
    }

    /// The first thing on which two runs differ.
    fn difference(&mut self, ends: Ends, a: Run, b: Run) -> Option<Difference> {
        self.visit(None);
        self.first_difference(ends, a, b).or_else(|| self.tracker.difference(pages!(self), a, b, false))
    }

    #[inline(always)]
    fn skipped(&self) -> Option<Field> {
        match self.executor.mutation() {
            Some(Mutation::Drop(field)) => Some(field),
            Some(Mutation::SkipSecondRun) | None => None,
        }
    }
}
