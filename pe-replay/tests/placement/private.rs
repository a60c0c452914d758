// SPDX-License-Identifier: MIT
//! Private: each run has a view and frames of its own, and the home is written at the commit
//! only. So runs may go on at once, and pages may be shared with who does not wait.
//!
//! Between PEs each run's frame holds what the home holds, and is mapped in its view.
//!
//! No kernel places pages so as yet: tests do, of the engine on a model machine and in its own files.

use pe_replay::execution::Attempt;
use pe_replay::placement::{EntryOf, Placement};
use pe_replay::{Difference, Machine, Run};

/// Each run has a frame of its own.
#[derive(Clone, Copy, Debug)]
pub struct Private;

impl Placement for Private {
    const FRAMES: usize = 3;
    const KEPT: usize = 3;
    const AT_ONCE: bool = true;

    fn frame<M: Machine>(entry: &EntryOf<M>, run: Run) -> M::Frame {
        entry.frames[run as usize]
    }

    /// A run that is turned to may have been executed before, at once with the others.
    fn turn<M: Machine>(entry: &mut EntryOf<M>, machine: &mut M, to: &Attempt) -> Option<Difference> {
        machine.copy(entry.page.frame, Self::frame::<M>(entry, to.turned));
        None
    }

    fn commit<M: Machine>(entry: &mut EntryOf<M>, machine: &mut M, outvoted: Option<Run>, _last: Run) {
        let [first, second, third] = entry.frames;
        let (agreed, outdated) = match outvoted {
            Some(Run::First) => (second, first),
            Some(Run::Second) => (first, second),
            // In dual mode run 3 has written nothing.
            None | Some(Run::Third) => (first, third),
        };
        machine.copy(agreed, entry.page.frame);
        // From the home, so that a frame that is hit meanwhile differs from the others.
        machine.copy(entry.page.frame, outdated);
    }

    fn roll_back<M: Machine>(entry: &mut EntryOf<M>, machine: &mut M) {
        Self::save(entry, machine);
    }
}
