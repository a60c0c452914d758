// SPDX-License-Identifier: MIT
//! What the engine keeps, opened to a test that damages it between two steps.
//!
//! Faults inside a run are [injected](crate::inject) by the engine; those between two
//! of its own operations a machine brings about, when [`Machine::visit`] is called.

use crate::life::Run;
use crate::machine::Machine;
use crate::registers::Registers;
use crate::user::UserRegisters;
use crate::written::WrittenSet;

/// A saved state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stored {
    /// What runs 1 and 3 start from.
    Start,
    /// What run 2 starts from.
    Shadow,
    /// What a run left.
    Result(Run),
}

/// A page of the written set, with the engine's copies.
#[derive(Clone, Copy, Debug)]
pub struct Tracked<F> {
    /// The address that it is known by.
    pub address: u64,
    /// Where it lives.
    pub home: F,
    /// The checkpoint.
    pub checkpoint: F,
    /// Second and spare, if there are these.
    pub others: Option<[F; 2]>,
}

/// The engine's saved states and copies of pages.
pub struct Inside<'a, M: Machine> {
    pub(crate) registers: &'a mut Registers<M::State>,
    pub(crate) set: &'a WrittenSet<M>,
}

impl<M: Machine> Inside<'_, M> {
    /// A saved state. Which of them hold something depends on the phase.
    pub fn stored(&mut self, which: Stored) -> &mut UserRegisters {
        match which {
            Stored::Start => self.registers.saved_mut(false),
            Stored::Shadow => self.registers.saved_mut(true),
            Stored::Result(run) => self.registers.of_mut(run),
        }
    }

    /// The pages of the written set.
    pub fn pages(&self) -> impl Iterator<Item = Tracked<M::Frame>> {
        self.set.tracked()
    }
}
