// SPDX-License-Identifier: MIT
//! What is counted, recorded and published.

use pe_replay::phases::Phases;
use wire::DelimiterKind;
use wire::brief::Recorded;
use wire::channel::Progress;
use wire::config::Recording;
use wire::end::{End, Totals};
use wire::record::Record;

use super::Executive;
use crate::arch::channel;
use crate::object::processor::Processor;
use crate::personality::Personality;

/// Ticks after which progress is published again, at the end of a PE.
const PUBLISH_EVERY: u64 = 1 << 20;

impl<P: Processor, L: Personality> Executive<P, L> {
    /// Adds what the last PE came to.
    #[inline]
    pub(super) fn count(&mut self) {
        let (totals, account) = (&mut self.totals, P::account(self.objects.kept()));
        totals.write_faults += u64::from(account.write_faults);
        totals.longest_hold = totals.longest_hold.max(account.longest_hold);
        if account.is_quiet() {
            return;
        }
        let divergences = account.divergences.len() as u64;
        totals.divergences += divergences;
        let restarts = divergences - u64::from(account.outvoted.is_some());
        totals.restarts += restarts.min(u64::from(pe_replay::policy::MAX_DIVERGENCES) - 1);
        totals.outvoted += u64::from(account.outvoted.is_some());
        totals.third_runs += u64::from(account.third_runs);
        totals.counter_misses += u64::from(account.counter_misses);
        totals.drained_overflows += u64::from(account.early_overflows);
        totals.debug_exceptions += u64::from(account.debug_exceptions);
        totals.flips += u64::from(account.flips);
        for difference in &account.divergences {
            defmt::warn!("PE {=u64} diverged: {}", self.sequence - 1, defmt::Display2Format(difference));
        }
    }

    fn recorded<'a>(
        &'a self,
        sequence: u64,
        delimiter: DelimiterKind,
        count: u64,
        phases: &'a Phases,
    ) -> Recorded<'a> {
        let kept = self.objects.kept();
        let (process, thread) = self.numbers;
        Recorded {
            process,
            thread,
            sequence,
            delimiter,
            rip: P::registers(kept).rip,
            instructions: count,
            phases,
            account: P::account(kept),
        }
    }

    /// Records a PE as it is asked for; of one that was not committed there is no record.
    #[inline]
    pub(super) fn record(
        &self,
        trace: Recording,
        sequence: u64,
        delimiter: Option<DelimiterKind>,
        count: u64,
        phases: Phases,
    ) {
        // In this order, and the second by a call: to record a PE costs some forty
        // instructions, and each branch more would be felt.
        if trace == Recording::Pes
            && let Some(delimiter) = delimiter
        {
            channel::pe_record(&self.recorded(sequence, delimiter, count, &phases));
        } else if trace == Recording::Digests {
            self.record_digested(sequence, delimiter, count, phases);
        }
    }

    #[cold]
    #[inline(never)]
    fn record_digested(&self, sequence: u64, delimiter: Option<DelimiterKind>, count: u64, phases: Phases) {
        let (Some(delimiter), Some(digest)) = (delimiter, self.digest) else { return };
        channel::digested_pe_record(&self.recorded(sequence, delimiter, count, &phases), digest);
    }

    /// Says how far the programs have come, now and then.
    #[inline]
    pub(super) fn publish(&mut self) {
        let (_, kept) = self.objects.running();
        let now = P::watch(kept).mark();
        if now.wrapping_sub(self.published) >= PUBLISH_EVERY {
            self.published = now;
            let (pes, instructions) = (self.totals.committed, self.objects.clock.instructions());
            channel::progress(Progress { pes, instructions, rip: self.objects.registers().rip });
        }
    }

    /// Sums up, and gives everything back but the processor.
    pub(super) fn finish(self) -> (End, Totals, P) {
        let Self { objects, personality, end, mut totals, idle, .. } = self;
        totals.total = totals.phases.total();
        totals.idle = idle;
        totals.user_instructions = objects.clock.instructions();
        totals.lost_records = channel::lost_records();
        // Behind the count of those that were lost: these belong to no PE.
        for call in personality.unsupported_calls() {
            channel::record(&Record::Unsupported(call));
        }
        let processor = objects.destroy();
        processor.complete(&mut totals);
        (end, totals, processor)
    }
}
