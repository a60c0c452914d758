// SPDX-License-Identifier: MIT
//! The saved registers: states whose roles rotate, so that none is copied.
//!
//! The state before a PE is there twice. Run 1 (and 3) starts from the one, run 2
//! from the other, so that a damaged one makes a difference; and where results
//! differ, the two are compared before one of them is trusted. After a commit they
//! are the results of two runs that agreed.
//!
//! Results are brought to the normal form where they are needed in it: what is the
//! same in every byte is so in the normal form, too.

use core::ops::DerefMut;

use crate::compare::{self, Difference, RunResult};
use crate::life::Run;
use crate::machine::Machine;
use crate::stop::Delimiter;
use crate::user::UserRegisters;

/// How many states are saved.
pub const STATES: usize = 2 + Run::ALL.len();

/// The start state, its shadow, and each run's result.
pub struct Registers<P> {
    start: P,
    shadow: P,
    results: [P; Run::ALL.len()],
    /// The start state was changed, and its shadow was not.
    touched: bool,
    /// Whether there are runs that start from the shadow.
    shadowed: bool,
}

impl<P: DerefMut<Target = UserRegisters>> Registers<P> {
    pub fn new([start, shadow, first, second, third]: [P; STATES], shadowed: bool) -> Self {
        Self { start, shadow, results: [first, second, third], touched: true, shadowed }
    }

    /// UPRR0; between PEs, *the* state.
    #[inline]
    pub fn start(&self) -> &UserRegisters {
        &self.start
    }

    /// To change it between PEs.
    #[inline]
    pub fn start_mut(&mut self) -> &mut UserRegisters {
        self.touched = true;
        &mut self.start
    }

    /// Brings both copies of the start state to the normal form, after changes
    /// between PEs.
    #[inline]
    pub fn prepare<M: Machine>(&mut self, machine: &mut M) {
        if core::mem::take(&mut self.touched) {
            self.start.renormalize();
            if self.shadowed {
                machine.copy_state(&self.start, &mut self.shadow);
            }
        } else {
            self.shadow.normalize();
        }
    }

    /// Brings a result to the normal form.
    #[inline]
    pub fn normalize(&mut self, run: Run) {
        self.of_mut(run).normalize();
    }

    /// One of the two copies of UPRR0, for a fault to be injected.
    pub fn saved_mut(&mut self, shadow: bool) -> &mut UserRegisters {
        if shadow { &mut self.shadow } else { &mut self.start }
    }

    /// What differs between the two copies of UPRR0, if there are two.
    pub fn damage(&self) -> Option<Difference> {
        if !self.shadowed {
            return None;
        }
        let plain = |user| RunResult { user, delimiter: Delimiter::Limit, count: 0 };
        compare::first_difference(plain(&self.start), plain(&self.shadow), None)
    }

    #[inline]
    pub fn of(&self, run: Run) -> &UserRegisters {
        &self.results[run as usize]
    }

    #[inline]
    pub fn of_mut(&mut self, run: Run) -> &mut UserRegisters {
        &mut self.results[run as usize]
    }

    /// Where a run starts from, and what it leaves its registers in.
    #[inline]
    pub fn source_and_result(&mut self, run: Run) -> (&UserRegisters, &mut UserRegisters) {
        let source = match run {
            Run::First | Run::Third => &self.start,
            Run::Second => &self.shadow,
        };
        (source, &mut self.results[run as usize])
    }

    /// Puts a run before its first instruction.
    pub fn begin(&mut self, run: Run) {
        let (source, result) = self.source_and_result(run);
        result.clone_from(source);
    }

    /// Makes a result the start state, and an equal one its shadow.
    #[inline]
    pub fn commit(&mut self, result: Run, equal: Run) {
        self.normalize(result);
        core::mem::swap(&mut self.start, &mut self.results[result as usize]);
        core::mem::swap(&mut self.shadow, &mut self.results[equal as usize]);
    }

    /// Makes the only result the start state. Its shadow is out of date.
    #[inline]
    pub fn commit_unchecked(&mut self, result: Run) {
        self.normalize(result);
        core::mem::swap(&mut self.start, &mut self.results[result as usize]);
        self.touched = true;
    }
}
