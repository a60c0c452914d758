// SPDX-License-Identifier: MIT
//! Without replay: every PE is run once, in its pages' homes, and no page is tracked.

use super::{EntryOf, Placement};
use crate::difference::Difference;
use crate::execution::{Attempt, Run};
use crate::machine::Machine;

/// No page has copies.
#[derive(Clone, Copy, Debug)]
pub struct Off;

impl Placement for Off {
    const FRAMES: usize = 0;
    const KEPT: usize = 0;

    fn frame<M: Machine>(entry: &EntryOf<M>, _run: Run) -> M::Frame {
        entry.page.frame
    }

    fn turn<M: Machine>(_: &mut EntryOf<M>, _: &mut M, _: &Attempt) -> Option<Difference> {
        None
    }

    fn commit<M: Machine>(_: &mut EntryOf<M>, _: &mut M, _: Option<Run>, _: Run) {}
}
