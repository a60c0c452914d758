// SPDX-License-Identifier: MIT
//! What a run made the machine do beside the engine's own events, which a model of costs needs too.
//!
//! What every entry, run or PE does the same number of times is derived from their numbers, so that
//! no PE pays for counting it; the rest was counted where it happened. Whoever changes how often
//! one of these is done changes it here: a test holds every number against the instructions that
//! QEMU executed (`cargo reprise test profile`).

use wire::end::Totals;

use crate::arch::context::{APIC_WRITES, BASES, SELECTORS, TIME_STAMPS};
use crate::arch::isolation;
use crate::arch::tally::Reading;

/// Completes a run's events; `counted` is what was counted since its start, `drained` how many
/// interrupts the entry code has taken and ended by itself.
pub fn complete(totals: &mut Totals, counted: Reading, drained: u64) {
    let events = &mut totals.events;
    let begun = events.entries.saturating_sub(events.resumed);
    events.states = events.entries;
    events.selectors = SELECTORS * counted.segment_loads;
    events.bases_written = BASES * counted.segment_loads;
    events.bases_read = BASES * events.entries;
    events.x87_resets = begun;
    // Of pending exceptions the kernel does not know, as none of its code uses the x87 unit.
    events.x87_clears = 0;
    events.apic_writes = APIC_WRITES * events.entries + counted.apic_writes + drained;
    // The stopwatch looks at the time at the end of a PE and of what is done for it, when a PE is run
    // again, after each write fault, around each flush.
    let at_entries = TIME_STAMPS * events.entries;
    let laps = 2 * totals.pes + begun.saturating_sub(totals.pes) + totals.write_faults;
    // An isolated kernel loads the user's page tables, and then its own.
    let loaded_at_entries = if isolation::is_isolated() { 2 } else { 0 };
    let flushes = 2 * (events.cache_flushes + events.translation_flushes);
    events.time_stamps = at_entries + laps + flushes + counted.time_stamps;
    events.spaces_loaded = counted.spaces_loaded + loaded_at_entries * events.entries;
    events.pages_invalidated = counted.pages_invalidated;
    (events.mapped, events.mapped_at_once) = (counted.mapped, counted.mapped_at_once);
    events.lines_copied = counted.lines_copied;
    events.lines_filled = counted.lines_filled;
}
