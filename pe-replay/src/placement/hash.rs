// SPDX-License-Identifier: MIT
//! In place, compared by hash, after Quest-V: all runs work in the home, one after the other,
//! and what is kept of each is a 128-bit hash a page.
//!
//! So a page needs two frames instead of four, and the result of the last run is
//! the only one that can be committed. The checkpoint, which every later run
//! starts from, is checked against the hash of PM0 before a roll-back trusts it.

use super::{EntryOf, Placement};
use crate::difference::{Difference, Field};
use crate::execution::{Attempt, Run};
use crate::machine::Machine;

const CHECKPOINT: usize = 0;

/// All runs share the home.
#[derive(Clone, Copy, Debug)]
pub struct Hash;

fn difference(address: u64, first: u128, second: u128) -> Difference {
    Difference { field: Field::PageHash, first: first as u64, second: second as u64, address }
}

impl Placement for Hash {
    const FRAMES: usize = 1;
    const KEPT: usize = 1;
    const SHARED: bool = true;

    fn frame<M: Machine>(entry: &EntryOf<M>, _run: Run) -> M::Frame {
        entry.page.frame
    }

    fn save<M: Machine>(entry: &mut EntryOf<M>, machine: &mut M) {
        machine.copy(entry.page.frame, entry.frames[CHECKPOINT]);
        entry.hash = machine.hash(entry.page.frame);
    }

    /// Puts PM0 in place, after the hash of what the run before left.
    fn turn<M: Machine>(entry: &mut EntryOf<M>, machine: &mut M, to: &Attempt) -> Option<Difference> {
        match to.turned {
            Run::Second if !to.again => Self::finish(entry, machine, Run::First),
            Run::Third if !to.again => Self::finish(entry, machine, Run::Second),
            Run::First | Run::Second | Run::Third => {}
        }
        machine.copy(entry.frames[CHECKPOINT], entry.page.frame);
        None
    }

    fn late<M: Machine>(entry: &mut EntryOf<M>, _machine: &mut M, _run: Run, _witnessed: bool) {
        entry.hashes = [entry.hash; Run::ALL.len()];
    }

    fn finish<M: Machine>(entry: &mut EntryOf<M>, machine: &mut M, run: Run) {
        entry.hashes[run as usize] = machine.hash(entry.page.frame);
    }

    fn verify<M: Machine>(entry: &mut EntryOf<M>, machine: &mut M) -> bool {
        Self::finish(entry, machine, Run::Second);
        Self::agree(entry, machine, Run::First, Run::Second)
    }

    fn agree<M: Machine>(entry: &EntryOf<M>, _machine: &mut M, a: Run, b: Run) -> bool {
        entry.hashes[a as usize] == entry.hashes[b as usize]
    }

    fn difference<M: Machine>(entry: &EntryOf<M>, _machine: &mut M, a: Run, b: Run) -> Difference {
        difference(entry.page.address, entry.hashes[a as usize], entry.hashes[b as usize])
    }

    fn commit<M: Machine>(entry: &mut EntryOf<M>, machine: &mut M, _outvoted: Option<Run>, last: Run) {
        entry.hash = entry.hashes[last as usize];
        machine.copy(entry.page.frame, entry.frames[CHECKPOINT]);
    }

    fn damage<M: Machine>(entry: &EntryOf<M>, machine: &mut M) -> Option<Difference> {
        let found = machine.hash(entry.frames[CHECKPOINT]);
        (entry.hash != found).then(|| difference(entry.page.address, entry.hash, found))
    }
}
