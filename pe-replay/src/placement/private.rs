// SPDX-License-Identifier: MIT
//! Private: each run has a view and frames of its own, and the home is written at the commit
//! only. So runs may go on at once, and pages may be shared with who does not wait.
//!
//! Between PEs each run's frame holds what the home holds, and is mapped in its view.

use super::{EntryOf, Placement, compared};
use crate::difference::Difference;
use crate::events::Counted;
use crate::execution::Run;
use crate::machine::{Access, Machine, View};

/// Each run has a frame of its own.
#[derive(Clone, Copy, Debug)]
pub struct Private;

impl Placement for Private {
    const FRAMES: usize = 3;
    const AT_ONCE: bool = true;
    const IS_READY: bool = true;

    fn save<M: Machine>(entry: &mut EntryOf<M>, counted: &mut Counted<M>) {
        entry.frames.iter().for_each(|frame| counted.copy(entry.page.frame, *frame));
    }

    fn frame<M: Machine>(entry: &EntryOf<M>, run: Run) -> M::Frame {
        entry.frames[run as usize]
    }

    fn open<M: Machine>(entry: &mut EntryOf<M>, counted: &mut Counted<M>, run: Run) {
        Self::show(entry, counted, run);
    }

    fn show<M: Machine>(entry: &EntryOf<M>, counted: &mut Counted<M>, run: Run) {
        counted.map(View::Of(run), entry.page, Self::frame::<M>(entry, run), Access::Open);
    }

    fn is_written<M: Machine>(entry: &EntryOf<M>, machine: &mut M) -> bool {
        Run::ALL.into_iter().any(|run| machine.is_written(View::Of(run), entry.page))
    }

    /// A run finds PM0 in its frame, unless it is repeated.
    fn turn<M: Machine>(
        entry: &mut EntryOf<M>,
        counted: &mut Counted<M>,
        run: Run,
        again: bool,
        _witnessed: bool,
    ) -> Result<(), Difference> {
        if again {
            counted.copy(entry.page.frame, Self::frame::<M>(entry, run));
        }
        Self::show(entry, counted, run);
        Ok(())
    }

    fn late<M: Machine>(entry: &mut EntryOf<M>, counted: &mut Counted<M>, run: Run, _witnessed: bool) {
        Self::show(entry, counted, run);
    }

    fn verify<M: Machine>(entry: &mut EntryOf<M>, counted: &mut Counted<M>) -> Option<Difference> {
        Self::difference(entry, counted, Run::First, Run::Second)
    }

    fn difference<M: Machine>(
        entry: &EntryOf<M>,
        counted: &mut Counted<M>,
        a: Run,
        b: Run,
    ) -> Option<Difference> {
        compared(counted, entry.page.address, Self::frame::<M>(entry, a), Self::frame::<M>(entry, b))
    }

    fn commit<M: Machine>(
        entry: &mut EntryOf<M>,
        counted: &mut Counted<M>,
        outvoted: Option<Run>,
        _last: Option<Run>,
    ) {
        let [first, second, third] = entry.frames;
        let agreed = if outvoted == Some(Run::First) { second } else { first };
        counted.copy(agreed, entry.page.frame);
        // From the home, so that a frame that is hit meanwhile differs from the others.
        let mut catch_up = |frame| counted.copy(entry.page.frame, frame);
        match outvoted {
            Some(Run::First) => catch_up(first),
            Some(Run::Second) => catch_up(second),
            // In dual mode run 3 has written nothing.
            None | Some(Run::Third) => catch_up(third),
        }
    }

    fn close<M: Machine>(entry: &EntryOf<M>, counted: &mut Counted<M>) {
        Run::ALL.into_iter().for_each(|run| Self::show(entry, counted, run));
    }

    fn roll_back<M: Machine>(entry: &mut EntryOf<M>, counted: &mut Counted<M>) {
        Self::save(entry, counted);
    }

    fn adopt<M: Machine>(entry: &mut EntryOf<M>, counted: &mut Counted<M>) {
        counted.copy(entry.frames[Run::First as usize], entry.frames[Run::Second as usize]);
    }
}
