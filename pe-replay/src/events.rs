// SPDX-License-Identifier: MIT
//! What the engine made the machine do, counted.
//!
//! On an emulator an instruction count says little about what such a thing costs
//! on a processor: WBINVD counts one, an exception nothing. So they are counted,
//! and a model gives each its weight. The engine counts what it asks for; the rest, from
//! [`states`](Events::states) on, is for the machine's owner to fill in.

use serde::{Deserialize, Serialize};

use crate::machine::{Machine, PageOf};

/// Numbers of events.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Events {
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
    /// Times that the extended state was restored and saved again.
    pub states: u64,
    /// Segment registers loaded.
    pub selectors: u64,
    /// Bases of FS and GS written.
    pub bases_written: u64,
    /// Bases of FS and GS read.
    pub bases_read: u64,
    /// Times that the x87 unit was reset (FNINIT).
    pub x87_resets: u64,
    /// Times that pending x87 exceptions were cleared (FNCLEX).
    pub x87_clears: u64,
    /// Time stamps read.
    pub time_stamps: u64,
    /// Registers of the local APIC written.
    pub apic_writes: u64,
    /// Page tables made the current ones.
    pub spaces_loaded: u64,
    /// Translations of single pages flushed, other than for `mapped`.
    pub pages_invalidated: u64,
    /// Cache lines' worth of bytes copied by the kernel, in whole lines.
    pub lines_copied: u64,
    /// Cache lines' worth of bytes filled by the kernel, in whole lines.
    pub lines_filled: u64,
}

impl Events {
    /// Adds another count, number by number.
    #[inline]
    pub fn add_all(&mut self, other: &Self) {
        self.entries += other.entries;
        self.copied += other.copied;
        self.compared_and_copied += other.compared_and_copied;
        self.compared += other.compared;
        self.hashed += other.hashed;
        self.mapped += other.mapped;
        self.lines_flushed += other.lines_flushed;
        self.cache_flushes += other.cache_flushes;
        self.translation_flushes += other.translation_flushes;
        self.resumed += other.resumed;
        self.states += other.states;
        self.selectors += other.selectors;
        self.bases_written += other.bases_written;
        self.bases_read += other.bases_read;
        self.x87_resets += other.x87_resets;
        self.x87_clears += other.x87_clears;
        self.time_stamps += other.time_stamps;
        self.apic_writes += other.apic_writes;
        self.spaces_loaded += other.spaces_loaded;
        self.pages_invalidated += other.pages_invalidated;
        self.lines_copied += other.lines_copied;
        self.lines_filled += other.lines_filled;
    }
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
    pub events: &'a mut Events,
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
