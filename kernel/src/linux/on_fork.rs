// SPDX-License-Identifier: MIT
//! Which parts of its memory a process does not hand on to a child: `madvise` says so.

use super::ranges::Ranges;
use crate::mem::fallible::Exhausted;

/// The most ranges of one advice: to move memory, and to fork, is to look at all of them.
const MAX_RANGES: usize = 1024;

/// What was advised, by address.
#[derive(Default)]
pub struct OnFork {
    /// What a child does not get (MADV_DONTFORK).
    omitted: Ranges<()>,
    /// What a child gets empty (MADV_WIPEONFORK).
    wiped: Ranges<()>,
}

/// What a child gets in place of a part of the memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChildGets {
    /// Nothing is mapped there.
    Nothing,
    /// The pages are zero.
    Zeros,
}

impl OnFork {
    /// A copy.
    pub fn fork(&self) -> Result<Self, Exhausted> {
        Ok(Self { omitted: self.omitted.fork()?, wiped: self.wiped.fork()? })
    }

    fn of(&mut self, gets: ChildGets) -> &mut Ranges<()> {
        match gets {
            ChildGets::Nothing => &mut self.omitted,
            ChildGets::Zeros => &mut self.wiped,
        }
    }

    /// Advises what a child gets of everything between two addresses, or takes that back.
    /// Nothing is changed on error.
    pub fn advise(&mut self, start: u64, end: u64, gets: ChildGets, is_so: bool) -> Result<(), Exhausted> {
        if is_so && self.of(gets).count() >= MAX_RANGES {
            return Err(Exhausted);
        }
        self.of(gets).set(start, end, is_so.then_some(()))
    }

    /// Whether what is between two addresses can be forgotten: that can make one range more.
    pub fn can_forget(&self, start: u64, end: u64) -> bool {
        let all = [&self.omitted, &self.wiped];
        all.iter().all(|ranges| ranges.count() < MAX_RANGES || ranges.growth(start, end, None) == 0)
    }

    /// Makes sure that the next [`forget`](Self::forget) does.
    pub fn reserve(&mut self) -> Result<(), Exhausted> {
        self.omitted.reserve()?;
        self.wiped.reserve()
    }

    /// What is between two addresses is not there any more.
    pub fn forget(&mut self, start: u64, end: u64) -> Result<(), Exhausted> {
        for gets in [ChildGets::Nothing, ChildGets::Zeros] {
            if self.of(gets).count() > 0 {
                self.of(gets).set(start, end, None)?;
            }
        }
        Ok(())
    }

    /// What moves from between two addresses to `target` takes along what was advised.
    pub fn carry(&mut self, start: u64, end: u64, target: u64) -> Result<(), Exhausted> {
        for gets in [ChildGets::Nothing, ChildGets::Zeros] {
            let mut at = start;
            loop {
                let ranges = self.of(gets);
                let Some((range, ())) = ranges.touching(at, end).next() else { break };
                let (from, to) = (range.start.max(at), range.end.min(end));
                ranges.set(target + (from - start), target + (to - start), Some(()))?;
                at = to;
            }
        }
        Ok(())
    }

    /// What grows from behind `last` up to `end` is advised what `last` is.
    pub fn grow(&mut self, last: u64, end: u64) -> Result<(), Exhausted> {
        for gets in [ChildGets::Nothing, ChildGets::Zeros] {
            if self.of(gets).touching(last, last + 1).next().is_some() {
                self.of(gets).set(last, end, Some(()))?;
            }
        }
        Ok(())
    }

    /// The first part at or above an address that a child does not get as it is.
    pub fn next(&self, from: u64) -> Option<(u64, u64, ChildGets)> {
        let first = |ranges: &Ranges<()>, gets| {
            let (range, ()) = ranges.touching(from, u64::MAX).next()?;
            Some((range.start.max(from), range.end, gets))
        };
        let found = [first(&self.omitted, ChildGets::Nothing), first(&self.wiped, ChildGets::Zeros)];
        found.into_iter().flatten().min_by_key(|(start, _, _)| *start)
    }
}
