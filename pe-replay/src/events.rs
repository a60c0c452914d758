// SPDX-License-Identifier: MIT
//! What the engine made the machine do, counted.
//!
//! On an emulator an instruction count says little about what such a thing costs
//! on a processor: WBINVD counts one, an exception nothing. So they are counted,
//! and a model gives each its weight.

use crate::machine::{Machine, PageOf};

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
    /// Pages mapped otherwise: a table entry changed and its translation flushed.
    pub mapped: u64,
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
pub(crate) struct Counted<'a, M: Machine> {
    /// The machine.
    pub machine: &'a mut M,
    /// The count.
    pub events: &'a mut Work,
}

impl<M: Machine> Counted<'_, M> {
    #[inline]
    pub fn copy(&mut self, from: M::Frame, to: M::Frame) {
        one_more(&mut self.events.copied);
        self.machine.copy(from, to);
    }

    #[inline]
    pub fn compare_and_copy(&mut self, a: M::Frame, b: M::Frame, to: M::Frame) -> bool {
        one_more(&mut self.events.compared_and_copied);
        self.machine.compare_and_copy(a, b, to)
    }

    #[inline]
    pub fn equal(&mut self, a: M::Frame, b: M::Frame) -> bool {
        one_more(&mut self.events.compared);
        self.machine.equal(a, b)
    }

    #[inline]
    pub fn hash(&mut self, frame: M::Frame) -> u128 {
        one_more(&mut self.events.hashed);
        self.machine.hash(frame)
    }

    #[inline]
    pub fn map(&mut self, page: PageOf<M>, frame: M::Frame, writable: bool) {
        one_more(&mut self.events.mapped);
        self.machine.map(page, frame, writable);
    }

    /// Flushes the lines of what user code accessed.
    pub fn flush_lines(&mut self) {
        self.events.lines_flushed += self.machine.flush_lines();
        self.events.translation_flushes += 1;
    }

    /// Flushes all caches.
    pub fn flush_caches(&mut self) {
        self.events.cache_flushes += 1;
        self.machine.flush_caches();
    }
}
