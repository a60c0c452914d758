// SPDX-License-Identifier: MIT
//! What the machine is made to do outside of PEs, counted where it is done.
//!
//! What happens at every entry is not counted but derived (`executive::upkeep`): a PE pays for no count
//! of its own. All numbers run on from program to program; a run's own are the difference of two
//! [readings](Reading).

use core::sync::atomic::{AtomicU64, Ordering};

use super::context;

/// A number that only grows.
#[repr(transparent)]
pub struct Tally(AtomicU64);

impl Tally {
    /// Adds to it: not in one piece, since nothing else runs in the kernel.
    #[inline]
    pub fn add(&self, more: u64) {
        self.0.store(self.0.load(Ordering::Relaxed).wrapping_add(more), Ordering::Relaxed);
    }

    fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Lines of 64 bytes that memcpy copied, in whole ones; added to by itself.
pub static LINES_COPIED: Tally = Tally(AtomicU64::new(0));
/// Lines of 64 bytes that memset filled, in whole ones; added to by itself.
pub static LINES_FILLED: Tally = Tally(AtomicU64::new(0));
/// Registers of the local APIC written, but for those of every entry.
pub static APIC_WRITES: Tally = Tally(AtomicU64::new(0));
/// Top tables made the current ones.
pub static SPACES_LOADED: Tally = Tally(AtomicU64::new(0));
/// Translations of single pages flushed for the kernel's own changes to a space.
pub static PAGES_INVALIDATED: Tally = Tally(AtomicU64::new(0));
/// Translations of single pages flushed for the tracker.
pub static MAPPED: Tally = Tally(AtomicU64::new(0));
/// Flushes of all translations for the tracker.
pub static MAPPED_AT_ONCE: Tally = Tally(AtomicU64::new(0));
/// Time stamps read where no PE passes, and for programs that see the time of the machine.
pub static TIME_STAMPS: Tally = Tally(AtomicU64::new(0));

/// All of them at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reading {
    pub lines_copied: u64,
    pub lines_filled: u64,
    pub apic_writes: u64,
    pub spaces_loaded: u64,
    pub pages_invalidated: u64,
    pub mapped: u64,
    pub mapped_at_once: u64,
    pub time_stamps: u64,
    /// Entries at which selectors and bases were loaded; counted by the entry code.
    pub segment_loads: u64,
}

impl Reading {
    /// Reads them.
    pub fn now() -> Self {
        Self {
            lines_copied: LINES_COPIED.get(),
            lines_filled: LINES_FILLED.get(),
            apic_writes: APIC_WRITES.get(),
            spaces_loaded: SPACES_LOADED.get(),
            pages_invalidated: PAGES_INVALIDATED.get(),
            mapped: MAPPED.get(),
            mapped_at_once: MAPPED_AT_ONCE.get(),
            time_stamps: TIME_STAMPS.get(),
            segment_loads: context::segment_loads(),
        }
    }

    /// What was added since an earlier reading.
    pub fn since(self, earlier: Self) -> Self {
        Self {
            lines_copied: self.lines_copied.wrapping_sub(earlier.lines_copied),
            lines_filled: self.lines_filled.wrapping_sub(earlier.lines_filled),
            apic_writes: self.apic_writes.wrapping_sub(earlier.apic_writes),
            spaces_loaded: self.spaces_loaded.wrapping_sub(earlier.spaces_loaded),
            pages_invalidated: self.pages_invalidated.wrapping_sub(earlier.pages_invalidated),
            mapped: self.mapped.wrapping_sub(earlier.mapped),
            mapped_at_once: self.mapped_at_once.wrapping_sub(earlier.mapped_at_once),
            time_stamps: self.time_stamps.wrapping_sub(earlier.time_stamps),
            segment_loads: self.segment_loads.wrapping_sub(earlier.segment_loads),
        }
    }
}
