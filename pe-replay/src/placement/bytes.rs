// SPDX-License-Identifier: MIT
//! In place, compared byte by byte: run 1 works in the home, run 2 in the *second*, run 3 in
//! the *spare*.
//!
//! Between PEs the second holds what the home holds, so run 2 starts at once. While
//! home and second are compared, the spare is filled with home; when all pages
//! agree, spare and checkpoint change roles, and every copy is up to date again:
//! nothing is copied for its own sake.
//!
//! No single damaged copy can make both runs agree on something wrong: what run 2
//! starts from is never made from the checkpoint, which is what a roll-back trusts.

use super::{EntryOf, Placement, compare_and_copy, found};
use crate::difference::Difference;
use crate::execution::{Attempt, Run};
use crate::machine::Machine;

const SECOND: usize = 1;
const SPARE: usize = 2;

/// Each later run has a frame of its own.
#[derive(Clone, Copy, Debug)]
pub struct Bytes;

impl Placement for Bytes {
    const FRAMES: usize = 3;
    const KEPT: usize = 2;

    #[inline(always)]
    fn frame<M: Machine>(entry: &EntryOf<M>, run: Run) -> M::Frame {
        match run {
            Run::First => entry.page.frame,
            Run::Second => entry.frames[SECOND],
            Run::Third => entry.frames[SPARE],
        }
    }

    /// Run 2 finds PM0 in the second. If that may have to be done again, after a
    /// counter miss, the spare keeps a witness of it, since the checkpoint alone could
    /// be damaged unnoticed.
    fn turn<M: Machine>(entry: &mut EntryOf<M>, machine: &mut M, to: &Attempt) -> Option<Difference> {
        let [checkpoint, second, spare] = entry.frames;
        match (to.turned, to.again, to.witnessed) {
            (Run::First, ..) | (Run::Second, false, false) => {}
            (Run::Second, false, true) => machine.copy(second, spare),
            (Run::Second, true, false) => machine.copy(checkpoint, second),
            (Run::Second, true, true) => {
                if !compare_and_copy(machine, checkpoint, spare, second) {
                    return Some(found(machine, entry.page.address, checkpoint, spare));
                }
            }
            (Run::Third, ..) => machine.copy(checkpoint, spare),
        }
        None
    }

    /// Home and second hold PM0.
    fn late<M: Machine>(entry: &mut EntryOf<M>, machine: &mut M, run: Run, witnessed: bool) {
        if run == Run::Third || witnessed {
            machine.copy(entry.page.frame, entry.frames[SPARE]);
        }
    }

    /// Where both agree, the spare holds what the home does.
    #[inline(always)]
    fn verify<M: Machine>(entry: &mut EntryOf<M>, machine: &mut M) -> bool {
        compare_and_copy(machine, entry.page.frame, entry.frames[SECOND], entry.frames[SPARE])
    }

    /// The spare holds what is committed, unless run 3, whose frame it is, was
    /// outvoted.
    #[inline(always)]
    fn commit<M: Machine>(entry: &mut EntryOf<M>, machine: &mut M, outvoted: Option<Run>, _last: Run) {
        let (home, [checkpoint, second, spare]) = (entry.page.frame, entry.frames);
        match outvoted {
            None => {}
            Some(Run::First) => machine.copy(second, home),
            Some(Run::Second) => machine.copy(home, second),
            Some(Run::Third) => machine.copy(home, spare),
        }
        entry.frames = [spare, second, checkpoint];
    }
}
