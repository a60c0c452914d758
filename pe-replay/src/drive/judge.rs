// SPDX-License-Identifier: MIT
//! Compares the results of the runs and says which of them agree.

use xxhash_rust::xxh3::Xxh3;

use super::{Engine, counted};
use crate::compare::{self, Difference, Field, RunResult};
use crate::life::{Event, Life, Run};
use crate::machine::Machine;
use crate::mutation::Mutation;
use crate::policy::{Comparison, Mode};
use crate::stop::Delimiter;

impl<M: Machine> Engine<M> {
    /// Compares the results of all runs up to `last`.
    #[inline(always)]
    pub(super) fn judge(&mut self, machine: &mut M, last: Run, life: &Life) -> Event {
        if self.mutation() == Some(Mutation::SkipSecondRun) {
            self.set.adopt(counted!(self, machine));
            return Event::Agreed;
        }
        if last == Run::Third {
            return self.vote(machine, &{ *life });
        }
        match self.verify(machine, life) {
            None => Event::Agreed,
            Some(difference) => self.doubt(machine, Event::Differed(difference)),
        }
    }

    /// Runs 1 and 2, in the normal case. Where it is not so normal, a copy of `life` is
    /// worked with: what nobody else ever sees can be kept in registers.
    #[inline(always)]
    fn verify(&mut self, machine: &mut M, life: &Life) -> Option<Difference> {
        if self.policy.comparison == Comparison::Hash {
            self.set.finish(counted!(self, machine), Run::Second);
            return self.difference(machine, &{ *life }, Run::First, Run::Second);
        }
        let ends_agree = life.end(Run::First) == life.end(Run::Second);
        let (first, second) = (self.registers.of(Run::First), self.registers.of(Run::Second));
        if !(ends_agree && machine.is_same(first, second))
            && let Some(difference) = self.first_difference(&{ *life }, Run::First, Run::Second)
        {
            return Some(difference);
        }
        if self.skipped() == Some(Field::Memory) {
            self.set.adopt(counted!(self, machine));
            return None;
        }
        self.set.verify(counted!(self, machine))
    }

    /// Which of three results two runs agree on.
    #[cold]
    fn vote(&mut self, machine: &mut M, life: &Life) -> Event {
        self.set.finish(counted!(self, machine), Run::Third);
        let mode = self.policy.mode;
        let mut compare = |a, b| self.difference(machine, life, a, b);
        // Without triple mode, runs 1 and 2 are known to differ.
        let first_pair = match mode {
            Mode::Triple => compare(Run::First, Run::Second),
            Mode::Off | Mode::Dual => life.difference(),
        };
        let event = match (first_pair, compare(Run::First, Run::Third)) {
            (None, None) => return Event::Agreed,
            (None, Some(difference)) => match compare(Run::Second, Run::Third) {
                // What run 1 left was hit since it was compared with run 2's.
                None => Event::Outvoted(Run::First, difference),
                Some(_) => Event::Outvoted(Run::Third, difference),
            },
            (Some(difference), None) => Event::Outvoted(Run::Second, difference),
            (Some(difference), Some(_)) => match compare(Run::Second, Run::Third) {
                None => Event::Outvoted(Run::First, difference),
                Some(_) => Event::Differed(difference),
            },
        };
        let event = match event {
            // What the other two agree on is not in memory any more, or no result.
            Event::Outvoted(run, difference)
                if run == Run::Third && self.set.holds_the_last_result_only()
                    || life.end(if run == Run::First { Run::Second } else { Run::First }).delimiter
                        == Delimiter::Watchdog =>
            {
                Event::Differed(difference)
            }
            event => event,
        };
        self.doubt(machine, event)
    }

    /// Where results differ, what they started from must be known to be right.
    #[cold]
    fn doubt(&mut self, machine: &mut M, event: Event) -> Event {
        let damage = match (self.registers.damage(), event) {
            (None, Event::Outvoted(Run::First, seen)) => self.set.damage(counted!(self, machine), seen),
            (damage, _) => damage,
        };
        damage.map_or(event, Event::Damaged)
    }

    fn result(&self, run: Run, life: &Life) -> RunResult<'_> {
        let end = life.end(run);
        RunResult { user: self.registers.of(run), delimiter: end.delimiter, count: end.count }
    }

    /// The first difference between the registers that two runs left.
    #[cold]
    fn first_difference(&mut self, life: &Life, a: Run, b: Run) -> Option<Difference> {
        self.registers.normalize(a);
        self.registers.normalize(b);
        compare::first_difference(self.result(a, life), self.result(b, life), self.skipped())
    }

    fn skipped(&self) -> Option<Field> {
        match self.mutation() {
            Some(Mutation::Drop(field)) => Some(field),
            Some(Mutation::SkipSecondRun) | None => None,
        }
    }

    /// The first thing on which two runs differ.
    fn difference(&mut self, machine: &mut M, life: &Life, a: Run, b: Run) -> Option<Difference> {
        self.visit(machine);
        self.registers.normalize(a);
        self.registers.normalize(b);
        let skip = self.skipped();
        let hashed = self.policy.comparison == Comparison::Hash && skip.is_none();
        let summaries = hashed.then(|| (self.summary(a, life), self.summary(b, life)));
        if let Some((a, b)) = summaries
            && a == b
        {
            return None;
        }
        let registers = self.first_difference(life, a, b);
        let found = match registers {
            None if skip != Some(Field::Memory) => self.set.difference(counted!(self, machine), a, b),
            found => found,
        };
        found.or_else(|| {
            let (a, b) = summaries?;
            Some(Difference { field: Field::Summary, first: a as u64, second: b as u64, address: 0 })
        })
    }

    /// One hash over all that a run left behind: registers, delimiter and count,
    /// and address and hash of each written page.
    pub(super) fn summary(&self, run: Run, life: &Life) -> u128 {
        let result = self.result(run, life);
        let (kind, error, address) = compare::details(result.delimiter);
        let mut hash = Xxh3::new();
        let mut words = |words: &[u64]| words.iter().for_each(|word| hash.update(&word.to_le_bytes()));
        words(&[kind, error, address, result.count]);
        words(&result.user.words());
        for (address, page) in self.set.hashes(run) {
            words(&[address, page as u64, (page >> 64) as u64]);
        }
        hash.update(&result.user.extended.0);
        hash.digest128()
    }
}
