// SPDX-License-Identifier: MIT
//! Modelled cycles: what a processor would need, from what a run made it do.
//!
//! The weights and their sources stand in `benches/model.toml`. Which events belong to which
//! phase is a rule of the model too, since the kernel counts them over the whole run: see
//! [`Model::cycles`]. The sum does not depend on that rule but for rounding.

mod weights;

use pe_replay::{Comparison, Mode, Policy, TimedPhase};
use wire::DelimiterKind;
use wire::end::Totals;

pub use weights::Model;
use weights::{Page, Reach, Weight};

/// Pages that are in use at once for each page that a PE writes: home, the run's own, the copy.
const FRAMES_IN_USE: u64 = 3;
const PAGE_LEN: u64 = 4096;

/// Modelled cycles by phase.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Cycles(pub [f64; TimedPhase::ALL.len()]);

impl Cycles {
    /// Those of one phase.
    pub fn get(&self, phase: TimedPhase) -> f64 {
        self.0[phase as usize]
    }

    /// All of them.
    pub fn total(&self) -> f64 {
        self.0.iter().sum()
    }

    /// All of them over those of the second run's user instructions, the ratio that the original gives;
    /// `None` where there is no second run.
    pub fn over_second_run(&self) -> Option<f64> {
        let second = self.get(TimedPhase::SecondRun);
        (second > 0.0).then(|| self.total() / second)
    }
}

/// A run's instructions and events, as far as one phase is concerned.
#[derive(Default)]
struct Share {
    /// Cycles for events.
    cycles: f64,
    /// Instructions that the emulator counted for these events.
    instructions: u64,
}

impl Share {
    fn events(&mut self, count: u64, cycles: f64) {
        self.cycles += count as f64 * cycles;
    }

    fn pages(&mut self, count: u64, page: &Page, reach: Reach) {
        self.events(count, page.at(reach));
        self.instructions += count * page.instructions;
    }
}

/// Takes up to `wanted` of what is left.
fn take(left: &mut u64, wanted: u64) -> u64 {
    let taken = wanted.min(*left);
    *left -= taken;
    taken
}

impl Model {
    /// What a run under a policy would need.
    ///
    /// - first, second and third run: their instructions, as user code;
    /// - treatment: the write faults, and for each an entry, a changed mapping and two copies
    ///   or, where pages are compared by hash, a copy and a hash;
    /// - restart: an entry for each run of a PE after its first; of the changed mappings and
    ///   hashes that are left those of all turns, as many for each as at the commit; the same
    ///   of the copies by hash, else all that are left; what debug exceptions cost beyond others;
    /// - flush: lines, caches, translations;
    /// - verify and commit: comparisons, and the mappings, hashes and copies that are left;
    /// - other: the entries that are left; page tables loaded and pages invalidated by the kernel,
    ///   and the lines that it copied and filled.
    ///
    /// What is done at entries, or for their sake (state, selectors, bases, x87, time stamps, APIC), is
    /// shared out evenly among them, however often each of it is done.
    ///
    /// Every entry comes back to the kernel: by a system call as often as one ended a PE, times
    /// the runs of a PE, else by an exception. All instructions outside the runs are kernel
    /// code, without those of the page primitives and of copied and filled lines.
    pub fn cycles(&self, policy: &Policy, totals: &Totals) -> Cycles {
        self.cycles_of_part(policy, totals, totals)
    }

    /// What a part of a run would need: its memory is in reach as the whole run's is.
    pub fn cycles_of_part(&self, policy: &Policy, totals: &Totals, whole: &Totals) -> Cycles {
        let weights = &self.weights;
        let events = &totals.events;
        let reach = self.reach(whole);
        let runs = match policy.mode {
            Mode::Off => 1,
            Mode::Dual => 2,
            Mode::Triple => 3,
        };
        let mut entries = events.entries;
        let ended_by_call = totals.ends[DelimiterKind::Syscall as usize];
        let mut system_calls = ended_by_call.saturating_mul(runs);
        let (mut copied, mut mapped, mut hashed) = (events.copied, events.mapped, events.hashed);
        let mut mapped_at_once = events.mapped_at_once;
        let turns = |left: &mut u64| {
            let all = *left * (runs - 1) / runs;
            take(left, all)
        };
        let at_entries: f64 = [
            (events.states, &weights.state),
            (events.selectors, &weights.selector),
            (events.bases_written, &weights.base_write),
            (events.bases_read, &weights.base_read),
            (events.x87_resets, &weights.x87_reset),
            (events.x87_clears, &weights.x87_clear),
            (events.time_stamps, &weights.time_stamp),
            (events.apic_writes, &weights.apic_write),
        ]
        .map(|(count, weight): (u64, &Weight)| count as f64 * weight.cycles)
        .iter()
        .sum();
        let entry = weights.return_to_user.cycles + at_entries / events.entries.max(1) as f64;
        let enter = |share: &mut Share, count: u64, system_calls: u64| {
            share.events(count, entry);
            share.events(system_calls, weights.system_call.cycles);
            share.events(count - system_calls, weights.exception.cycles);
        };

        let mut treatment = Share::default();
        let faults = take(&mut entries, totals.write_faults);
        treatment.events(faults, entry + weights.write_fault.cycles);
        let (copies, hashes) = match policy.comparison {
            Comparison::Bytes => (2 * faults, 0),
            Comparison::Hash => (faults, faults),
        };
        treatment.pages(take(&mut copied, copies), &weights.copied, reach);
        treatment.pages(take(&mut hashed, hashes), &weights.hashed, reach);
        treatment.events(take(&mut mapped, faults), weights.mapped.cycles);

        let mut restart = Share::default();
        let again = take(&mut entries, totals.committed.saturating_mul(runs - 1) + totals.third_runs);
        let calls_again = take(&mut system_calls, ended_by_call.saturating_mul(runs - 1).min(again));
        enter(&mut restart, again, calls_again);
        let put_back = match policy.comparison {
            Comparison::Bytes => take(&mut copied, u64::MAX),
            Comparison::Hash => turns(&mut copied),
        };
        restart.pages(put_back, &weights.copied, reach);
        restart.events(turns(&mut mapped), weights.mapped.cycles);
        restart.events(turns(&mut mapped_at_once), weights.translation_flush.cycles);
        restart.pages(turns(&mut hashed), &weights.hashed, reach);
        restart.events(totals.debug_exceptions, weights.debug_exception.cycles);

        let mut flush = Share::default();
        flush.events(events.lines_flushed, weights.line_flush.cycles);
        flush.events(events.cache_flushes, weights.cache_flush.cycles);
        flush.events(events.translation_flushes, weights.translation_flush.cycles);

        let mut verify = Share::default();
        verify.pages(events.compared, &weights.compared, reach);
        verify.pages(events.compared_and_copied, &weights.compared_and_copied, reach);
        verify.pages(copied, &weights.copied, reach);
        verify.pages(hashed, &weights.hashed, reach);
        verify.events(mapped, weights.mapped.cycles);
        verify.events(mapped_at_once, weights.translation_flush.cycles);

        let mut other = Share::default();
        enter(&mut other, entries, system_calls.min(entries));
        other.events(events.spaces_loaded, weights.translation_flush.cycles);
        other.events(events.pages_invalidated, weights.mapped.cycles);
        other.pages(events.lines_copied, &weights.line_copied, reach);
        other.pages(events.lines_filled, &weights.line_filled, reach);

        let kernel = |phase: TimedPhase, share: Share| {
            let instructions = totals.phases.get(phase).saturating_sub(share.instructions);
            share.cycles + instructions as f64 * weights.kernel_instruction.cycles
        };
        let user = |phase: TimedPhase| totals.phases.get(phase) as f64 * weights.user_instruction.cycles;
        let mut cycles = Cycles::default();
        for (phase, spent) in [
            (TimedPhase::FirstRun, user(TimedPhase::FirstRun)),
            (TimedPhase::SecondRun, user(TimedPhase::SecondRun)),
            (TimedPhase::ThirdRun, user(TimedPhase::ThirdRun)),
            (TimedPhase::Treatment, kernel(TimedPhase::Treatment, treatment)),
            (TimedPhase::Restart, kernel(TimedPhase::Restart, restart)),
            (TimedPhase::Flush, kernel(TimedPhase::Flush, flush)),
            (TimedPhase::VerifyCommit, kernel(TimedPhase::VerifyCommit, verify)),
            (TimedPhase::Other, kernel(TimedPhase::Other, other)),
        ] {
            cycles.0[phase as usize] = spent;
        }
        cycles
    }

    /// Where the mean PE's pages are when they are worked on.
    fn reach(&self, totals: &Totals) -> Reach {
        let bytes = totals.frames_written.saturating_mul(FRAMES_IN_USE * PAGE_LEN);
        let fits = |most: u64| bytes <= most.saturating_mul(totals.committed);
        if fits(self.hot_bytes) {
            Reach::Hot
        } else if fits(self.cached_bytes) {
            Reach::Cold
        } else {
            Reach::Dram
        }
    }
}

#[cfg(test)]
mod tests;
