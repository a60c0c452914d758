// SPDX-License-Identifier: MIT
//! Which parts of its memory a process does not hand on to a child: `madvise` says so.

use super::fallible::Exhausted;
use super::ranges::Ranges;

/// What was advised, by address.
#[derive(Default)]
pub struct OnFork {
    /// What a child does not get (MADV_DONTFORK).
    omitted: Ranges<()>,
    /// What a child gets empty (MADV_WIPEONFORK).
    wiped: Ranges<()>,
}

/// What happens to a part of the memory in a child.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It is not there.
    Omitted,
    /// It is empty.
    Wiped,
}

impl OnFork {
    /// A copy.
    pub fn fork(&self) -> Result<Self, Exhausted> {
        Ok(Self { omitted: self.omitted.fork()?, wiped: self.wiped.fork()? })
    }

    fn of(&mut self, fate: Fate) -> &mut Ranges<()> {
        match fate {
            Fate::Omitted => &mut self.omitted,
            Fate::Wiped => &mut self.wiped,
        }
    }

    /// Advises this fate for everything between two addresses, or takes that back. Nothing is
    /// changed on error.
    pub fn advise(&mut self, start: u64, end: u64, fate: Fate, is_so: bool) -> Result<(), Exhausted> {
        self.of(fate).set(start, end, is_so.then_some(()))
    }

    /// Makes sure that the next [`forget`](Self::forget) does.
    pub fn reserve(&mut self) -> Result<(), Exhausted> {
        self.omitted.reserve()?;
        self.wiped.reserve()
    }

    /// What is between two addresses is not there any more.
    pub fn forget(&mut self, start: u64, end: u64) -> Result<(), Exhausted> {
        for fate in [Fate::Omitted, Fate::Wiped] {
            if self.of(fate).count() > 0 {
                self.of(fate).set(start, end, None)?;
            }
        }
        Ok(())
    }

    /// What moves from between two addresses to `target` takes along what was advised.
    pub fn carry(&mut self, start: u64, end: u64, target: u64) -> Result<(), Exhausted> {
        for fate in [Fate::Omitted, Fate::Wiped] {
            let mut at = start;
            loop {
                let ranges = self.of(fate);
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
        for fate in [Fate::Omitted, Fate::Wiped] {
            if self.of(fate).touching(last, last + 1).next().is_some() {
                self.of(fate).set(last, end, Some(()))?;
            }
        }
        Ok(())
    }

    /// The first part at or above an address that a child does not get as it is.
    pub fn next(&self, from: u64) -> Option<(u64, u64, Fate)> {
        let first = |ranges: &Ranges<()>, fate| {
            let (range, ()) = ranges.touching(from, u64::MAX).next()?;
            Some((range.start.max(from), range.end, fate))
        };
        let found = [first(&self.omitted, Fate::Omitted), first(&self.wiped, Fate::Wiped)];
        found.into_iter().flatten().min_by_key(|(start, _, _)| *start)
    }
}
