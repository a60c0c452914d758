// SPDX-License-Identifier: MIT
//! Who has locked which parts of which files.
//!
//! Record locks belong to the descriptors of a process or to an open description and are on ranges; locks of
//! `flock` belong to an open description and are on whole files. The two kinds do not see
//! each other. All of them are counted: there is a bound, and room is asked for, not taken.

use alloc::vec::Vec;
use core::ops::Range;

use super::descriptor::Object;
use super::errno::{ENOLCK, Errno};
use super::process::FilesId;
use super::ranges::Ranges;
use crate::mem::fallible;

/// The most locked ranges.
const MAX_LOCKS: usize = 4096;

/// What a lock keeps others from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// From writing.
    Shared,
    /// From reading and writing.
    Exclusive,
}

/// Whose a lock is, and of which kind: only locks of one kind conflict.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owner {
    /// The record locks of a process, or of several that have their descriptors in common.
    Files(FilesId),
    /// An open description's record locks.
    Description(u64),
    /// An open description's lock by `flock`.
    Whole(u64),
}

impl Owner {
    /// Whether its locks and another one's keep each other out.
    fn sees(self, other: Self) -> bool {
        self != other && matches!(self, Self::Whole(_)) == matches!(other, Self::Whole(_))
    }
}

/// A lock that somebody has or wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lock {
    /// On which file.
    pub file: Object,
    /// Whose.
    pub owner: Owner,
    /// Of which kind.
    pub mode: Mode,
    /// The first byte.
    pub start: u64,
    /// The first byte behind.
    pub end: u64,
}

/// What one owner has locked of one file.
struct Held {
    file: Object,
    owner: Owner,
    ranges: Ranges<Mode>,
}

/// All locks.
#[derive(Default)]
pub struct Locks {
    list: Vec<Held>,
}

impl Locks {
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// The locks of others that a lock would have to wait for.
    pub fn conflicts(&self, wanted: Lock) -> impl Iterator<Item = Lock> {
        let Lock { file, owner, mode, start, end } = wanted;
        let others = self.list.iter().filter(move |held| held.file == file && held.owner.sees(owner));
        others.flat_map(move |held| {
            let clashing = held.ranges.touching(start, end);
            let clashing = clashing.filter(move |(_, held)| [mode, *held].contains(&Mode::Exclusive));
            clashing.map(move |(Range { start, end }, mode)| Lock {
                file,
                owner: held.owner,
                mode,
                start,
                end,
            })
        })
    }

    /// The mode in which an owner holds the first byte of a file.
    pub fn mode_of(&self, file: Object, owner: Owner) -> Option<Mode> {
        let held = self.list.iter().find(|held| held.file == file && held.owner == owner)?;
        held.ranges.touching(0, 1).next().map(|(_, mode)| mode)
    }

    /// Lets an owner have a part of a file in a mode, or in none, whatever others have.
    pub fn set(
        &mut self,
        file: Object,
        owner: Owner,
        part: Range<u64>,
        mode: Option<Mode>,
    ) -> Result<(), Errno> {
        let count: usize = self.list.iter().map(|held| held.ranges.count()).sum();
        let index = match self.list.iter().position(|held| held.file == file && held.owner == owner) {
            Some(index) => index,
            None if mode.is_none() => return Ok(()),
            None => {
                let held = Held { file, owner, ranges: Ranges::default() };
                fallible::push(&mut self.list, held).map_err(|_| ENOLCK)?;
                self.list.len() - 1
            }
        };
        let ranges = &mut self.list[index].ranges;
        // Whoever has all there are can give them up, and change what he has.
        let growth = ranges.growth(part.start, part.end, mode);
        let done = match growth > 0 && count + growth > MAX_LOCKS {
            true => Err(ENOLCK),
            false => ranges.set(part.start, part.end, mode).map_err(|_| ENOLCK),
        };
        if self.list[index].ranges.count() == 0 {
            self.list.swap_remove(index);
        }
        done
    }

    /// Takes all locks away that `is_meant` says; returns whether there were any.
    pub fn release(&mut self, is_meant: impl Fn(Object, Owner) -> bool) -> bool {
        let before = self.list.len();
        self.list.retain(|held| !is_meant(held.file, held.owner));
        self.list.len() < before
    }
}

#[cfg(test)]
impl Locks {
    /// Fails unless whoever has locks `is_there`, and has some.
    pub fn audit(&self, is_there: impl Fn(Object, Owner) -> bool) {
        for Held { file, owner, ranges } in &self.list {
            assert!(ranges.count() > 0 && is_there(*file, *owner), "{owner:?} has locked {file:?}");
        }
    }
}
