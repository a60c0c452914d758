// SPDX-License-Identifier: MIT
//! What a run made the machine do, counted, for a model that gives each of it its weight.

use serde::{Deserialize, Serialize};

/// Numbers of events: what the machine counts while PEs are run, and from [`states`](Events::states) on what is filled
/// in behind the last one.
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
    /// Translations flushed, each of a page that was mapped otherwise.
    pub mapped: u64,
    /// Flushes of all translations, as many pages were mapped otherwise.
    pub mapped_at_once: u64,
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
