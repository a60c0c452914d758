// SPDX-License-Identifier: MIT
//! Byte by byte: each run has a frame of its own for every page, run 1 the home,
//! run 2 the *second*, run 3 the *spare*.
//!
//! Between PEs the second holds what the home holds, so run 2 starts at once. While
//! home and second are compared, the spare is filled with home; when all pages
//! agree, spare and checkpoint change roles, and every copy is up to date again:
//! nothing is copied for its own sake.

use super::{Counted, WrittenPage};
use crate::compare::{Difference, Field};
use crate::life::Run;
use crate::machine::Machine;

/// The frames beside home and checkpoint.
pub struct Frames<F> {
    pub second: F,
    pub spare: F,
}

impl<F: Copy> Frames<F> {
    pub fn allocate<M: Machine<Frame = F>>(machine: &mut M) -> Option<Self> {
        let second = machine.allocate()?;
        match machine.allocate() {
            Some(spare) => Some(Self { second, spare }),
            None => {
                machine.release(second);
                None
            }
        }
    }

    pub fn release<M: Machine<Frame = F>>(&self, machine: &mut M) {
        machine.release(self.second);
        machine.release(self.spare);
    }

    pub fn of(&self, run: Run, home: F) -> F {
        match run {
            Run::First => home,
            Run::Second => self.second,
            Run::Third => self.spare,
        }
    }

    pub fn save<M: Machine<Frame = F>>(&mut self, machine: &mut Counted<M>, home: F) {
        machine.copy(home, self.second);
    }

    /// Home and second hold PM0.
    pub fn show_late<M: Machine<Frame = F>>(
        &mut self,
        machine: &mut Counted<M>,
        home: F,
        run: Run,
        witnessed: bool,
    ) {
        if run == Run::Third || witnessed {
            machine.copy(home, self.spare);
        }
    }

    pub fn adopt<M: Machine<Frame = F>>(&mut self, machine: &mut Counted<M>, home: F) {
        machine.copy(home, self.spare);
        machine.copy(home, self.second);
    }

    /// The spare holds what is committed, unless run 3, whose frame it is, was
    /// outvoted.
    #[inline]
    pub fn commit<M: Machine<Frame = F>>(
        &mut self,
        machine: &mut Counted<M>,
        home: F,
        checkpoint: &mut F,
        outvoted: Option<Run>,
    ) {
        match outvoted {
            None => {}
            Some(Run::First) => machine.copy(self.second, home),
            Some(Run::Second) => machine.copy(home, self.second),
            Some(Run::Third) => machine.copy(home, self.spare),
        }
        core::mem::swap(checkpoint, &mut self.spare);
    }

    pub fn roll_back<M: Machine<Frame = F>>(&mut self, machine: &mut Counted<M>, checkpoint: F) {
        machine.copy(checkpoint, self.second);
    }
}

/// Puts PM0 in place for `run`.
///
/// Run 2 finds it in the second. If that may have to be done again, after a
/// counter miss, the spare keeps a witness of it, since the checkpoint alone could
/// be damaged unnoticed.
#[inline(always)]
pub fn turn<M: Machine>(
    entry: &mut WrittenPage<M>,
    machine: &mut Counted<M>,
    run: Run,
    again: bool,
    witnessed: bool,
) -> Result<(), Difference> {
    let super::Copies::Bytes(Frames { second, spare }) = entry.copies else { return Ok(()) };
    match (run, again, witnessed) {
        (Run::First, ..) | (Run::Second, false, false) => {}
        (Run::Second, false, true) => machine.copy(second, spare),
        (Run::Second, true, false) => machine.copy(entry.checkpoint, second),
        (Run::Second, true, true) => {
            if !machine.compare_and_copy(entry.checkpoint, spare, second) {
                return Err(found(machine.machine, entry.page.address, entry.checkpoint, spare));
            }
        }
        (Run::Third, ..) => machine.copy(entry.checkpoint, spare),
    }
    machine.map(entry.page, entry.frame_of(run), entry.page.writable);
    Ok(())
}

/// Compares runs 1 and 2; where they agree, the spare holds what the home does.
#[inline(always)]
pub fn verify<M: Machine>(entry: &mut WrittenPage<M>, machine: &mut Counted<M>) -> Option<Difference> {
    let super::Copies::Bytes(Frames { second, spare }) = entry.copies else { return None };
    let agree = machine.compare_and_copy(entry.page.frame, second, spare);
    (!agree).then(|| found(machine.machine, entry.page.address, entry.page.frame, second))
}

pub fn difference<M: Machine>(
    entry: &WrittenPage<M>,
    machine: &mut Counted<M>,
    a: Run,
    b: Run,
) -> Option<Difference> {
    let (a, b) = (entry.frame_of(a), entry.frame_of(b));
    let agree = machine.equal(a, b);
    (!agree).then(|| found(machine.machine, entry.page.address, a, b))
}

/// Where two copies of a page that was found to differ do so. Should a second
/// look find nothing, the first one was disturbed: its spare is not to be trusted,
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
