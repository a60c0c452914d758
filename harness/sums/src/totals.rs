// SPDX-License-Identifier: MIT
//! Sums of a part of a run, as far as the records of its PEs tell.

use pe_replay::TimedPhase;
use wire::end::Totals;
use wire::record::PeRecord;

/// Adds a PE to sums; returns how often user mode was entered for it.
pub fn add(totals: &mut Totals, record: &PeRecord) -> u64 {
    let phases = &record.phases;
    let is_run = |phase| u64::from(phases.get(phase) > 0);
    let third = is_run(TimedPhase::ThirdRun);
    let runs = 1 + is_run(TimedPhase::SecondRun) + third;
    totals.committed += 1;
    totals.user_instructions += record.instructions;
    totals.frames_written += u64::from(record.frames_written);
    totals.write_faults += u64::from(record.write_faults);
    totals.debug_exceptions += u64::from(record.debug_exceptions);
    totals.divergences += record.divergences.len() as u64;
    totals.third_runs += third;
    totals.ends[record.delimiter as usize] += 1;
    totals.phases.0.iter_mut().zip(phases.0).for_each(|(sum, one)| *sum += one);
    totals.total += phases.total();
    runs + u64::from(record.write_faults) + u64::from(record.debug_exceptions)
}
