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
use wire::record::{Label, PeRecord, Record, TraceHeader, Unit, UnsupportedCall};

use super::breakdown::{Breakdown, Collector};
use super::model::{Cycles, Model};
use sums::durations::Durations;
use sums::spread::Spread;
use sums::stream::RecordStream;

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

impl From<&Spread> for DebugExceptions {
    fn from(all: &Spread) -> Self {
        Self { median: all.median(), most: all.at_most(999, 1000), highest: all.highest() }
    }
}

/// A run that is added up record by record.
#[derive(Debug, Default)]
pub struct Sums {
    header: Option<TraceHeader>,
    parts: Collector,
    durations: Durations,
    debug_exceptions: Spread,
    count: u64,
    instructions: u64,
    divergences: u64,
    differences: Vec<Diverged>,
    hits: Vec<Hit>,
    unsupported: Vec<UnsupportedCall>,
    reached: Vec<ReachedLimit>,
    labels: Vec<Label>,
}

impl Sums {
    /// Adds a record.
    pub fn add(&mut self, record: &Record) {
        match record {
            Record::Header(header) => self.header = Some(*header),
            Record::Pe(record) => self.add_pe(record),
            Record::Unsupported(call) => self.unsupported.push(*call),
            Record::Reached(limit) => self.reached.push(*limit),
            Record::Label(label) => self.labels.push(*label),
            // Nothing of a summary.
            Record::Device(_) | Record::Flipped(_) | Record::Noticed(_) | Record::Written(_) => {}
            // A stream of records has none of these.
            Record::Brief(_) | Record::Digested(_) | Record::Program(_) => {}
        }
    }

    fn add_pe(&mut self, record: &PeRecord) {
        self.parts.add(record);
        self.count += 1;
        self.instructions += record.instructions;
        self.debug_exceptions.add(u64::from(record.debug_exceptions));
        self.divergences += record.divergences.len() as u64;
        self.durations.add(&record.phases);
        let (pe, thread) = (record.sequence, record.thread);
        if !record.divergences.is_empty() {
            let room = DIFFERENCES_SHOWN - self.differences.len();
            let diverged = |difference: &Difference| Diverged { pe, thread, difference: *difference };
            self.differences.extend(record.divergences.iter().take(room).map(diverged));
        }
        if record.flips > 0 && self.hits.len() < MAX_INJECTIONS {
            self.hits.push(Hit { pe, thread, flips: record.flips });
        }
    }

    /// PEs so far.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The summary; none for a program that was refused and never ran.
    pub fn summary(self, end: EndRecord) -> Result<Option<Summary>> {
        match end.end {
            End::Refused(_) => Ok(None),
            _ => self.finish(end).map(Some),
        }
    }

    /// Compares what came together with the kernel's sums.
    fn finish(self, end: EndRecord) -> Result<Summary> {
        let header = self.header.context("the trace: no header")?;
        let totals = &end.totals;
        agree("phases and total", totals.phases.total(), totals.total)?;
        agree("PEs by delimiter and committed PEs", totals.ends.iter().sum(), totals.committed)?;
        agree("trace records and committed PEs", self.count + totals.lost_records, totals.committed)?;
        if totals.lost_records == 0 {
            agree("user instructions of trace and total", self.instructions, totals.user_instructions)?;
            // A PE that never commits leaves no record, but its divergences count.
            ensure!(
                self.divergences <= totals.divergences,
                "divergences of trace and total do not agree: {} and {}",
                self.divergences,
                totals.divergences
            );
        }
        let model = match header.unit {
            Unit::Instructions => Some(Model::built_in()?),
            Unit::Cycles => None,
        };
        let modelled = model.map(|model| model.cycles(&header.policy, totals));
        Ok(Summary {
            header,
            end,
            medians: self.durations.medians(),
            debug_exceptions: DebugExceptions::from(&self.debug_exceptions),
            unsupported: self.unsupported,
            reached: self.reached,
            breakdown: self.parts.finish(&self.labels, totals, &header.policy, model),
            labels: self.labels,
            differences: self.differences,
            hits: self.hits,
            modelled,
        })
    }
}

impl Summary {
    /// Adds a trace up and compares it with the kernel's sums.
    pub fn new(trace: &[u8], end: EndRecord) -> Result<Self> {
        let mut stream = RecordStream::default();
        stream.push(trace);
        stream.complete();
        let mut sums = Sums::default();
        while let Some(record) = stream.take() {
            sums.add(&record.with_context(|| format!("the trace after {} PEs", sums.count()))?);
        }
        sums.finish(end)
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

fn agree(what: &str, one: u64, other: u64) -> Result<()> {
    ensure!(one == other, "{what} do not agree: {one} and {other}");
    Ok(())
}

#[cfg(test)]
pub(crate) mod tests;
