// SPDX-License-Identifier: MIT
//! The summary of a run: what its trace and its end record add up to.
//!
//! Nothing is taken on trust: sums that do not agree are an error, not a summary.

pub mod text;

use anyhow::{Context, Result, ensure};
use flips::MAX_INJECTIONS;
use pe_replay::{Difference, Phases, TimedPhase};
use wire::ThreadNumber;
use wire::end::{End, EndRecord, Totals};
use wire::limit::ReachedLimit;
use wire::record::{
    Label, Records, TraceHeader, Unit, UnsupportedCall, labels, reached_limits, unsupported_calls,
};

use super::breakdown::{Breakdown, Collector};
use super::model::{Cycles, Model};

/// How many differences a summary shows.
const DIFFERENCES_SHOWN: usize = 5;

/// A run, added up.
#[derive(Clone, Debug, PartialEq)]
pub struct Summary {
    /// How PEs were run.
    pub header: TraceHeader,
    /// How it ended, and the kernel's own sums.
    pub end: EndRecord,
    /// Per-PE medians of each phase, the lower of the two middle values.
    pub medians: Phases,
    /// Debug exceptions a PE.
    pub debug_exceptions: DebugExceptions,
    /// The calls that the program made and the kernel does not have, or not like that.
    pub unsupported: Vec<UnsupportedCall>,
    /// The limits of the kernel that programs have come to.
    pub reached: Vec<ReachedLimit>,
    /// The names of processes.
    pub labels: Vec<Label>,
    /// Its PEs in parts.
    pub breakdown: Breakdown,
    /// The first of the PEs that diverged.
    pub differences: Vec<Diverged>,
    /// The first of the PEs that a flip hit, and that were committed.
    pub hits: Vec<Hit>,
    /// What a processor would need, after a model; `None` where the run was timed in cycles.
    pub modelled: Option<Cycles>,
}

/// A PE, one attempt at which diverged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Diverged {
    /// Its sequence number.
    pub pe: u64,
    /// Whose it is.
    pub thread: ThreadNumber,
    /// The first difference.
    pub difference: Difference,
}

/// A PE that flips hit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hit {
    /// Its sequence number.
    pub pe: u64,
    /// Whose it is.
    pub thread: ThreadNumber,
    /// How many they were.
    pub flips: u16,
}

/// How many debug exceptions PEs took to stop exactly.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DebugExceptions {
    /// The middle PE's, the lower of two.
    pub median: u64,
    /// What 999 of 1,000 PEs do not exceed.
    pub most: u64,
    /// What none exceeds.
    pub highest: u64,
}

impl DebugExceptions {
    /// Those of so many PEs.
    pub fn new(mut all: Vec<u64>) -> Self {
        all.sort_unstable();
        let at = |index: usize| all.get(index).copied().unwrap_or_default();
        let length = all.len();
        Self {
            median: at(length.saturating_sub(1) / 2),
            most: at((length * 999).div_ceil(1000).saturating_sub(1)),
            highest: at(length.saturating_sub(1)),
        }
    }
}

impl Summary {
    /// Adds a trace up and compares it with the kernel's sums.
    pub fn new(trace: &[u8], end: EndRecord) -> Result<Self> {
        let (header, records) = Records::open(trace).context("the trace")?;
        let labels: Vec<_> = labels(trace).collect();
        let mut parts = Collector::new(&labels);
        let mut durations: [Vec<u64>; TimedPhase::ALL.len()] = Default::default();
        let (mut differences, mut hits, mut debug_exceptions) = (Vec::new(), Vec::new(), Vec::new());
        let (mut count, mut instructions, mut divergences) = (0, 0, 0);
        for record in records {
            let record = record.with_context(|| format!("the trace after {count} PEs"))?;
            parts.add(&record);
            count += 1;
            instructions += record.instructions;
            debug_exceptions.push(u64::from(record.debug_exceptions));
            divergences += record.divergences.len() as u64;
            for (all, one) in durations.iter_mut().zip(record.phases.0) {
                all.push(one);
            }
            let room = DIFFERENCES_SHOWN - differences.len();
            let (pe, thread) = (record.sequence, record.thread);
            let diverged = |difference: &Difference| Diverged { pe, thread, difference: *difference };
            differences.extend(record.divergences.iter().take(room).map(diverged));
            if record.flips > 0 && hits.len() < MAX_INJECTIONS {
                hits.push(Hit { pe, thread, flips: record.flips });
            }
        }
        let totals = &end.totals;
        agree("phases and total", totals.phases.total(), totals.total)?;
        agree("PEs by delimiter and committed PEs", totals.ends.iter().sum(), totals.committed)?;
        agree("trace records and committed PEs", count + totals.lost_records, totals.committed)?;
        if totals.lost_records == 0 {
            agree("user instructions of trace and total", instructions, totals.user_instructions)?;
            // A PE that never commits leaves no record, but its divergences count.
            ensure!(
                divergences <= totals.divergences,
                "divergences of trace and total do not agree: {divergences} and {}",
                totals.divergences
            );
        }
        let mut medians = Phases::default();
        for (median, values) in medians.0.iter_mut().zip(&mut durations) {
            *median = lower_median(values);
        }
        let model = match header.unit {
            Unit::Instructions => Some(Model::built_in()?),
            Unit::Cycles => None,
        };
        let modelled = model.map(|model| model.cycles(&header.policy, totals));
        let breakdown = parts.finish(totals, &header.policy, model);
        let debug_exceptions = DebugExceptions::new(debug_exceptions);
        let (unsupported, reached) = (unsupported_calls(trace).collect(), reached_limits(trace).collect());
        Ok(Self {
            header,
            end,
            medians,
            debug_exceptions,
            unsupported,
            reached,
            labels,
            breakdown,
            differences,
            hits,
            modelled,
        })
    }

    /// The kernel's sums.
    pub fn totals(&self) -> &Totals {
        &self.end.totals
    }

    /// The whole over its useful part; `None` where run 2 took no time.
    pub fn total_over_second_run(&self) -> Option<f64> {
        let second = self.totals().phases.get(TimedPhase::SecondRun);
        (second != 0).then(|| self.totals().total as f64 / second as f64)
    }

    /// The whole over its useful part in modelled cycles, the ratio to be compared with the original's.
    pub fn modelled_over_second_run(&self) -> Option<f64> {
        self.modelled.and_then(|cycles| cycles.over_second_run())
    }
}

/// What a run adds up to; `None` for a program that was refused and never ran.
pub fn summarize(trace: &[u8], record: &EndRecord) -> Result<Option<Summary>> {
    if matches!(record.end, End::Refused(_)) {
        return Ok(None);
    }
    Summary::new(trace, *record).map(Some)
}

fn agree(what: &str, one: u64, other: u64) -> Result<()> {
    ensure!(one == other, "{what} do not agree: {one} and {other}");
    Ok(())
}

/// The middle value, or the lower of two; zero where there is none. Reorders `values`.
fn lower_median(values: &mut [u64]) -> u64 {
    match values.len() {
        0 => 0,
        length => *values.select_nth_unstable((length - 1) / 2).1,
    }
}

#[cfg(test)]
pub(crate) mod tests;
