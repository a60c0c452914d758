// SPDX-License-Identifier: MIT
//! What the engine made the machine do, counted.
//!
//! On an emulator an instruction count says little about what such a thing costs
//! on a processor: WBINVD counts one, an exception nothing. So they are counted,
//! and a model gives each its weight.

use crate::machine::{Machine, Memory};
use crate::pool::Pool;

/// Numbers of what the engine asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Work {
    /// Entries into user mode: each restores and saves all registers.
    pub entries: u64,
    /// Pages copied.
    pub copied: u64,
    /// Pages compared with another and copied in the same pass.
    pub compared_and_copied: u64,
    /// Pages compared with another.
    pub compared: u64,
    /// Pages hashed.
    pub hashed: u64,
    /// Cache lines flushed.
    pub lines_flushed: u64,
    /// Flushes of all caches.
    pub cache_flushes: u64,
    /// Flushes of all translations.
    pub translation_flushes: u64,
    /// Entries that went on with a run, after a write fault, say; every other one began a run.
    pub resumed: u64,
}

/// Counts. Wrapping round takes 2^64 events; to look for it would take two instructions each
/// time, five times a page.
#[inline(always)]
pub(crate) fn one_more(number: &mut u64) {
    *number = number.wrapping_add(1);
}

/// A machine whose work on pages is counted.
pub struct Counted<'a, M> {
    pub(crate) machine: &'a mut M,
    pub(crate) work: &'a mut Work,
}

/// A machine whose work is counted, and the pool of a processor.
pub struct Pages<'a, M: Memory> {
    pub(crate) counted: Counted<'a, M>,
    pub(crate) pool: &'a mut Pool<M::Frame, M::Slot>,
}

impl<M: Machine> Counted<'_, M> {
    #[inline]
    pub(crate) fn copy(&mut self, from: M::Frame, to: M::Frame) {
        one_more(&mut self.work.copied);
        self.machine.copy(from, to);
    }

    /// No frame is equal to itself here: it holds one result, not two.
    #[inline(always)]
    pub(crate) fn compare_and_copy(&mut self, a: M::Frame, b: M::Frame, to: M::Frame) -> bool {
        one_more(&mut self.work.compared_and_copied);
        a != b && self.machine.compare_and_copy(a, b, to)
    }

    /// No frame is equal to itself here: it holds one result, not two.
    #[inline]
    pub(crate) fn equal(&mut self, a: M::Frame, b: M::Frame) -> bool {
        one_more(&mut self.work.compared);
        a != b && self.machine.equal(a, b)
    }

    #[inline]
    pub(crate) fn hash(&mut self, frame: M::Frame) -> u128 {
        one_more(&mut self.work.hashed);
        self.machine.hash(frame)
    }
}
