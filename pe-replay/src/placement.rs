// SPDX-License-Identifier: MIT
//! Where the runs of a PE find the pages that they write, and how their results are compared.

use crate::difference::{Difference, Field};
use crate::execution::{Attempt, Run};
use crate::machine::{Access, Machine, Memory, View};
use crate::pool::Entry;

pub mod bytes;
pub mod hash;
pub mod off;

/// An entry of a machine's pool.
pub type EntryOf<M> = Entry<<M as Memory>::Frame, <M as Memory>::Slot>;

/// A way to place pages. Between PEs every copy that is kept equals the home.
pub trait Placement {
    /// Frames that a page needs beside its home; without any, nothing is tracked and every PE is run once.
    const FRAMES: usize;
    /// How many of them, the first ones, are kept equal to the home between PEs.
    const KEPT: usize;
    /// All runs have frames and views of their own, and may go on at once.
    const AT_ONCE: bool = false;
    /// All runs work in the home, one after the other. Kept are the last result and hashes: of each result, and of PM0,
    /// to check a copy against.
    const SHARED: bool = false;

    /// The frame that a run works in.
    fn frame<M: Machine>(entry: &EntryOf<M>, run: Run) -> M::Frame;
    /// Puts PM0 of a page that was written in place for the run that an attempt has turned to; returns damage that it
    /// finds.
    fn turn<M: Machine>(entry: &mut EntryOf<M>, machine: &mut M, to: &Attempt) -> Option<Difference>;
    /// Makes the result that was agreed on the state, and all copies equal to it; `last` is the run that was
    /// turned to last.
    fn commit<M: Machine>(entry: &mut EntryOf<M>, machine: &mut M, outvoted: Option<Run>, last: Run);

    /// Takes what is in the home for PM0: between PEs, or before a run writes the page.
    fn save<M: Machine>(entry: &mut EntryOf<M>, machine: &mut M) {
        entry.frames[..Self::KEPT].iter().for_each(|frame| machine.copy(entry.page.frame, *frame));
    }
    /// What a run sees.
    #[inline(always)]
    fn view(run: Run) -> View {
        if Self::AT_ONCE { View::Of(run) } else { View::Every }
    }
    /// A run for each view that there is.
    #[inline(always)]
    fn views() -> &'static [Run] {
        if Self::AT_ONCE { &Run::ALL } else { &[Run::First] }
    }
    /// Lets a run write the page in the state that it is to find.
    #[inline(always)]
    fn show<M: Machine>(entry: &EntryOf<M>, machine: &mut M, run: Run) {
        machine.map(Self::view(run), &entry.page, Self::frame::<M>(entry, run), Access::Open);
    }
    /// Maps the page for the next PE.
    #[inline(always)]
    fn open<M: Machine>(entry: &EntryOf<M>, machine: &mut M) {
        for run in Self::views() {
            Self::show(entry, machine, *run);
        }
    }
    /// Whether user code has written the page.
    #[inline(always)]
    fn is_written<M: Machine>(entry: &EntryOf<M>, machine: &mut M) -> bool {
        Self::views().iter().any(|run| machine.is_written(Self::view(*run), &entry.page))
    }
    /// Gets PM0 of a page ready for `run` that no run before wrote.
    fn late<M: Machine>(_entry: &mut EntryOf<M>, _machine: &mut M, _run: Run, _witnessed: bool) {}
    /// Takes in what the last run left.
    fn finish<M: Machine>(_entry: &mut EntryOf<M>, _machine: &mut M, _run: Run) {}
    /// Whether the results of runs 1 and 2 agree, which are to be committed then.
    fn verify<M: Machine>(entry: &mut EntryOf<M>, machine: &mut M) -> bool {
        Self::agree(entry, machine, Run::First, Run::Second)
    }
    /// Whether the results of two runs agree.
    fn agree<M: Machine>(entry: &EntryOf<M>, machine: &mut M, a: Run, b: Run) -> bool {
        let (one, other) = (Self::frame::<M>(entry, a), Self::frame::<M>(entry, b));
        // No frame is equal to itself here: it holds one result, not two.
        one != other && machine.equal(one, other)
    }
    /// Where the results of two runs differ that do not agree.
    #[cold]
    fn difference<M: Machine>(entry: &EntryOf<M>, machine: &mut M, a: Run, b: Run) -> Difference {
        found(machine, entry.page.address, Self::frame::<M>(entry, a), Self::frame::<M>(entry, b))
    }
    /// Puts PM0 back, in the home and all copies.
    fn roll_back<M: Machine>(entry: &mut EntryOf<M>, machine: &mut M) {
        let [checkpoint, ..] = entry.frames;
        machine.copy(checkpoint, entry.page.frame);
        entry.frames[1..Self::KEPT].iter().for_each(|frame| machine.copy(checkpoint, *frame));
    }
    /// What damage there is to the copy that a roll-back trusts, as far as that can be found out.
    fn damage<M: Machine>(_entry: &EntryOf<M>, _machine: &mut M) -> Option<Difference> {
        None
    }
}

/// Copies a frame, and says whether it is equal to another one: none is to itself.
#[inline(always)]
fn compare_and_copy<M: Machine>(machine: &mut M, a: M::Frame, b: M::Frame, to: M::Frame) -> bool {
    a != b && machine.compare_and_copy(a, b, to)
}

/// Where two frames that were found to differ do so. Should a second
/// look find nothing, the first one was disturbed: its copy is not to be trusted,
/// and the pages behind were not compared, so this is a difference all the same.
#[cold]
fn found<M: Machine>(machine: &mut M, address: u64, a: M::Frame, b: M::Frame) -> Difference {
    let offset = machine.first_difference(a, b).unwrap_or(0);
    let [first, second] = [a, b].map(|frame| u64::from(machine.byte(frame, offset)));
    Difference { field: Field::Memory, first, second, address: address + u64::from(offset) }
}
