// SPDX-License-Identifier: MIT
//! By hash, after Quest-V: all runs work in the home, one after the other, and
//! what is kept of each is a 128-bit hash a page.
//!
//! So a page needs two frames instead of four, and the result of the last run is
//! the only one that can be committed. The checkpoint, which every later run
//! starts from, is checked against the hash of PM0 before a roll-back trusts it.

use super::{Counted, WrittenPage};
use crate::compare::{Difference, Field};
use crate::life::Run;
use crate::machine::Machine;

/// The hashes of a page.
#[derive(Default)]
pub struct Hashes {
    /// Of PM0.
    before: u128,
    /// After each run.
    after: [u128; Run::ALL.len()],
}

impl Hashes {
    pub fn save<M: Machine>(&mut self, machine: &mut Counted<M>, home: M::Frame) {
        self.before = machine.hash(home);
    }

    /// No run so far wrote the page.
    pub fn show_late(&mut self) {
        self.after = [self.before; Run::ALL.len()];
    }

    pub fn finish<M: Machine>(&mut self, machine: &mut Counted<M>, run: Run, home: M::Frame) {
        self.after[run as usize] = machine.hash(home);
    }

    pub fn after(&self, run: Run) -> u128 {
        self.after[run as usize]
    }

    pub fn difference(&self, address: u64, a: Run, b: Run) -> Option<Difference> {
        differing(address, self.after(a), self.after(b))
    }

    /// `last` is the run whose result the home holds.
    pub fn commit(&mut self, last: Option<Run>) {
        if let Some(last) = last {
            self.before = self.after(last);
        }
    }

    /// Whether the checkpoint is what it was.
    pub fn check<M: Machine>(
        &self,
        machine: &mut Counted<M>,
        address: u64,
        checkpoint: M::Frame,
    ) -> Result<(), Difference> {
        differing(address, self.before, machine.hash(checkpoint)).map_or(Ok(()), Err)
    }
}

fn differing(address: u64, first: u128, second: u128) -> Option<Difference> {
    (first != second).then_some(Difference {
        field: Field::PageHash,
        first: first as u64,
        second: second as u64,
        address,
    })
}

/// Puts PM0 in place for `run`, after the hash of what the run before left.
pub fn turn<M: Machine>(entry: &mut WrittenPage<M>, machine: &mut Counted<M>, run: Run, again: bool) {
    let super::Copies::Hash(hashes) = &mut entry.copies else { return };
    match run {
        Run::First => {}
        Run::Second | Run::Third if again => {}
        Run::Second => hashes.finish(machine, Run::First, entry.page.frame),
        Run::Third => hashes.finish(machine, Run::Second, entry.page.frame),
    }
    machine.copy(entry.checkpoint, entry.page.frame);
    entry.map_home(machine, entry.page.writable);
}
