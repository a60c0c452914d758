// SPDX-License-Identifier: MIT
//! Where the runs of a PE find the pages that they write, and how their results are compared.

use crate::difference::{Difference, Field};
use crate::events::Counted;
use crate::execution::Run;
use crate::machine::{Access, Machine, View};
use crate::pool::Entry;

mod bytes;
mod hash;
mod private;

pub use bytes::Bytes;
pub use hash::Hash;
pub use private::Private;

/// An entry of a machine's pool.
pub type EntryOf<M> = Entry<<M as crate::machine::Memory>::Frame, <M as crate::machine::Memory>::Slot>;

/// A way to place pages. Between PEs every copy that is kept equals the home.
pub trait Placement {
    /// Frames that a page needs beside its home.
    const FRAMES: usize;
    /// All runs have frames and views of their own, and may go on at once.
    const AT_ONCE: bool = false;
    /// Of PM0 there is something to check a copy against that was made of it.
    const CHECKED: bool = false;
    /// A second copy of PM0 can be kept for run 2.
    const WITNESSES: bool = false;
    /// Run 2 finds PM0 in its frame, unless it is repeated or there is to be a witness.
    const IS_READY: bool = false;
    /// Of the results only that of the last run is still there.
    const LAST_ONLY: bool = false;

    /// Takes what is in the home for PM0: between PEs, or before a run writes the page.
    fn save<M: Machine>(entry: &mut EntryOf<M>, counted: &mut Counted<M>);
    /// The frame that a run works in.
    fn frame<M: Machine>(entry: &EntryOf<M>, run: Run) -> M::Frame;
    /// Lets a run write the page.
    #[inline]
    fn open<M: Machine>(entry: &mut EntryOf<M>, counted: &mut Counted<M>, _run: Run) {
        counted.map(View::Every, entry.page, entry.page.frame, Access::Open);
    }
    /// Lets a run write the page in the state that the run before it found.
    #[inline(always)]
    fn show<M: Machine>(entry: &EntryOf<M>, counted: &mut Counted<M>, run: Run) {
        counted.map(View::Every, entry.page, Self::frame::<M>(entry, run), Access::Open);
    }
    /// Whether user code has written the page.
    #[inline(always)]
    fn is_written<M: Machine>(entry: &EntryOf<M>, machine: &mut M) -> bool {
        machine.is_written(View::Every, entry.page)
    }
    /// Puts PM0 of a page that was written in place for `run`; once more if `again`. `witnessed` says that of this
    /// attempt's PM0 there is to be a second copy, in case that run 2 needs it again.
    fn turn<M: Machine>(
        entry: &mut EntryOf<M>,
        counted: &mut Counted<M>,
        run: Run,
        again: bool,
        witnessed: bool,
    ) -> Result<(), Difference>;
    /// Gives `run` PM0 of a page that no run before wrote.
    fn late<M: Machine>(entry: &mut EntryOf<M>, counted: &mut Counted<M>, run: Run, witnessed: bool);
    /// Takes in what the last run left.
    fn finish<M: Machine>(_entry: &mut EntryOf<M>, _counted: &mut Counted<M>, _run: Run) {}
    /// Compares the results of runs 1 and 2, and prepares to commit them.
    fn verify<M: Machine>(entry: &mut EntryOf<M>, counted: &mut Counted<M>) -> Option<Difference>;
    /// Compares the results of two runs.
    fn difference<M: Machine>(
        entry: &EntryOf<M>,
        counted: &mut Counted<M>,
        a: Run,
        b: Run,
    ) -> Option<Difference>;
    /// Makes the result that was agreed on the state, and all copies equal to it; `last` is the run that was
    /// turned to last.
    fn commit<M: Machine>(
        entry: &mut EntryOf<M>,
        counted: &mut Counted<M>,
        outvoted: Option<Run>,
        last: Option<Run>,
    );
    /// Maps the page for the next PE.
    #[inline(always)]
    fn close<M: Machine>(entry: &EntryOf<M>, counted: &mut Counted<M>) {
        counted.map(View::Every, entry.page, entry.page.frame, Access::Open);
    }
    /// Puts PM0 back, in the home and all copies.
    fn roll_back<M: Machine>(entry: &mut EntryOf<M>, counted: &mut Counted<M>);
    /// Finds out whether the copy that a roll-back trusts is what it was.
    fn check<M: Machine>(_entry: &EntryOf<M>, _counted: &mut Counted<M>) -> Result<(), Difference> {
        Ok(())
    }
    /// Makes run 1's result look like one that was compared. Only mutants do that.
    fn adopt<M: Machine>(entry: &mut EntryOf<M>, counted: &mut Counted<M>);
}

/// Where two frames that were found to differ do so. Should a second
/// look find nothing, the first one was disturbed: its copy is not to be trusted,
/// and the pages behind were not compared, so this is a difference all the same.
#[cold]
fn found<M: Machine>(machine: &mut M, address: u64, a: M::Frame, b: M::Frame) -> Difference {
    let offset = machine.first_difference(a, b).unwrap_or(0);
    Difference {
        field: Field::Memory,
        first: u64::from(machine.byte(a, offset)),
        second: u64::from(machine.byte(b, offset)),
        address: address + u64::from(offset),
    }
}

/// Compares two frames.
fn compared<M: Machine>(
    counted: &mut Counted<M>,
    address: u64,
    a: M::Frame,
    b: M::Frame,
) -> Option<Difference> {
    if counted.equal(a, b) { None } else { Some(found(counted.machine, address, a, b)) }
}
