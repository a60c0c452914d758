// SPDX-License-Identifier: MIT
//! What is counted, recorded and published.

use pe_replay::Account;
use wire::brief::Recorded;
use wire::channel::Progress;
use wire::config::Recording;
use wire::difference::InWords;
use wire::end::{End, Totals};
use wire::record::Record;
use wire::{DelimiterKind, ThreadNumber};

use super::Executive;
use crate::arch::channel;
use crate::object::processor::Processor;
use crate::personality::Personality;

/// Ticks after which progress is published again, at the end of a PE.
const PUBLISH_EVERY: u64 = 1 << 20;

/// Adds to a sum that no run can bring to its end: no PE pays for a check.
#[inline(always)]
fn add(sum: &mut u64, more: u64) {
    *sum = sum.wrapping_add(more);
}

/// Whether nothing happened in a PE that does not happen in every one.
#[inline]
fn is_quiet(account: &Account) -> bool {
    let Account { divergences, third_runs, counter_misses, early_overflows, flips, .. } = account;
    divergences.is_empty()
        && third_runs | counter_misses | early_overflows | flips == 0
        && account.debug_exceptions == 0
}

impl<P: Processor, L: Personality> Executive<P, L> {
    /// Adds what the last PE came to, but for what is known from the sum of others.
    #[inline]
    pub(super) fn count(&mut self) {
        let (totals, account) = (&mut self.totals, self.objects.processor.account());
        add(&mut totals.write_faults, account.write_faults.into());
        add(&mut totals.frames_written, account.frames_written.into());
        if account.longest_hold > totals.longest_hold {
            totals.longest_hold = account.longest_hold;
        }
        if !is_quiet(account) {
            self.count_unusual();
        }
    }

    #[cold]
    #[inline(never)]
    fn count_unusual(&mut self) {
        let (totals, account) = (&mut self.totals, self.objects.processor.account());
        let divergences = account.divergences.len() as u64;
        totals.divergences += divergences;
        let restarts = divergences - u64::from(account.outvoted.is_some());
        let restarts = restarts.min(u64::from(pe_replay::policy::MAX_DIVERGENCES) - 1);
        totals.restarts += restarts;
        totals.outvoted += u64::from(account.outvoted.is_some());
        totals.third_runs += u64::from(account.third_runs);
        totals.counter_misses += u64::from(account.counter_misses);
        totals.drained_overflows += u64::from(account.early_overflows);
        totals.debug_exceptions += u64::from(account.debug_exceptions);
        totals.flips += u64::from(account.flips);
        for difference in &account.divergences {
            let ThreadNumber { process, thread } = self.numbers;
            defmt::warn!(
                "PE {=u64} (thread {=u32} of process {=u32}) diverged: {}",
                self.objects.sequence,
                thread,
                process,
                defmt::Display2Format(&InWords(*difference))
            );
        }
        self.objects.count_divergences(divergences, restarts);
    }

    /// Counts a PE that was committed by what ended it, and records it as it is asked for. What passes
    /// from here on is the next one's.
    #[inline]
    pub(super) fn record(&mut self, trace: Recording, delimiter: DelimiterKind, count: u64) {
        add(&mut self.totals.ends[delimiter as usize], 1);
        match trace {
            Recording::Nothing => return,
            Recording::Pes => {
                let pe = self.recorded(delimiter, count);
                if pe.is_brief() { channel::brief_pe_record(&pe) } else { self.record_long(delimiter, count) }
            }
            Recording::Digests | Recording::Pages => self.record_attended(delimiter, count),
        }
        self.told = *self.objects.processor.watch();
    }

    // What is lent to code that is called has to lie in memory, in every PE: so not what is recorded above.
    #[cold]
    #[inline(never)]
    fn record_long(&self, delimiter: DelimiterKind, count: u64) {
        channel::long_pe_record(&self.recorded(delimiter, count));
    }

    #[cold]
    #[inline(never)]
    fn record_attended(&self, delimiter: DelimiterKind, count: u64) {
        let pe = self.recorded(delimiter, count);
        match self.digest {
            Some(digest) => channel::digested_pe_record(&pe, digest),
            None => channel::long_pe_record(&pe),
        }
    }

    #[inline(always)]
    fn recorded(&self, delimiter: DelimiterKind, count: u64) -> Recorded<'_> {
        let (before, now) = (&self.told, self.objects.processor.watch());
        Recorded {
            thread: self.numbers,
            sequence: self.objects.sequence,
            delimiter,
            rip: self.objects.registers().rip,
            instructions: count,
            before,
            now,
            account: self.objects.processor.account(),
        }
    }

    /// Adds one to the number of PEs.
    #[inline(always)]
    pub(super) fn number_next(&mut self) {
        add(&mut self.objects.sequence, 1);
    }

    /// Says how far the programs have come, now and then.
    #[inline]
    pub(super) fn publish(&mut self) {
        let now = self.objects.processor.watch().mark();
        if now.wrapping_sub(self.published) >= PUBLISH_EVERY {
            self.published = now;
            let (pes, instructions) = (self.totals.ends.iter().sum(), self.objects.clock.instructions());
            channel::progress(Progress { pes, instructions, rip: self.objects.registers().rip });
        }
    }

    /// Sums up, and gives everything back but the processor.
    pub(super) fn finish(self) -> (End, Totals, P) {
        let Self { objects, personality, end, mut totals, idle, .. } = self;
        totals.pes = objects.sequence;
        totals.committed = totals.ends.iter().sum();
        totals.phases = objects.processor.watch().phases;
        totals.total = totals.phases.total();
        totals.idle = idle;
        totals.longest_interrupt = objects.lines.longest();
        totals.user_instructions = objects.clock.instructions();
        totals.lost_records = channel::lost_records();
        // Behind the count of those that were lost: these belong to no PE.
        for call in personality.unsupported_calls() {
            channel::record(&Record::Unsupported(call));
        }
        for limit in personality.reached_limits() {
            channel::record(&Record::Reached(limit));
        }
        personality.for_each_label(&objects, |label| channel::record(&Record::Label(label)));
        let processor = objects.destroy();
        processor.complete(&mut totals);
        (end, totals, processor)
    }
}
