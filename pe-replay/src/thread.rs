// SPDX-License-Identifier: MIT
//! What is kept of a thread: its registers, twice.
//!
//! Run 1 (and 3) starts from the one copy, run 2 from the other, so that a damaged one
//! makes a difference; and where results differ, the two are compared before one of
//! them is trusted. After a commit they are the results of two runs that agreed: places
//! are swapped, never copied.
//!
//! Results are brought to the normal form where they are needed in it: what is the
//! same in every byte is so in the normal form, too.

use core::ops::DerefMut;

use crate::compare;
use crate::difference::Difference;
use crate::execution::Run;
use crate::machine::Processor;
use crate::registers::RegisterSet;

/// The state of a thread between two PEs.
pub struct Thread<P> {
    pub(crate) start: P,
    pub(crate) shadow: P,
    /// The start state was changed by the kernel.
    touched: bool,
    /// The shadow is out of date.
    stale: bool,
    /// The data that a page fault was about which ended its last PE.
    pub(crate) awaited: Option<u64>,
    /// Which thread of its space this is: each has a prediction of its own.
    pub(crate) number: u8,
}

impl<R: RegisterSet, P: DerefMut<Target = R>> Thread<P> {
    /// The thread of a space with this number, whose registers are in `start`; what is in
    /// `shadow` does not matter.
    pub fn new(start: P, shadow: P, number: u8) -> Self {
        Self { start, shadow, touched: true, stale: true, awaited: None, number }
    }

    /// The committed registers, in the normal form after a PE.
    pub fn registers(&self) -> &R {
        &self.start
    }

    /// The committed registers, to be changed between PEs.
    pub fn registers_mut(&mut self) -> &mut R {
        self.touched = true;
        &mut self.start
    }

    /// Brings both copies to the normal form, after changes between PEs.
    #[inline(always)]
    pub(crate) fn prepare<M: Processor<Registers = R>>(&mut self, machine: &mut M) {
        if self.touched | self.stale {
            (self.touched, self.stale) = (false, false);
            self.start.renormalize();
            machine.copy_registers(&self.start, &mut self.shadow);
        } else {
            self.shadow.renormalize();
        }
    }

    /// Brings the registers to the normal form where every PE is run once: the shadow stays out of date.
    #[inline(always)]
    pub(crate) fn prepare_alone(&mut self) {
        if core::mem::take(&mut self.touched) {
            self.start.renormalize();
        }
    }

    /// What a run starts from.
    #[inline(always)]
    pub(crate) fn source(&self, run: Run) -> &R {
        match run {
            Run::First | Run::Third => &self.start,
            Run::Second => &self.shadow,
        }
    }

    /// What differs between the two copies.
    pub(crate) fn damage(&mut self) -> Option<Difference> {
        // What is no state may differ: nothing starts from it.
        self.shadow.normalize();
        compare::registers(&*self.start, &*self.shadow).next()
    }

    /// Makes a result the start state, and an equal one its shadow.
    #[inline(always)]
    pub(crate) fn commit(&mut self, result: &mut P, equal: &mut P) {
        self.commit_alone(result);
        core::mem::swap(&mut self.shadow, equal);
        self.stale = false;
    }

    /// Makes the only result the start state. The shadow is out of date.
    #[inline(always)]
    pub(crate) fn commit_alone(&mut self, result: &mut P) {
        result.normalize();
        core::mem::swap(&mut self.start, result);
        self.stale = true;
    }
}
