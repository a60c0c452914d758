// SPDX-License-Identifier: MIT
//! Who is told of flips.

use pe_replay::{Machine, Observer};

use crate::injection::Injection;

/// An observer that is told of flips, too, and of what they lead to.
pub trait Witness<M: Machine>: Observer<M> {
    /// Told of a flip, right after it was tried: where the run stood, and whether there was such a byte.
    fn flipped(&mut self, _machine: &mut M, _flip: Injection, _rip: u64, _has_hit: bool) {}

    /// Told that results of runs differ in a PE that flips were made in, each time.
    fn noticed(&mut self, _machine: &mut M, _pe: u64) {}
}

/// Nobody is told.
impl<M: Machine> Witness<M> for () {}
